"""assay: an executable literature for computer vision."""
