"""
Weights & Biases
================

Log a training run with skorch's callback `skorch.callbacks.WandbLogger`.

Install the extra with ``pip install '.[tracking]'``. The run is logged offline, without an account. To log online, set
``WANDB_MODE=online``.
"""

import os
from pathlib import Path

import wandb
from sklearn.datasets import load_digits
from skorch.callbacks import WandbLogger

from skconv import CNNClassifier

folder = Path("runs")
folder.mkdir(exist_ok=True)
run = wandb.init(project="digits", dir=folder, mode=os.environ.get("WANDB_MODE", "offline"))

digits = load_digits()
classifier = CNNClassifier(
    "fast",
    max_epochs=6,
    validation_fraction=0.2,  # held out of the training images
    random_state=0,
    callbacks=[WandbLogger(run, save_model=False)],  # `classifier.save` writes the whole model folder
)
run.config.update({"learning_rate": classifier.learning_rate, "batch_size": classifier.batch_size})
classifier.fit(digits.images, digits.target)

for name in ("train_loss", "valid_loss", "valid_acc"):
    print(f"{name} of the last epoch: {run.summary[name]:.4f}")
record = Path(run.dir).parent
run.finish()
print(f"logged to {os.path.relpath(record)}; upload it later with: wandb sync {os.path.relpath(record)}")
