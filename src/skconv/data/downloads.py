"""Downloading a file: verified before anybody sees it, moved into place whole."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from skconv.data.catalog import CatalogFile
from skconv.data.content import verify_content
from skconv.exceptions import DataError, DownloadError, OutputError
from skconv.files import atomic_write

_ATTEMPTS = 3
_PAUSE = 0.1  # seconds before the second attempt; ten times as long before the third


def download_file(file: CatalogFile, target: Path, *, progress: bool = False, timeout: float = 30.0) -> str:
    """Download a catalog's file from the first address that delivers it.

    A broken connection or a cut-off file is tried three times, a refusal (404) or other bytes once.

    Parameters
    ----------
    file : CatalogFile
        What to download, and the checksum that its decompressed bytes must have.
    target : pathlib.Path
        Where to put it; its folder is made. Only a whole, verified file appears there.
    progress : bool, default=False
        Show a bar on standard error, if that is a terminal.
    timeout : float, default=30
        Seconds to wait for a server that sends nothing.

    Returns
    -------
    str
        The address that delivered it.

    Raises
    ------
    DownloadError
        No address delivered it; the message has the reason of each.
    OutputError
        `target` cannot be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"Cannot make the folder {target.parent}: {error.strerror}. Choose another place.") from error
    reasons = []
    for address in file.addresses:
        for attempt in range(_ATTEMPTS):
            try:
                with atomic_write(target) as beside:
                    _fetch(address, beside, progress, timeout)
                    _verify(address, beside, file.sha256)
                return address
            except _BrokenError as error:
                reason = str(error)
                if attempt + 1 < _ATTEMPTS:
                    time.sleep(_PAUSE * 10**attempt)
            except DownloadError as error:
                reason = str(error)
                break
        reasons.append(reason)
    raise DownloadError("; ".join(reasons) or f"{file.name} has no address to download it from.")


class _BrokenError(DownloadError):
    """A download that may succeed when it is tried again."""


def _fetch(address: str, target: Path, progress: bool, timeout: float) -> None:
    import requests
    from pooch import HTTPDownloader

    fetch = HTTPDownloader(
        progressbar=progress and sys.stderr.isatty(),
        timeout=timeout,
        chunk_size=1 << 16,
        headers={"Accept-Encoding": "identity"},
    )
    try:
        fetch(address, str(target), None)
    except requests.HTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        problem = DownloadError if 400 <= status < 500 else _BrokenError
        raise problem(f"{address} answers with error {status}") from error
    except requests.Timeout as error:
        raise DownloadError(f"{address} sent nothing for {timeout:g} seconds") from error
    except requests.RequestException as error:
        raise _BrokenError(f"{address} cannot be reached, or broke off ({type(error).__name__})") from error


def _verify(address: str, file: Path, sha256: str) -> None:
    try:
        verify_content(file, sha256)
    except DataError as error:
        if isinstance(error.__cause__, EOFError):
            raise _BrokenError(f"{address} brought a cut-off file") from error
        raise DownloadError(f"{address} brought other bytes than expected (sha256 differs)") from error
