"""Estimate the accuracy by 5-fold cross-validation: five trainings, each scored on the fifth it did not see.

The spread over the folds tells how far one split into training and test could mislead.
"""

from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold, cross_val_score

from skconv import CNNClassifier

digits = load_digits()

# Stratified: each fold holds the ten digits in the same shares. Shuffled: the images lie in the order of the writers.
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
