"""Bagging with BaggingClassifier: each network trains on a sample of the images, drawn with replacement.

BaggingClassifier takes rows of values only, so images are passed as rows; CNNClassifier makes squares of them again.
Leave `max_features` at 1.0: it would take single pixels out of the rows, and what remains is no image.

A sample holds about 63 % of the images, so each member alone is weaker than a network that sees them all.
"""

from sklearn.datasets import load_digits
from sklearn.ensemble import BaggingClassifier
from sklearn.model_selection import train_test_split

from skconv import CNNClassifier

# `data` holds the images as rows of 64 values. A small training set, so that there are errors to see.
digits = load_digits()
X_train, X_test, y_train, y_test = train_test_split(
    digits.data, digits.target, train_size=300, random_state=0, stratify=digits.target
)

network = CNNClassifier("fast", max_epochs=10, batch_size=32, random_state=0)
print(f"one network, all 300 images: test accuracy {network.fit(X_train, y_train).score(X_test, y_test):.4f}")

bagging = BaggingClassifier(
    network,
    n_estimators=8,
    random_state=0,  # of the samples, and of every member's seed
)
bagging.fit(X_train, y_train)

for number, (member, drawn) in enumerate(zip(bagging.estimators_, bagging.estimators_samples_, strict=True), 1):
    print(f"member {number}: {len(set(drawn))} different images, test accuracy {member.score(X_test, y_test):.4f}")
print(f"test accuracy of all together: {bagging.score(X_test, y_test):.4f}")
