"""
Augmentation
============

Rotate and shift each training image at random in every epoch.

Augmentation helps most with few training images; this example uses 300. Flips are useful for clothing, but not for
digits: a mirrored 3 or 7 is not a digit, and a mirrored 2 looks like a 5.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch

from skconv import CNNClassifier, load_dataset
from skconv.training.augmentation import Augmentation

mnist = load_dataset("mnist")
X_train, y_train = mnist.train_images[:300], mnist.train_labels[:300]
X_test, y_test = mnist.test_images[:1000], mnist.test_labels[:1000]

# Rotation in degrees, shift as a fraction of the side. The amount per image is uniform in ± this value.
AUGMENTATIONS = {
    "none": None,
    "rotation": {"rotation": 15},
    "rotation and translation": {"rotation": 15, "shift": 0.1},
    "rotation, translation, flip": {"rotation": 15, "shift": 0.1, "flip": True},
}

for name, augmentation in AUGMENTATIONS.items():
    classifier = CNNClassifier("fast", max_epochs=20, batch_size=64, augmentation=augmentation, random_state=0)
    classifier.fit(X_train, y_train)
    print(f"{name:27} test accuracy {classifier.score(X_test, y_test):.4f}")

# %%
# Draw five digits (left column), each augmented nine times. ``Augmentation`` accepts float32 (n, channels, height,
# width).

augment = Augmentation(rotation=15, shift=0.1)
figure, rows = plt.subplots(5, 10, figsize=(8, 4), layout="constrained")
for digit, panels in zip(X_train[:5], rows, strict=True):
    copies = torch.from_numpy(np.repeat(digit[None, None], 9, axis=0)).float()
    shown = [digit, *augment(copies, torch.Generator().manual_seed(0))[:, 0]]
    for axes, image in zip(panels, shown, strict=True):
        axes.imshow(image, cmap="gray")
        axes.set_axis_off()
