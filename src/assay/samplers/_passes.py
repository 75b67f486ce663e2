"""Rows drawn in passes: none comes a second time before all others of its set came once."""

import torch
from torch import Tensor


def passes(rows: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """`count` of the rows (M,): whole passes over them, each in an order of its own, and the beginning of one more."""
    orders = [torch.randperm(len(rows), generator=generator, device=generator.device) for _ in range(-(-count // len(rows)))]
    return rows[torch.cat(orders)[:count]]
