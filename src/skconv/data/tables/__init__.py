"""Readers of tables: of pixels, and of the names and labels of image files."""
