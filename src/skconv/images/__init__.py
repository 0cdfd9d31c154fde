"""From an untrusted picture file to arrays a classifier can read. NumPy, SciPy and Pillow only."""
