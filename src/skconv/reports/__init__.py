"""Figures as matplotlib `Figure` objects, without pyplot, and the HTML report."""
