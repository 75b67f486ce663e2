"""Trained networks on disk, and the jobs that train them."""
