"""Hyper-parameter search: search space, Optuna study and results."""
