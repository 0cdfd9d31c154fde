"""Summary of a layout, for comparison with the expected classes and splits."""

from collections import Counter

from skconv.data.folders.layout import FolderLayout


def describe(layout: FolderLayout) -> dict[str, dict[str, int]]:
    """Return the number of images per class of each split."""
    return {name: dict(Counter(split.labels)) for name, split in layout.splits.items()}
