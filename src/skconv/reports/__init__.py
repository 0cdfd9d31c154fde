"""Figures of a training run as matplotlib `Figure` objects, never through pyplot."""
