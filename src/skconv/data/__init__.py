"""Data sets: catalog, readers of file formats, splits, and loading of images to predict."""
