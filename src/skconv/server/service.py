"""`Service`: a model at work on images that nobody vouches for, for many at once and for no more than it can bear."""

from __future__ import annotations

import asyncio
import base64
import io
import os
import struct
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from PIL import Image
from starlette.exceptions import HTTPException

from skconv.commands.predict import describe_prediction, order_best
from skconv.digits.ocr.recognition import check_digit_model, read_image, reads_digits
from skconv.images.opening import decode_image
from skconv.inference import OnnxClassifier
from skconv.server.batching import MicroBatcher
from skconv.server.settings import ServerSettings

_T = TypeVar("_T")
_SMALL_BYTES, _SMALL_SIDE = 2**15, 64  # of an image that takes a millisecond or two
BUSY = "The service works on as many requests as it takes. Ask again in a second."


@dataclass(frozen=True)
class Upload:
    """An image as it came: what it is called, and the bytes of the file."""

    name: str
    content: bytes


class Service:
    """Names and reads images with one model.

    Images are opened and normalised by a thread a core, small ones at once, because to hand them over would take
    longer; the network runs on what is ready. A number is read by one thread: its digits are a batch by themselves.

    Parameters
    ----------
    settings : ServerSettings
        The model and the limits.

    Raises
    ------
    SourceNotFoundError, ModelFileError
        There is no such model, or it is refused.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self.settings = settings
        # One thread a run: on images this small, threads that wait for each other cost more than they bring.
        self.reader = OnnxClassifier(settings.model, threads=1)
        self.reads_digits = reads_digits(self.reader)
        self.batcher = MicroBatcher(self.reader)
        self.n_working = 0
        self.is_ready = False
        self._pool = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="skconv-images")

    @property
    def is_full(self) -> bool:
        """Whether the next request would be one too many."""
        return self.n_working >= self.settings.max_waiting

    def warm_up(self) -> None:
        """Do everything once, so that the first request is as quick as the next."""
        paper = np.full((60, 60), 255, np.uint8)
        paper[15:45, 28:32] = 0
        self.reader.predict_proba(self.reader.image_spec.fit(paper)[None])
        if self.reads_digits:
            read_image(self.reader, paper)
        self.is_ready = True

    async def work(self, answer: Coroutine[Any, Any, _T]) -> _T:
        """Await an answer if there is room for it, and at most as long as allowed.

        Raises
        ------
        starlette.exceptions.HTTPException
            429 where as many requests are being worked on as the service takes; 503 where the answer was not there in
            time. Its work is finished all the same, and makes room only then.
        """
        if self.is_full:
            answer.close()
            raise HTTPException(429, BUSY, {"Retry-After": "1"})
        self.n_working += 1
        task = asyncio.ensure_future(answer)
        task.add_done_callback(self._make_room)
        done, _ = await asyncio.wait({task}, timeout=self.settings.timeout)
        if not done:
            seconds = f"{self.settings.timeout:g} s"
            raise HTTPException(503, f"There was no answer within {seconds}. Send fewer or smaller images.")
        return task.result()

    async def predict(self, images: list[Upload], *, seen: bool) -> dict[str, Any]:
        """Return the most probable class of each image; with `seen`, also what the network saw, as PNG in base 64."""
        small = len(images) == 1 and _is_small(images[0].content)
        fitted = self._fit(images) if small else await self._in_thread(self._fit, images)
        probabilities = await self.batcher.predict_proba(fitted)
        answers = []
        for upload, shown, row, order in zip(images, fitted, probabilities, order_best(probabilities), strict=True):
            answer = describe_prediction(upload.name, row, order, self.reader.class_names).to_json()
            answers.append({**answer, "seen": encode_png(shown)} if seen else answer)
        return {"predictions": answers}

    async def read(self, images: list[Upload], *, seen: bool) -> dict[str, Any]:
        """Return the numbers in each image; with `seen`, also what the network saw of each digit."""
        check_digit_model(self.reader)
        return {"readings": await self._in_thread(self._read, images, seen)}

    def close(self) -> None:
        """Answer what waits, and end the threads."""
        self.is_ready = False
        self._pool.shutdown()
        self.batcher.close()

    def _fit(self, images: list[Upload]) -> np.ndarray:
        return np.stack(
            [self.reader.image_spec.fit(self._open(image, self.reader.image_spec.longest)) for image in images]
        )

    def _read(self, images: list[Upload], seen: bool) -> list[dict[str, Any]]:
        answers = []
        for sent in images:
            image = self._open(sent)
            reading = read_image(self.reader, image, sent.name)
            answer = reading.to_json()
            answer["width"], answer["height"] = image.shape[1], image.shape[0]
            if seen:
                for digit, found in zip(answer["digits"], reading.digits, strict=True):
                    digit["seen"] = encode_png(found.image)
            answers.append(answer)
        return answers

    def _open(self, image: Upload, longest: int | None = None) -> np.ndarray:
        return decode_image(image.content, image.name, max_pixels=self.settings.max_pixels, longest=longest)

    async def _in_thread(self, function: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)

    def _make_room(self, task: asyncio.Future[Any]) -> None:
        self.n_working -= 1
        if not task.cancelled():
            task.exception()  # of a request that waits no more, nobody else asks for it


def describe_model(service: Service) -> dict[str, Any]:
    """Return what `/v1/model` tells of the model."""
    config = service.reader.config
    return {
        "name": config.data.name,
        "network": config.network.name,
        "class_names": list(config.class_names),
        "input": {"channels": config.input.channels, "height": config.input.height, "width": config.input.width},
        "reads_numbers": service.reads_digits,
        "n_classes": len(config.class_names),
        "created": config.created,
        "skconv_version": config.skconv_version,
        "scores": dict(config.scores),
        "limits": {
            name: getattr(service.settings, name)
            for name in ("max_bytes", "max_pixels", "max_images", "max_waiting", "timeout")
        },
    }


def encode_png(image: np.ndarray) -> str:
    """Return an image, uint8 (h, w) or (h, w, 3), as a PNG file in base 64.

    Examples
    --------
    >>> encode_png(np.zeros((28, 28), np.uint8))[:8]
    'iVBORw0K'
    """
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


def _is_small(content: bytes) -> bool:
    """Tell whether an image is opened and normalised sooner than a thread can be asked to: a PNG file of few pixels.

    With a second header, or none at the beginning, it may be anything; packed text takes long to unpack.
    """
    if any(chunk in content for chunk in (b"zTXt", b"iTXt", b"iCCP")):
        return False
    if len(content) > _SMALL_BYTES or content[:8] != b"\x89PNG\r\n\x1a\n" or content.count(b"IHDR") != 1:
        return False
    kind, width, height = struct.unpack(">4sII", content[12:24].ljust(12, b"\0"))
    return kind == b"IHDR" and max(width, height) <= _SMALL_SIDE
