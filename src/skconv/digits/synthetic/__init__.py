"""Synthetic digits and background images: pen, paper, drawn and joined digits."""
