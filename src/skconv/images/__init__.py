"""From an untrusted image file to arrays a classifier can read. NumPy, SciPy and Pillow only."""
