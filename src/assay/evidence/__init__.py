"""What was measured, as it lies on disk."""
