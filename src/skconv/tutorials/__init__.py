"""Networks and recipes that reproduce five public tutorials, T1 to T5."""

from pathlib import Path

from skconv.registry import RECIPES

for _path in (Path(__file__).parent / "recipes").glob("*.toml"):
    RECIPES.register(_path.stem, _path)
