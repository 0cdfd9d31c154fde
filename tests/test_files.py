"""Atomic writes: complete results, and nothing left behind by a failure."""

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from skconv.exceptions import OutputError
from skconv.files import atomic_dir, atomic_write, check_new_folder, lock_folder, reserve_folder


def names_in(folder):
    return [entry.name for entry in folder.iterdir()]


def test_atomic_write_replaces_the_file_at_the_end(tmp_path):
    target = tmp_path / "note.txt"
    target.write_text("old")
    with atomic_write(target) as temporary:
        temporary.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert names_in(tmp_path) == ["note.txt"]


def test_atomic_write_keeps_the_old_file_if_the_block_fails(tmp_path):
    target = tmp_path / "note.txt"
    target.write_text("old")
    with pytest.raises(KeyError), atomic_write(target) as temporary:
        temporary.write_text("half")
        raise KeyError("interrupted")
    assert target.read_text() == "old"
    assert names_in(tmp_path) == ["note.txt"]


def test_atomic_write_in_a_missing_folder_raises(tmp_path):
    with (
        pytest.raises(OutputError, match=r"Cannot write .*note\.txt: there is no folder"),
        atomic_write(tmp_path / "missing" / "note.txt"),
    ):
        pass
    assert names_in(tmp_path) == []


def test_atomic_write_below_a_file_raises(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="Not a directory"), atomic_write(tmp_path / "file" / "note.txt"):
        pass


@pytest.mark.parametrize("kind", ["fifo", "folder"])
def test_atomic_write_does_not_replace_a_special_file(tmp_path, kind):
    target = tmp_path / "special"
    target.mkdir() if kind == "folder" else os.mkfifo(target)
    with pytest.raises(OutputError, match="not a regular file"), atomic_write(target):
        pass
    assert names_in(tmp_path) == ["special"]


def test_atomic_write_accepts_the_longest_file_name(tmp_path):
    target = tmp_path / ("n" * 255)
    with atomic_write(target) as temporary:
        temporary.write_text("x")
    assert target.read_text() == "x"


def test_atomic_dir_appears_complete_with_missing_parents(tmp_path):
    target = tmp_path / "runs" / "first"
    with atomic_dir(target) as temporary:
        (temporary / "inner").mkdir()
        (temporary / "inner" / "a.txt").write_text("a")
        assert not target.exists()
    assert (target / "inner" / "a.txt").read_text() == "a"
    assert names_in(target.parent) == ["first"]


def test_atomic_dir_leaves_nothing_if_the_block_fails(tmp_path):
    with pytest.raises(RuntimeError), atomic_dir(tmp_path / "runs" / "first") as temporary:
        (temporary / "a.txt").write_text("half")
        raise RuntimeError("diverged")
    assert names_in(tmp_path) == []


def test_atomic_dir_replaces_an_existing_empty_folder(tmp_path):
    target = tmp_path / "out"
    target.mkdir()
    target.chmod(0o700)
    with atomic_dir(target) as temporary:
        (temporary / "a.txt").write_text("a")
        assert temporary.parent == tmp_path and names_in(target) == []
    assert names_in(target) == ["a.txt"]
    assert target.stat().st_mode & 0o777 == 0o700
    assert names_in(tmp_path) == ["out"]


def test_atomic_dir_fills_a_folder_that_cannot_be_replaced(tmp_path, monkeypatch):
    """Simulate a mount point, which needs root to make: renaming to it fails."""
    target = tmp_path / "mounted"
    target.mkdir()
    before = target.stat().st_ino
    replace = Path.replace

    def refuse_target(self, other):
        if Path(other) == target:
            raise OSError(errno.EBUSY, "Device or resource busy")
        return replace(self, other)

    monkeypatch.setattr(Path, "replace", refuse_target)
    with atomic_dir(target) as temporary:
        (temporary / "a.txt").write_text("a")
    assert target.stat().st_ino == before
    assert names_in(target) == ["a.txt"]
    assert names_in(tmp_path) == ["mounted"]


def test_atomic_dir_fills_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with atomic_dir(".") as temporary:
        (temporary / "a.txt").write_text("a")
    assert names_in(Path()) == ["a.txt"]


def test_atomic_dir_empties_an_existing_folder_if_the_block_fails(tmp_path):
    with pytest.raises(RuntimeError), atomic_dir(tmp_path) as temporary:
        (temporary / "a.txt").write_text("half")
        raise RuntimeError("diverged")
    assert names_in(tmp_path) == []


def test_atomic_dir_follows_a_link_to_an_empty_folder(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with atomic_dir(tmp_path / "link") as temporary:
        (temporary / "a.txt").write_text("a")
    assert names_in(tmp_path / "real") == ["a.txt"]


def test_reserve_folder_uses_the_next_free_name(tmp_path):
    with reserve_folder(tmp_path / "runs", "a") as first, reserve_folder(tmp_path / "runs", "a") as second:
        assert (first.name, second.name) == ("a", "a-2")
        assert first.is_dir() and second.is_dir()
    assert sorted(names_in(tmp_path / "runs")) == ["a", "a-2"]


def test_reserve_folder_leaves_nothing_if_the_block_fails(tmp_path):
    with pytest.raises(KeyboardInterrupt), reserve_folder(tmp_path / "runs", "a"):
        raise KeyboardInterrupt
    assert names_in(tmp_path) == []


def test_reserve_folder_keeps_finished_results_if_the_block_fails(tmp_path):
    with pytest.raises(RuntimeError), reserve_folder(tmp_path / "runs", "a") as folder:
        (folder / "seed-0").mkdir()
        raise RuntimeError("diverged")
    assert names_in(tmp_path / "runs" / "a") == ["seed-0"]


def test_reserve_folder_below_a_file_raises(tmp_path):
    (tmp_path / "runs").write_text("x")
    with pytest.raises(OutputError, match=r"Cannot write .*runs.*File exists"), reserve_folder(tmp_path / "runs", "a"):
        pass


def test_check_new_folder_refuses_a_folder_that_is_not_empty(tmp_path):
    (tmp_path / "a.txt").write_text("a")
    with pytest.raises(OutputError, match="exists and is not empty"):
        check_new_folder(tmp_path)


def test_check_new_folder_refuses_a_file_and_a_path_below_one(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="is not a folder"):
        check_new_folder(tmp_path / "file")
    with pytest.raises(OutputError, match="is a file"):
        check_new_folder(tmp_path / "file" / "below")


def test_check_new_folder_refuses_a_name_too_long_for_the_file_system(tmp_path):
    with pytest.raises(OutputError, match="File name too long"):
        check_new_folder(tmp_path / ("n" * 300))


def test_check_new_folder_makes_nothing(tmp_path):
    check_new_folder(tmp_path / "a" / "b")
    assert names_in(tmp_path) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root can write everywhere")
def test_check_new_folder_refuses_a_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="Permission denied"):
            check_new_folder(tmp_path / "a")
    finally:
        tmp_path.chmod(0o700)


def test_atomic_dir_on_a_full_disk_leaves_nothing(tmp_path):
    """Simulate a full disk by a limit on file sizes."""
    script = (
        "import sys; from skconv.files import atomic_dir; from skconv.exceptions import OutputError\n"
        "try:\n"
        "    with atomic_dir(sys.argv[1]) as temporary:\n"
        "        (temporary / 'a.bin').write_bytes(bytes(100_000))\n"
        "except OutputError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000)),
    )
    assert done.stdout.startswith(f"Cannot write {tmp_path / 'out'}: File too large")
    assert names_in(tmp_path) == []


def test_locked_folder_is_refused_until_its_process_ends(tmp_path):
    out = tmp_path / "runs" / "first"
    script = (
        "import sys, time, skconv.files as files\nwith files.lock_folder(sys.argv[1]):\n"
        "    print('held', flush=True)\n    time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script, out], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "held\n"
            with pytest.raises(OutputError, match=rf"process {process.pid} on"), lock_folder(out):
                pass
        finally:
            process.kill()
    with lock_folder(out):  # a killed process holds no lock
        assert (tmp_path / "runs" / "first.lock").exists()
    assert list((tmp_path / "runs").iterdir()) == []


def test_lock_leaves_no_file_or_folder(tmp_path):
    with lock_folder(tmp_path / "a" / "b" / "out"):
        pass
    assert list(tmp_path.iterdir()) == []
