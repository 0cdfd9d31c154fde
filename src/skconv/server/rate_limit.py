"""Limit of the images per minute of each API key, shared by all worker processes."""

from __future__ import annotations

import math
import mmap
import os
import struct
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from filelock import FileLock

from skconv.server.keys import ApiKey

_SECONDS = 60.0  # a key that was not used for this time may send the images of one minute at once
_NUMBER = struct.Struct("d")
_ROUNDING = 1e-6  # seconds


class RateLimiter:
    """Counts of images per key, by the generic cell rate algorithm.

    One number per key is stored: the time at which its images so far would all have been sent at exactly the maximum
    rate. A key is over its limit if that time is more than a minute ahead.

    Parameters
    ----------
    keys : sequence of ApiKey
    folder : Path or None
        Folder of a file that the worker processes share; None if there is only this process.

    Examples
    --------
    >>> key = ApiKey("lab", b"", max_rate=2)
    >>> limiter = RateLimiter([key], None)
    >>> [limiter.count(key) for _ in range(3)]
    [0, 0, 30]
    """

    def __init__(self, keys: Sequence[ApiKey], folder: Path | None) -> None:
        self._offsets = {key.name: _NUMBER.size * k for k, key in enumerate(keys) if key.max_rate}
        self._lock: AbstractContextManager[object] = nullcontext()
        size = _NUMBER.size * len(keys)
        if folder is None or not self._offsets:
            self._times: bytearray | mmap.mmap = bytearray(size)
            return
        self._lock = FileLock(folder / "rates.lock", poll_interval=0.001)
        with self._lock, (folder / "rates").open("a+b") as stream:
            os.truncate(stream.fileno(), size)
            self._times = mmap.mmap(stream.fileno(), size)

    def count(self, key: ApiKey, n_images: int = 1, *, always: bool = False) -> int:
        """Count images of a key and return 0; at its limit, return the seconds to wait instead.

        With `always`, images that were already processed are counted even beyond the limit.
        """
        if key.max_rate is None:
            return 0
        offset, seconds = self._offsets[key.name], _SECONDS / key.max_rate
        now = time.monotonic()  # the same clock in all processes
        with self._lock:
            end = max(now, _NUMBER.unpack_from(self._times, offset)[0]) + n_images * seconds
            excess = end - now - _SECONDS
            if excess > _ROUNDING and not always:
                return math.ceil(excess)
            _NUMBER.pack_into(self._times, offset, end)
        return 0
