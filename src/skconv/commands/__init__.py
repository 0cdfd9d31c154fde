"""The library commands: `train`, `evaluate`, `predict`; the command line calls them under the same names."""
