"""Detection of segmentation masks among the images of class folders."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from skconv.data.folder_tree import ImageFolder
from skconv.exceptions import DataError

_MASK = r"(?:masks?|segmentations?|seg|labels?|lbl|annotations?|ground_?truth|gt)"
_MASK_WORD = re.compile(_MASK, re.IGNORECASE)
_MASK_STEM = re.compile(rf"(.+?)[ _.-]+{_MASK}(?:[ _-]?\d+)?", re.IGNORECASE)
_MASK_FOLDER = re.compile(rf"(?:.*[ _-])?{_MASK}", re.IGNORECASE)
_SHARE = 0.5  # minimum share of images with a mask; below it, similar names are coincidences


class _Masks(NamedTuple):
    """Masks of a class: an example, a pattern that matches all of them, and their number."""

    example: Path
    pattern: str
    n_masks: int


def check_masks(classes: Mapping[str, Sequence[ImageFolder]]) -> None:
    """Raise `DataError` if half of the images of a class seem to be segmentation masks of the other images.

    The name of a mask is that of its image with another suffix or with an ending such as ``_mask``, or the mask is in a
    folder named ``masks``.
    """
    images = {
        name: [image for folder in folders for image in folder.list_images()] for name, folders in classes.items()
    }
    masks = {name: _find_masks(each) for name, each in images.items()}
    found = {name: each for name, each in masks.items() if each is not None}
    if found:
        name, first = next(iter(found.items()))
        raise DataError(
            f"Class '{name}' seems to contain segmentation masks: {first.n_masks:,} of {len(images[name]):,} images, "
            f"such as {first.example}. Pass {_advise(found, images)} to leave them out, or --exclude '' to train on "
            "all images."
        )
    for name in filter(_MASK_FOLDER.fullmatch, images):
        stems = {image.stem for image in images[name]}
        for other, others in images.items():
            if other != name and len(stems & {image.stem for image in others}) > _SHARE * len(stems):
                raise DataError(
                    f"The folder '{name}' seems to contain segmentation masks of the images in '{other}', not a class. "
                    f"Pass --exclude '{name}' to leave it out, or --exclude '' to train on all images."
                )


def _find_masks(images: Sequence[Path]) -> _Masks | None:
    return _find_other_suffix(images) or _find_ending(images) or _find_mask_folder(images)


def _advise(found: Mapping[str, _Masks], images: Mapping[str, Sequence[Path]]) -> str:
    """Return the options that exclude the masks of all classes, but no image of the other classes."""
    patterns = dict.fromkeys(masks.pattern for masks in found.values())
    others = [image for name, each in images.items() if name not in found for image in each]
    if any(fnmatch(image.name, pattern) for pattern in patterns for image in others):
        patterns = dict.fromkeys(f"{masks.example.parent.name}/{masks.pattern}" for masks in found.values())
    return " ".join(f"--exclude '{pattern}'" for pattern in patterns)


def _find_other_suffix(images: Sequence[Path]) -> _Masks | None:
    """Return the masks if half of the images have the name of another image with a different suffix."""
    by_stem: dict[str, list[str]] = {}
    for image in images:  # text, because methods of paths are slow for many files
        stem, dot, suffix = str(image).rpartition(".")
        by_stem.setdefault(stem, []).append(dot + suffix)
    pairs = {
        stem: tuple(found)
        for stem, found in by_stem.items()
        if len({each.lower() for each in found}) == 2 == len(found)
    }
    if len(pairs) < 2:
        return None
    ((pair, count),) = Counter(pairs.values()).most_common(1)
    if 2 * count <= _SHARE * len(images):
        return None
    lossless = [suffix for suffix in pair if suffix.lower() not in (".jpg", ".jpeg")]
    suffix = (lossless or pair)[-1]  # masks are rarely stored as JPEG
    first = next(stem for stem, found in pairs.items() if suffix in found)
    return _Masks(Path(first + suffix), f"*{suffix}", count)


def _find_ending(images: Sequence[Path]) -> _Masks | None:
    """Return the masks if half of the images have a mask whose name has an ending, such as ``cell_mask.png``."""
    if not any(_MASK_WORD.search(image.name) for image in images):
        return None
    stems = {str(image).rpartition(".")[0] for image in images}
    matches = [(image, _MASK_STEM.fullmatch(image.stem)) for image in images]
    masks = [(image, match[1]) for image, match in matches if match and str(image.with_name(match[1])) in stems]
    if len(masks) < 2 or len(masks) <= _SHARE * (len(images) - len(masks)):
        return None
    first, start = masks[0]
    ending = re.sub(r"\d+$", "", first.stem[len(start) :])
    return _Masks(first, f"*{ending}*", len(masks))


def _find_mask_folder(images: Sequence[Path]) -> _Masks | None:
    """Return the masks if half of the images have a mask in a folder such as ``masks``."""
    is_mask_folder = {folder: _MASK_FOLDER.fullmatch(folder.name) is not None for folder in {i.parent for i in images}}
    if not any(is_mask_folder.values()):
        return None
    masks = [image for image in images if is_mask_folder[image.parent]]
    others = {image.stem for image in images if not is_mask_folder[image.parent]}
    paired = [image for image in masks if image.stem in others or _strip_ending(image.stem) in others]
    if len(paired) < 2 or len(paired) <= _SHARE * len(others):
        return None
    return _Masks(paired[0], f"*/{paired[0].parent.name}", len(masks))


def _strip_ending(stem: str) -> str:
    match = _MASK_STEM.fullmatch(stem)
    return match[1] if match else stem
