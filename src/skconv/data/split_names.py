"""Names of splits: train, valid and test, in any usual spelling."""

from __future__ import annotations

import re

TRAIN, VALID, TEST = SPLITS = ("train", "valid", "test")
# Words for splits in the names of folders, files, arrays and in columns; some formats have further ones.
SPLIT_WORDS = {
    "train": TRAIN, "training": TRAIN, "trn": TRAIN, "trainval": TRAIN,
    "val": VALID, "valid": VALID, "validation": VALID, "validate": VALID, "dev": VALID,
    "test": TEST, "testing": TEST, "tst": TEST, "evaluation": TEST,
}  # fmt: skip
_FILLERS = frozenset({"set", "sets", "data", "dataset", "images", "image", "imgs", "img", "folder", "split", "samples"})
# Numbers, versions and sizes, as in train2017, train-v2 and "Train Images 13440x32x32".
_NUMBER = re.compile(r"(?:(?<![a-z])v)?\d+(?:\s*[x×]\s*\d+)*", re.IGNORECASE)
_GLUED = re.compile(rf"({'|'.join(sorted(SPLIT_WORDS, key=len, reverse=True))})(sets?|data|images?|imgs?)")


def split_name(name: str, *, numbers: bool = False) -> tuple[str, str] | None:
    """Return the split that a folder is named after, and the rest of its name; None for other names.

    Numbers are part of the rest only if `numbers` is true.

    Examples
    --------
    >>> split_name("Training_Set"), split_name("seg_test"), split_name("train2017"), split_name("cats")
    (('train', ''), ('test', 'seg'), ('train', ''), None)
    >>> split_name("train2017", numbers=True)
    ('train', '2017')
    """
    words = _split_words(name if numbers else _NUMBER.sub(" ", name))
    found = [word for word in words if word in SPLIT_WORDS]
    if len(found) != 1:
        return None
    rest = [word for word in words if word not in _FILLERS and word != found[0]]
    return SPLIT_WORDS[found[0]], " ".join(rest)


def _split_words(name: str) -> list[str]:
    words = re.findall(r"[a-z]+|[0-9]+|[^\W\d_a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())
    return [part for word in words for part in _split_glued(word)]


def _split_glued(word: str) -> tuple[str, ...]:
    glued = _GLUED.fullmatch(word)
    return (word,) if glued is None else (glued[1], "set")


def strip_fillers(name: str) -> str:
    """Return the words of a name without those that describe a set of images, such as "data" and "images"."""
    return " ".join(word for word in _split_words(name) if word not in _FILLERS)
