"""From images to faces: load a model, prepare images for it, run it, and read its answer."""
