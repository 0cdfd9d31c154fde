"""Preparation of a run: Dask, lock of the output, names of the classes."""

import contextlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from skconv import CNNClassifier, train
from skconv.commands import output_folder
from skconv.commands.prepare import fit_estimator, note_groups, use_workers
from skconv.data.dataset import Dataset
from skconv.data.groups import ImageGroups
from skconv.exceptions import ParameterError, ProcessLostError
from skconv.files import lock_folder
from skconv.recipes import load_recipe


def test_missing_dask_raises_with_the_extra(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ParameterError, match=r"pip install 'skconv\[dask\]'"), use_workers("tcp://127.0.0.1:8786"):
        pass


@pytest.mark.parametrize("is_held", [False, True])
def test_lock_of_a_killed_main_process_is_removed(tmp_path, monkeypatch, is_held):
    @output_folder.lock_output
    def command(*, out):
        raise ProcessLostError("lost")

    monkeypatch.setattr(output_folder, "is_main_process", lambda: False)
    (tmp_path / "out.lock").write_text("process 1 on here")
    with lock_folder(tmp_path / "out") if is_held else contextlib.nullcontext():
        with pytest.raises(ProcessLostError):
            command(out=tmp_path / "out")
        assert (tmp_path / "out.lock").exists() == is_held


def test_warning_of_few_images_names_the_class():
    images = np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8)
    data = Dataset("pets", images, np.repeat([0, 1], [50, 10]), ("cat", "dog"))
    classifier = CNNClassifier("fast", max_epochs=1, validation_fraction=0.2, patience=1, random_state=0)
    with pytest.warns(UserWarning, match="2 of class 'dog'"):
        fit_estimator(classifier, data)


def _make_grouped():
    """Return 120 images of 20 patients with two classes each."""
    images = np.random.default_rng(0).integers(0, 256, (120, 8, 8), dtype=np.uint8)
    names = tuple(f"{position}.png" for position in range(120))
    groups = ImageGroups({name: str(position // 6) for position, name in enumerate(names)}, "the column 'patient'")
    return Dataset("scans", images, np.arange(120) % 2, ("ill", "well"), names=names, groups=groups)


def test_fit_estimator_holds_out_groups_for_validation(monkeypatch):
    data, fitted = _make_grouped(), {}
    classifier = CNNClassifier("fast", validation_fraction=0.2, random_state=0)
    monkeypatch.setattr(classifier, "fit", lambda X, y, X_val, y_val: fitted.update(train=X, valid=X_val))
    fit_estimator(classifier, data)
    patients = {image.tobytes(): position // 6 for position, image in enumerate(data.train_images)}
    train, valid = ({patients[image.tobytes()] for image in fitted[split]} for split in ("train", "valid"))
    assert len(valid) == 4 and len(train) == 16 and not train & valid


def test_ensemble_of_a_recipe_does_not_separate_groups():
    data = _make_grouped()
    ensemble = replace(load_recipe("fast"), ensemble={"folds": 4}).create_estimator(data, random_state=0)
    assert [len(held_out) for _, held_out in ensemble.cv] == [30] * 4
    assert not any(set(train // 6) & set(held_out // 6) for train, held_out in ensemble.cv)


def test_ensemble_notes_groups_that_are_too_few_for_its_folds():
    recipe = replace(load_recipe("fast"), ensemble={"folds": 30})
    with pytest.warns(UserWarning, match="too few groups for 30 folds"):
        recipe.create_estimator(_make_grouped(), random_state=0)


def test_train_notes_groups_that_test_fraction_separates(tmp_path):
    for position in range(48):
        folder = tmp_path / "signs" / "ab"[position % 2]
        folder.mkdir(parents=True, exist_ok=True)
        image = np.random.default_rng(position).integers(0, 256, (8, 8), dtype=np.uint8)
        Image.fromarray(image).save(folder / f"{position // 8:05}_{position:05}.png")
    with pytest.warns(UserWarning, match=r"00000_00000\.png and 00000_00002\.png, but 'test_fraction'"):
        train(tmp_path / "signs", recipe="fast", settings={"data.test_fraction": 0.25}, epochs=1, out=tmp_path / "run")


def test_note_groups_reports_groups_in_several_splits():
    data = _make_grouped()
    splits = {
        f"{split}_{kind}": getattr(data, f"train_{kind}")[part]
        for split, part in (("train", slice(100)), ("test", slice(100, 120)))
        for kind in ("images", "labels")
    }
    data = replace(data, **splits)
    with pytest.warns(UserWarning) as notes:
        assert note_groups(data, holds_out=False).groups is None
    assert ["2 of 20 test images are in groups of training" in str(note.message) for note in notes] == [True]
    with pytest.warns(UserWarning, match="100 training images are in 17 groups") as notes:
        assert note_groups(data).groups is not None
    assert len(notes) == 2
