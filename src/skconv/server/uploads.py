"""Uploaded images: parsing of request bodies and multipart forms, with limits on their size."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartParser
from starlette.requests import ClientDisconnect, Request

from skconv.server.settings import ServerSettings

FIELD = "image"
MAX_NAME = 200  # maximum number of characters of a file name in the response
_EXPECTED_TYPES = "image/png, image/jpeg or another image type with one image as the body, or multipart/form-data"

ZIP_TYPES = frozenset({"application/zip", "application/x-zip-compressed"})
FORM_REMEDY = f" With curl: -F {FIELD}=@FILE, or for a body: --data-binary @FILE -H 'Content-Type: image/png'."
NO_FILE = f"The form has no file; expected at least one in a field named '{FIELD}'.{FORM_REMEDY}"


@dataclass(frozen=True)
class Upload:
    """File name and content of one uploaded image."""

    name: str
    content: bytes


async def read_uploads(request: Request, settings: ServerSettings) -> list[Upload]:
    """Return the images of a request: its body, or the files of a multipart form.

    Raises
    ------
    starlette.exceptions.HTTPException
        400 if the body is incomplete, 408 if it does not arrive in time, 413 if it is too large, 415 for another
        content type, 422 for an empty file or an invalid form.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_form = content_type == "multipart/form-data"
    if not is_form and not content_type.startswith("image/") and content_type != "application/octet-stream":
        actual = f"'{content_type[:80]}'" if content_type else "missing"
        remedy = FORM_REMEDY if content_type == "application/x-www-form-urlencoded" else ""
        if content_type in ZIP_TYPES:
            remedy = " Send an archive of images to /v1/batch."
        raise HTTPException(415, f"The Content-Type is {actual}; expected {_EXPECTED_TYPES}.{remedy}")
    try:
        async with asyncio.timeout(settings.timeout):
            body = b"".join([chunk async for chunk in stream_body(request, settings.max_bytes)])
    except TimeoutError:
        raise HTTPException(408, f"The body did not arrive within {settings.timeout:g} s. Send it again.") from None
    except ClientDisconnect:
        raise HTTPException(400, "The body is incomplete. Send it again.") from None
    uploads = await _parse_form(request, body, settings.max_images) if is_form else [Upload("image", body)]
    for upload in uploads:
        if not upload.content:
            raise HTTPException(422, f"{upload.name} is empty; expected an image file. Send another file.")
    return uploads


async def stream_body(request: Request, max_bytes: int) -> AsyncGenerator[bytes, None]:
    """Yield the parts of a body; raise `HTTPException` (413) if its declared or actual length exceeds the limit."""
    too_large = HTTPException(413, f"The body is longer than {max_bytes:,} bytes. Send fewer or smaller images.")
    content_length = request.headers.get("content-length", "")
    if content_length.isdecimal() and int(content_length[:20]) > max_bytes:
        raise too_large
    length = 0
    async for chunk in request.stream():
        length += len(chunk)
        if length > max_bytes:
            raise too_large
        yield chunk


def check_field(field: str, *, has_file_name: bool) -> None:
    """Raise `HTTPException` (422) unless a field of a form is a file with the expected name."""
    if field != FIELD:
        raise HTTPException(422, f"The form has a field '{field[:80]}'; expected only files in fields named '{FIELD}'.")
    if not has_file_name:
        raise HTTPException(422, f"The field '{FIELD}' contains text; expected a file with a file name.{FORM_REMEDY}")


async def _parse_form(request: Request, body: bytes, max_images: int) -> list[Upload]:
    async def stream() -> AsyncGenerator[bytes, None]:
        yield body
        yield b""

    too_many = HTTPException(413, f"The form has more than {max_images} images. Send them in several requests.")
    try:
        # Parse one file more than allowed, so that the error names the limit instead of an invalid form.
        parser = MultiPartParser(request.headers, stream(), max_files=max_images + 1, max_fields=max_images)
        form = await parser.parse()
    except Exception as error:  # the parser raises many types of errors for malformed bodies
        reason = getattr(error, "message", "") or "its body does not match its boundary"
        if "Too many" in reason:
            raise too_many from None
        raise HTTPException(422, f"The form cannot be parsed ({reason}). Send its files as '{FIELD}'.") from None
    try:
        fields = form.multi_items()
        if len(fields) > max_images:
            raise too_many
        uploads = []
        for number, (field, file) in enumerate(fields, start=1):
            check_field(field, has_file_name=not isinstance(file, str))
            assert not isinstance(file, str)
            name = (file.filename or f"image {number}")[:MAX_NAME]
            uploads.append(Upload(name, await file.read()))
    finally:
        await form.close()
    if not uploads:
        raise HTTPException(422, NO_FILE)
    return uploads
