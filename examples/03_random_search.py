"""
Random search
=============

Sample learning rate, batch size and network at random. A few samples often reach the accuracy of a large grid.

The learning rate is sampled from a log-uniform distribution, because its range covers two orders of magnitude. The
parameter ``network`` is a name, or a dictionary with a name and options.
"""

import matplotlib.pyplot as plt
from scipy.stats import loguniform, randint
from sklearn.datasets import load_digits
from sklearn.model_selection import RandomizedSearchCV, train_test_split

from skconv import CNNClassifier

digits = load_digits()
X_train, X_test, y_train, y_test = train_test_split(
    digits.images, digits.target, test_size=0.3, random_state=11, stratify=digits.target
)

search = RandomizedSearchCV(
    CNNClassifier(max_epochs=2, random_state=0),
    {
        "learning_rate": loguniform(0.001, 0.1),
        "batch_size": randint(32, 129),  # 32 to 128
        "network": ["fast", "t4_narrow", {"name": "plain", "dropout": 0.3}],
    },
    n_iter=6,
    cv=2,
    random_state=26,
)
search.fit(X_train, y_train)

print("accuracy  learning rate  batch size  network")
results = search.cv_results_
for rank in results["rank_test_score"].argsort():
    sampled = results["params"][rank]
    accuracy = results["mean_test_score"][rank]
    print(f"{accuracy:8.4f}  {sampled['learning_rate']:13.4f}  {sampled['batch_size']:10}  {sampled['network']}")

print(f"test accuracy of the best: {search.score(X_test, y_test):.4f}")

# %%
# Plot the accuracy over the learning rate.

figure, axes = plt.subplots(figsize=(5, 3), layout="constrained")
axes.semilogx([drawn["learning_rate"] for drawn in results["params"]], results["mean_test_score"], "o")
axes.set(xlabel="learning rate", ylabel="accuracy (mean of 2 folds)")
