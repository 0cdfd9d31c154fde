"""Twelve image files, and tables that list them."""

import pytest
from PIL import Image

N = 12
KINDS = ["cat", "dog", "cat"] * 4
NAMES = [f"im{index}.png" for index in range(N)]
ROWS = [[name, kind] for name, kind in zip(NAMES, KINDS, strict=True)]


@pytest.fixture
def flat(tmp_path, samples):
    """Return a folder with the files im0.png to im11.png, all different."""
    folder = tmp_path / "flat"
    folder.mkdir()
    for index, image in enumerate(samples.images(N)):
        Image.fromarray(image).save(folder / f"im{index}.png")
    return folder


def write_rows(path, rows, header=None, delimiter=",", encoding="utf-8", end="\n"):
    """Write a table, and return its path."""
    lines = [delimiter.join(map(str, row)) for row in ([header] if header else []) + rows]
    path.write_bytes((end.join(lines) + end).encode(encoding))
    return path


def check_labels(dataset, samples, expected=KINDS):
    """Assert that every image has its label, whatever the order."""
    known = {image.tobytes(): label for image, label in zip(samples.images(N), expected, strict=True)}
    assert len(dataset.train_images) == N
    for image, label in zip(dataset.train_images, dataset.train_labels, strict=True):
        assert dataset.class_names[label] == known[image.tobytes()]
