"""Learning-rate factor over the course of a training. One file is one plug; the file's name is its only name."""
