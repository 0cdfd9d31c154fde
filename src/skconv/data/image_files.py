"""Decoding of many image files into one array: common size, memory, unreadable files."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from skconv.data.decoded_cache import read_cached
from skconv.data.memory import allocate_images, free_memory
from skconv.data.spec import DataSpec
from skconv.exceptions import DataError, SkconvError, SourceNotFoundError, list_some
from skconv.images.formats import UnreadableImageError
from skconv.images.opening import read_header
from skconv.images.resizing import choose_size, describe_choice, has_other_aspect
from skconv.images.spec import MAX_THREADS, ImageSpec, map_in_threads
from skconv.progress import show_progress

_DARK = 64  # maximum of dark images, of 255: 14 of 16 bits
_MAX_NAMES = 10  # unreadable files listed in a message
_N_SAMPLED = 1000  # files whose headers determine the size
_BYTES_PER_PIXEL = 16  # memory while decoding, including copies
_DECODING_SHARE = 0.25  # maximum fraction of the free memory
_COLOURLESS = frozenset({"1", "L", "LA", "I", "F"})  # modes of Pillow, also "I;16"


@contextmanager
def _ignore_size_warnings() -> Iterator[None]:
    """Ignore Pillow's warning of large images; the limits of `skconv.images.opening` are lower."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Image size", Image.DecompressionBombWarning)
        yield


class DecodedImages(NamedTuple):
    """Images uint8, (n, height, width) or (n, height, width, 3), and their positions among the files."""

    images: np.ndarray
    positions: Sequence[int]


class SampledSizes(NamedTuple):
    """Sizes (height, width) in a sample of the files.

    The flags are whether the sample is grey, whether it has an image of more than 8 bits, and whether it has all files;
    `animated` are the files of more than one frame or page.
    """

    sizes: list[tuple[int, int]]
    are_grey: bool
    are_deep: bool
    animated: list[Path]
    is_complete: bool

    @classmethod
    def read(cls, files: Sequence[Path]) -> SampledSizes:
        """Read the headers of up to 1,000 files, or of more until a file is readable; else `sizes` is empty."""
        step = max(1, -(-len(files) // _N_SAMPLED))
        sizes: list[tuple[int, int]] = []
        modes: set[str] = set()
        animated: list[Path] = []
        for number, file in enumerate([*files[::step], *files]):
            if number >= len(files[::step]) and sizes:
                break
            try:
                header = read_header(file)
            except (DataError, SourceNotFoundError):  # `decode_files` reports them
                continue
            sizes.append((header.height, header.width))
            modes.add(header.mode.partition(";")[0])
            if header.has_frames:
                animated.append(file)
        return cls(sizes, modes <= _COLOURLESS, bool(modes & {"I", "F"}), animated, step == 1)

    def describe(self) -> str:
        """Return " in a sample", for numbers of images in messages, or "" if the sample has all files."""
        return "" if self.is_complete else " in a sample"


def read_images(files: Sequence[Path], spec: DataSpec, *, progress: bool = False) -> np.ndarray:
    """Read image files as one array, as `decode_files` does; raise `DataError` if a file is unreadable."""
    return decode_files(files, spec, skip_unreadable=False, progress=progress).images


def decode_files(
    files: Sequence[Path], spec: DataSpec, *, skip_unreadable: bool | None = None, progress: bool = False
) -> DecodedImages:
    """Read image files as one array, uint8 (n, height, width), or (n, height, width, 3) unless all are grey.

    Size, channels, resize rule and preprocessing are those of `spec`. Without a size, images that all have the same
    small size are not resized; otherwise `choose_size` determines the size. Guesses are printed as warnings. Images are
    decoded one at a time, and the decoded images of large folders are cached (see `read_cached`).

    If files are unreadable, raise a `DataError` that lists them, or leave them out with a warning if `skip_unreadable`
    (by default that of `spec`) is true.
    """
    skip = bool(spec.skip_unreadable) if skip_unreadable is None else skip_unreadable
    with _ignore_size_warnings():
        sampled = SampledSizes.read(files)
    if sampled.animated:
        warnings.warn(
            f"Only the first frame or page is used of {len(sampled.animated):,} of {len(sampled.sizes):,} "
            f"images{sampled.describe()}, for example {sampled.animated[0]}. To use all, save each frame as a file.",
            stacklevel=2,
        )
    target = _choose_target(spec, sampled, len(files))
    positions: Sequence[int] = range(len(files))

    def decode() -> np.ndarray:
        nonlocal positions
        with _ignore_size_warnings():
            decoded = _decode(files, target, spec, max_threads=_count_threads(sampled), skip=skip, progress=progress)
        positions = decoded.positions
        return decoded.images

    if spec.normalize is not None or not sampled.sizes:
        images = decode()
    else:
        form = f"{target.resize} {spec.channels}"
        images = read_cached(files, (target.height, target.width), decode, form)
    if sampled.are_deep and images.size and images.max() <= _DARK:
        warnings.warn(
            f"The images are dark: their maximum, converted from 16 to 8 bits, is {images.max()} of 255. To retain "
            "more grey levels, scale the files to the full range of 16 bits first.",
            stacklevel=2,
        )
    return DecodedImages(images, positions)


def _choose_target(spec: DataSpec, sampled: SampledSizes, n_files: int) -> ImageSpec:
    """Return the size, channels and resize rule of the decoded images; warn about guesses."""
    if spec.normalize is not None:
        return ImageSpec.for_step(spec.normalize, spec.size)
    if not sampled.sizes:
        return ImageSpec(1, 1, 1)  # no file is readable; decoding raises the errors
    channels = spec.channels or (1 if sampled.are_grey else 3)
    size = spec.size
    if size is None and spec.form is not None:
        size = (spec.form.height, spec.form.width)
    elif size is None:
        size = choose_size(sampled.sizes, n_files, spec.short_side)
        if size is not None:
            warnings.warn(
                describe_choice(sampled.sizes, size, spec.resize, is_sample=not sampled.is_complete), stacklevel=3
            )
        else:
            size = sampled.sizes[0]
    else:
        n_other = sum(has_other_aspect(each, size) for each in sampled.sizes)
        if n_other and spec.resize is None and spec.form is None:
            warnings.warn(
                f"Padding {n_other:,} of {len(sampled.sizes):,} images{sampled.describe()} to the aspect ratio of the "
                f"size {size[1]}×{size[0]}. Pass --resize crop or --resize stretch to change this.",
                stacklevel=3,
            )
    return ImageSpec(*size, channels, resize=spec.resize_rule)


def _decode(
    files: Sequence[Path],
    target: ImageSpec,
    spec: DataSpec,
    *,
    max_threads: int,
    skip: bool,
    progress: bool,
) -> DecodedImages:
    """Decode the files one at a time into one array, which is converted to colour at the first colour image."""
    open_one = partial(_open_one, target=target, channels=spec.channels)
    results = map_in_threads(open_one, files, max_threads=max_threads)
    images = np.empty((0, *target.shape), np.uint8)
    positions: list[int] = []
    errors: list[SkconvError] = []
    has_colour = False
    for position, result in enumerate(show_progress(results, "images", len(files), progress=progress)):
        if isinstance(result, SkconvError):
            errors.append(result)
        if errors and not skip:  # the remaining files are only checked for errors
            images = images[:0].copy()
            continue
        if isinstance(result, SkconvError):
            continue
        if not len(images):
            images = allocate_images((len(files), *target.shape))
        if result.ndim == images.ndim:
            images = _add_colour(images)
        has_colour = has_colour or result.ndim == 3
        images[len(positions)] = result if result.ndim == images.ndim - 1 else result[..., None]
        positions.append(position)
    if errors:
        _report_unreadable(errors, len(files), skip=skip)
    images = images[: len(positions)]
    if images.ndim == 4 and not has_colour and spec.channels != 3:
        images = np.ascontiguousarray(images[..., 0])
    return DecodedImages(images, positions)


def _add_colour(grey: np.ndarray) -> np.ndarray:
    colour = allocate_images((*grey.shape, 3))
    colour[:] = grey[..., None]
    return colour


def _open_one(file: Path, target: ImageSpec, channels: int | None) -> np.ndarray | SkconvError:
    """Return a file's image in the target's size, with its own channels unless `channels` is given, or its error."""
    try:
        image = target.open(file)
        if target.preprocessing is None:
            target = replace(target, channels=channels or (1 if image.ndim == 2 else 3))
        return target.preprocess(image)
    except (DataError, SourceNotFoundError) as error:
        # A new exception, because the traceback would keep the content of the file in memory.
        return type(error)(*error.args)


def _count_threads(sampled: SampledSizes) -> int:
    """Return the number of threads whose images fit into the memory while they are decoded."""
    free = free_memory()
    if free is None or not sampled.sizes:
        return MAX_THREADS
    pixels = max(height * width for height, width in sampled.sizes)
    return max(1, min(MAX_THREADS, int(_DECODING_SHARE * free / (pixels * _BYTES_PER_PIXEL))))


def _report_unreadable(errors: Sequence[SkconvError], n_files: int, *, skip: bool) -> None:
    """Warn about unreadable files that are left out, or raise one error for all of them."""
    count = f"{len(errors):,} of {n_files:,} image files cannot be read"
    if skip and len(errors) < n_files:
        warnings.warn(f"{count} and were left out: {_list_reasons(errors)}.", stacklevel=2)
        return
    option = "Pass --skip-unreadable to leave out unreadable files." if len(errors) < n_files else ""
    if len(errors) == 1:
        (error,) = errors
        raise type(error)(*error.args[:-1], f"{error.args[-1]} {option}".rstrip())
    raise DataError(f"{count}: {_list_reasons(errors, with_remedies=True)}. {option}".rstrip())


def _list_reasons(errors: Sequence[SkconvError], *, with_remedies: bool = False) -> str:
    """Return the names of the first unreadable files, grouped by reason."""
    groups: dict[tuple[str, str], list[str]] = {}
    for error in errors:
        if isinstance(error, UnreadableImageError):
            reason = re.sub("^is (an? )?", "", error.reason)
            groups.setdefault((reason, error.remedy), []).append("/".join(Path(error.name).parts[-2:]))
        else:
            groups.setdefault((str(error).rstrip("."), ""), []).append("")
    share = max(1, _MAX_NAMES // len(groups))
    parts = []
    for (reason, remedy), names in groups.items():
        part = f"{reason} ({list_some(names, share)})" if names[0] else reason
        fix = remedy[:1].lower() + remedy[1:].rstrip(".")
        parts.append(f"{part}: {fix}" if with_remedies and remedy else part)
    return "; ".join(parts[:_MAX_NAMES])
