"""Named data sets: download, and readers of their published files."""
