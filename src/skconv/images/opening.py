"""Decoding of untrusted image files to uint8 arrays of limited size, and resizing."""

from __future__ import annotations

import io
import logging
import os
import stat
from pathlib import Path

import numpy as np
from PIL import Image, ImageStat

from skconv.exceptions import DataError, SourceNotFoundError

# Pillow also logs some errors that it raises; without a handler they would appear twice on standard error.
logging.getLogger("PIL").addHandler(logging.NullHandler())

IMAGE_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif"})

MAX_BYTES = 100_000_000  # larger files are rejected before reading
MAX_PIXELS = 50_000_000  # larger images are rejected before decoding
# Lower than MAX_PIXELS, because colour, transparency or 16 bits take three to ten times the memory of 8-bit grey.
# A JPEG may be larger, because it can be decoded at half its size.
MAX_COLOUR_PIXELS = 13_000_000

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


def open_image(path: str | os.PathLike[str], *, longest: int | None = None) -> np.ndarray:
    """Decode an untrusted image file and return its pixels in upright orientation.

    The format is detected from the content, not the name: PNG, JPEG, WebP, BMP, TIFF or GIF (first frame). Transparent
    images are composited on white, or on black if the opaque pixels are light. A JPEG of more than 13 megapixels is
    decoded at half its width and height.

    `longest` is the required length of the longer side in pixels: a JPEG of at least twice that is decoded at half its
    size, in a third of the time.

    Return uint8 (height, width) if red, green and blue are equal in every pixel, else (height, width, 3); 255 is
    white. Raise `SourceNotFoundError` if the file is not readable, `DataError` if it is of another format,
    truncated, damaged, or larger than 100 MB or 50 million pixels (13 million for colour except JPEG, transparency and
    16 bits).

    Examples
    --------
    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "stroke.png"
    >>> Image.new("RGB", (30, 20), "navy").save(file)
    >>> open_image(file).shape
    (20, 30, 3)
    """
    file = Path(path)
    return decode_image(_read_file(file), str(file), longest=longest)


def decode_image(content: bytes, name: str, *, max_pixels: int = MAX_PIXELS, longest: int | None = None) -> np.ndarray:
    """Decode an image file held in memory, as `open_image` does for a path; `name` is for error messages.

    Examples
    --------
    >>> stream = io.BytesIO()
    >>> Image.new("L", (30, 20)).save(stream, "PNG")
    >>> decode_image(stream.getvalue(), "a black image").shape
    (20, 30)
    """
    try:
        # Opened from bytes, not by path, because Pillow returns wrong pixels for a rotated TIFF that it memory-maps.
        with Image.open(io.BytesIO(content), formats=IMAGE_FORMATS) as image:
            _check_size(name, image, max_pixels)
            _check_end(name, image, content)
            too_large = image.width * image.height > MAX_COLOUR_PIXELS
            if image.format == "JPEG" and (too_large or (longest is not None and max(image.size) >= 2 * longest)):
                image.draft(None, (image.width // 2, image.height // 2))
            image.load()
            return _to_array(name, _upright(image))
    except DataError:
        raise
    except Image.UnidentifiedImageError:
        raise DataError(
            f"{name} is not an image in a supported format; expected PNG, JPEG, WebP, BMP, TIFF or GIF. "
            "Convert or remove it."
        ) from None
    except Image.DecompressionBombError:
        raise DataError(f"{name} has more pixels than allowed. Make the image smaller.") from None
    except Exception as error:  # decoders raise many exception types for damaged files
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{name} is a damaged or truncated image ({reason}). Save or download it again.") from error


def convert_image(image: np.ndarray, height: int, width: int, channels: int) -> np.ndarray:
    """Resize an image uint8 (h, w) or (h, w, 3) with antialiasing, and convert it to grey (luma) or colour.

    The shape is (height, width) for 1 channel and (height, width, 3) for 3; the aspect ratio is not preserved.

    Examples
    --------
    >>> convert_image(np.full((300, 200, 3), 90, np.uint8), 28, 28, 1).shape
    (28, 28)
    """
    resized = Image.fromarray(image)
    mode = "L" if channels == 1 else "RGB"
    if resized.mode != mode:
        resized = resized.convert(mode)
    if resized.size != (width, height):
        resized = resized.resize((width, height), Image.Resampling.BICUBIC)
    return np.array(resized)


def _read_file(file: Path) -> bytes:
    try:
        status = file.stat()
        # Reading a pipe or a device could block.
        readable = stat.S_ISREG(status.st_mode) and status.st_size <= MAX_BYTES
        content = file.read_bytes() if readable else b""
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = getattr(error, "strerror", None) or error
        raise SourceNotFoundError(f"The image {file} cannot be read: {reason}. Check the path.") from None
    if not stat.S_ISREG(status.st_mode):
        raise DataError(f"{file} is not a file, but a folder, pipe or device. Pass an image file.")
    if status.st_size > MAX_BYTES:
        raise DataError(f"{file} has {status.st_size:,} bytes; the limit is {MAX_BYTES:,}. Make the image smaller.")
    if not content:
        raise DataError(f"{file} is empty; expected an image. Save or download it again.")
    return content


def _check_size(name: str, image: Image.Image, max_pixels: int) -> None:
    pixels = image.width * image.height
    is_small_in_memory = image.mode in ("1", "L") or image.format == "JPEG"
    allowed = max_pixels if is_small_in_memory else min(max_pixels, MAX_COLOUR_PIXELS)
    if pixels > allowed:
        raise DataError(
            f"{name} is {image.width}×{image.height}, {pixels:,} pixels; expected at most {allowed:,} for "
            f"{image.format} with channels {image.mode}. Make the image smaller."
        )


def _check_end(name: str, image: Image.Image, content: bytes) -> None:
    """Raise `DataError` for a PNG or JPEG without an end marker, which avoids decoding a truncated file."""
    ends = {"PNG": b"IEND", "JPEG": b"\xff\xd9"}
    if image.format in ends and content.rfind(ends[image.format]) < 0:
        raise DataError(f"{name} is truncated: its end marker is missing. Save or download it again.")


def _upright(image: Image.Image) -> Image.Image:
    try:
        # Read after loading, because Pillow rotates TIFF itself and then removes the tag.
        operation = _UPRIGHT.get(image.getexif().get(274, 1))
    except Exception:  # a broken EXIF block does not affect the pixels
        return image
    return image if operation is None else image.transpose(operation)


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
        raise DataError(f"{name} has negative or undefined grey values; expected 0 or more. Save it with 8 or 16 bits.")
    if values.dtype.kind == "f":
        white = 1.0 if high <= 1 else 255.0 if high <= 255 else 65535.0
    else:
        white = 65535.0
    if high > white:
        raise DataError(
            f"{name} has grey values up to {high:g}; expected at most {white:g}. Save it with 8 or 16 bits."
        )
    return np.rint(values.astype(np.float32) * np.float32(255.0 / white)).astype(np.uint8)


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
