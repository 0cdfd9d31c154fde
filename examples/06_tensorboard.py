"""
TensorBoard
===========

Log the loss and accuracy of each epoch with skorch's callback `skorch.callbacks.TensorBoard`.

Install the extra with ``pip install '.[tracking]'``. Show the curves with ``tensorboard --logdir runs``.
"""

from pathlib import Path

from sklearn.datasets import load_digits
from skorch.callbacks import EpochScoring, TensorBoard
from torch.utils.tensorboard import SummaryWriter

from skconv import CNNClassifier

# TensorBoard groups tags with the same prefix.
TAGS = {
    "train_loss": "loss/training",
    "valid_loss": "loss/validation",
    "train_accuracy": "accuracy/training",
    "valid_acc": "accuracy/validation",
    "dur": "seconds",
}

digits = load_digits()
folder = Path("runs") / "tensorboard"

classifier = CNNClassifier(
    "fast",
    max_epochs=6,
    validation_fraction=0.2,  # held out of the training images
    random_state=0,
    callbacks=[
        EpochScoring("accuracy", name="train_accuracy", on_train=True, lower_is_better=False),
        TensorBoard(SummaryWriter(str(folder)), key_mapper=lambda name: TAGS.get(name, name)),
    ],
)
classifier.fit(digits.images, digits.target)

for epoch in classifier.history_:
    print(f"epoch {epoch['epoch']}: validation loss {epoch['valid_loss']:.3f}, accuracy {epoch['valid_accuracy']:.4f}")
print(f"logged to {folder}; show it with: tensorboard --logdir {folder.parent}")
