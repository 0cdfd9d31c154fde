"""Train a convolutional network on images of digits, score it, and look at a few predictions.

`CNNClassifier` is used like any classifier of scikit-learn: `fit`, `score`, `predict`, `predict_proba`.
"""

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skconv import CNNClassifier

# 1,797 handwritten digits of 8×8 pixels. The test part is not touched before the end.
digits = load_digits()
X_train, X_test, y_train, y_test = train_test_split(
    digits.images, digits.target, test_size=0.3, random_state=11, stratify=digits.target
)
print(f"images {digits.images.shape}, labels {digits.target.shape}")

# "fast" is one of the networks that `skconv networks` lists; random_state makes the result repeatable.
classifier = CNNClassifier("fast", max_epochs=6, random_state=0)
classifier.fit(X_train, y_train)

for epoch in classifier.history_:
    print(f"epoch {epoch['epoch']}: training loss {epoch['train_loss']:.3f}")

# A probability for each class, in the order of `classes_`; `predict` gives the label of the highest.
probabilities = classifier.predict_proba(X_test[:5])
for label, predicted, row in zip(y_test, classifier.predict(X_test[:5]), probabilities, strict=False):
    print(f"a {label} was read as {predicted}, with probability {row.max():.3f}")

print(f"test accuracy: {classifier.score(X_test, y_test):.4f}")
