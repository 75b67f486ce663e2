"""Random numbers augmentations share, all from a torch.Generator and on its device."""

import torch
from torch import Tensor

# torch.distributions takes no generator, so the operators below it are called directly.


def dirichlet(concentration: float, count: int, parts: int, generator: torch.Generator) -> Tensor:
    """(count, parts) float32 rows drawn from the symmetric Dirichlet distribution; each sums to 1."""
    alpha = torch.full((count, parts), concentration, dtype=torch.float64, device=generator.device)
    return torch._sample_dirichlet(alpha, generator=generator).float()


def beta(concentration: float, count: int, generator: torch.Generator) -> Tensor:
    """(count,) float32 drawn from Beta(concentration, concentration), the two-part Dirichlet distribution."""
    return dirichlet(concentration, count, 2, generator)[:, 0]


def uniform(low: float, high: float, count: int, generator: torch.Generator) -> Tensor:
    """(count,) float32 drawn uniformly from [low, high)."""
    return low + (high - low) * torch.rand(count, generator=generator, device=generator.device)


def signs(count: int, generator: torch.Generator) -> Tensor:
    """(count,) of -1 and 1 with equal chance."""
    return 2.0 * (torch.rand(count, generator=generator, device=generator.device) < 0.5) - 1


def integers(low: int, high: int, count: int, generator: torch.Generator) -> Tensor:
    """(count,) int64 drawn uniformly from low to high - 1."""
    return torch.randint(low, high, (count,), generator=generator, device=generator.device)
