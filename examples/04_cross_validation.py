"""
Cross-validation
================

Estimate the accuracy by five-fold cross-validation.

The standard deviation over the folds estimates the uncertainty of a single train/test split.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold, cross_val_score

from skconv import CNNClassifier

digits = load_digits()

# Shuffle the images, because they are sorted by writer.
folds = StratifiedKFold(n_splits=5, shuffle=True, random_state=0)
scores = cross_val_score(
    CNNClassifier("fast", max_epochs=4, random_state=0),
    digits.images,
    digits.target,
    cv=folds,
)

for number, score in enumerate(scores, 1):
    print(f"fold {number}: {score:.4f}")
print(f"accuracy: {scores.mean():.4f} ± {scores.std(ddof=1):.4f} (mean and standard deviation of {len(scores)} folds)")

# %%
# Plot the accuracy of each fold, with mean and standard deviation.

figure, axes = plt.subplots(figsize=(5, 3), layout="constrained")
axes.bar(range(1, 6), scores)
axes.axhline(scores.mean(), color="black")
axes.axhspan(scores.mean() - scores.std(ddof=1), scores.mean() + scores.std(ddof=1), color="black", alpha=0.15)
axes.set(xlabel="fold", ylabel="accuracy", ylim=(0.9, 1))
