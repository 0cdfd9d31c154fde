"""
Bagging
=======

Train each network on a bootstrap sample with `sklearn.ensemble.BaggingClassifier`.

``BaggingClassifier`` accepts only 2-D input, so the images are passed as rows. `CNNClassifier` reshapes the rows to
square images. Do not change ``max_features``, because a subset of the pixels is not an image.

A bootstrap sample contains about 63 % of the images, so each member is less accurate than a network trained on all
images.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.ensemble import BaggingClassifier
from sklearn.model_selection import train_test_split

from skconv import CNNClassifier

# `data` contains the images as rows of 64 values. With a small training set, an ensemble improves the accuracy more.
digits = load_digits()
X_train, X_test, y_train, y_test = train_test_split(
    digits.data, digits.target, train_size=300, random_state=0, stratify=digits.target
)

network = CNNClassifier("fast", max_epochs=10, batch_size=32, random_state=0)
print(f"one network, all 300 images: test accuracy {network.fit(X_train, y_train).score(X_test, y_test):.4f}")

bagging = BaggingClassifier(
    network,
    n_estimators=8,
    random_state=0,  # seed of the bootstrap samples and of each member
)
bagging.fit(X_train, y_train)

members = []
for number, (member, drawn) in enumerate(zip(bagging.estimators_, bagging.estimators_samples_, strict=True), 1):
    members.append(member.score(X_test, y_test))
    print(f"member {number}: {len(set(drawn))} different images, test accuracy {members[-1]:.4f}")
together = bagging.score(X_test, y_test)
print(f"test accuracy of the ensemble: {together:.4f}")

# %%
# Plot the accuracy of the members and of the ensemble.

figure, axes = plt.subplots(figsize=(5, 3), layout="constrained")
axes.bar(range(1, len(members) + 1), members)
axes.axhline(together, color="black", label="ensemble")
axes.set(xlabel="member", ylabel="test accuracy", ylim=(min(members) - 0.02, 1))
axes.legend()
