"""Inference service: class predictions and number recognition for uploaded images, with a limit on requests."""

from __future__ import annotations

import asyncio
import base64
import io
import struct
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from PIL import Image
from starlette.exceptions import HTTPException

from skconv.commands.scoring import find_set_threshold
from skconv.cpus import count_cpus
from skconv.digits import check_digit_model, reads_digits
from skconv.evaluation.conformal import select_classes
from skconv.images.opening import decode_image
from skconv.inference import OnnxClassifier, describe_predictions
from skconv.server.batching import MicroBatcher
from skconv.server.metrics import count_class, observe_predictions
from skconv.server.settings import LIMITS, ServerSettings
from skconv.server.uploads import Upload
from skconv.web_page import describe_config

_T = TypeVar("_T")
BUSY = "The service has reached its limit of concurrent requests. Retry after one second."
_MAX_SMALL_BYTES, _MAX_SMALL_SIDE = 2**15, 64  # a PNG file within these limits is decoded in 1 to 2 ms


class Service:
    """Class predictions and number recognition with one model.

    A thread pool with one thread per core decodes and preprocesses images. A single small image is processed on the
    event loop instead, which is faster than switching to a thread. Predictions run in micro-batches. Numbers are
    recognised in the thread pool, with all digits of an image in one batch.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self.settings = settings
        # Use one thread per run of the network, because more threads are slower for small images.
        self.classifier = OnnxClassifier(settings.model, threads=1)
        self._class_names = np.array(self.classifier.class_names, object)
        self._set_threshold = None  # probability of the classes in a prediction set
        if settings.coverage is not None:
            self._set_threshold = find_set_threshold(self.classifier, settings.coverage)
        self.reads_digits = reads_digits(self.classifier)
        self.is_ready = False
        self._n_active = 0
        self._batcher = MicroBatcher(self.classifier)
        self._pool = ThreadPoolExecutor(count_cpus(), thread_name_prefix="skconv-images")

    @property
    def is_full(self) -> bool:
        """Whether the number of requests in progress has reached its limit."""
        return self._n_active >= self.settings.max_waiting

    def warm_up(self) -> None:
        """Process a test image, so that the first request is not slower than the following ones; create the metrics."""
        for name in self.classifier.class_names:
            count_class(name)
        image = np.full((60, 60), 255, np.uint8)
        image[15:45, 28:32] = 0
        self.classifier.predict_with_ood(self.classifier.image_spec.preprocess(image)[None])
        if self.reads_digits:
            from skconv.digits.ocr.pages import read_page  # imports OpenCV, which other models do not need

            read_page(self.classifier, image)
        self.is_ready = True

    async def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Await the result of `work`, within the concurrency limit and the timeout.

        Raises
        ------
        starlette.exceptions.HTTPException
            429 at the limit of concurrent requests; 503 after the timeout. After a timeout, `work` counts as in
            progress until it is done.
        """
        if self.is_full:
            work.close()
            raise HTTPException(429, BUSY, {"Retry-After": "1"})
        self._n_active += 1
        task = asyncio.ensure_future(work)
        task.add_done_callback(self._finish)
        done, _ = await asyncio.wait({task}, timeout=self.settings.timeout)
        if not done:
            seconds = f"{self.settings.timeout:g} s"
            raise HTTPException(503, f"The response was not ready within {seconds}. Send fewer or smaller images.")
        return task.result()

    async def predict(self, uploads: list[Upload], *, seen: bool, top: int | None = None) -> dict[str, Any]:
        """Return the most probable class per image, and optionally the `top` most probable classes.

        If `seen`, also return the model input as a base64-encoded PNG.
        """
        is_small = len(uploads) == 1 and _is_small(uploads[0].content)
        inputs = self.preprocess(uploads) if is_small else await self.in_thread(self.preprocess, uploads)
        records = await self.classify([upload.name for upload in uploads], inputs, top)
        if seen:
            records = [{**each, "seen": encode_png(image)} for each, image in zip(records, inputs, strict=True)]
        return {"predictions": records}

    async def classify(self, names: Sequence[str], inputs: np.ndarray, top: int | None = None) -> list[dict[str, Any]]:
        """Return one record per image, from its name and the output of `preprocess`."""
        probabilities, ood_scores = await self._batcher.predict_with_ood(inputs)
        min_confidence = self.settings.min_confidence
        predictions = describe_predictions(
            names,
            probabilities,
            self.classifier.class_names,
            min_confidence,
            top=top,
            ood_scores=ood_scores,
            ood_threshold=self.classifier.ood_threshold,
        )
        records = [each.to_json() for each in predictions]
        if self._set_threshold is not None:
            sets = select_classes(probabilities, self._set_threshold)
            for record, selected in zip(records, sets, strict=True):
                record["labels"] = self._class_names[selected].tolist()
        observe_predictions(
            self._class_names[probabilities.argmax(axis=1)],
            [each.confidence for each in predictions],
            min_confidence=min_confidence,
            n_unlike_training=sum(each.unlike_training is True for each in predictions),
        )
        return records

    async def read(self, uploads: list[Upload], *, seen: bool) -> dict[str, Any]:
        """Return the recognised numbers in each image; if `seen`, also the model input of each digit."""
        check_digit_model(self.classifier, "Start skconv serve with a digit model, such as the bundled model digits.")
        return {"readings": await self.in_thread(self._read, uploads, seen)}

    def preprocess(self, uploads: list[Upload]) -> np.ndarray:
        """Return the model inputs of several images; raise `DataError` if one is not valid."""
        spec = self.classifier.image_spec
        return np.stack([spec.preprocess(self._decode(upload, spec.longest, spec.shortest)) for upload in uploads])

    async def in_thread(self, function: Any, *arguments: Any) -> Any:
        """Return the result of a function called in the thread pool."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)

    def close(self) -> None:
        """Complete the requests in progress and shut down the threads."""
        self.is_ready = False
        self._pool.shutdown()
        self._batcher.close()

    def _read(self, uploads: list[Upload], seen: bool) -> list[dict[str, Any]]:
        from skconv.digits.ocr.pages import read_page

        records, min_confidence = [], self.settings.min_confidence
        for upload in uploads:
            image = self._decode(upload)
            reading = read_page(self.classifier, image, upload.name)
            observe_predictions(
                [digit.label for digit in reading.digits],
                [digit.confidence for digit in reading.digits],
                min_confidence=min_confidence,
            )
            reading = reading.mask_below(min_confidence)
            record = reading.to_json()
            record["width"], record["height"] = image.shape[1], image.shape[0]
            if seen:
                for digit, found in zip(record["digits"], reading.digits, strict=True):
                    digit["seen"] = encode_png(found.image)
            records.append(record)
        return records

    def _decode(self, upload: Upload, longest: int | None = None, shortest: int | None = None) -> np.ndarray:
        max_pixels = self.settings.max_pixels
        return decode_image(upload.content, upload.name, max_pixels=max_pixels, longest=longest, shortest=shortest)

    def _finish(self, task: asyncio.Future[Any]) -> None:
        self._n_active -= 1
        if not task.cancelled():
            task.exception()  # marks the exception as retrieved; asyncio logs it otherwise after a timeout


def describe_model(service: Service) -> dict[str, Any]:
    """Return the response of `/v1/model`."""
    return {
        **describe_config(service.classifier.config),
        "reads_numbers": service.reads_digits,
        "min_confidence": service.settings.min_confidence,
        "coverage": service.settings.coverage,
        "limits": {name: getattr(service.settings, name) for name in LIMITS},
    }


def encode_png(image: np.ndarray) -> str:
    """Encode an image, uint8 (h, w) or (h, w, 3), as a PNG file in base64."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


def _is_small(content: bytes) -> bool:
    """Return whether a file is certainly a small PNG image, which takes less time to decode than to start a thread.

    Files with compressed text, which may take long to decode, are excluded, and so are files with a second header,
    which may declare a larger image.
    """
    if any(chunk in content for chunk in (b"zTXt", b"iTXt", b"iCCP")):
        return False
    if len(content) > _MAX_SMALL_BYTES or content[:8] != b"\x89PNG\r\n\x1a\n" or content.count(b"IHDR") != 1:
        return False
    chunk, width, height = struct.unpack(">4sII", content[12:24].ljust(12, b"\0"))
    return chunk == b"IHDR" and max(width, height) <= _MAX_SMALL_SIDE
