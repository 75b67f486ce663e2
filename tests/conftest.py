"""Fixtures shared by all tests."""

import os

# One thread a process: the suite runs several processes, and results must not depend on how threads split a sum.
os.environ.setdefault("OMP_NUM_THREADS", "1")
