"""What networks see: seeds, worlds, batches of tensors, streams of images."""
