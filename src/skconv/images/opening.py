"""Decoding of untrusted image files to uint8 arrays of limited size."""

from __future__ import annotations

import io
import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image, ImageStat

from skconv.exceptions import DataError, SourceNotFoundError
from skconv.images.formats import FORMAT_NAMES, UnreadableImageError, list_formats

# Pillow also logs some errors that it raises; without a handler they would appear twice on standard error.
logging.getLogger("PIL").addHandler(logging.NullHandler())

MAX_BYTES = 100_000_000  # larger files are rejected before reading
MAX_PIXELS = 50_000_000  # larger images are rejected before decoding
# Lower than MAX_PIXELS, because colour, transparency or 16 bits take three to ten times the memory of 8-bit grey.
# JPEGs, which can be decoded at half size, and images that are reduced after decoding may be larger.
MAX_COLOUR_PIXELS = 13_000_000
_REDUCIBLE_MODES = frozenset({"RGB", "RGBA", "LA", "CMYK", "YCbCr"})

_N_ROWS = 256  # rows converted to float at a time, to limit the memory
_N_HEADER = 4096  # bytes that contain the header of a PPM file, and the first bytes of other formats

# Operation that makes an image upright, by the value of its orientation tag (EXIF 274).
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_TURNS = frozenset(_UPRIGHT[tag] for tag in (5, 6, 7, 8))  # exchange width and height


def open_image(path: str | os.PathLike[str], *, longest: int | None = None, shortest: int | None = None) -> np.ndarray:
    """Decode an untrusted image file and return its pixels in upright orientation.

    The format is detected from the content, not the name, except for TGA and PCX: see
    `skconv.images.formats.IMAGE_FORMATS`. Of several frames the first is returned. Transparent images are composited on
    white, or on black if the opaque pixels are light. A JPEG of more than 13 megapixels is decoded at half its width
    and height.

    `longest` is the required length of the longer side in pixels: a JPEG of at least twice that is decoded at half its
    size, in a third of the time. `shortest` is the required length of the shorter side: a JPEG is decoded at a half, a
    quarter or an eighth of its size as long as the shorter side has that length; other images of more than 13
    megapixels are reduced by an integer factor.

    Return uint8 (height, width) if red, green and blue are equal in every pixel, else (height, width, 3); 255 is
    white. Raise `SourceNotFoundError` if the file is not readable, `DataError` if it is of another format,
    truncated, damaged, or larger than 100 MB or 50 million pixels (without `shortest`, 13 million for colour except
    JPEG, transparency and 16 bits).

    Examples
    --------
    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "stroke.png"
    >>> Image.new("RGB", (30, 20), "navy").save(file)
    >>> open_image(file).shape
    (20, 30, 3)
    """
    file = Path(path)
    return decode_image(_read_file(file), str(file), longest=longest, shortest=shortest)


def decode_image(
    content: bytes,
    name: str,
    *,
    max_pixels: int = MAX_PIXELS,
    longest: int | None = None,
    shortest: int | None = None,
) -> np.ndarray:
    """Decode an image file held in memory, as `open_image` does for a path; `name` is for error messages.

    Examples
    --------
    >>> stream = io.BytesIO()
    >>> Image.new("L", (30, 20)).save(stream, "PNG")
    >>> decode_image(stream.getvalue(), "a black image").shape
    (20, 30)
    """
    with _errors_of(name), _open_lazily(content, name) as image:
        _check_size(name, image, max_pixels, shortest)
        _check_end(name, image, content)
        factor = _find_factor(image, longest, shortest)
        if _is_jpeg(image) and factor > 1:
            image.draft(None, (image.width // factor, image.height // factor))
        image.load()
        operation = _find_rotation(image)
        reduced = image if shortest is None else _reduce(image, shortest)
        return _to_array(name, reduced if operation is None else reduced.transpose(operation))


class ImageHeader(NamedTuple):
    """Height and width of an upright image in pixels, its mode in Pillow, and whether it has more than one frame."""

    height: int
    width: int
    mode: str
    has_frames: bool


def read_header(path: str | os.PathLike[str]) -> ImageHeader:
    """Return size, mode and frames of an image from the header of the file; the pages of a TIFF count as frames.

    Raise errors as `open_image` does, as far as they can be found without decoding.
    """
    file = Path(path)
    with _errors_of(str(file)), _open_file(file) as stream:
        status = os.fstat(stream.fileno())
        formats = list_formats(str(file), stream.read(_N_HEADER), status.st_size)
        stream.seek(0)
        with Image.open(stream, formats=formats) as image:
            rotated = _find_rotation(image) in _TURNS
            width, height = image.size[::-1] if rotated else image.size
            # The other frames of an MPO file are views or previews of the first.
            has_frames = not _is_jpeg(image) and getattr(image, "is_animated", False)
            return ImageHeader(height, width, image.mode, has_frames)


def _open_lazily(content: bytes, name: str) -> Image.Image:
    # Opened from bytes, not by path, because Pillow returns wrong pixels for a rotated TIFF that it memory-maps.
    return Image.open(io.BytesIO(content), formats=list_formats(name, content[:_N_HEADER], len(content)))


@contextmanager
def _errors_of(name: str) -> Iterator[None]:
    """Convert the errors of decoders to `UnreadableImageError`."""
    try:
        yield
    except DataError:
        raise
    except Image.UnidentifiedImageError:
        raise UnreadableImageError(
            name, f"is not an image in a supported format; expected {FORMAT_NAMES}", "Convert or remove it."
        ) from None
    except Image.DecompressionBombError:
        raise UnreadableImageError(
            name, f"has too many pixels to be decoded; expected at most {MAX_PIXELS:,}", "Make the image smaller."
        ) from None
    except Exception as error:  # decoders raise many exception types for damaged files
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UnreadableImageError(
            name, f"is a damaged or truncated image ({reason})", "Save or download it again."
        ) from error


def _reduce(image: Image.Image, shortest: int) -> Image.Image:
    """Reduce a decoded image of more than 13 megapixels, before copies of it are made."""
    if image.width * image.height <= MAX_COLOUR_PIXELS:
        return image
    if image.mode == "P":
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image.reduce(max(1, min(image.size) // shortest)) if image.mode in _REDUCIBLE_MODES else image


def _is_jpeg(image: Image.Image) -> bool:
    return image.format in ("JPEG", "MPO")  # MPO: a JPEG of several frames


def _find_factor(image: Image.Image, longest: int | None, shortest: int | None) -> int:
    """Return the factor by which a JPEG can be reduced while decoding: 1, 2, 4 or 8."""
    if shortest is not None:
        return next((factor for factor in (8, 4, 2) if min(image.size) >= factor * shortest), 1)
    too_large = image.width * image.height > MAX_COLOUR_PIXELS
    return 2 if too_large or (longest is not None and max(image.size) >= 2 * longest) else 1


def _read_file(file: Path) -> bytes:
    with _open_file(file) as stream:
        return stream.read()


@contextmanager
def _open_file(file: Path) -> Iterator[BinaryIO]:
    """Open a non-empty file of at most `MAX_BYTES` bytes."""
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):  # reading a pipe or a device could block
            raise UnreadableImageError(str(file), "is not a file, but a folder, pipe or device", "Pass an image file.")
        if status.st_size > MAX_BYTES:
            size = f"has {status.st_size:,} bytes; the limit is {MAX_BYTES:,}"
            raise UnreadableImageError(str(file), size, "Make the image smaller.")
        if not status.st_size:
            raise UnreadableImageError(str(file), "is empty; expected an image", "Save or download it again.")
        stream = file.open("rb")
    except UnreadableImageError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = getattr(error, "strerror", None) or error
        raise SourceNotFoundError(f"The image {file} cannot be read: {reason}. Check the path.") from None
    with stream:
        yield stream


def _check_size(name: str, image: Image.Image, max_pixels: int, shortest: int | None) -> None:
    pixels = image.width * image.height
    is_small_in_memory = image.mode in ("1", "L") or _is_jpeg(image) or shortest is not None
    allowed = max_pixels if is_small_in_memory else min(max_pixels, MAX_COLOUR_PIXELS)
    if pixels > allowed:
        size = f"is {image.width}×{image.height}, {pixels:,} pixels; expected at most {allowed:,}"
        raise UnreadableImageError(
            name, f"{size} for {image.format} with channels {image.mode}", "Make the image smaller."
        )


def _check_end(name: str, image: Image.Image, content: bytes) -> None:
    """Raise `DataError` if a PNG or JPEG has no end marker, so that truncated files are not decoded."""
    ends = {"PNG": b"IEND", "JPEG": b"\xff\xd9", "MPO": b"\xff\xd9"}
    if image.format in ends and content.rfind(ends[image.format]) < 0:
        raise UnreadableImageError(name, "is truncated: its end marker is missing", "Save or download it again.")


def _find_rotation(image: Image.Image) -> Image.Transpose | None:
    """Return the operation that makes an image upright. Call it after loading, because Pillow rotates TIFF itself."""
    try:
        return _UPRIGHT.get(image.getexif().get(274, 1))
    except Exception:  # a damaged EXIF block does not affect the pixels
        return None


def _to_array(name: str, image: Image.Image) -> np.ndarray:
    if image.mode.startswith(("I", "F")):
        return _scale_to_uint8(name, np.asarray(image))
    if image.mode == "1" and "transparency" not in image.info:
        return np.array(image.convert("L"))
    if image.has_transparency_data:
        image = _composite(image.convert("RGBA"))
    elif image.mode not in ("L", "RGB"):
        image = image.convert("RGB")
    pixels = np.asarray(image)
    if pixels.ndim == 3 and _is_grey(pixels[::16, ::16]) and _is_grey(pixels):  # a sample excludes most photos quickly
        return np.ascontiguousarray(pixels[:, :, 0])
    return pixels.copy()


def _is_grey(pixels: np.ndarray) -> bool:
    red = pixels[:, :, 0]
    return np.array_equal(red, pixels[:, :, 1]) and np.array_equal(red, pixels[:, :, 2])


def _scale_to_uint8(name: str, values: np.ndarray) -> np.ndarray:
    """Scale 16-bit, 32-bit or floating-point grey values to 0..255."""
    low, high = float(values.min()), float(values.max())
    if not (np.isfinite(low) and low >= 0):
        raise UnreadableImageError(
            name,
            "has grey values that are negative, NaN or infinite; expected finite values of at least 0",
            "Save it with 8 or 16 bits.",
        )
    if values.dtype.kind == "f" and high <= 1:
        white = 1.0
    else:  # a 16-bit file may contain 8-bit values; scaled as 16-bit values, they would all be black
        white = 255.0 if high <= 255 else 65535.0
    if high > white:
        too_bright = f"has grey values up to {high:g}; expected at most {white:g}"
        raise UnreadableImageError(name, too_bright, "Save it with 8 or 16 bits.")
    scaled = np.empty(values.shape, np.uint8)
    for start in range(0, len(values), _N_ROWS):
        rows = values[start : start + _N_ROWS].astype(np.float32)
        scaled[start : start + _N_ROWS] = np.rint(rows * np.float32(255.0 / white))
    return scaled


def _composite(image: Image.Image) -> Image.Image:
    """Composite an RGBA image on white, or on black if light strokes are drawn on a transparent background."""
    alpha = image.getchannel("A")
    colour = "white"
    coverage = ImageStat.Stat(alpha).mean[0] / 255
    # If most of the image is opaque, the transparent part is a corner or a frame, not the background of strokes.
    if 0 < coverage < 0.5:
        brightness = ImageStat.Stat(image.convert("L"), mask=alpha).mean[0]
        colour = "black" if brightness > 191 else "white"
    background = Image.new("RGB", image.size, colour)
    background.paste(image, mask=alpha)
    return background
