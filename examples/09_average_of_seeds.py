"""
Ensemble of seeds
=================

Average the predicted probabilities of networks that differ only in the seed of their training.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skconv import CNNClassifier

# With a small training set, an ensemble improves the accuracy more.
digits = load_digits()
X_train, X_test, y_train, y_test = train_test_split(
    digits.images, digits.target, train_size=300, random_state=0, stratify=digits.target
)

probabilities, members = [], []
for seed in range(5):
    classifier = CNNClassifier("fast", max_epochs=10, batch_size=32, random_state=seed).fit(X_train, y_train)
    probabilities.append(classifier.predict_proba(X_test))
    members.append((probabilities[-1].argmax(axis=1) == y_test).mean())
    print(f"seed {seed}: {members[-1]:.4f}")

# %%
# Average over the networks: (5, 1497, 10) → (1497, 10). The labels are 0 to 9, so a class index is the label.
mean = np.mean(probabilities, axis=0)
together = (mean.argmax(axis=1) == y_test).mean()
print(f"test accuracy of the average: {together:.4f}")

# %%
# Plot the accuracy of the members and of the ensemble.

figure, axes = plt.subplots(figsize=(5, 3), layout="constrained")
axes.bar(range(1, len(members) + 1), members)
axes.axhline(together, color="black", label="ensemble")
axes.set(xlabel="member", ylabel="test accuracy", ylim=(min(members) - 0.02, 1))
axes.legend()
