"""Damaged files: valid files of every kind that is read, and random corruption of them."""

from __future__ import annotations

import gzip
import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from skconv.model_io.serialization import canonical_json

MODEL, CHECKPOINT = "model", "checkpoint"
WORDS = (
    b"\x00" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x80\x00\x00\x00", b"99999999", b"-1",
    b"1e999", b"nan", b"../../", b"\x80\x04\x95", b"PK\x03\x04", b"<!DOCTYPE", b"\r\n", b",", b'"', b"{", b"[" * 64,
)  # fmt: skip
ODD = (
    None, True, -1, 0, 2**63, 1e308, "", "x" * 5000, [], {}, [[]], "../../etc/passwd", "standard", 0.5, [1] * 1000,
)  # fmt: skip


def make_files(folder: Path) -> None:
    """Write a valid file or folder of every kind."""
    from sklearn.datasets import load_digits

    from skconv import CNNClassifier
    from skconv.training import checkpointing

    digits = load_digits()
    images, labels = digits.images[:120].astype(np.uint8) * 15, digits.target[:120]
    checkpointing._INITIAL_COST = 0.0
    settings = {"max_epochs": 2, "batch_size": 60, "precision": "fp32", "random_state": 0}
    classifier = CNNClassifier("fast", **settings, checkpoint=folder / CHECKPOINT).fit(images, labels)
    classifier.save(folder / MODEL)
    make_tables(folder, images, labels)
    make_images(folder / "images", np.kron(images[5], np.ones((6, 6), np.uint8)))


def make_tables(folder: Path, images: np.ndarray, labels: np.ndarray) -> None:
    """Write the images as CSV, .npz and IDX files."""
    rows = np.column_stack([labels, images.reshape(len(images), -1)])
    header = "label," + ",".join(f"pixel{number}" for number in range(rows.shape[1] - 1))
    np.savetxt(folder / "pixels.csv", rows, fmt="%d", delimiter=",", header=header, comments="")
    np.savez_compressed(folder / "arrays.npz", images=images, labels=labels)
    np.savez(folder / "plain.npz", images=images, labels=labels)
    idx = folder / "idx"
    idx.mkdir()
    for split in ("train", "t10k"):
        content = struct.pack(">4BIII", 0, 0, 8, 3, *images.shape) + images.tobytes()
        (idx / f"{split}-images-idx3-ubyte").write_bytes(content)
        content = struct.pack(">4BI", 0, 0, 8, 1, len(labels)) + labels.astype(np.uint8).tobytes()
        (idx / f"{split}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(content))


def make_images(folder: Path, image: np.ndarray) -> None:
    """Write an image in every supported format."""
    folder.mkdir()
    grey = Image.fromarray(255 - image)
    for suffix in ("png", "jpg", "webp", "bmp", "tif", "gif"):
        grey.save(folder / f"grey.{suffix}")
    grey.convert("RGB").save(folder / "colour.jpg", progressive=True)
    grey.convert("RGBA").save(folder / "alpha.png")
    grey.convert("P").save(folder / "palette.png")
    grey.convert("1").save(folder / "bits.tif", compression="group4")
    Image.fromarray(image.astype(np.uint16) * 257).save(folder / "deep.png")
    grey.convert("CMYK").save(folder / "cmyk.jpg")
    grey.convert("RGB").save(folder / "lzw.tif", compression="tiff_lzw")


def damage(content: bytes, others: list[bytes], rng: np.random.Generator) -> bytes:
    """Return the content after one to four random changes."""
    changed = bytearray(content)
    for _ in range(rng.integers(1, 5)):
        # Headers are in the first bytes.
        end = len(changed) if rng.random() < 0.6 else min(len(changed), 256)
        position = int(rng.integers(0, max(1, end)))
        length = int(rng.integers(1, 64))
        match rng.integers(0, 8):
            case 0 if changed:
                changed[position % len(changed)] ^= 1 << int(rng.integers(0, 8))
            case 1 if changed:
                changed[position % len(changed)] = int(rng.integers(0, 256))
            case 2:
                word = WORDS[rng.integers(0, len(WORDS))]
                changed[position : position + len(word)] = word
            case 3:
                changed[position:position] = WORDS[rng.integers(0, len(WORDS))]
            case 4:
                del changed[position:]
            case 5:
                del changed[position : position + length]
            case 6:
                changed[position:position] = changed[position : position + length] * int(rng.integers(1, 20))
            case _:
                other = others[rng.integers(0, len(others))]
                start = int(rng.integers(0, max(1, len(other))))
                changed[position : position + length] = other[start : start + length]
    return bytes(changed)


def damage_json(document: Any, rng: np.random.Generator) -> Any:
    """Replace one value, at any depth, by an unexpected one."""
    if isinstance(document, dict) and document and rng.random() < 0.9:
        name = list(document)[rng.integers(0, len(document))]
        match rng.integers(0, 12):
            case 0:
                return {key: value for key, value in document.items() if key != name}
            case 1:
                return {**document, "another": document[name]}
            case _:
                return {**document, name: damage_json(document[name], rng)}
    if isinstance(document, list) and document and rng.random() < 0.7:
        index = int(rng.integers(0, len(document)))
        return [*document[:index], damage_json(document[index], rng), *document[index + 1 :]]
    return ODD[rng.integers(0, len(ODD))]


def sign(document: dict) -> bytes:
    """Return the document with its own digest."""
    without = {key: value for key, value in document.items() if key != "digest"}
    return json.dumps({**without, "digest": hashlib.sha256(canonical_json(without)).hexdigest()}).encode()


def describe_file(content: bytes) -> dict[str, Any]:
    """Return the entry of a file in a configuration or checkpoint."""
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def damage_folder(folder: Path, index: str, others: list[bytes], rng: np.random.Generator) -> None:
    """Damage one file of a model folder or checkpoint, and update the hashes in half of the cases."""
    files = sorted(each for each in folder.iterdir() if each.suffix != ".md")
    file = files[rng.integers(0, len(files))]
    content = file.read_bytes()
    update_hashes = rng.random() < 0.5
    if file.name == index and update_hashes:
        document = damage_json(json.loads(content), rng)
        file.write_bytes(sign(document) if isinstance(document, dict) else json.dumps(document).encode())
        return
    altered = damage(content, others, rng)
    file.write_bytes(altered)
    if update_hashes:
        document = json.loads((folder / index).read_bytes())
        if index == "config.json":
            document["files"][file.name] = describe_file(altered)
        else:
            document["tensors"] = describe_file(altered)
        (folder / index).write_bytes(sign(document))
