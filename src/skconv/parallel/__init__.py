"""Folds on other machines through Dask."""
