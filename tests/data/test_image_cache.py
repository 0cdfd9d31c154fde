"""Decoded images of large folders, kept in the cache."""

import errno
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from skconv.data.folders import list_files
from skconv.data.image_cache import DAYS_UNUSED, KEPT_OF_A_FOLDER, read_cached

N = 20
IMAGES = np.random.default_rng(0).integers(0, 256, (N, 3, 2), dtype=np.uint8)


class Decoder:
    """Stands for the slow part: counts how often it is asked."""

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
    """A folder just large enough for the cache, whose threshold is lowered so that tests are quick."""
    monkeypatch.setattr("skconv.data.image_cache.LEAST_IMAGES", N)
    return make_folder(tmp_path / "images")


def entries(cache: Path) -> list[Path]:
    return sorted((cache / "decoded-images").iterdir())


def test_second_reading_decodes_nothing_and_gives_the_same(folder):
    decode = Decoder()
    first = read_cached(list_files(folder), None, decode)
    second = read_cached(list_files(folder), None, decode)
    assert decode.calls == 1
    np.testing.assert_array_equal(first, IMAGES)
    np.testing.assert_array_equal(second, IMAGES)
    assert second.dtype == np.uint8 and not second.flags.writeable and isinstance(second, np.memmap)


def test_colour_and_wanted_size_are_kept_apart_from_others(folder, cache):
    files = list_files(folder)
    colour, small = Decoder(np.stack([IMAGES] * 3, axis=3)), Decoder(IMAGES[:, :1, :1])
    for _ in range(2):
        assert read_cached(files, None, colour).shape == (N, 3, 2, 3)
        assert read_cached(files, (1, 1), small).shape == (N, 1, 1)
    assert (colour.calls, small.calls, len(entries(cache))) == (1, 1, 2)


def test_folder_is_known_by_any_path_to_it(folder, monkeypatch):
    decode = Decoder()
    read_cached(list_files(folder), None, decode)
    monkeypatch.chdir(folder.parent)
    read_cached(list_files(Path("images")), [3, 2], Decoder())
    read_cached(list_files(Path("images")), None, decode)
    monkeypatch.chdir(folder)
    read_cached(list_files(Path()), None, decode)
    assert decode.calls == 1


def change(file: Path) -> None:
    """Write other bytes, as many, and set the time of writing back."""
    status = file.stat()
    while file.stat().st_ctime_ns == status.st_ctime_ns:  # clocks of file systems tick every few milliseconds
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


@pytest.mark.parametrize("happens", [change, lengthen, rename, add])
def test_what_happens_to_a_file_leads_to_decoding_anew(folder, happens):
    read_cached(list_files(folder), None, Decoder())
    happens(folder / "0017.png")
    files = list_files(folder)
    other = Decoder(np.resize(255 - IMAGES, (len(files), 3, 2)))
    np.testing.assert_array_equal(read_cached(files, None, other), other.images)
    assert other.calls == 1


def test_removed_file_leads_to_decoding_anew(folder):
    add(folder / "0017.png")
    before = Decoder(np.resize(IMAGES, (N + 1, 3, 2)))
    read_cached(list_files(folder), None, before)
    remove(folder / "0003.png")
    decode = Decoder()
    np.testing.assert_array_equal(read_cached(list_files(folder), None, decode), IMAGES)
    assert decode.calls == 1


def test_order_of_the_files_is_that_of_the_images(folder):
    files = list_files(folder)
    read_cached(files, None, Decoder())
    np.testing.assert_array_equal(read_cached(files[::-1], None, Decoder(IMAGES[::-1])), IMAGES[::-1])


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
def test_damaged_entry_is_not_used_and_written_anew(folder, cache, damage):
    files, decode = list_files(folder), Decoder()
    read_cached(files, None, decode)
    (entry,) = entries(cache)
    damage(entry)
    for _ in range(2):
        np.testing.assert_array_equal(read_cached(files, None, decode), IMAGES)
    assert decode.calls == 2 and entries(cache) == [entry]


def test_few_images_are_not_kept(folder, cache):
    read_cached(list_files(folder)[1:], None, Decoder(IMAGES[1:]))
    assert not cache.exists()


def test_failure_to_decode_is_passed_on_and_keeps_nothing(folder, cache):
    def fail() -> np.ndarray:
        raise ValueError("broken image")

    with pytest.raises(ValueError, match="broken image"):
        read_cached(list_files(folder), None, fail)
    assert not cache.exists()


def test_missing_file_is_left_to_the_decoder(folder):
    files = list_files(folder)
    files[5].unlink()
    decode = Decoder()
    read_cached(files, None, decode)
    assert decode.calls == 1


def test_cache_that_cannot_be_made_is_done_without(folder, cache):
    cache.write_text("a file where the folder should be")
    decode = Decoder()
    for _ in range(2):
        np.testing.assert_array_equal(read_cached(list_files(folder), None, decode), IMAGES)
    assert decode.calls == 2


def test_full_disk_is_no_error_and_leaves_nothing(folder, cache, monkeypatch):
    def fill(stream, images, **_):
        stream.write(images[:10].tobytes())
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(np, "save", fill)
    np.testing.assert_array_equal(read_cached(list_files(folder), None, Decoder()), IMAGES)
    assert entries(cache) == []


def test_old_entries_of_a_folder_are_removed_and_those_of_others_stay(folder, tmp_path, cache):
    other = make_folder(tmp_path / "other")
    read_cached(list_files(other), None, Decoder())
    (kept,) = entries(cache)
    for _ in range(KEPT_OF_A_FOLDER + 2):
        lengthen(folder / "0017.png")
        os.utime(folder / "0017.png", ns=(0, time.time_ns()))
        read_cached(list_files(folder), None, Decoder())
    assert kept in entries(cache) and len(entries(cache)) == 1 + KEPT_OF_A_FOLDER
    decode = Decoder()
    read_cached(list_files(folder), None, decode)
    assert decode.calls == 0  # the newest is among those kept


def test_entries_that_nobody_reads_are_removed(folder, tmp_path, cache):
    files = {name: list_files(make_folder(tmp_path / name)) for name in ("forgotten", "read")}
    long_ago = time.time() - (DAYS_UNUSED + 1) * 24 * 60 * 60
    for each in files.values():
        read_cached(each, None, Decoder())
    for entry in entries(cache):
        os.utime(entry, (long_ago, long_ago))
    read_cached(files["read"], None, Decoder())
    read_cached(list_files(folder), None, Decoder())
    assert len(entries(cache)) == 2
    decode = Decoder()
    read_cached(files["read"], None, decode)
    assert decode.calls == 0
