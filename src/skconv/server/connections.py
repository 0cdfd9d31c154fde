"""HTTP protocol of uvicorn with a time limit for connections that have no complete request."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol


class HttpProtocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """Close a connection that sends no complete request header within `timeout` seconds.

    The time starts with the connection and after each response. uvicorn itself closes only connections that send
    nothing, and clients that keep many unfinished requests open would exhaust the file descriptors of the process.
    The application limits the time to receive a body.
    """

    def __init__(self, *arguments: Any, timeout: float, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._timeout = timeout
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Start the time of the first request."""
        super().connection_made(transport)
        self._start_timer()

    def on_response_complete(self) -> None:
        """Start the time of the next request."""
        self._start_timer()
        super().on_response_complete()

    def connection_lost(self, error: Exception | None) -> None:
        """Stop the timer."""
        self._stop_timer()
        super().connection_lost(error)

    def _start_timer(self) -> None:
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(self._timeout, self._close_unless_responding)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _close_unless_responding(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
