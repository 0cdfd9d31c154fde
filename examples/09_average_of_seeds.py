"""Average the probabilities of several trainings that differ in their seed only: they err on different images.

It costs as many trainings as there are members, and it is the simplest ensemble: each member learns from all images.
"""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skconv import CNNClassifier

# A small training set, so that there are errors to see.
digits = load_digits()
X_train, X_test, y_train, y_test = train_test_split(
    digits.images, digits.target, train_size=300, random_state=0, stratify=digits.target
)

probabilities = []
for seed in range(5):
    classifier = CNNClassifier("fast", max_epochs=10, batch_size=32, random_state=seed).fit(X_train, y_train)
    probabilities.append(classifier.predict_proba(X_test))
    accuracy = (probabilities[-1].argmax(axis=1) == y_test).mean()
    print(f"seed {seed}: {accuracy:.4f}")

# (5 trainings, 1497 images, 10 classes) → (1497, 10). The labels are 0 to 9, so a position is the label itself.
mean = np.mean(probabilities, axis=0)
print(f"test accuracy of the average: {(mean.argmax(axis=1) == y_test).mean():.4f}")
