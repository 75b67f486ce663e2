"""Several processes that train one network: what each computes of a step, and how they agree.

All draw the same order and augment the same whole batch; then each keeps its share of the rows, and gradients are averaged. So a
recipe means the same however many processes train it, up to the order of sums. Only what a network or an objective draws for
itself (dropout, the start of an attack) is drawn by each process for its own rows.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from assay.data.batch import Batch
from assay.training.objective import Player

# Processes wait for each other as long as one may read its data or hold on for a lock; who dies is noticed by torchrun.
PATIENCE = timedelta(days=1)


@dataclass(frozen=True)
class Group:
    """The processes of one training, seen from process `rank` of `size`. Alone, every method gives back what it was given."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes files."""
        return self.rank == 0

    def any(self, *answers: bool) -> list[bool]:
        """For each question whether some process answers yes; all processes learn the same, at the same place."""
        if self.size == 1:
            return list(answers)
        votes = torch.tensor(answers, dtype=torch.int32)
        dist.all_reduce(votes, dist.ReduceOp.MAX)
        return votes.bool().tolist()

    def sum(self, value: Tensor) -> Tensor:
        """The sum of all processes' values."""
        if self.size > 1:
            value = value.clone()
            dist.all_reduce(value)
        return value

    def every(self, value: Tensor) -> list[Tensor]:
        """The values of all processes, of one shape, in order of rank."""
        if self.size == 1:
            return [value]
        values = [torch.empty_like(value) for _ in range(self.size)]
        dist.all_gather(values, value)
        return values

    def share(self, rows: Tensor) -> Tensor:
        """This process's part of rows (B, ...): the parts are contiguous, and their lengths differ by one at most."""
        return rows if self.size == 1 else torch.tensor_split(rows, self.size)[self.rank]

    def whole(self, share: Tensor, count: int) -> Tensor:
        """All `count` rows from the parts that `share` left with each process."""
        if self.size == 1:
            return share
        rows = self.share(torch.arange(count, device=share.device))
        whole = share.new_zeros((count, *share.shape[1:]))
        whole[rows] = share
        dist.all_reduce(whole)
        return whole.contiguous(memory_format=torch.channels_last) if whole.ndim == 4 else whole

    def part(self, batch: Batch) -> Batch:
        """This process's part of a batch."""
        if self.size == 1:
            return batch
        return batch.each(self.share)

    def loss_of(self, player: Player, network: nn.Module) -> Callable[[Batch], Tensor]:
        """The player's loss as a function of a batch, whose gradients are averaged over the processes."""
        module = _Loss(player, network)
        if self.size == 1:
            return module.forward
        device = next(network.parameters()).device
        # Unused parameters: a self-supervised objective leaves the classifier alone. Looking for them also keeps the order of
        # the reduction the same from the first step on, and so a resumed training's bits.
        return DistributedDataParallel(
            module, device_ids=[device] if device.type == "cuda" else None, find_unused_parameters=True
        )


ALONE = Group()


class _Loss(nn.Module):
    """A player's loss as a module, so that gradients are reduced for every parameter behind it, however it is reached."""

    def __init__(self, player: Player, network: nn.Module):
        super().__init__()
        self.trained = nn.ModuleList(player.modules)
        self.network, self.loss = network, player.loss

    def forward(self, batch: Batch) -> Tensor:
        return self.loss(self.network, batch)


def synchronise_batch_norm(module: nn.Module, group: Group, device: torch.device) -> None:
    """Let batch normalisation below `module` see the whole batch. PyTorch does so on GPUs only: on CPUs every process normalises
    by its own rows, and the running averages are those of the first."""
    if group.size > 1 and device.type == "cuda":
        from assay.training import shim  # noqa: F401  (before timm)

        # isort: split
        from timm.layers import convert_sync_batchnorm

        # timm's, because some of its normalisations hold an activation, which PyTorch's own conversion loses.
        convert_sync_batchnorm(module)


@contextlib.contextmanager
def joined(device: torch.device) -> Iterator[Group]:
    """The group of the processes that torchrun started beside this one. Left in order only if all did their work: after an
    error, to wait for the others might take forever."""
    dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    yield Group(dist.get_rank(), dist.get_world_size())
    dist.destroy_process_group()


def local_rank() -> int:
    """This process's number on its machine: 0 unless torchrun started several."""
    return int(os.environ.get("LOCAL_RANK", 0))
