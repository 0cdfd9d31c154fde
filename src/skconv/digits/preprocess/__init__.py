"""Preprocessing of one handwritten digit: photo or scan to 28×28 as MNIST was made."""
