"""Training loop: skorch net, batches, augmentation, optimizers, callbacks, checkpoints."""

import sys

from skconv.exceptions import ParameterError

if sys.flags.optimize >= 2:  # the import of skorch fails with an AttributeError
    raise ParameterError(
        "Python runs without docstrings (-OO or PYTHONOPTIMIZE=2), which skorch requires to train or open networks of "
        "torch. Use -O or PYTHONOPTIMIZE=1; prediction and serving work with -OO."
    )
