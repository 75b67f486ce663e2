"""How the process keeps memory that was freed."""

import ctypes

# Of glibc's malloc.h: blocks from this size on are mapped one by one; free memory from this size on is given back.
MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1
LARGEST_BLOCKS = (2**30, 2**25)  # bytes; 32 MiB is the most that glibc before 2.35 takes
NEVER = 2**31 - 1


def keep_freed_memory() -> None:
    """Have freed blocks of up to 1 GiB used again instead of returned to the kernel, where the C library is glibc.

    By default the activations of every batch are new pages, which the kernel clears and maps again: up to a third of the time
    of evaluating a small network. The process holds on to the most memory it ever used, as PyTorch does on a GPU.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None and mallopt(TRIM_THRESHOLD, NEVER):
        any(mallopt(MMAP_THRESHOLD, size) for size in LARGEST_BLOCKS)
