"""HTTP protocol of uvicorn with limits for clients that send requests or read responses too slowly."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from skconv.server.settings import SHUTDOWN

_MAX_HEADER = 2**16  # bytes


class HttpProtocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """Close a connection that sends no complete request header, or does not read a response, within `timeout` seconds.

    The time for a header starts with the connection and after each response. uvicorn itself closes only connections
    that send nothing, and clients that keep many unfinished requests open would exhaust the file descriptors of the
    process. The time to read starts when the buffer of unread bytes is full. Connections with headers that are too long
    are closed as well. The application limits the time to receive a body.
    """

    def __init__(self, *arguments: Any, timeout: float, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._timeout = timeout
        self._timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._n_header: int | None = None  # bytes of an incomplete header or trailer

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Start the time of the first request."""
        super().connection_made(transport)
        self._start_timer()

    def data_received(self, data: bytes) -> None:
        """Limit the length of headers and trailers, which the parser collects in memory."""
        if self._n_header is not None:
            self._n_header += len(data)
        super().data_received(data)
        if self._n_header is not None and self._n_header > _MAX_HEADER:
            self.transport.abort()

    def on_message_begin(self) -> None:
        """Count the bytes of a header from 0; only httptools calls this, because h11 limits headers itself."""
        self._n_header = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Count the bytes of the next header from 0."""
        self._n_header = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Count the bytes of a trailer from 0."""
        self._n_header = 0
        super().on_body(body)

    def on_response_complete(self) -> None:
        """Start the time of the next request."""
        self._start_timer()
        super().on_response_complete()

    def connection_lost(self, error: Exception | None) -> None:
        """Stop the timers."""
        self._stop_timer()
        self._stop_write_timer()
        super().connection_lost(error)

    def pause_writing(self) -> None:
        """Start the time of the client to read a part of the response."""
        super().pause_writing()
        self._stop_write_timer()
        self._write_timer = asyncio.get_running_loop().call_later(self._timeout, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop the time of the client to read."""
        self._stop_write_timer()
        super().resume_writing()

    def shutdown(self) -> None:
        """Inform the request in progress that it should end soon."""
        if self.cycle is not None:
            self.cycle.scope[SHUTDOWN] = True
        super().shutdown()

    def _start_timer(self) -> None:
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(self._timeout, self._close_unless_responding)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _stop_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _close_unless_responding(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            if self.transport.get_write_buffer_size():  # the client does not read the response
                self.transport.abort()
            else:
                self.transport.close()
