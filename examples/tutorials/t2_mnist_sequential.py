"""
T2: MNIST from scratch
======================

Reproduce a tutorial on MNIST: train a sequential network of four narrow convolutions with batch norm and three linear
layers.

To train in full, with 6,000 iterations of 100 images, run::

    skconv train --recipe t2-mnist-sequential --seeds 3
    skconv train mnist --recipe accurate --seeds 5

=======================  ===========================  ==================================  ================
recipe                   claimed                      test accuracy                       seconds per run
=======================  ===========================  ==================================  ================
t2-mnist-sequential      about 0.99 in 10 epochs      0.9907 ± 0.0003 (n = 3)             203 to 277
accurate                                              0.9974 ± 0.0002 (n = 5)             560 to 586
=======================  ===========================  ==================================  ================

Measured with torch 2.13.0: t2-mnist-sequential on one of two cores with AVX-512 and bf16, the other core busy; accurate
on two cores with AVX2.

**Corrected:** the tutorial scores the test set during training, with active dropout, and recommends early stopping by
this score. Here 5 % of the training images are held out for validation in evaluation mode, and the test set is scored
once.
"""

import skconv
from skconv.reports.curves import draw_curves
from skconv.reports.image_grids import draw_samples

mnist = skconv.load_dataset("mnist")
print(mnist.train_images.shape, mnist.test_images.shape)
draw_samples(mnist.train_images, mnist.train_labels, mnist.class_names, rows=4, columns=10)

# %%
# Train on 6,000 images for 3 epochs. The recipe records the losses every 50 iterations.

recipe = skconv.load_recipe("t2-mnist-sequential")
print(recipe.text)
classifier = recipe.create_estimator(random_state=0).set_params(max_epochs=3, min_steps=0)
classifier.fit(mnist.train_images[:6000], mnist.train_labels[:6000])
draw_curves(classifier.history_)

# %%
# The test images are scored once, in evaluation mode.

print(f"test accuracy: {classifier.score(mnist.test_images, mnist.test_labels):.4f}")
