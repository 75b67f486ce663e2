"""`python -m assay.cli`, for where the program `assay` is not on the path."""

from assay.cli import app

app()
