"""From an image file nobody vouches for to a bounded uint8 array, and from there to a wanted size."""

from __future__ import annotations

import io
import logging
import os
import stat
from pathlib import Path

import numpy as np
from PIL import Image, ImageStat

from skconv.exceptions import DataError, SourceNotFoundError

# Pillow also logs some of what it raises; where nobody listens, that would be a second line on standard error.
logging.getLogger("PIL").addHandler(logging.NullHandler())

IMAGE_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif"})

# Colours take three to five times the memory of grey, and transparency or more bits as much again. A JPEG with more
# pixels is decoded at half its size, in a fraction of the time; others have no such way.
MAX_COLOUR_PIXELS = 13_000_000

# What a camera's orientation tag (EXIF 274) asks a viewer to do.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def open_image(
    path: str | os.PathLike[str],
    *,
    max_pixels: int = 50_000_000,
    max_bytes: int = 100_000_000,
    longest: int | None = None,
) -> np.ndarray:
    """Open one image file that may be anything, and return its pixels upright.

    What the file is decides, not its name: PNG, JPEG, WebP, BMP, TIFF or GIF; of several frames the first is
    taken. Transparent images are laid on white, or on black where what is drawn is light. A JPEG of more than
    13 megapixels comes back half as wide and half as high.

    Parameters
    ----------
    path : path-like
        The image file.
    max_pixels : int, default=50_000_000
        Images with more pixels than this are refused before they are decoded; in colour (but as JPEG), with
        transparency or with 16 bits, those with more than 13 million.
    max_bytes : int, default=100_000_000
        Files longer than this are refused before they are read.
    longest : int or None, default=None
        Pixels of the longer side that suffice: a JPEG of at least twice as many comes back half as wide and half as
        high, in a third of the time.

    Returns
    -------
    ndarray of uint8, shape (height, width) or (height, width, 3)
        Grey where red, green and blue are equal everywhere, colour otherwise; 0 is black, 255 is white.

    Raises
    ------
    SourceNotFoundError
        There is no such file.
    DataError
        Not an image of these formats, cut off or damaged, or larger than allowed.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "stroke.png"
    >>> Image.new("RGB", (30, 20), "navy").save(file)
    >>> open_image(file).shape
    (20, 30, 3)
    """
    file = Path(path)
    return decode_image(_read_file(file, max_bytes), str(file), max_pixels=max_pixels, longest=longest)


def decode_image(content: bytes, name: str, *, max_pixels: int = 50_000_000, longest: int | None = None) -> np.ndarray:
    """Return the pixels of an image file that is in memory, as `open_image` does of one on disk.

    Parameters
    ----------
    content : bytes
        The file's content.
    name : str
        How errors name the image.
    max_pixels, longest
        As in `open_image`.

    Returns
    -------
    ndarray of uint8, shape (height, width) or (height, width, 3)

    Raises
    ------
    DataError
        Not an image of these formats, cut off or damaged, or larger than allowed.

    Examples
    --------
    >>> stream = io.BytesIO()
    >>> Image.new("L", (30, 20)).save(stream, "PNG")
    >>> decode_image(stream.getvalue(), "a black image").shape
    (20, 30)
    """
    try:
        # From memory, not by name: Pillow scrambles a turned TIFF that it maps into memory itself.
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
            f"{name} is not an image that can be read; expected PNG, JPEG, WebP, BMP, TIFF or GIF. "
            "Save it again in one of these formats, or take it away."
        ) from None
    except Image.DecompressionBombError:
        raise DataError(f"{name} unpacks to more pixels than an image can have here. Make it smaller.") from None
    except Exception as error:  # a hostile file makes decoders raise nearly anything
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{name} is a damaged or cut-off image ({reason}). Save or download it again.") from error


def convert_image(image: np.ndarray, height: int, width: int, channels: int) -> np.ndarray:
    """Bring an image to a size and to grey or colour, with antialiasing.

    The whole image is stretched to the size; its proportions are not kept.

    Parameters
    ----------
    image : ndarray of uint8, shape (h, w) or (h, w, 3)
        As `open_image` returns it.
    height, width : int
        The size wanted, in pixels.
    channels : {1, 3}
        1 for grey (weighted as the eye sees red, green and blue), 3 for colour.

    Returns
    -------
    ndarray of uint8, shape (height, width) or (height, width, 3)

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


def _read_file(file: Path, max_bytes: int) -> bytes:
    try:
        status = file.stat()
        # Reading from a pipe or a device could wait for ever.
        readable = stat.S_ISREG(status.st_mode) and status.st_size <= max_bytes
        content = file.read_bytes() if readable else b""
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = getattr(error, "strerror", None) or error
        raise SourceNotFoundError(f"The image {file} cannot be read: {reason}. Check the path.") from None
    if not stat.S_ISREG(status.st_mode):
        raise DataError(f"{file} is not a file. Pass an image file.")
    if status.st_size > max_bytes:
        raise DataError(
            f"{file} has {status.st_size:,} bytes; an image may have {max_bytes:,}. Save it smaller or as JPEG."
        )
    if not content:
        raise DataError(f"{file} is empty; expected an image. Save or download it again.")
    return content


def _check_size(name: str, image: Image.Image, max_pixels: int) -> None:
    pixels = image.width * image.height
    is_small_in_memory = image.mode in ("1", "L") or image.format == "JPEG"
    allowed = max_pixels if is_small_in_memory else min(max_pixels, MAX_COLOUR_PIXELS)
    if pixels > allowed:
        raise DataError(
            f"{name} is {image.width}×{image.height}, {pixels:,} pixels; at most {allowed:,} are read "
            f"of {image.format} with the channels {image.mode}. Make the image smaller."
        )


def _check_end(name: str, image: Image.Image, content: bytes) -> None:
    """Refuse a file without an end before its many pixels are decoded."""
    ends = {"PNG": b"IEND", "JPEG": b"\xff\xd9"}
    if image.format in ends and content.rfind(ends[image.format]) < 0:
        raise DataError(f"{name} is a cut-off image: its end is missing. Save or download it again.")


def _upright(image: Image.Image) -> Image.Image:
    try:
        # After loading, because Pillow turns TIFF itself and then drops the tag.
        operation = _UPRIGHT.get(image.getexif().get(274, 1))
    except Exception:  # a broken EXIF block does not make the pixels unreadable
        return image
    return image if operation is None else image.transpose(operation)


def _to_array(name: str, image: Image.Image) -> np.ndarray:
    if image.mode.startswith(("I", "F")):
        return _scale_deep(name, np.asarray(image))
    if image.mode == "1" and "transparency" not in image.info:
        return np.array(image.convert("L"))
    if image.has_transparency_data:
        image = _lay_on_background(image.convert("RGBA"))
    elif image.mode not in ("L", "RGB"):  # Pillow would copy what is in the mode already
        image = image.convert("RGB")
    pixels = np.asarray(image)
    if pixels.ndim == 3 and _is_grey(pixels[::16, ::16]) and _is_grey(pixels):  # of a photo a look at some suffices
        return np.ascontiguousarray(pixels[:, :, 0])
    return pixels.copy()


def _is_grey(pixels: np.ndarray) -> bool:
    red = pixels[:, :, 0]
    return np.array_equal(red, pixels[:, :, 1]) and np.array_equal(red, pixels[:, :, 2])


def _scale_deep(name: str, values: np.ndarray) -> np.ndarray:
    """Bring 16-bit, 32-bit or floating-point grey values to 0..255."""
    low, high = float(values.min()), float(values.max())
    if not (np.isfinite(low) and low >= 0):
        raise DataError(f"{name} holds negative or undefined grey values; save it with 8 or 16 bits.")
    if values.dtype.kind == "f":
        white = 1.0 if high <= 1 else 255.0 if high <= 255 else 65535.0
    else:
        white = 65535.0
    if high > white:
        raise DataError(f"{name} holds grey values up to {high:g}; save it with 8 or 16 bits.")
    return np.rint(values.astype(np.float32) * np.float32(255.0 / white)).astype(np.uint8)


def _lay_on_background(image: Image.Image) -> Image.Image:
    """Lay an image (RGBA) on white paper, or on black where light strokes stand on an empty ground."""
    alpha = image.getchannel("A")
    paper = "white"
    coverage = ImageStat.Stat(alpha).mean[0] / 255
    # Where most of the image is opaque, what shines through is a corner, not the paper.
    if 0 < coverage < 0.5:
        brightness = ImageStat.Stat(image.convert("L"), mask=alpha).mean[0]
        paper = "black" if brightness > 191 else "white"
    ground = Image.new("RGB", image.size, paper)
    ground.paste(image, mask=alpha)
    return ground
