"""
K-fold ensemble
===============

Train one network per fold on the other folds, and average the predictions.

Each training image is held out from one member. The out-of-fold accuracy therefore estimates the accuracy of a member
without a test set. ``ensemble.save`` writes one model folder.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skconv import CNNClassifier, KFoldEnsembleClassifier

# With a small training set, an ensemble improves the accuracy more.
digits = load_digits()
X_train, X_test, y_train, y_test = train_test_split(
    digits.images, digits.target, train_size=300, random_state=0, stratify=digits.target
)

ensemble = KFoldEnsembleClassifier(CNNClassifier("fast", max_epochs=8, batch_size=32), cv=5, random_state=0)
ensemble.fit(X_train, y_train)

members = [member.score(X_test, y_test) for member in ensemble.estimators_]
for number, (held_out, score) in enumerate(zip(ensemble.fold_scores_, members, strict=True), 1):
    print(f"member {number}: {held_out:.4f} on its held-out fold, {score:.4f} on the test split")
together = ensemble.score(X_test, y_test)
print(f"out-of-fold accuracy: {ensemble.out_of_fold_score_:.4f}")
print(f"test accuracy of the ensemble: {together:.4f}")

# %%
# Plot the accuracy of the members and of the ensemble.

figure, axes = plt.subplots(figsize=(5, 3), layout="constrained")
axes.bar(range(1, len(members) + 1), members)
axes.axhline(together, color="black", label="ensemble")
axes.set(xlabel="member", ylabel="test accuracy", ylim=(min(members) - 0.02, 1))
axes.legend()
