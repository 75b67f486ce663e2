"""Slurm: what is asked of it, and whether a site can run it."""
