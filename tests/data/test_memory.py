"""Free memory, and images that exceed it."""

from types import SimpleNamespace

import numpy as np
import pytest

from skconv.data import memory
from skconv.data.memory import allocate_images, free_memory, take_images
from skconv.exceptions import DataError


def test_free_memory_is_plausible():
    free = free_memory()
    assert free is None or 2**20 < free < 2**50


def write_group(folder, limit, used, statistics, names=("memory.max", "memory.current")):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (*zip(names, (limit, used), strict=True), ("memory.stat", statistics)):
        (folder / name).write_text(f"{text}\n")


def test_cgroup_memory_is_the_rest_of_every_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_CGROUPS", tmp_path)
    group = memory.Path("/proc/self/cgroup").read_text().splitlines()[-1].split(":", 2)
    folder = tmp_path / group[1] / group[2].lstrip("/")
    names = ("memory.max", "memory.current") if not group[1] else ("memory.limit_in_bytes", "memory.usage_in_bytes")
    write_group(folder, 3000, 2500, "anon 1\ninactive_file 400", names)
    assert memory._find_cgroup_memory() == [900]
    write_group(folder, "max", 2500, "inactive_file 400", names)
    assert memory._find_cgroup_memory() == []


def test_allocate_images_in_memory(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 1000)
    assert not isinstance(allocate_images((5, 10, 10)), np.memmap)


def test_allocate_images_maps_a_file_that_is_removed(cache, monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 999)
    with pytest.warns(UserWarning, match=r"5 images of 10×10 pixels need .* temporary file in .*cache"):
        images = allocate_images((5, 10, 10))
    assert isinstance(images, np.memmap) and list(cache.iterdir()) == []
    images[:] = 7
    assert images.sum() == 3500


def test_allocate_images_rejects_what_fits_nowhere(cache, monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 999)
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=500))
    with pytest.raises(DataError, match=r"memory and .* on the disk .* Pass a smaller --image-size"):
        allocate_images((5, 10, 10))
    cache.rmdir()
    cache.write_text("a file where the folder should be")
    with pytest.raises(DataError, match=r"no file can be written in .*smaller --image-size"):
        allocate_images((5, 10, 10))


@pytest.mark.parametrize("free", [10**6, 10])
def test_take_images_copies_positions(cache, monkeypatch, free):
    images = np.arange(300, dtype=np.uint8).reshape(100, 3, 1)
    monkeypatch.setattr(memory, "free_memory", lambda: free)
    positions = np.array([5, 99, 0, 7])
    if free == 10:
        with pytest.warns(UserWarning, match="temporary file"):
            taken = take_images(images, positions)
        assert isinstance(taken, np.memmap)
    else:
        taken = take_images(images, positions)
    np.testing.assert_array_equal(taken, images[positions])
