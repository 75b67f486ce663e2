"""Start-up paid once: a process that holds libraries, and the jobs that are forked from it."""
