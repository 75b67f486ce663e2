"""Detours around faults of the libraries below, each with what goes wrong and where it was seen."""

from torch import Tensor, nn

FEWEST_CHANNELS = 8


def spare_narrow_pointwise(network: nn.Module) -> None:
    """Make strided 1x1 convolutions of fewer than 8 channels subsample their input first, which computes the same.

    On processors with AVX2 but not AVX-512, oneDNN's kernel for the gradient of such weights writes beyond their end if images
    are in channels_last, and the process dies or computes nonsense (torch 2.13.0).
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and _is_hit(module):
            module.register_forward_pre_hook(_Subsample(module.stride))
            module.stride = (1, 1)


def _is_hit(convolution: nn.Conv2d) -> bool:
    strided_point = convolution.kernel_size == (1, 1) and convolution.stride != (1, 1) and convolution.padding == (0, 0)
    return strided_point and convolution.in_channels < FEWEST_CHANNELS


class _Subsample:
    """A hook that hands a module every so many rows and columns of its input; a class, so that networks can be copied."""

    def __init__(self, stride: tuple[int, int]):
        self.down, self.right = stride

    def __call__(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        images, *rest = inputs
        return (images[:, :, :: self.down, :: self.right], *rest)
