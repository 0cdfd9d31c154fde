"""Image formats: accepted formats, their file suffixes and first bytes, and files that must not be decoded."""

from __future__ import annotations

import re
from pathlib import PurePath

from skconv.exceptions import DataError

# Formats of Pillow whose decoders use no more memory than the size in the header implies. ICO and ICNS are excluded,
# because their images may be larger than the header states; PostScript, WMF and PDF, because other programs draw them.
IMAGE_FORMATS: tuple[str, ...] = (
    "PNG", "JPEG", "WEBP", "BMP", "DIB", "TIFF", "GIF", "PPM", "AVIF", "JPEG2000", "QOI", "SGI",
)  # fmt: skip
# These formats have no distinctive first bytes, so other files would be mistaken for images.
FORMATS_BY_SUFFIX = {".tga": "TGA", ".pcx": "PCX"}
FORMAT_NAMES = "PNG, JPEG, WebP, BMP, TIFF, GIF, PPM, PGM, AVIF, JPEG 2000, QOI, SGI, TGA, PCX or HEIC"
IMAGE_SUFFIXES = frozenset({
    ".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".webp", ".bmp", ".dib", ".tif", ".tiff", ".gif",
    ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".avif", ".heic", ".heif", ".hif", ".jp2", ".j2k", ".jpf", ".jpx", ".j2c",
    ".jpc", ".qoi", ".sgi", ".tga", ".pcx",
})  # fmt: skip
_FIRST_BYTES = re.compile(
    rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|RIFF....WEBP|BM....\0\0\0\0|II\*\0|MM\0\*|GIF8[79]a|P[1-6]\s+[#\d]"
    rb"|....ftyp(avif|avis|heic|heix|hevc|mif1)|\0\0\0\x0cjP  \r\n|\xff\x4f\xff\x51|qoif",
    re.DOTALL,
)
# Raw files of cameras are TIFF files whose first image is a preview.
_RAW_SUFFIXES = frozenset([".nef", ".cr2", ".arw", ".dng", ".orf", ".rw2", ".pef", ".srw", ".raf"])
_HEIF_BRAND = re.compile(rb"....ftyp(heic|heix|heim|heis|hevc|hevx|mif1|msf1)", re.DOTALL)
_PNG = b"\x89PNG\r\n\x1a\n"
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_GAP = rb"(?:\s|#[^\n]*\n)+"
_PPM_HEADERS = (
    re.compile(rb"P(4)" + _GAP + rb"(\d+)" + _GAP + rb"(\d+)\r\n"),
    re.compile(rb"P([56])" + _GAP + rb"(\d+)" + _GAP + rb"(\d+)" + _GAP + rb"(\d+)\r\n"),
)  # of binary files with CR and LF at the end


class UnreadableImageError(DataError):
    """An image file that cannot be decoded: its name, the reason as a noun phrase, and the remedy."""

    def __init__(self, name: str, reason: str, remedy: str) -> None:
        super().__init__(name, reason, remedy)
        self.name, self.reason, self.remedy = name, reason, remedy

    def __str__(self) -> str:
        return f"{self.name} {self.reason}. {self.remedy}"


def has_image_suffix(name: str) -> bool:
    """Return whether the suffix of a file name, in any case, is that of an image format."""
    _, dot, suffix = name.rpartition(".")  # PurePath.suffix is slow for many files
    return dot + suffix.lower() in IMAGE_SUFFIXES


def looks_like_image(name: str, start: bytes) -> bool:
    r"""Return whether a file is probably an image, judged by its suffix, else by its first 16 bytes.

    Examples
    --------
    >>> looks_like_image("cat.jpg_large", b"\xff\xd8\xff\xe0"), looks_like_image("notes.txt", b"A cat.")
    (True, False)
    """
    if has_image_suffix(name):
        return True
    return PurePath(name).suffix.lower() not in _RAW_SUFFIXES and _FIRST_BYTES.match(start) is not None


def list_formats(name: str, start: bytes, n_bytes: int) -> tuple[str, ...]:
    """Return the names of Pillow's formats to try for a file, with the plug-in for HEIC if it is needed.

    `start` are the first bytes of the file, which contain the header of a PPM file; `n_bytes` is its length.
    Raise `UnreadableImageError` for a Git LFS pointer, a PPM file whose pixels would be shifted, and a HEIC file if
    the plug-in is not installed.
    """
    if start.startswith(_PNG):  # the most frequent format of small images; none of the checks applies
        return IMAGE_FORMATS
    if start.startswith(_LFS_POINTER):
        raise UnreadableImageError(name, "is a Git LFS pointer, not an image", "Run 'git lfs pull' in its repository.")
    if _has_shifted_pixels(start, n_bytes):
        raise UnreadableImageError(
            name,
            "is a PPM image with a Windows line end (CRLF) before the pixels, which shifts the pixels by one byte",
            "Write the header again with LF line ends.",
        )
    formats = IMAGE_FORMATS
    if _HEIF_BRAND.match(start):
        _register_heif(name)
        formats = ("HEIF", *formats)
    extra = FORMATS_BY_SUFFIX.get(PurePath(name).suffix.lower())
    return formats if extra is None else (*formats, extra)


def _has_shifted_pixels(start: bytes, n_bytes: int) -> bool:
    """Return whether a binary PBM, PGM or PPM file has CR and LF after its header.

    One white-space character ends the header, so the LF would be read as the first byte of the pixels. The LF is a
    pixel only if the number of bytes matches.
    """
    header = next(filter(None, (each.match(start) for each in _PPM_HEADERS)), None)
    if header is None:
        return False
    kind, width, height = (int(each) for each in header.groups()[:3])
    if kind == 4:
        expected = (width + 7) // 8 * height
    else:
        expected = width * height * (3 if kind == 6 else 1) * (2 if int(header[4]) > 255 else 1)
    return n_bytes - (header.end() - 1) > expected


def _register_heif(name: str) -> None:
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        raise UnreadableImageError(
            name,
            "is a HEIC photograph, which needs the package pillow-heif",
            "Install it (pip install 'skconv[heic]'), or convert the photograph to JPEG.",
        ) from None
    register_heif_opener()
