"""Architectures, from timm where timm has them. One file is one plug; the file's name is its only name."""
