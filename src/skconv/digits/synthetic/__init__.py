"""Synthetic images: drawn digits, scans of digits, images without a digit."""
