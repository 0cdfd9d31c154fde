"""
A module written for skorch
===========================

Train a module of skorch, unchanged, with `CNNClassifier`.

`skorch.toy.MLPModule` is the multilayer perceptron of skorch's own examples. It accepts rows instead of images, and
with a softmax it returns probabilities, as skorch expects. skconv detects both and reports them in a warning.
"""

import warnings

import torch
from skorch.toy import MLPModule

import skconv

mnist = skconv.load_dataset("mnist")

# %%
# Options have the prefix ``network__`` instead of skorch's ``module__``. ``optimizer`` and ``criterion`` accept
# classes, as in skorch.

classifier = skconv.CNNClassifier(
    MLPModule,
    network__input_units=784,
    network__hidden_units=100,
    network__output_units=10,
    network__dropout=0.5,
    network__output_nonlin=torch.nn.Softmax(dim=-1),
    optimizer=torch.optim.SGD,
    optimizer__momentum=0.9,
    criterion=torch.nn.NLLLoss,
    learning_rate=0.1,
    max_epochs=3,
    batch_size=128,
    random_state=0,
)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    classifier.fit(mnist.train_images[:10000], mnist.train_labels[:10000])
print(caught[0].message)
print(f"test accuracy {classifier.score(mnist.test_images, mnist.test_labels):.4f}")
