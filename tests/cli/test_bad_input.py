"""Bad data, recipes, options and outputs: exit code 1, one helpful line, no traceback, nothing written."""

import gzip
import os
import resource
import shutil
import struct
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from .conftest import check_one_line, write

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (40, 8, 8), dtype=np.uint8)
LABELS = np.arange(40) % 4


def write_csv(path, *, header=True, change=None):
    """Write a CSV of a label and 64 pixels per row; `change` maps (line from 1, column) to another text."""
    rows = [["label", *(f"pixel{number}" for number in range(64))]] if header else []
    rows += [[label, *image.ravel()] for label, image in zip(LABELS, IMAGES, strict=True)]
    for (line, column), text in (change or {}).items():
        rows[line - 1][column] = text
    return write(path, "\n".join(",".join(map(str, row)) for row in rows) + "\n")


def write_idx(folder, *, images=None, labels=None, labels_magic=2049, images_magic=2051):
    """Write a folder of IDX files; any file can be replaced."""
    for split in ("train", "t10k"):
        content = struct.pack(">4I", images_magic, 40, 8, 8) + IMAGES.tobytes() if images is None else images
        write(folder / f"{split}-images-idx3-ubyte", content)
        content = struct.pack(">2I", labels_magic, 40) + LABELS.astype(np.uint8).tobytes()
        write(folder / f"{split}-labels-idx1-ubyte", content if labels is None else labels)
    return folder


def write_folder_of_images(folder, sizes=((8, 8),) * 40, n_classes=4):
    for number, size in enumerate(sizes):
        path = folder / f"class{number % n_classes}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.resize(IMAGES[number], size)).save(path)
    return folder


def cut_gzip(folder):
    write_idx(folder)
    for path in list(folder.iterdir()):
        write(path.with_name(path.name + ".gz"), gzip.compress(path.read_bytes())[:-40])
        path.unlink()
    return folder


def save_npz(path, **arrays):
    np.savez(path, **arrays)
    return path


def broken_image(folder):
    write_folder_of_images(folder)
    write(folder / "class0" / "broken.png", "not an image")
    return folder


# name: (function that writes the source to a folder, words of the message)
SOURCES = {
    "empty csv": (lambda f: write(f / "a.csv", ""), ["a.csv"]),
    "header only": (lambda f: write(f / "a.csv", "label,pixel0,pixel1,pixel2,pixel3\n"), ["a.csv"]),
    "csv with a short row": (
        lambda f: write(f / "a.csv", write_csv(f / "a.csv").read_text().rstrip().rpartition(",")[0]),
        ["a.csv", "41"],
    ),
    "text in a pixel": (lambda f: write_csv(f / "a.csv", change={(7, 5): "dark"}), ["7", "dark"]),
    "nan in a pixel": (lambda f: write_csv(f / "a.csv", change={(8, 5): "nan"}), ["8", "nan"]),
    "pixel beyond 255": (lambda f: write_csv(f / "a.csv", change={(9, 5): "256"}), ["9", "256"]),
    "label missing": (lambda f: write_csv(f / "a.csv", change={(10, 0): ""}), ["10", "label"]),
    "binary csv": (lambda f: write(f / "a.csv", bytes(range(256)) * 4), ["a.csv"]),
    "cut-off gzip": (lambda f: cut_gzip(f / "idx"), ["gz"]),
    "idx with a wrong magic number": (
        lambda f: write_idx(f / "idx", images_magic=1234),
        ["train-images", "00 00 04 d2"],
    ),
    "idx with too few bytes": (
        lambda f: write_idx(f / "idx", images=struct.pack(">4I", 2051, 40, 8, 8) + bytes(100)),
        ["images"],
    ),
    "idx that claims terabytes": (
        lambda f: write_idx(f / "idx", images=struct.pack(">4I", 2051, 2**31, 2**15, 2**15) + bytes(100)),
        ["images"],
    ),
    "idx with fewer labels than images": (
        lambda f: write_idx(f / "idx", labels=struct.pack(">2I", 2049, 39) + bytes(39)),
        ["39", "40"],
    ),
    "npz with nan": (
        lambda f: save_npz(f / "a.npz", X=np.where(IMAGES > 9, np.nan, 1.0), y=LABELS),
        ["a.npz", "nan"],
    ),
    "npz with objects": (
        lambda f: save_npz(f / "a.npz", X=np.array([{}, []], dtype=object), y=np.arange(2)),
        ["a.npz"],
    ),
    "npz without labels": (lambda f: save_npz(f / "a.npz", X=IMAGES), ["a.npz"]),
    "npz with labels of another length": (
        lambda f: save_npz(f / "a.npz", X=IMAGES, y=LABELS[:-1]),
        ["40", "39"],
    ),
    "npz that is no archive": (lambda f: write(f / "a.npz", "PK no"), ["a.npz"]),
    "file that is no image": (lambda f: broken_image(f / "p"), ["broken.png"]),
    "one class only": (lambda f: write_folder_of_images(f / "p", n_classes=1), ["class"]),
    "fewer images than needed": (lambda f: write_folder_of_images(f / "p", [(8, 8)] * 5), ["5 images"]),
    "empty folder": (lambda f: (f / "p").mkdir() or f / "p", ["p"]),
    "source that does not exist": (lambda f: f / "missing.csv", ["missing.csv"]),
    "unknown data set": (lambda f: "mnits", ["mnits", "Did you mean 'mnist'?"]),
    "file of an unknown kind": (lambda f: write(f / "a.docx", "x"), ["a.docx"]),
}


@pytest.mark.parametrize("name", SOURCES)
def test_bad_source_is_one_line_and_writes_nothing(name, tiny_recipe, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make, words = SOURCES[name]
    arguments = ["train", make(tmp_path), "--recipe", tiny_recipe, "--out", tmp_path / "out"]
    check_one_line(arguments, words, tmp_path, capsys)


RECIPES = {
    "unknown key": ("[training]\nbatchsize = 4\n", ["batchsize", "Did you mean 'batch_size'?"]),
    "unknown section": ("[trainig]\nbatch_size = 4\n", ["trainig", "Did you mean 'training'?"]),
    "negative number": ("[training]\nlearning_rate = -1\n", ["learning_rate", "-1"]),
    "zero": ("[training]\nbatch_size = 0\n", ["batch_size", "0"]),
    "infinity": ("[training]\nlearning_rate = inf\n", ["learning_rate", "inf"]),
    "no epochs": ("[training]\nmax_epochs = 0\n", ["max_epochs"]),
    "text for a number": ('[training]\nbatch_size = "many"\n', ["batch_size", "many"]),
    "unknown network": ('[network]\nname = "fats"\n', ["fats", "Did you mean 'fast'?"]),
    "unknown network option": ('[network]\nname = "fast"\ncorp = 1\n', ["corp"]),
    "network size below zero": ('[network]\nname = "fast"\ncrop = -1\n', ["crop"]),
    "not toml": ("batch_size: 4\n", ["TOML"]),
    "not text": (b"\xff\xfe\x00", ["mine.toml"]),
}


@pytest.mark.parametrize("name", RECIPES)
def test_bad_recipe_is_one_line_and_writes_nothing(name, tmp_path, capsys):
    content, words = RECIPES[name]
    recipe = write(tmp_path / "mine.toml", content)
    check_one_line(["train", "digits", "--recipe", recipe, "--out", tmp_path / "out"], words, tmp_path, capsys)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--images", "small"], ["No source was passed", "'mnist'", "small if it has one folder per class"]),
        (["--label-column", "kind"], ["No source was passed", "'label_column'"]),
    ],
    ids=["images", "column"],
)
def test_options_of_a_file_without_a_source_are_one_line(options, words, tmp_path, capsys):
    check_one_line(["train", *options, "--out", tmp_path / "out"], words, tmp_path, capsys)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--recipe", "fats"], ["fats", "Did you mean 'fast'?"]),
        (["--recipe", "missing.toml"], ["missing.toml"]),
        (["--network", "acurate"], ["acurate", "Did you mean 'accurate'?"]),
        (["--network", "mynets.MyNet"], ["mynets.MyNet", "package.module:Name"]),
        (["--network", "nets/mine.py:MyNet"], ["Omit .py: nets.mine:MyNet"]),
    ],
    ids=["unknown recipe", "missing recipe", "unknown network", "class without colon", "file"],
)
def test_unknown_name_is_one_line(options, words, tmp_path, capsys):
    check_one_line(["train", "digits", *options, "--out", tmp_path / "out"], words, tmp_path, capsys)


@pytest.mark.skipif("torch" in sys.modules and sys.modules["torch"].cuda.is_available(), reason="there is a GPU")
def test_unavailable_device_is_one_line(tiny_recipe, tmp_path, capsys):
    arguments = ["train", "digits", "--recipe", tiny_recipe, "--device", "cuda", "--out", tmp_path / "out"]
    check_one_line(arguments, ["cuda"], tmp_path, capsys)


def occupied(folder):
    write(folder / "out" / "kept.txt", "precious")
    return folder / "out"


OUTPUTS = {
    "folder that is not empty": (occupied, ["not empty"]),
    "path below a file": (lambda f: write(f / "file", "x") / "out", ["is a file"]),
    "file": (lambda f: write(f / "file", "x"), ["not a folder"]),
    "name too long": (lambda f: f / ("n" * 300), ["too long"]),
    "place nobody may write": (lambda f: "/proc/skconv", ["Cannot write /proc/skconv", "Choose another folder"]),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_output_that_cannot_be_written_is_one_line_before_training(name, tmp_path, capsys):
    make, words = OUTPUTS[name]
    # The source is missing: the output is checked first.
    check_one_line(["train", tmp_path / "missing", "--out", make(tmp_path)], words, tmp_path, capsys)


def test_full_disk_is_one_line_and_writes_nothing(tiny_recipe, tmp_path):
    """Simulate a full disk by a limit on the size of files."""
    out = tmp_path / "runs" / "out"
    done = subprocess.run(
        [sys.executable, "-m", "skconv", "train", "digits", "--recipe", str(tiny_recipe), "--out", str(out)],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
        env={**os.environ, "MPLCONFIGDIR": str(tmp_path)},
    )
    assert done.returncode == 1
    assert done.stdout == ""
    (error,) = [line for line in done.stderr.splitlines() if "Error" in line]
    assert "File too large" in error
    assert not (tmp_path / "runs").exists()


@pytest.fixture
def read_only_folder(tmp_path):
    folder = tmp_path / "mounted"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("mounting a file system is not permitted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_read_only_file_system_is_one_line_before_training(read_only_folder, tmp_path, capsys):
    arguments = ["train", tmp_path / "missing", "--out", read_only_folder / "out"]
    check_one_line(arguments, ["Read-only file system"], tmp_path, capsys)


def test_data_of_other_classes_is_one_line_with_both_lists(trained, tmp_path, capsys):
    source = write_folder_of_images(tmp_path / "p")
    check_one_line(["evaluate", trained[0], source], ["class0", "0, 1, 2"], tmp_path, capsys)
