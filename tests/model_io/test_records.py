import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from safetensors.numpy import save

from skconv.exceptions import DataError, ModelFileError
from skconv.model_io import FileRecord, TrainingFingerprints, read_config, read_fingerprints, save_model
from skconv.model_io.folder import CONFIG_NAME, FINGERPRINTS_NAME, hash_file


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (3000, 8, 6), dtype=np.uint8)


def test_contains_finds_exactly_the_images_of_the_set(images):
    fingerprints = TrainingFingerprints.from_images(images[::3])
    expected = np.arange(len(images)) % 3 == 0
    np.testing.assert_array_equal(fingerprints.contains(images), expected)
    assert fingerprints.count(images) == len(fingerprints) == 1000


def test_contains_depends_on_every_pixel(images):
    fingerprints = TrainingFingerprints.from_images(images)
    changed = images[:48].copy()
    changed.reshape(48, 48)[np.arange(48), np.arange(48)] ^= 1
    assert fingerprints.count(changed) == 0


def test_contains_depends_on_the_shape():
    blank = np.zeros((1, 6, 6), np.uint8)
    fingerprints = TrainingFingerprints.from_images(blank)
    assert fingerprints.count(blank) == 1
    for shape in ((1, 4, 9), (1, 9, 4), (1, 4, 3, 3), (1, 3, 4, 3)):
        assert fingerprints.count(np.zeros(shape, np.uint8)) == 0


def test_hash_is_independent_of_the_memory_layout(images, tmp_path):
    np.save(tmp_path / "images.npy", images)
    fingerprints = TrainingFingerprints.from_images(np.load(tmp_path / "images.npy", mmap_mode="r"))
    assert fingerprints.count(np.asfortranarray(images)) == fingerprints.count(images[::-1]) == len(images)
    colour = np.random.default_rng(1).integers(0, 256, (20, 3, 5, 4), dtype=np.uint8)
    channels_last = np.moveaxis(colour, 1, 3)
    assert TrainingFingerprints.from_images(channels_last).count(np.ascontiguousarray(channels_last)) == 20


def test_duplicates_count_once(images):
    twice = np.concatenate([images, images])
    assert len(TrainingFingerprints.from_images(twice)) == len(images)
    assert (
        TrainingFingerprints.from_images(twice).to_bytes() == TrainingFingerprints.from_images(images[::-1]).to_bytes()
    )


def test_sixty_thousand_images_take_five_bytes_each_without_collisions():
    # The probability of a collision is 1 in 18 million per image.
    rng = np.random.default_rng(2)
    fingerprints = TrainingFingerprints.from_images(rng.integers(0, 256, (60_000, 4, 4), dtype=np.uint8))
    assert fingerprints.count(rng.integers(0, 256, (100_000, 4, 4), dtype=np.uint8)) == 0
    assert len(fingerprints.to_bytes()) < 5 * 60_000 + 200


@given(st.lists(st.binary(min_size=4, max_size=4), max_size=30))
def test_bytes_round_trip(rows):
    images = np.frombuffer(b"".join(rows), np.uint8).reshape(-1, 2, 2)
    read = TrainingFingerprints.from_bytes(TrainingFingerprints.from_images(images).to_bytes())
    assert read.contains(images).all() and len(read) == len(set(rows))


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((5, 8, 8), np.float32),
        np.zeros((5, 64), np.uint8),
        np.zeros((5, 1, 8, 8), np.uint8),
        np.zeros((8, 8), np.uint8),
    ],
)
def test_images_of_another_shape_or_dtype_are_refused(images):
    with pytest.raises(DataError, match=r"expected uint8 of shape \(n, height, width\)"):
        TrainingFingerprints.from_images(images)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a safetensors file"),
        (b"\x80\x04\x95" * 20, "not a safetensors file"),
        (save({}), "has nothing"),
        (save({"other": np.zeros((3, 5), np.uint8)}), "has 'other' uint8"),
        (save({"hashes": np.zeros((3, 4), np.uint8)}), r"has 'hashes' uint8 \(3, 4\)"),
        (save({"hashes": np.zeros(5, np.uint8)}), r"expected 'hashes' uint8 \(n, 5\)"),
        (save({"hashes": np.zeros((3, 5), np.int8)}), "has 'hashes' int8"),
        (save({"hashes": np.zeros((3, 5), np.uint8), "more": np.zeros(1)}), "has "),
        (save({"hashes": np.zeros((3, 5), np.uint8)})[:-1], "not a safetensors file"),
    ],
)
def test_invalid_file_is_refused_in_one_line(content, message):
    with pytest.raises(ModelFileError, match=message) as caught:
        TrainingFingerprints.from_bytes(content, "model/fingerprints.safetensors")
    assert str(caught.value).startswith("model/fingerprints.safetensors") and "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, make_network, make_config, sample, images) -> Path:
    path = tmp_path_factory.mktemp("fingerprints") / "model"
    save_model(
        path, make_network(), make_config(), sample=sample, fingerprints=TrainingFingerprints.from_images(images)
    )
    return path


@pytest.fixture
def copy(folder, tmp_path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "model"))


def test_model_folder_contains_the_fingerprints(folder, images):
    fingerprints = read_fingerprints(folder, read_config(folder))
    assert fingerprints is not None and fingerprints.count(images) == len(images)
    assert FINGERPRINTS_NAME in (folder / "card.md").read_text(encoding="utf-8")


def test_model_folder_without_fingerprints_is_read(saved_model):
    assert read_fingerprints(saved_model, read_config(saved_model)) is None
    assert FINGERPRINTS_NAME not in (saved_model / "card.md").read_text(encoding="utf-8")


def test_altered_and_missing_files_are_refused(copy):
    config = read_config(copy)
    path = copy / FINGERPRINTS_NAME
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    for read in (lambda: read_config(copy), lambda: read_fingerprints(copy, config)):
        with pytest.raises(ModelFileError, match=r"fingerprints\.safetensors was altered"):
            read()
    path.unlink()
    for read in (lambda: read_config(copy), lambda: read_fingerprints(copy, config)):
        with pytest.raises(ModelFileError, match=r"fingerprints\.safetensors is missing"):
            read()


def rewrite(folder: Path, content: bytes, **record) -> None:
    """Replace the fingerprints of a model folder, and update its configuration."""
    (folder / FINGERPRINTS_NAME).write_bytes(content)
    config = read_config_unchecked(folder)
    record = {"sha256": hash_file(folder / FINGERPRINTS_NAME), "bytes": len(content), **record}
    files = {**config.files, FINGERPRINTS_NAME: FileRecord(**record)}
    (folder / CONFIG_NAME).write_bytes(replace(config, files=files).to_bytes())


def read_config_unchecked(folder: Path):
    from skconv.model_io import ModelConfig

    return ModelConfig.from_bytes((folder / CONFIG_NAME).read_bytes())


def test_pickle_with_a_matching_checksum_is_refused(copy, tmp_path):
    torch.save({"hashes": torch.zeros(3, 5)}, tmp_path / "pickle")
    rewrite(copy, (tmp_path / "pickle").read_bytes())
    with pytest.raises(ModelFileError, match="not a safetensors file"):
        read_fingerprints(copy, read_config(copy))


def test_file_of_terabytes_is_not_read(copy):
    rewrite(copy, b"x", bytes=2**45)
    with pytest.raises(ModelFileError, match="at most"):
        read_fingerprints(copy, read_config_unchecked(copy))


def test_reading_does_not_import_torch(folder):
    code = (
        "import sys; from pathlib import Path; from skconv.model_io import read_config, read_fingerprints;"
        f"folder = Path({str(folder)!r}); assert len(read_fingerprints(folder, read_config(folder))) == 3000;"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
