"""Advice on files in formats that are not read: archives, spreadsheets, arrays of other programs, pickles."""

from __future__ import annotations

import re
from pathlib import Path

from skconv.images.formats import looks_like_image

_N_START = 512  # bytes that identify a format
_TO_CSV = "Save the names of the images and their labels as CSV, and pass the CSV file."
_TO_NPZ = "Save its arrays with numpy.savez('data.npz', images=images, labels=labels), and pass data.npz."
_ARCHIVE = ("is an archive", "Unpack it, and pass the folder.")
_SPREADSHEET = ("is a spreadsheet", "Save the sheet as CSV, and pass the CSV file.")
_TABLE = ("is a table in a binary format", "Save it as CSV, for example with pandas, and pass the CSV file.")
_HDF5 = ("is an HDF5 file", f"Read it with h5py. {_TO_NPZ}")
_MATLAB = ("is a MATLAB file", f"Read it with scipy.io.loadmat. {_TO_NPZ}")
_PICKLE = (
    "may contain pickled objects and is refused, because loading them can run code",
    f"If you trust the file, load it in Python. {_TO_NPZ}",
)
_TFRECORD = ("has records of TensorFlow", f"Read it with tf.data.TFRecordDataset. {_TO_NPZ}")
_LMDB = ("is an LMDB database", f"Read it with the package lmdb. {_TO_NPZ}")
_MARKUP = ("has annotations, not images", _TO_CSV)
_VIDEO = ("is a video", "Save its frames as images, in one folder per class, and pass the outer folder.")
_IMAGE = (
    "is one image",
    "To train, pass the folder with one folder of images per class; to predict its class, use 'skconv predict'.",
)
_BY_SUFFIX = {
    **dict.fromkeys((".zip", ".tar", ".tgz", ".tbz2", ".txz", ".7z", ".rar", ".bz2", ".xz", ".zst"), _ARCHIVE),
    **dict.fromkeys((".xlsx", ".xlsm", ".xls", ".ods", ".numbers"), _SPREADSHEET),
    **dict.fromkeys((".parquet", ".feather", ".arrow", ".db", ".sqlite", ".sqlite3", ".rds", ".rdata", ".dta"), _TABLE),
    **dict.fromkeys((".h5", ".hdf5", ".hdf"), _HDF5),
    ".mat": _MATLAB,
    **dict.fromkeys((".tfrecord", ".tfrecords", ".tfrec"), _TFRECORD),
    ".lmdb": _LMDB,
    **dict.fromkeys((".pt", ".pth", ".pkl", ".pickle", ".joblib"), _PICKLE),
    **dict.fromkeys((".json", ".jsonl", ".xml", ".yaml", ".yml"), _MARKUP),
    **dict.fromkeys((".mp4", ".avi", ".mov", ".mkv", ".webm"), _VIDEO),
}
_SHARD = re.compile(r"-\d+-of-\d+$")  # as in train.tfrecord-00000-of-00010
_LABELS = (_SPREADSHEET, _TABLE, _HDF5, _MATLAB, _PICKLE, _MARKUP)
# File signatures, for files with other suffixes.
_BY_START = [
    (re.compile(rb"PK\x03\x04|Rar!\x1a\x07|7z\xbc\xaf|BZh\d|\xfd7zXZ|\x28\xb5\x2f\xfd|\x1f\x8b"), _ARCHIVE),
    (re.compile(rb".{257}ustar", re.DOTALL), _ARCHIVE),
    (re.compile(rb"\xd0\xcf\x11\xe0"), _SPREADSHEET),
    (re.compile(rb"PAR1|ARROW1|SQLite format 3|\x00\x01\x00\x00Standard (?:Jet|ACE) DB"), _TABLE),
    (re.compile(rb"(?:.{16})?\xde\xc0\xef\xbe", re.DOTALL), _LMDB),
    (re.compile(rb"\x89HDF\r\n\x1a\n"), _HDF5),
    (re.compile(rb"MATLAB \d"), _MATLAB),
    (re.compile(rb"\x80[\x02-\x05]"), _PICKLE),
]


def describe_other(path: Path) -> tuple[str, str] | None:
    """Return what a file is, as a predicate, and what to do with it; None for other formats.

    Examples
    --------
    >>> describe_other(Path("data.zip"))
    ('is an archive', 'Unpack it, and pass the folder.')
    """
    found = _BY_SUFFIX.get(_SHARD.sub("", path.suffix.lower()))
    if found is not None or not path.is_file():
        return found
    try:
        with path.open("rb") as stream:
            start = stream.read(_N_START)
    except OSError:
        return None
    if looks_like_image(path.name, start):
        return _IMAGE
    return next((each for pattern, each in _BY_START if pattern.match(start)), None)


def may_have_labels(path: Path) -> bool:
    """Return whether a file beside images may have their labels: a spreadsheet, a binary table, arrays, annotations."""
    return describe_other(path) in _LABELS
