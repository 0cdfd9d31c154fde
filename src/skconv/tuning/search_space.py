"""Search space of `tune`: ranges of settings around the values of a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from skconv.estimators.parameters import PARAMETERS

if TYPE_CHECKING:
    from optuna.trial import Trial

    from skconv.recipes import Recipe

# By section and setting: (min, max, step). The step avoids values with many digits.
_GRIDS: dict[str, dict[str, tuple[float, float, float]]] = {
    "network": {"dropout": (0.0, 0.5, 0.05), "crop": (0, 4, 1)},
    "training": {"label_smoothing": (0.0, 0.2, 0.01)},
    "augmentation": {
        "rotation": (0.0, 20.0, 1.0),
        "shift": (0.0, 0.15, 0.01),
        "scale": (0.0, 0.25, 0.01),
        "shear": (0.0, 20.0, 1.0),
        "elastic": (0.0, 0.05, 0.005),
        "erasing": (0.0, 0.5, 0.05),
    },
}
# The range is the recipe's value divided by the first number to the value multiplied by the second.
_FACTORS = {"learning_rate": (10.0, 10.0), "weight_decay": (100.0, 10.0)}
_EMA_DECAYS = (0.0, 0.98, 0.99, 0.995, 0.998)


@dataclass(frozen=True)
class Setting:
    """Setting to search: a range that includes both ends, or choices."""

    section: str  # section of the recipe: "network", "training" or "augmentation"
    default: float  # value in the recipe, or the default of the network or estimator
    low: float = 0.0
    high: float = 0.0
    step: float | None = None  # distance between values; None for a logarithmic range
    choices: tuple[float, ...] = ()

    def suggest(self, trial: Trial, name: str) -> float:
        """Return the value that Optuna suggests for a trial."""
        if self.choices:
            return trial.suggest_categorical(name, self.choices)
        if isinstance(self.default, int) and isinstance(self.step, int):
            return trial.suggest_int(name, int(self.low), int(self.high), step=self.step)
        return trial.suggest_float(name, self.low, self.high, step=self.step, log=self.step is None)


def make_space(recipe: Recipe) -> dict[str, Setting]:
    """Return the settings to search for a recipe, by name.

    The ranges of learning rate and weight decay surround the recipe's values, because good values differ by orders of
    magnitude between networks. Options that the network does not have are skipped, and so is the augmentation of a
    recipe that has a list of augmentations. Flips are not searched, because they are wrong for some kinds of images.

    Examples
    --------
    >>> from skconv.recipes import load_recipe
    >>> space = make_space(load_recipe("fast"))
    >>> space["learning_rate"].low, space["learning_rate"].high, space["batch_size"].choices
    (0.0012, 0.12, (128, 256, 512))
    """
    from skconv.networks.spec import NetworkSpec
    from skconv.training.augmentation import Augmentation

    member = recipe.create_member()
    defaults = {
        "network": {**NetworkSpec.from_recipe(recipe.network).list_options(), **recipe.network},
        "training": member.get_params(deep=False),
        "augmentation": {},
    }
    if not isinstance(recipe.augmentation, list):
        defaults["augmentation"] = {**asdict(Augmentation()), **recipe.augmentation}
    space = {}
    for name, (below, above) in _FACTORS.items():
        value = defaults["training"][name]
        if value > 0:
            low, high = (_clip(name, _round(each)) for each in (value / below, value * above))
            space[name] = Setting("training", value, low, high)
    size, ema_decay = member.batch_size, member.ema_decay
    sizes = {int(_clip("batch_size", each)) for each in (size // 2, size, size * 2)}
    space["batch_size"] = Setting("training", size, choices=tuple(sorted(sizes)))
    space["ema_decay"] = Setting("training", ema_decay, choices=tuple(sorted({*_EMA_DECAYS, ema_decay})))
    for section, grids in _GRIDS.items():
        for name, (low, high, step) in grids.items():
            if name in defaults[section]:
                value = defaults[section][name]
                while value > high:  # include the recipe's value
                    high = _round(high + step)
                space[name] = Setting(section, value, _clip(name, low), _clip(name, high), step)
    return space


def apply_settings(recipe: Recipe, space: Mapping[str, Setting], values: Mapping[str, float]) -> Recipe:
    """Return the recipe with the values of a trial, rounded to three significant digits."""

    def select(section: str) -> dict[str, float]:
        return {name: _round(value) for name, value in values.items() if space[name].section == section}

    augmentation = recipe.augmentation
    if not isinstance(augmentation, list):
        # Omit zeros, because an augmentation without effect still takes time.
        tried = {name: value for name, value in select("augmentation").items() if value or name in augmentation}
        augmentation = {**augmentation, **tried}
    return replace(
        recipe,
        network={**recipe.network, **select("network")},
        training={**recipe.training, **select("training")},
        augmentation=augmentation,
    )


def _clip(name: str, value: float) -> float:
    """Return `value` clipped to the range of the `CNNClassifier` parameter `name`; unchanged for other names."""
    row = PARAMETERS.get(name)
    return value if row is None else min(max(value, row.min), row.max)


def _round(value: float) -> float:
    """Round to three significant digits; integers are returned unchanged."""
    return value if isinstance(value, int) else float(f"{value:.3g}")
