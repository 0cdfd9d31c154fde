"""
Boosting
========

Train a sequence of networks with `sklearn.ensemble.AdaBoostClassifier`.

AdaBoost increases the weights of images that previous networks misclassified, and passes them as ``sample_weight``.
Boosting requires weak members, so this example uses a narrow network.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.ensemble import AdaBoostClassifier
from sklearn.model_selection import train_test_split

from skconv import CNNClassifier

digits = load_digits()
X_train, X_test, y_train, y_test = train_test_split(
    digits.images, digits.target, test_size=0.3, random_state=11, stratify=digits.target
)

weak = CNNClassifier("t4_narrow", max_epochs=5, batch_size=64, learning_rate=0.05, ema_decay=0, label_smoothing=0)
boosted = AdaBoostClassifier(weak, n_estimators=6, learning_rate=0.5, random_state=0)
boosted.fit(X_train, y_train)

accuracies = list(boosted.staged_score(X_test, y_test))
for number, accuracy in enumerate(accuracies, 1):
    weighted_error = boosted.estimator_errors_[number - 1]
    print(
        f"{number} network(s): test accuracy {accuracy:.4f} (weighted training error of the last {weighted_error:.3f})"
    )

alone = boosted.estimators_[0].score(X_test, y_test)
print(f"one network alone: {alone:.4f}")
print(f"test accuracy of the boosted networks: {boosted.score(X_test, y_test):.4f}")

# %%
# Plot the test accuracy over the number of networks.

figure, axes = plt.subplots(figsize=(5, 3), layout="constrained")
axes.plot(range(1, len(accuracies) + 1), accuracies, "o-")
axes.set(xlabel="networks", ylabel="test accuracy")
