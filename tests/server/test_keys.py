"""API keys: files, environment, comparison, headers, rates."""

import base64
import hashlib
import hmac
import os
import subprocess
import sys

import pytest

from skconv.exceptions import ParameterError, SourceNotFoundError
from skconv.server.keys import VARIABLE, ApiKey, extract_key, find_key, load_keys
from skconv.server.rate_limit import RateLimiter

SECRET = "vT3-plain.key_of~the+lab/0="
DIGEST = hashlib.sha256(SECRET.encode()).hexdigest()


@pytest.fixture(autouse=True)
def no_variable(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.fixture
def write(tmp_path):
    def write_keys(text, mode=0o600):
        path = tmp_path / "keys.txt"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(mode)
        return path

    return write_keys


def test_load_keys_reads_plain_and_hashed_keys_with_rates(write, monkeypatch):
    monkeypatch.setenv(VARIABLE, f"ci {SECRET}2, web {SECRET}3 30")
    path = write(f"\ufeff# comment\r\n\r\nlab\t{SECRET}\r\nhashed sha256:{DIGEST.upper()}  600\r\n")
    keys = load_keys(path, max_rate=5)
    assert [(key.name, key.max_rate) for key in keys] == [("lab", 5), ("hashed", 600), ("ci", 5), ("web", 30)]
    assert keys[0].digest == keys[1].digest == bytes.fromhex(DIGEST)
    assert SECRET not in repr(keys) and repr(keys[0].digest) not in repr(keys)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "no API key"),
        ("# only a comment\n", "no API key"),
        (SECRET, "1 fields"),
        (f"lab {SECRET} 5 6", "4 fields"),
        ("lab short", "fewer than 16"),
        (f"lab {SECRET}é", "fewer than 16"),
        (f"l/b {SECRET}", "the name"),
        ("lab sha256:abc", "64 hexadecimal"),
        (f"lab {SECRET} fast", "maximum rate"),
        (f"lab {SECRET} 0", "maximum rate"),
        (f"lab {SECRET} nan", "maximum rate"),
        (f"lab {SECRET}\nlab {SECRET}2", "2 times"),
        (b"lab \0\0", "not a text file"),
    ],
)
def test_load_keys_refuses_invalid_files_without_showing_a_key(write, text, word):
    with pytest.raises(ParameterError, match=word) as error:
        load_keys(write(text))
    assert SECRET not in str(error.value)


def test_load_keys_refuses_an_empty_variable_because_it_would_admit_everybody(monkeypatch):
    monkeypatch.setenv(VARIABLE, "")
    with pytest.raises(ParameterError, match="Unset it"):
        load_keys()


def test_load_keys_without_file_and_variable(tmp_path):
    assert load_keys() == ()
    with pytest.raises(ParameterError, match="--keys"):
        load_keys(max_rate=5)
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(SourceNotFoundError, match="cannot be read"):
            load_keys(path)


@pytest.mark.skipif(os.name != "posix", reason="file modes")
def test_load_keys_warns_if_others_can_read_plain_keys(write, recwarn):
    load_keys(write(f"lab {SECRET}", 0o600))
    load_keys(write(f"lab sha256:{DIGEST}", 0o644))
    assert not recwarn
    with pytest.warns(UserWarning, match="chmod 600"):
        load_keys(write(f"lab {SECRET}", 0o644))


def test_find_key_compares_with_all_keys_in_constant_time(monkeypatch):
    keys = [ApiKey(name, hashlib.sha256(name.encode()).digest()) for name in ("first", "second", "third")]
    calls = []
    compare = hmac.compare_digest

    def count(one, other):
        calls.append(len(one))
        return compare(one, other)

    monkeypatch.setattr(hmac, "compare_digest", count)
    found = [find_key(keys, value) for value in (b"first", b"third", b"firs", b"x" * 10_000)]
    assert found == [keys[0], keys[2], None, None]
    assert calls == [32] * 12


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], None),
        ([(b"authorization", b"Bearer abc")], b"abc"),
        ([(b"authorization", b"bearer  abc ")], b"abc"),
        ([(b"x-api-key", b"abc")], b"abc"),
        ([(b"authorization", b"Basic " + base64.b64encode("ä:a:bc".encode()))], b"a:bc"),
        ([(b"authorization", b"Basic ???")], b""),
        ([(b"authorization", b"Digest abc")], None),
        ([(b"authorization", b"Basic YTpi"), (b"x-api-key", b"abc")], b"abc"),  # the first is for the proxy
    ],
)
def test_extract_key(headers, expected):
    assert extract_key([(b"host", b"a"), *headers]) == expected


def test_count_allows_a_minute_at_once_and_charges_batches(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    keys = [ApiKey("slow", b"", 6), ApiKey("free", b"")]
    limiter = RateLimiter(keys, None)
    assert [limiter.count(keys[0]) for _ in range(8)] == [0] * 6 + [10, 10]
    assert limiter.count(keys[1], 10**9) == 0
    now[0] += 10
    assert [limiter.count(keys[0]) for _ in range(2)] == [0, 10]
    limiter.count(keys[0], 12, always=True)  # images of a batch
    assert limiter.count(keys[0]) == 130
    now[0] += 200
    assert [limiter.count(keys[0]) for _ in range(7)] == [0] * 6 + [10]


def test_count_is_shared_by_processes(tmp_path):
    code = (
        "import sys; from pathlib import Path; from skconv.server.keys import ApiKey\n"
        "from skconv.server.rate_limit import RateLimiter\n"
        "keys = [ApiKey('a', b''), ApiKey('b', b'', 3)]; limiter = RateLimiter(keys, Path(sys.argv[1]))\n"
        "print(sum(limiter.count(keys[1]) == 0 for _ in range(2)))"
    )
    run = []
    for _ in range(3):
        run.append(subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True))
    assert [int(each.stdout) for each in run] == [2, 1, 0]
