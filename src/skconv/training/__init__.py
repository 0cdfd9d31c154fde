"""The training engine: batches, augmentation, precision, the skorch net and its callbacks."""
