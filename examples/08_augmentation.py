"""
Augmentation
============

Rotate and shift each training image at random in every epoch. It helps most with few training images: 300 here.

Flips are right for clothing and wrong for digits: a mirrored 3 or 7 is no digit, and a mirrored 2 looks like a 5.
"""

import numpy as np
import torch

from skconv import CNNClassifier, load_dataset
from skconv.reports.image_grids import draw_samples
from skconv.training.augmentation import Augmentation

mnist = load_dataset("mnist")
X_train, y_train = mnist.train_images[:300], mnist.train_labels[:300]
X_test, y_test = mnist.test_images[:1000], mnist.test_labels[:1000]

# Rotation in degrees, shift as a fraction of the side; each image is transformed by a uniform random amount up to ± that.
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
# The first five digits (left), each augmented nine times.
# ``Augmentation`` takes float32 (n, channels, height, width).

images = torch.from_numpy(np.repeat(X_train[:5], 10, axis=0)).float()[:, None]
augmented = Augmentation(rotation=15, shift=0.1)(images, torch.Generator().manual_seed(0))
shown = torch.where((torch.arange(len(images)) % 10 == 0)[:, None, None, None], images, augmented)
draw_samples(shown[:, 0].numpy(), np.repeat(y_train[:5], 10), mnist.class_names, rows=5, columns=10)
