"""
A network of your own
=====================

Train a small ResNet that is a plain `torch.nn.Module`, search one of its options, and use the saved ONNX graph.

The class does not import skconv. It gets the number of channels and classes from the classifier.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.model_selection import GridSearchCV
from torch import nn

import skconv


class Block(nn.Module):
    """Two convolutions; their output is added to the input, which is resized if its shape differs."""

    def __init__(self, in_channels, out_channels, stride):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        same = stride == 1 and in_channels == out_channels
        self.shortcut = nn.Identity() if same else nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)

    def forward(self, features):
        """Return features with `out_channels` channels."""
        return torch.relu(self.layers(features) + self.shortcut(features))


class ResNet(nn.Module):
    """Three stages of one block each."""

    def __init__(self, in_channels, num_classes, width=8):
        super().__init__()
        self.stages = nn.Sequential(
            Block(in_channels, width, stride=2),
            Block(width, 2 * width, stride=2),
            Block(2 * width, 4 * width, stride=1),
        )
        self.head = nn.Linear(4 * width, num_classes)

    def forward(self, images):
        """Return logits (n, num_classes) of images (n, in_channels, height, width)."""
        return self.head(self.stages(images).mean((2, 3)))


mnist = skconv.load_dataset("mnist")
images, labels = mnist.train_images[:4000], mnist.train_labels[:4000]
test_images, test_labels = mnist.test_images[:2000], mnist.test_labels[:2000]

# %%
# Options of the class are parameters with the prefix ``network__``, which a search can set. A quarter of the images
# suffices to compare them.

search = GridSearchCV(
    skconv.CNNClassifier(ResNet, max_epochs=3, random_state=0), {"network__width": [6, 12]}, cv=2, refit=False
)
search.fit(images[:1000], labels[:1000])
for width, accuracy in zip(
    search.cv_results_["param_network__width"], search.cv_results_["mean_test_score"], strict=True
):
    print(f"width {width}: accuracy {accuracy:.3f}")

# %%
# Train the best width with a validation split, which also calibrates the probabilities.

classifier = skconv.CNNClassifier(
    ResNet, **search.best_params_, max_epochs=6, validation_fraction=0.1, augmentation={"rotation": 10, "shift": 0.08},
    random_state=0,
)  # fmt: skip
classifier.fit(images, labels)
print(f"test accuracy {classifier.score(test_images, test_labels):.4f}, {classifier.n_parameters_:,} parameters")

figure, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
for name, label in (("train_loss", "training, augmented"), ("valid_loss", "validation")):
    axes.plot([row["epoch"] for row in classifier.history_], [row[name] for row in classifier.history_], label=label)
axes.set(xlabel="epoch", ylabel="loss", ylim=(0, None))
axes.legend()
plt.show()

# %%
# The model folder contains an ONNX graph, which predicts without the class. ``load`` requires the class.

folder = Path(tempfile.mkdtemp()) / "model"
classifier.save(folder)
probabilities = skconv.OnnxClassifier(folder).predict_proba(test_images[:100])
loaded = skconv.CNNClassifier.load(folder, network=ResNet)
print(f"largest difference {np.abs(probabilities - loaded.predict_proba(test_images[:100])).max():.1e}")
