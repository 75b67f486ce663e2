"""Run a script, a module or code in a child of the parent: `python -m assay.forks [-m MODULE | -c CODE | SCRIPT] ARGUMENTS`."""
