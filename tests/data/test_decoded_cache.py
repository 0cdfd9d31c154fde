"""Cache of the decoded images of large folders."""

import errno
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from skconv.data.decoded_cache import MAX_AGE, MAX_ENTRIES, read_cached
from skconv.data.folder_tree import walk_files

N, SIZE = 20, (3, 2)
IMAGES = np.random.default_rng(0).integers(0, 256, (N, *SIZE), dtype=np.uint8)


class Decoder:
    """Decoder that counts its calls."""

    def __init__(self, images: np.ndarray = IMAGES) -> None:
        self.images = images
        self.calls = 0

    def __call__(self) -> np.ndarray:
        self.calls += 1
        return self.images


def make_folder(folder: Path) -> Path:
    folder.mkdir()
    for index in range(N):
        (folder / f"{index:04}.png").write_bytes(b"abc")
    return folder


@pytest.fixture
def folder(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder just large enough for the cache, with a lower limit."""
    monkeypatch.setattr("skconv.data.decoded_cache.MIN_CACHED", N)
    return make_folder(tmp_path / "images")


def entries(cache: Path) -> list[Path]:
    return sorted((cache / "decoded-images").iterdir())


def test_read_cached_decodes_once(folder):
    decode = Decoder()
    first = read_cached(walk_files(folder), SIZE, decode)
    second = read_cached(walk_files(folder), SIZE, decode)
    assert decode.calls == 1
    np.testing.assert_array_equal(first, IMAGES)
    np.testing.assert_array_equal(second, IMAGES)
    assert second.dtype == np.uint8 and not second.flags.writeable and isinstance(second, np.memmap)


def test_read_cached_separates_sizes(folder, cache):
    files = walk_files(folder)
    colour, small = Decoder(np.stack([IMAGES] * 3, axis=3)), Decoder(IMAGES[:, :1, :1])
    for _ in range(2):
        assert read_cached(files, SIZE, colour).shape == (N, 3, 2, 3)
        assert read_cached(files, (1, 1), small).shape == (N, 1, 1)
    assert (colour.calls, small.calls, len(entries(cache))) == (1, 1, 2)


def test_read_cached_resolves_relative_paths(folder, monkeypatch):
    decode = Decoder()
    read_cached(walk_files(folder), SIZE, decode)
    monkeypatch.chdir(folder.parent)
    read_cached(walk_files(Path("images")), (1, 1), Decoder(IMAGES[:, :1, :1]))
    read_cached(walk_files(Path("images")), SIZE, decode)
    monkeypatch.chdir(folder)
    read_cached(walk_files(Path()), SIZE, decode)
    assert decode.calls == 1


def change(file: Path) -> None:
    """Write other bytes of the same length and restore the modification time."""
    status = file.stat()
    while file.stat().st_ctime_ns == status.st_ctime_ns:  # file times have a resolution of milliseconds
        file.write_bytes(b"xyz")
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def lengthen(file: Path) -> None:
    file.write_bytes(b"abcd")


def rename(file: Path) -> None:
    file.rename(file.with_name("0017b.png"))


def add(file: Path) -> None:
    shutil.copy2(file, file.with_name("0017b.png"))


def remove(file: Path) -> None:
    file.unlink()


@pytest.mark.parametrize("action", [change, lengthen, rename, add])
def test_read_cached_decodes_again_after_change(folder, action):
    read_cached(walk_files(folder), SIZE, Decoder())
    action(folder / "0017.png")
    files = walk_files(folder)
    other = Decoder(np.resize(255 - IMAGES, (len(files), 3, 2)))
    np.testing.assert_array_equal(read_cached(files, SIZE, other), other.images)
    assert other.calls == 1


def test_read_cached_decodes_again_after_removal(folder):
    add(folder / "0017.png")
    before = Decoder(np.resize(IMAGES, (N + 1, 3, 2)))
    read_cached(walk_files(folder), SIZE, before)
    remove(folder / "0003.png")
    decode = Decoder()
    np.testing.assert_array_equal(read_cached(walk_files(folder), SIZE, decode), IMAGES)
    assert decode.calls == 1


def test_read_cached_depends_on_order_of_files(folder):
    files = walk_files(folder)
    read_cached(files, SIZE, Decoder())
    np.testing.assert_array_equal(read_cached(files[::-1], SIZE, Decoder(IMAGES[::-1])), IMAGES[::-1])


def cut_off(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 1)


def empty(file: Path) -> None:
    file.write_bytes(b"")


def append(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"x")


def garble(file: Path) -> None:
    file.write_bytes(b"\x93NUMPY\x01\x00\xff\xff{'descr" + b"(" * 500)


def pickle(file: Path) -> None:
    with file.open("wb") as stream:
        np.save(stream, np.array([{"a": 1}] * N), allow_pickle=True)


def reshape(file: Path) -> None:
    with file.open("wb") as stream:
        np.save(stream, IMAGES[:10])


def widen(file: Path) -> None:
    with file.open("wb") as stream:
        np.save(stream, IMAGES.astype(np.int16))


@pytest.mark.parametrize("damage", [cut_off, empty, append, garble, pickle, reshape, widen])
def test_read_cached_replaces_damaged_entry(folder, cache, damage):
    files, decode = walk_files(folder), Decoder()
    read_cached(files, SIZE, decode)
    (entry,) = entries(cache)
    damage(entry)
    for _ in range(2):
        np.testing.assert_array_equal(read_cached(files, SIZE, decode), IMAGES)
    assert decode.calls == 2 and entries(cache) == [entry]


def test_read_cached_skips_small_folders(folder, cache):
    read_cached(walk_files(folder)[1:], SIZE, Decoder(IMAGES[1:]))
    assert not cache.exists()


def test_read_cached_writes_nothing_if_decoding_fails(folder, cache):
    def fail() -> np.ndarray:
        raise ValueError("broken image")

    with pytest.raises(ValueError, match="broken image"):
        read_cached(walk_files(folder), SIZE, fail)
    assert not cache.exists()


def test_read_cached_leaves_missing_file_to_decoder(folder):
    files = walk_files(folder)
    files[5].unlink()
    decode = Decoder()
    read_cached(files, SIZE, decode)
    assert decode.calls == 1


def test_read_cached_works_without_writable_cache(folder, cache):
    cache.write_text("a file where the folder should be")
    decode = Decoder()
    for _ in range(2):
        np.testing.assert_array_equal(read_cached(walk_files(folder), SIZE, decode), IMAGES)
    assert decode.calls == 2


def test_read_cached_ignores_full_disk(folder, cache, monkeypatch):
    def fill(stream, images, **_):
        stream.write(images[:10].tobytes())
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(np, "save", fill)
    np.testing.assert_array_equal(read_cached(walk_files(folder), SIZE, Decoder()), IMAGES)
    assert entries(cache) == []


def test_read_cached_limits_entries_per_folder(folder, tmp_path, cache):
    other = make_folder(tmp_path / "other")
    read_cached(walk_files(other), SIZE, Decoder())
    (remaining,) = entries(cache)
    for _ in range(MAX_ENTRIES + 2):
        lengthen(folder / "0017.png")
        os.utime(folder / "0017.png", ns=(0, time.time_ns()))
        read_cached(walk_files(folder), SIZE, Decoder())
    assert remaining in entries(cache) and len(entries(cache)) == 1 + MAX_ENTRIES
    decode = Decoder()
    read_cached(walk_files(folder), SIZE, decode)
    assert decode.calls == 0


def test_read_cached_removes_unused_entries(folder, tmp_path, cache):
    files = {name: walk_files(make_folder(tmp_path / name)) for name in ("unused", "read")}
    long_ago = time.time() - MAX_AGE - 24 * 60 * 60
    for each in files.values():
        read_cached(each, SIZE, Decoder())
    for entry in entries(cache):
        os.utime(entry, (long_ago, long_ago))
    read_cached(files["read"], SIZE, Decoder())
    read_cached(walk_files(folder), SIZE, Decoder())
    assert len(entries(cache)) == 2
    decode = Decoder()
    read_cached(files["read"], SIZE, decode)
    assert decode.calls == 0
