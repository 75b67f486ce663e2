"""Data with factors: procedural worlds and real data sets. One file is one plug; the file's name is its only name."""
