"""Library commands, such as `train` and `predict`: one module per command, with its function and its result record."""
