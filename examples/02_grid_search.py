"""
Grid search
===========

Search the learning rate and the batch size over a grid with `sklearn.model_selection.GridSearchCV`.

Each combination is scored by cross-validation on the training images. The test images are scored once, with the best
combination.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split

from skconv import CNNClassifier

digits = load_digits()
X_train, X_test, y_train, y_test = train_test_split(
    digits.images, digits.target, test_size=0.3, random_state=11, stratify=digits.target
)

search = GridSearchCV(
    CNNClassifier("fast", max_epochs=2, random_state=0),
    {"learning_rate": [0.001, 0.01, 0.03], "batch_size": [64, 128]},
    cv=3,  # for a classifier: three stratified folds
)
search.fit(X_train, y_train)

print("learning rate  batch size  accuracy (mean of 3 folds)")
results = search.cv_results_
for parameters, accuracy in zip(results["params"], results["mean_test_score"], strict=True):
    print(f"{parameters['learning_rate']:13}  {parameters['batch_size']:10}  {accuracy:.4f}")

# %%
# The best combination is refitted on all training images.
print(f"best: {search.best_params_}")
print(f"test accuracy: {search.score(X_test, y_test):.4f}")

# %%
# Plot the mean accuracy of each combination.

figure, axes = plt.subplots(figsize=(5, 3), layout="constrained")
grid = results["mean_test_score"].reshape(2, 3)  # batch sizes × learning rates
drawn = axes.imshow(grid, cmap="viridis")
axes.set(xticks=range(3), xticklabels=[0.001, 0.01, 0.03], xlabel="learning rate")
axes.set(yticks=range(2), yticklabels=[64, 128], ylabel="batch size")
figure.colorbar(drawn, label="accuracy")
