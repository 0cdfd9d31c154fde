"""Decoding of untrusted image files, resizing, and preprocessing."""
