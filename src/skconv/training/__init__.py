"""Training loop: skorch net, batches, augmentation, optimizers, callbacks, checkpoints."""
