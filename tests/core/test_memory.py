"""That a process which evaluates networks uses freed memory again instead of asking the kernel for new pages."""

import ctypes
import subprocess
import sys

import pytest

ROUNDS = """
import resource, sys
import torch
from assay.networks.memory import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
def use():
    return [torch.ones(size * 2**18) for size in (8, 16, 40)]  # MiB, as activations of a batch come and go
for _ in range(10):  # until blocks have found their places
    use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def new_pages(way):
    return int(subprocess.run([sys.executable, "-c", ROUNDS, way], capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library is not glibc")
def test_freed_memory_is_used_again():
    assert new_pages("kept") < new_pages("as it comes") / 10
