"""A k-fold ensemble: a network for each fold, each trained without that fold; together they answer by their mean.

Every training image is held out by one member, so the training is a cross-validation as well, and its out-of-fold
accuracy is honest without a test set. `ensemble.save` writes one model folder, which `OnnxClassifier` reads.
"""

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skconv import CNNClassifier, KFoldEnsembleClassifier

# A small training set, so that there are errors to see.
digits = load_digits()
X_train, X_test, y_train, y_test = train_test_split(
    digits.images, digits.target, train_size=300, random_state=0, stratify=digits.target
)

ensemble = KFoldEnsembleClassifier(CNNClassifier("fast", max_epochs=8, batch_size=32), cv=5, random_state=0)
ensemble.fit(X_train, y_train)

members = zip(ensemble.fold_scores_, ensemble.estimators_, strict=True)
for number, (held_out, member) in enumerate(members, 1):
    print(f"member {number}: {held_out:.4f} on its held-out fold, {member.score(X_test, y_test):.4f} on the test part")
print(f"out-of-fold accuracy: {ensemble.out_of_fold_score_:.4f}")
print(f"test accuracy of the ensemble: {ensemble.score(X_test, y_test):.4f}")
