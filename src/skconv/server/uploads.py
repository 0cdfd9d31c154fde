"""`read_uploads`: the images of a request, within the limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartParser
from starlette.requests import ClientDisconnect, Request

from skconv.server.service import Upload
from skconv.server.settings import ServerSettings

FIELD = "image"
_LONGEST_NAME = 200  # characters of a file name that are told back
_TYPES = "image/png, image/jpeg or another image type with one image as the body, or multipart/form-data"


async def read_uploads(request: Request, settings: ServerSettings) -> list[Upload]:
    """Return the images that a request carries: one as its body, or several as files of a form.

    Raises
    ------
    starlette.exceptions.HTTPException
        With the status that says what is wrong: 408 too slow, 413 too much, 415 another kind of body, 422 no image.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_form = kind == "multipart/form-data"
    if not is_form and not kind.startswith("image/") and kind != "application/octet-stream":
        came = f"'{kind[:80]}'" if kind else "no Content-Type"
        raise HTTPException(415, f"The body is said to be of {came}; expected {_TYPES}.")
    try:
        async with asyncio.timeout(settings.timeout):
            body = await _receive_body(request, settings.max_bytes)
    except TimeoutError:
        raise HTTPException(408, f"The body did not arrive within {settings.timeout:g} s. Send it again.") from None
    except ClientDisconnect:
        raise HTTPException(400, "The body ended early. Send it again.") from None
    images = await _split_form(request, body, settings.max_images) if is_form else [Upload("image", body)]
    for image in images:
        if not image.content:
            raise HTTPException(422, f"{image.name} is empty; expected an image file.")
    return images


async def _receive_body(request: Request, max_bytes: int) -> bytes:
    told = request.headers.get("content-length", "")
    too_long = HTTPException(413, f"The body is longer than {max_bytes:,} bytes. Send fewer or smaller images.")
    if told.isdecimal() and int(told[:20]) > max_bytes:
        raise too_long
    parts, length = [], 0
    async for part in request.stream():
        length += len(part)
        if length > max_bytes:
            raise too_long
        parts.append(part)
    return b"".join(parts)


async def _split_form(request: Request, body: bytes, max_images: int) -> list[Upload]:
    async def stream() -> AsyncGenerator[bytes, None]:
        yield body
        yield b""

    try:
        # One more than allowed, to tell what is too many from what is wrong.
        parser = MultiPartParser(request.headers, stream(), max_files=max_images + 1, max_fields=max_images)
        form = await parser.parse()
    except Exception as error:  # a hostile body makes parsers raise nearly anything
        reason = getattr(error, "message", "") or "it does not follow its boundary"
        if "Too many" in reason:
            raise _too_many(max_images) from None
        raise HTTPException(422, f"The form cannot be read ({reason}). Send its files as '{FIELD}'.") from None
    try:
        files = form.multi_items()
        if len(files) > max_images:
            raise _too_many(max_images)
        images = []
        for number, (field, file) in enumerate(files, start=1):
            if field != FIELD or isinstance(file, str):
                raise HTTPException(422, f"The form has a field '{field[:80]}'; expected files called '{FIELD}' alone.")
            name = (file.filename or f"image {number}")[:_LONGEST_NAME]
            images.append(Upload(name, await file.read()))
    finally:
        await form.close()
    if not images:
        raise HTTPException(422, f"The form holds no file; expected at least one called '{FIELD}'.")
    return images


def _too_many(max_images: int) -> HTTPException:
    return HTTPException(413, f"The form holds more than {max_images} images. Send them in several requests.")
