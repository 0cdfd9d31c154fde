"""
T1: USPS digits with skorch
===========================

Reproduce a tutorial on skorch: train three convolutions and two linear layers on USPS digits, with early stopping.

To train in full, on 9,298 digits of 16×16 split 70:30, run::

    skconv train --recipe t1-usps-skorch --seeds 5
    skconv train --recipe usps --seeds 5

============================  ==============  =======================  ================
recipe                        claimed         test accuracy (n = 5)    seconds per run
============================  ==============  =======================  ================
t1-usps-skorch, 70:30         above 0.96      0.9831 ± 0.0022          50 to 74
usps, 70:30                                   0.9929 ± 0.0005          36 to 50
usps, official split                          0.9807 ± 0.0016          59 to 68
============================  ==============  =======================  ================

Measured on one of two cores with AVX-512 while other programs were running, with torch 2.13.0.

**Corrected:** the tutorial divides the pixels by 16, although their range is not 0 to 16. Here they are scaled by their
range.
"""

import skconv
from skconv.evaluation import score_predictions
from skconv.reports.curves import draw_curves
from skconv.reports.image_grids import draw_samples
from skconv.reports.scores import draw_confusion

recipe = skconv.load_recipe("t1-usps-skorch")
try:
    dataset = skconv.load_dataset("usps")
except skconv.SourceNotFoundError:
    print("USPS was not found on this machine; using scikit-learn's digits of 8×8.")
    dataset = skconv.load_dataset("digits")
print(dataset.train_images.shape, dataset.train_labels.shape)
draw_samples(dataset.train_images, dataset.train_labels, dataset.class_names)

# %%
# The recipe defines the experiment as TOML. ``create_estimator`` returns an unfitted classifier.

print(recipe.text)
classifier = recipe.create_estimator(random_state=0).set_params(max_epochs=3)

# %%
# Train for 3 of the 25 epochs. A fifth of the training images is held out for early stopping.

split = len(dataset.train_images) * 7 // 10
classifier.fit(dataset.train_images[:split], dataset.train_labels[:split])
draw_curves(classifier.history_)

# %%
# Score on images that were not used for training.

images, labels = dataset.train_images[split:], dataset.train_labels[split:]
scores = score_predictions(labels, classifier.predict_proba(images), dataset.class_names)
print(f"accuracy {scores.accuracy:.4f}, 95 % interval {scores.low:.4f} to {scores.high:.4f}")
draw_confusion(scores.confusion, dataset.class_names)

# %%
# See also the other topics of the tutorial: :doc:`grid search </gallery/02_grid_search>`,
# :doc:`cross-validation </gallery/04_cross_validation>`, :doc:`model files </gallery/05_save_and_load>`,
# :doc:`TensorBoard </gallery/06_tensorboard>`, :doc:`augmentation </gallery/08_augmentation>`, ensembles and
# :doc:`pipelines </gallery/12_pipeline>`.
