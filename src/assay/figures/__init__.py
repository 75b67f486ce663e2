"""Observations -> picture. One file is one plug; the file's name is its only name."""
