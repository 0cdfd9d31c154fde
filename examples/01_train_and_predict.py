"""
Train and predict
=================

`CNNClassifier` has the interface of any scikit-learn classifier: ``fit``, ``score``, ``predict``, ``predict_proba``.
"""

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skconv import CNNClassifier
from skconv.reports.image_grids import draw_predictions

# 1,797 handwritten digits of 8×8 pixels. The test split is scored once, at the end.
digits = load_digits()
X_train, X_test, y_train, y_test = train_test_split(
    digits.images, digits.target, test_size=0.3, random_state=11, stratify=digits.target
)
print(f"images {digits.images.shape}, labels {digits.target.shape}")

# %%
# ``skconv networks`` lists the networks, such as "fast". A fixed ``random_state`` makes the result reproducible.
classifier = CNNClassifier("fast", max_epochs=6, random_state=0)
classifier.fit(X_train, y_train)

for epoch in classifier.history_:
    print(f"epoch {epoch['epoch']}: training loss {epoch['train_loss']:.3f}")

# %%
# ``predict_proba`` returns a probability for each class, in the order of ``classes_``.
probabilities = classifier.predict_proba(X_test[:5])
for label, predicted, row in zip(y_test, classifier.predict(X_test[:5]), probabilities, strict=False):
    print(f"label {label}, predicted {predicted}, probability {row.max():.3f}")

print(f"test accuracy: {classifier.score(X_test, y_test):.4f}")

# %%
# Draw the predictions for the first test images.

probabilities = classifier.predict_proba(X_test[:20])
labels = [str(label) for label in classifier.predict(X_test[:20])]
draw_predictions(X_test[:20], labels, probabilities.max(axis=1))
