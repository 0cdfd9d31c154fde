"""Matplotlib figures, created without pyplot, and the HTML report."""
