"""Record a training for Weights & Biases, through skorch's callback: without an account, on this machine only.

Needs the extra "tracking": pip install '.[tracking]'. With an account, WANDB_MODE=online sends the record as it grows.
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
    callbacks=[WandbLogger(run, save_model=False)],  # `classifier.save` writes a model that is more than its weights
)
run.config.update({"learning_rate": classifier.learning_rate, "batch_size": classifier.batch_size})
classifier.fit(digits.images, digits.target)

for name in ("train_loss", "valid_loss", "valid_acc"):
    print(f"{name} of the last epoch: {run.summary[name]:.4f}")
record = Path(run.dir).parent
run.finish()
print(f"recorded in {os.path.relpath(record)}; to send it later: wandb sync {os.path.relpath(record)}")
