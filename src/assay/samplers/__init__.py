"""Which rows of the training split each step is trained on. One file is one plug; the file's name is its only name."""
