"""Search space of `tune`: the settings around a recipe, each with its range and the value of the recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna.trial import Trial

    from skconv.recipes import Recipe

# section: {setting: (min, max, step)}; values on a grid are readable.
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
# Range around the recipe's value: divided by the first factor, multiplied by the second.
_FACTORS = {"learning_rate": (10.0, 10.0), "weight_decay": (100.0, 10.0)}
_EMA_DECAYS = (0.0, 0.98, 0.99, 0.995, 0.998)


@dataclass(frozen=True)
class Setting:
    """A setting to search: a range with both ends inclusive, or choices."""

    section: str  # of a recipe: "network", "training" or "augmentation"
    own: float  # the value of the recipe, or the default
    low: float = 0.0
    high: float = 0.0
    step: float | None = None  # distance between values; None for a logarithmic range
    choices: tuple[float, ...] = ()

    def suggest(self, trial: Trial, name: str) -> float:
        """Return the value for a trial."""
        if self.choices:
            return trial.suggest_categorical(name, self.choices)
        if isinstance(self.own, int) and isinstance(self.step, int):
            return trial.suggest_int(name, int(self.low), int(self.high), step=self.step)
        return trial.suggest_float(name, self.low, self.high, step=self.step, log=self.step is None)


def make_space(recipe: Recipe) -> dict[str, Setting]:
    """Return the settings to search for a recipe, by name.

    Learning rate and weight decay are searched around the recipe's values, because good values differ between networks
    by orders of magnitude. Options of the network are searched if it has them. Augmentation is searched unless the
    recipe has a list of them. Flips depend on the kind of image, and stay as in the recipe.

    Parameters
    ----------
    recipe : Recipe
        The recipe to tune.

    Examples
    --------
    >>> from skconv.recipes import load_recipe
    >>> space = make_space(load_recipe("fast"))
    >>> space["learning_rate"].low, space["learning_rate"].high, space["batch_size"].choices
    (0.0012, 0.12, (128, 256, 512))
    """
    from skconv.estimators.parameters import PARAMETERS
    from skconv.networks.registry import list_options

    member = recipe.create_member()
    own = {
        "network": {**list_options(recipe.network["name"]), **recipe.network},
        "training": member.get_params(deep=False),
        "augmentation": _augmentation(recipe),
    }
    space = {}
    for name, (below, above) in _FACTORS.items():
        value = own["training"][name]
        if value > 0:
            high = min(_round(value * above), PARAMETERS[name].max)
            space[name] = Setting("training", value, _round(value / below), high)
    size = member.batch_size
    space["batch_size"] = Setting("training", size, choices=tuple(sorted({max(size // 2, 1), size, size * 2})))
    ema_decay = tuple(sorted({*_EMA_DECAYS, member.ema_decay}))
    space["ema_decay"] = Setting("training", member.ema_decay, choices=ema_decay)
    for section, grids in _GRIDS.items():
        for name, (low, high, step) in grids.items():
            if name in own[section] and not (section == "augmentation" and isinstance(recipe.augmentation, list)):
                space[name] = _grid(section, own[section][name], low, high, step)
    return space


def apply_settings(recipe: Recipe, space: Mapping[str, Setting], values: Mapping[str, float]) -> Recipe:
    """Return the recipe with the values of a trial.

    Examples
    --------
    >>> from skconv.recipes import load_recipe
    >>> fast = load_recipe("fast")
    >>> apply_settings(fast, make_space(fast), {"learning_rate": 0.00123456, "rotation": 5.0}).training["learning_rate"]
    0.00123
    """

    def merge(section: str, own: Mapping[str, Any]) -> dict[str, Any]:
        return {**own, **{name: _round(value) for name, value in values.items() if space[name].section == section}}

    augmentation = recipe.augmentation
    tried = {} if isinstance(augmentation, list) else merge("augmentation", augmentation)
    # Zeros are left out: an augmentation without effect costs as much time as any.
    tried = {name: value for name, value in tried.items() if value or name in augmentation}
    return replace(
        recipe,
        network=merge("network", recipe.network),
        training=merge("training", recipe.training),
        augmentation=augmentation if isinstance(augmentation, list) else tried,
    )


def _grid(section: str, own: float, low: float, high: float, step: float) -> Setting:
    """Return a setting on a grid, extended to the value of the recipe."""
    while own > high:
        high = _round(high + step)
    return Setting(section, own, low, high, step)


def _augmentation(recipe: Recipe) -> dict[str, Any]:
    from skconv.training.augmentation import Augmentation

    defaults = {name: field.default for name, field in Augmentation.__dataclass_fields__.items()}
    return defaults if isinstance(recipe.augmentation, list) else {**defaults, **recipe.augmentation}


def _round(value: float) -> float:
    """Round to three significant digits; integers are returned unchanged."""
    return value if isinstance(value, int) else float(f"{value:.3g}")
