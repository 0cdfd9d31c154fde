"""Making competitions: the files, finding and loading them."""

import filecmp
import hashlib
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from skconv.competitions.folder import read_competition, recognize_competition
from skconv.competitions.making import (
    find_competition,
    list_competitions,
    make_competition,
    write_competition,
)
from skconv.data.catalog.lookup import get_entry
from skconv.data.dataset import SubmissionForm
from skconv.data.loading import load_dataset
from skconv.data.published.named import load_entry
from skconv.data.spec import DataSpec
from skconv.exceptions import DataError, OutputError, UnknownNameError


def count_images(images):
    return Counter(image.tobytes() for image in images)


def pool(splits):
    return np.concatenate([splits.train_images, splits.test_images])


def test_write_competition_writes_kaggle_format(tmp_path, digits):
    write_competition("kaggle-digits", tmp_path / "made", digits)
    files = {path.name: path.read_text().splitlines() for path in (tmp_path / "made").iterdir()}
    pixels = ",".join(f"pixel{index}" for index in range(64))
    assert {name: (lines[0], len(lines)) for name, lines in files.items()} == {
        "train.csv": (f"label,{pixels}", 61),
        "test.csv": (pixels, 41),
        "sample_submission.csv": ("ImageId,Label", 41),
        "answers.csv": ("ImageId,Label", 41),
    }
    assert files["sample_submission.csv"][1:3] == ["1,0", "2,0"]
    assert files["answers.csv"][-1].startswith("40,")


def test_write_competition_writes_apparels_format(tmp_path, digits):
    folder = tmp_path / "made"
    write_competition("identify-the-apparels", folder, digits)
    assert sorted(path.name for path in folder.iterdir()) == [
        "answers.csv",
        "sample_submission.csv",
        "test",
        "test.csv",
        "train",
        "train.csv",
    ]
    train = (folder / "train.csv").read_text().splitlines()
    assert train[:2] == ["id,label", f"1,{digits.train_labels[0]}"] and len(train) == 71
    assert (folder / "test.csv").read_text().splitlines()[:2] == ["id", "71"]
    assert (folder / "sample_submission.csv").read_text().splitlines()[-1] == "100,0"
    assert (folder / "answers.csv").read_text().splitlines()[-1] == f"100,{digits.test_labels[-1]}"
    assert len(list((folder / "train").iterdir())) == 70
    np.testing.assert_array_equal(np.array(Image.open(folder / "test" / "100.png")), digits.test_images[-1])


@pytest.mark.parametrize("name", list_competitions())
def test_write_competition_writes_every_image_once_with_its_label(tmp_path, digits, name):
    write_competition(name, tmp_path / "made", digits)
    splits, _ = read_competition(DataSpec(tmp_path / "made"))
    assert count_images(pool(splits)) == count_images(pool(digits))
    label_of = dict(
        zip((image.tobytes() for image in pool(digits)), [*digits.train_labels, *digits.test_labels], strict=True)
    )
    labels = [*splits.train_labels, *splits.test_labels]
    assert labels == [label_of[image.tobytes()] for image in pool(splits)]


@pytest.mark.parametrize("name", list_competitions())
def test_write_competition_is_deterministic(tmp_path, digits, name):
    for run in ("first", "second"):
        write_competition(name, tmp_path / run, digits)
    files = sorted(path.relative_to(tmp_path / "first") for path in (tmp_path / "first").rglob("*.*"))
    same, _, _ = filecmp.cmpfiles(tmp_path / "first", tmp_path / "second", files, shallow=False)
    assert same == files


def test_write_competition_stratifies_and_shuffles_digits(tmp_path, digits):
    n, labels = 1000, ["0"] * 333 + ["1"] * 334 + ["2"] * 333
    images = np.arange(n * 64, dtype=np.uint32).astype(np.uint8).reshape(n, 8, 8)
    write_competition("kaggle-digits", tmp_path / "made", digits._replace(train_images=images, train_labels=labels))
    splits, _ = read_competition(DataSpec(tmp_path / "made"))
    counts = Counter(labels) + Counter(digits.test_labels)
    assert len(splits.train_labels) == sum(counts.values()) * 3 // 5
    for label, count in Counter(splits.train_labels).items():
        assert abs(count - counts[label] * 0.6) < 1
    # Every class is among the first and the last hundred of a shuffled file.
    for part in (splits.train_labels, splits.test_labels):
        for hundred in (part[:100], part[-100:]):
            assert min(Counter(hundred)[label] for label in "012") > 15


@pytest.mark.parametrize("name", list_competitions())
def test_make_competition_rejects_folder_that_is_not_empty(tmp_path, name):
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "notes.txt").write_text("text")
    with pytest.raises(OutputError, match="is not empty"):
        make_competition(name, tmp_path / "made")
    assert [path.name for path in tmp_path.rglob("*")] == ["made", "notes.txt"]


def test_write_competition_interrupted_writes_nothing(tmp_path, digits, monkeypatch):
    monkeypatch.setattr("skconv.competitions.making._write_forms", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_competition("kaggle-digits", tmp_path / "made", digits)
    assert list(tmp_path.iterdir()) == []


def test_make_competition_rejects_unknown_name(tmp_path):
    with pytest.raises(UnknownNameError, match=r"Unknown competition 'kaggle-digit'\. Did you mean 'kaggle-digits'"):
        make_competition("kaggle-digit", tmp_path / "made")
    with pytest.raises(UnknownNameError, match="Unknown competition 'mnist'"):
        make_competition("mnist", tmp_path / "made")


def test_open_competition_is_made_once_in_the_cache(cache):
    entry = replace(get_entry("kaggle-digits"), made_from="digits")
    dataset = load_entry(entry)
    assert dataset.source == str(cache / "kaggle-digits") and dataset.name == "kaggle-digits"
    assert (len(dataset.train_images), len(dataset.test_images)) == (1078, 719)
    written = (cache / "kaggle-digits" / "train.csv").stat().st_mtime_ns
    assert load_entry(entry).fingerprint == dataset.fingerprint
    assert (cache / "kaggle-digits" / "train.csv").stat().st_mtime_ns == written


def test_load_entry_prefers_competition_in_data_home(cache, digits, tmp_path):
    write_competition("identify-the-apparels", tmp_path / "home" / "identify-the-apparels", digits)
    dataset = load_entry(get_entry("identify-the-apparels"), data_home=tmp_path / "home")
    assert dataset.source == str(tmp_path / "home" / "identify-the-apparels")
    assert dataset.class_names[0] == "T-shirt/top" and dataset.submission.class_labels == tuple("0123456789")
    assert dataset.train_labels[:10].tolist() == [int(label) for label in digits.train_labels[:10]]
    assert not cache.exists()


def test_load_entry_damaged_competition_error_has_remedy(cache, digits):
    write_competition("kaggle-digits", cache / "kaggle-digits", digits)
    train = cache / "kaggle-digits" / "train.csv"
    train.write_bytes(train.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"line 61 has \d+ values.* remove the folder") as caught:
        load_entry(get_entry("kaggle-digits"))
    assert "\n" not in str(caught.value)


def test_recognize_competition_requires_all_ids():
    images = np.zeros((10_000, 1, 1), np.uint8)
    ids = tuple(str(number) for number in range(60_001, 70_001))
    form = SubmissionForm(("id", "label"), ids, images, tuple("0123456789"))
    assert recognize_competition(form) == get_entry("identify-the-apparels")
    assert recognize_competition(replace(form, class_labels=("cat", "dog"))) is None
    assert recognize_competition(replace(form, ids=ids[1:], images=images[1:])) is None
    assert recognize_competition(replace(form, header=("ImageId", "Label"))) is None


@pytest.mark.data
def test_find_competition_skips_other_folders(data_home, cache):
    assert (data_home / "identify-the-apparels").is_dir()
    assert find_competition(get_entry("identify-the-apparels"), data_home) is None
    assert find_competition(get_entry("kaggle-digits"), data_home) is None


@pytest.mark.slow
def test_load_dataset_kaggle_digits_has_every_mnist_image_once(cache):
    mnist, dataset = load_dataset("mnist"), load_dataset("kaggle-digits")
    assert dataset.train_images.shape == (42_000, 28, 28) and dataset.test_images.shape == (28_000, 28, 28)
    assert count_images(pool(dataset)) == count_images(pool(mnist))
    assert (dataset.submission.ids[0], dataset.submission.ids[-1]) == ("1", "28000")
    assert dataset.licence == mnist.licence
    # The files never change, so that models can be compared.
    for name, sha256 in (
        ("train.csv", "9d781052f2285f49ec2be1ddbf81fa81a77c28a286cfdb0f2f060a77e6350e50"),
        ("test.csv", "8f15b32605ffcf0a9778b4b19558d63e946f518b20246600e54e267fc4a3b474"),
        ("answers.csv", "a989ea36cd93d3689ee08db024125ec122f91277c854bc334bd020ce0d69fd70"),
    ):
        assert hashlib.sha256((cache / "kaggle-digits" / name).read_bytes()).hexdigest() == sha256
