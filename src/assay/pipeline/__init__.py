"""What stands around the jobs: their frame, the check before them, how long they will take."""
