"""Augmentation: every epoch shows each training image turned and moved a little, as a writer might have written it.

It helps most where training images are few: here 300 of MNIST's. Mirroring is right for garments and wrong for
digits: a mirrored 3 or 7 is no digit, and a mirrored 2 looks like a 5, so a flip teaches what never comes, or is wrong.
"""

from skconv import CNNClassifier, load_dataset

mnist = load_dataset("mnist")
X_train, y_train = mnist.train_images[:300], mnist.train_labels[:300]
X_test, y_test = mnist.test_images[:1000], mnist.test_labels[:1000]

# Rotation in degrees; shift as a share of the side: each image draws its own, uniform in ± that.
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
