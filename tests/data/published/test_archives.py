"""Reading of archives and folders: names, limits, damaged and hostile archives."""

import os
import tarfile

import pytest

from skconv.data.published import archives
from skconv.data.published.archives import iterate_members, list_members
from skconv.exceptions import DataError

from .published_files import make_folder, make_tar, make_zip

FILES = {"a/1.txt": b"one", "b/2.txt": b"two" * 1000, "b/c/3.txt": b""}


def make_link(kind: bytes, target: str) -> tarfile.TarInfo:
    link = tarfile.TarInfo("a/link.txt")
    link.type, link.linkname = kind, target
    return link


@pytest.mark.parametrize(
    "make",
    [make_tar, lambda path, files: make_tar(path, files, "w"), make_zip, make_folder],
    ids=["tar.gz", "tar", "zip", "folder"],
)
def test_iterate_members_reads_accepted_files(tmp_path, make):
    path = make(tmp_path / "data", FILES)
    assert dict(iterate_members(path, lambda name: name.startswith("b/"))) == {
        "b/2.txt": FILES["b/2.txt"],
        "b/c/3.txt": b"",
    }
    assert sorted(list_members(path)) == sorted(FILES)


@pytest.mark.parametrize("make", [make_tar, make_zip], ids=["tar", "zip"])
def test_iterate_members_writes_no_files(tmp_path, make):
    files = {"../outside.txt": b"1", "/tmp/absolute.txt": b"2", "a/../../b.txt": b"3"}
    (tmp_path / "inner").mkdir()
    path = make(tmp_path / "inner" / "data", files)
    assert sorted(content for _, content in iterate_members(path, lambda _: True)) == [b"1", b"2", b"3"]
    assert [each.name for each in tmp_path.rglob("*") if each.is_file()] == ["data"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_iterate_members_ignores_links_and_devices(tmp_path, kind):
    (tmp_path / "secret.txt").write_text("secret")
    path = make_tar(tmp_path / "data", {"a/1.txt": b"one"}, extra=(make_link(kind, str(tmp_path / "secret.txt")),))
    assert dict(iterate_members(path, lambda _: True)) == {"a/1.txt": b"one"}


@pytest.mark.parametrize("make", [make_tar, make_zip], ids=["tar", "zip"])
@pytest.mark.parametrize("keep", [0.2, 0.6, 0.95])
def test_iterate_members_rejects_truncated_archives(tmp_path, make, keep):
    path = make(tmp_path / "data", {f"{number}.bin": os.urandom(5000) for number in range(20)})
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(DataError, match="again"):
        list(iterate_members(path, lambda _: True))


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 no zip"], ids=["empty", "text", "zip"])
def test_iterate_members_rejects_other_files(tmp_path, content):
    (tmp_path / "data").write_bytes(content)
    with pytest.raises(DataError, match="data is"):
        list_members(tmp_path / "data")


@pytest.mark.parametrize("make", [make_tar, make_zip, make_folder], ids=["tar", "zip", "folder"])
def test_iterate_members_limits_the_content(tmp_path, make, monkeypatch):
    path = make(tmp_path / "bomb", {"1.bin": bytes(2_000_000)})
    monkeypatch.setattr(archives, "MAX_BYTES", 1_000_000)
    with pytest.raises(DataError, match="more than 1,000,000 bytes"):
        list(iterate_members(path, lambda _: True))


def test_iterate_members_limits_skipped_members_of_a_tar(tmp_path, monkeypatch):
    path = make_tar(tmp_path / "bomb", {"1.bin": bytes(2_000_000), "2.bin": b"x"})
    monkeypatch.setattr(archives, "MAX_BYTES", 1_000_000)
    with pytest.raises(DataError, match="more than 1,000,000 bytes"):
        list(iterate_members(path, lambda name: name == "2.bin"))


def test_iterate_members_rejects_false_size_in_a_tar(tmp_path):
    member = tarfile.TarInfo("1.bin")
    member.type, member.size = tarfile.GNUTYPE_SPARSE, 2**40
    (tmp_path / "bomb").write_bytes(member.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    with pytest.raises(DataError, match="ends within"):
        list(iterate_members(tmp_path / "bomb", lambda _: True))


def test_iterate_members_rejects_false_size_in_a_zip(tmp_path):
    path = make_zip(tmp_path / "data", {"1.bin": bytes(1_000_000)})
    size = (1_000_000).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(size, (10).to_bytes(4, "little")))
    with pytest.raises(DataError, match="damaged"):
        list(iterate_members(path, lambda _: True))


@pytest.mark.parametrize("make", [make_tar, make_zip, make_folder], ids=["tar", "zip", "folder"])
def test_iterate_members_limits_the_number_of_files(tmp_path, make, monkeypatch):
    path = make(tmp_path / "data", {f"{number}.txt": b"" for number in range(6)})
    monkeypatch.setattr(archives, "MAX_MEMBERS", 5)
    with pytest.raises(DataError, match="more than 5 files"):
        list_members(path)
