"""Batch requests: many images in one request, and their predictions as a stream of JSON lines."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import numpy as np
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import StreamingResponse

from skconv.exceptions import DataError
from skconv.inference import Prediction
from skconv.server.batch_files import FormFiles, ZipFiles, make_batch_files
from skconv.server.service import Service
from skconv.server.settings import COUNT_IMAGES, MEBIBYTE, SHUTDOWN, ServerSettings
from skconv.server.uploads import Upload, stream_body
from skconv.text import format_error

_BLOCK = MEBIBYTE  # bytes of a body that are written at a time
_MIN_RATE = 2**16  # bytes per second of a body
_CHUNK = 8  # images that are decoded and classified at a time; single requests wait for at most one chunk

_Item = tuple[str, np.ndarray | DataError]  # name of a file, and the model input or why there is none


async def receive_batch(request: Request, settings: ServerSettings) -> ZipFiles | FormFiles:
    """Store the files of a batch request in a temporary file.

    Raises
    ------
    starlette.exceptions.HTTPException
        400 if the body is incomplete, 408 if it arrives too slowly, 413 if it is too large, 415 for another content
        type, 422 for an invalid archive or form, 503 if it cannot be stored.
    """
    try:
        files = make_batch_files(request.headers.get("content-type", ""), settings)
        try:
            await _receive(request, files, settings)
            await asyncio.to_thread(files.finish)
        except BaseException:
            files.close()
            raise
    except ClientDisconnect:
        raise HTTPException(400, "The body is incomplete. Send it again.") from None
    except OSError as error:
        raise HTTPException(503, f"The body cannot be stored ({format_error(error)}). Retry later.") from None
    return files


async def _receive(request: Request, files: ZipFiles | FormFiles, settings: ServerSettings) -> None:
    block, n_bytes, start = bytearray(), 0, time.monotonic()
    chunks = stream_body(request, settings.max_batch_bytes)
    while True:
        seconds = start + settings.timeout + n_bytes / _MIN_RATE - time.monotonic()
        try:
            async with asyncio.timeout(seconds):
                chunk = await anext(chunks, None)
        except TimeoutError:
            raise HTTPException(
                408,
                f"The body arrived too slowly: after {settings.timeout:g} s, at least {_MIN_RATE // 1024} KiB per "
                "second are expected. Send fewer images at a time.",
            ) from None
        if chunk is not None:
            n_bytes += len(chunk)
            block += chunk
        if block and (chunk is None or len(block) >= _BLOCK):
            await asyncio.to_thread(files.write, bytes(block))
            block.clear()
        if chunk is None:
            return


class BatchResponse(StreamingResponse):
    """Stream of one JSON line per file: its prediction, or its error.

    The next chunk of images is decoded while the network runs and while the client reads. If the client stops reading,
    no further images are decoded.
    """

    def __init__(self, request: Request, service: Service, files: ZipFiles | FormFiles, top: int | None = None) -> None:
        self._scope, self._service, self._files, self._top = request.scope, service, files, top
        self._lines = self._predict_all()
        headers = {"X-Skipped-Files": str(files.n_skipped)}
        super().__init__(self._lines, headers=headers, media_type="application/x-ndjson")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send the response, and remove the files even if the client disconnects."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._lines.aclose()
            self._files.close()

    async def _predict_all(self) -> AsyncGenerator[bytes, None]:
        remaining = _split(self._files.read_all(), self._service.settings.max_bytes)
        following = asyncio.create_task(self._load(remaining))
        try:
            while items := await following:
                if SHUTDOWN in self._scope:
                    yield b'{"error": "The service is shutting down. Send the remaining files again."}\n'
                    return
                following = asyncio.create_task(self._load(remaining))
                records = await self._predict(items)
                self._scope[COUNT_IMAGES](len(items))
                for record in records:
                    yield json.dumps(record).encode() + b"\n"
        finally:
            following.cancel()

    async def _load(self, remaining: Iterator[list[tuple[str, Upload | DataError]]]) -> list[_Item]:
        """Read, decode and preprocess the next files."""
        files = await self._service.in_thread(next, remaining, [])
        return list(await asyncio.gather(*(self._service.in_thread(self._preprocess, *file) for file in files)))

    def _preprocess(self, name: str, content: Upload | DataError) -> _Item:
        try:
            if isinstance(content, DataError):
                raise content
            return name, self._service.preprocess([content])[0]
        except DataError as error:
            return name, error

    async def _predict(self, items: list[_Item]) -> list[dict[str, Any]]:
        """Return one record per file."""
        inputs = [(name, each) for name, each in items if not isinstance(each, DataError)]
        records: Iterator[dict[str, Any]] = iter(())
        if inputs:
            names, images = zip(*inputs, strict=True)
            records = iter(await self._service.classify(names, np.stack(images), self._top))
        return [
            Prediction(name, "", 0.0, error=str(each)).to_json() if isinstance(each, DataError) else next(records)
            for name, each in items
        ]


def _split(
    files: Iterator[tuple[str, Upload | DataError]], max_bytes: int
) -> Iterator[list[tuple[str, Upload | DataError]]]:
    """Yield the files in chunks, which are as large as a single request may be, at most twice."""
    chunk, n_bytes = [], 0
    for name, file in files:
        chunk.append((name, file))
        n_bytes += len(file.content) if isinstance(file, Upload) else 0
        if len(chunk) == _CHUNK or n_bytes >= max_bytes:
            yield chunk
            chunk, n_bytes = [], 0
    if chunk:
        yield chunk
