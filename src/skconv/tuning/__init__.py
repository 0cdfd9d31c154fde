"""Hyper-parameter search: the space, the Optuna study and its results."""
