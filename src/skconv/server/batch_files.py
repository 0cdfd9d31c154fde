"""Files of a batch request: a ZIP archive or a multipart form, stored in a temporary file while it is received."""

from __future__ import annotations

import itertools
import tempfile
import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.exceptions import HTTPException

from skconv.data.folder_tree import is_hidden
from skconv.exceptions import DataError
from skconv.server.settings import ServerSettings
from skconv.server.uploads import FIELD, FORM_REMEDY, MAX_NAME, NO_FILE, ZIP_TYPES, Upload, check_field
from skconv.text import format_error

_ZIP_START = b"PK\x03\x04"
_BYTES_PER_ENTRY = 512  # of the directory of an archive, which is read into memory


def make_batch_files(content_type: str, settings: ServerSettings) -> ZipFiles | FormFiles:
    """Return the files of a request with this content type; raise `HTTPException` (415, 422) for other types."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind in ZIP_TYPES:
        return ZipFiles(tempfile.TemporaryFile(), settings)
    if kind == "multipart/form-data":
        return FormFiles(tempfile.TemporaryFile(), content_type, settings)
    actual = f"'{kind[:80]}'" if kind else "missing"
    raise HTTPException(
        415,
        f"The Content-Type is {actual}; expected application/zip or multipart/form-data. With curl: --data-binary "
        f"@FILE.zip -H 'Content-Type: application/zip', or -F {FIELD}=@FILE for each image.",
    )


class ZipFiles:
    """Files of a ZIP archive. They are decompressed one at a time, in the order of the archive's directory."""

    def __init__(self, stream: Any, settings: ServerSettings) -> None:
        self._stream = stream
        self._settings = settings
        self._members: list[zipfile.ZipInfo] = []
        self.n_skipped = 0

    def write(self, block: bytes) -> None:
        """Store the next block."""
        self._stream.write(block)

    def finish(self) -> None:
        """Read the directory; raise `HTTPException` (413, 422) for too many or too large files or none."""
        max_images, max_bytes = self._settings.max_batch_images, self._settings.max_batch_bytes
        limited = _LimitedReads(self._stream, _BYTES_PER_ENTRY * max(256, max_images))
        try:
            self._archive = zipfile.ZipFile(cast(BinaryIO, limited))
        except _DirectoryTooLargeError:
            raise _too_many(max_images) from None
        except Exception as error:  # zipfile raises many types of errors for damaged archives
            detail = f"The body is not a readable ZIP archive ({format_error(error)}). Create the archive again."
            raise HTTPException(422, detail) from None
        limited.max_bytes = max_bytes
        files = [member for member in self._archive.infolist() if not member.is_dir()]
        self._members = [member for member in files if not is_hidden(member.filename)]
        self.n_skipped = len(files) - len(self._members)
        if not self._members:
            raise HTTPException(422, "The archive has no files; expected at least one image. Send another archive.")
        if len(self._members) > max_images:
            raise _too_many(max_images)
        # The compressed files of some decompression bombs overlap.
        if sum(member.file_size for member in files) > max_bytes or _overlap(files):
            raise HTTPException(
                413, f"The files of the archive have more than {max_bytes:,} bytes after decompression. Send fewer."
            )

    def read_all(self) -> Iterator[tuple[str, Upload | DataError]]:
        """Yield name and content or error of each file."""
        for member in self._members:
            name = member.filename[:MAX_NAME]
            try:
                yield name, Upload(name, self._read(member, name))
            except DataError as error:
                yield name, error

    def close(self) -> None:
        """Remove the temporary file."""
        self._stream.close()

    def _read(self, member: zipfile.ZipInfo, name: str) -> bytes:
        _check_size(name, member.file_size, self._settings.max_bytes)
        if member.flag_bits & 1:
            raise DataError(f"{name} is encrypted; expected a file without a password. Create the archive again.")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            # The memory that other methods need for decompression is not limited.
            raise DataError(f"{name} is compressed with method {member.compress_type}; expected 8 (deflate) or 0.")
        try:
            with self._archive.open(member) as stream:
                # Without a size, `read` would decompress everything before it discards what exceeds the declared size.
                return stream.read(member.file_size + 1)
        except Exception as error:  # zipfile and zlib raise many types of errors for damaged archives
            raise DataError(f"{name} is damaged in the archive ({format_error(error)}). Create it again.") from None


class FormFiles:
    """Files of a multipart form. Their contents are stored one after the other, without the headers of the form."""

    def __init__(self, stream: Any, content_type: str, settings: ServerSettings) -> None:
        self._stream = stream
        self._settings = settings
        self._sizes: list[tuple[str, int]] = []  # name and number of bytes of each file
        self._header: dict[bytes, bytes] = {}  # of the current part
        self._field, self._value = b"", b""
        self._is_complete = False
        self._archive: ZipFiles | None = None
        self.n_skipped = 0
        boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_header_field": self._add_field,
                    "on_header_value": self._add_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._start_file,
                    "on_part_data": self._add_data,
                    "on_end": self._complete,
                },
            )
        except (FormParserError, ValueError):
            stream.close()
            raise HTTPException(422, f"The form has no valid boundary.{FORM_REMEDY}") from None

    def write(self, block: bytes) -> None:
        """Parse the next block; raise `HTTPException` (413, 422) for an invalid form."""
        try:
            self._parser.write(block)
        except FormParserError as error:
            detail = f"The form cannot be parsed ({format_error(error)}). Send its files as '{FIELD}'."
            raise HTTPException(422, detail) from None

    def finish(self) -> None:
        """Check that the form is complete; open the archive if its only file is one."""
        if not self._is_complete:
            raise HTTPException(422, "The form cannot be parsed (its end is missing). Send it again.")
        if not self._sizes:
            raise HTTPException(422, NO_FILE)
        self._stream.seek(0)
        if len(self._sizes) == 1 and self._stream.read(len(_ZIP_START)) == _ZIP_START:
            self._archive = ZipFiles(self._stream, self._settings)
            self._archive.finish()
            self.n_skipped = self._archive.n_skipped

    def read_all(self) -> Iterator[tuple[str, Upload | DataError]]:
        """Yield name and content or error of each file."""
        if self._archive is not None:
            yield from self._archive.read_all()
            return
        start = 0
        for name, size in self._sizes:
            try:
                _check_size(name, size, self._settings.max_bytes)
                self._stream.seek(start)
                yield name, Upload(name, self._stream.read(size))
            except DataError as error:
                yield name, error
            start += size

    def close(self) -> None:
        """Remove the temporary file."""
        self._stream.close()

    def _add_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._header[self._field.lower()] = self._value
        self._field = self._value = b""

    def _start_file(self) -> None:
        _, options = parse_options_header(self._header.get(b"content-disposition", b""))
        self._header = {}
        field = options.get(b"name", b"").decode("utf-8", "replace")
        check_field(field, has_file_name=b"filename" in options)
        if len(self._sizes) == self._settings.max_batch_images:
            raise _too_many(self._settings.max_batch_images)
        name = options[b"filename"].decode("utf-8", "replace") or f"image {len(self._sizes) + 1}"
        self._sizes.append((name[:MAX_NAME], 0))

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        self._stream.write(data[start:end])
        name, size = self._sizes[-1]
        self._sizes[-1] = name, size + end - start

    def _complete(self) -> None:
        self._is_complete = True


class _DirectoryTooLargeError(Exception):
    """The directory of an archive is larger than its files can need."""


class _LimitedReads:
    """File whose single reads are limited, because `ZipFile` reads the directory of an archive at once."""

    def __init__(self, stream: Any, max_bytes: int) -> None:
        self._stream, self.max_bytes = stream, max_bytes
        self.seek, self.tell, self.seekable = stream.seek, stream.tell, stream.seekable

    def read(self, size: int = -1) -> bytes:
        content: bytes = self._stream.read(self.max_bytes + 1 if size < 0 else min(size, self.max_bytes + 1))
        if len(content) > self.max_bytes:
            raise _DirectoryTooLargeError
        return content


def _overlap(members: list[zipfile.ZipInfo]) -> bool:
    """Return whether compressed files share bytes."""
    spans = sorted((member.header_offset, member.header_offset + member.compress_size) for member in members)
    return any(end > start for (_, end), (start, _) in itertools.pairwise(spans))


def _check_size(name: str, size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise DataError(f"{name} has {size:,} bytes; expected at most {max_bytes:,}. Make the image smaller.")
    if not size:
        raise DataError(f"{name} is empty; expected an image file. Send another file.")


def _too_many(max_images: int) -> HTTPException:
    return HTTPException(413, f"The batch has more than {max_images:,} images. Send them in several requests.")
