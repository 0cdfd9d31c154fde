"""
skorch's NeuralNetClassifier
============================

Train one of skconv's networks with `skorch.NeuralNetClassifier`.

Use skorch directly to control each part of training. `CNNClassifier` needs less code. The settings are those of the
skorch tutorial on digits, but with at most 10 epochs instead of 25.
"""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from skorch import NeuralNetClassifier
from skorch.callbacks import EarlyStopping
from skorch.dataset import ValidSplit

from skconv import create_network

# skorch expects float32 (n, channels, height, width) and int64 labels.
digits = load_digits()
X = (digits.images / digits.images.max()).astype("float32")[:, None]
y = digits.target.astype("int64")
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=11, stratify=y)

torch.manual_seed(0)
net = NeuralNetClassifier(
    module=create_network,  # called with the parameters prefixed module__
    module__name="t1_skorch",
    module__in_channels=1,
    module__image_size=(8, 8),
    module__num_classes=10,
    criterion=torch.nn.CrossEntropyLoss,
    optimizer=torch.optim.Adam,
    lr=0.001,
    batch_size=32,
    max_epochs=10,
    iterator_train__shuffle=True,
    train_split=ValidSplit(0.2, stratified=True, random_state=0),
    callbacks=[EarlyStopping(patience=5, load_best=True)],
    device="cuda" if torch.cuda.is_available() else "cpu",
)
net.fit(X_train, y_train)  # prints one line per epoch

print(f"epochs: {len(net.history)}")
print(f"test accuracy: {net.score(X_test, y_test):.4f}")
