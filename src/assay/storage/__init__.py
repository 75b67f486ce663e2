"""Files that are whole or not there: atomic writing, checksum manifests, receipts of jobs, checkpoints."""
