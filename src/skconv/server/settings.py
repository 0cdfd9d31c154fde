"""Settings of the HTTP service, in a module that imports no package of the extra "serve"."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from skconv.exceptions import ParameterError
from skconv.server.keys import ApiKey

MEBIBYTE = 2**20
# `serve` sets this variable before importing the application, because prometheus_client reads it when imported.
METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
LIMITS = ("max_bytes", "max_pixels", "max_images", "max_batch_bytes", "max_batch_images", "max_waiting", "timeout")

# Keys of the ASGI scope
COUNT_IMAGES = "skconv.count_images"  # function that the endpoints call with a number of images
REQUEST_ID = "skconv.request_id"
SHUTDOWN = "skconv.shutdown"  # present once the service is shutting down

_OWN_PATHS = frozenset({"v1", "page", "docs", "livez", "readyz", "metrics", "openapi.json"})


@dataclass(frozen=True)
class ServerSettings:
    """Model to serve, its options, and limits of each worker process.

    A low `max_waiting` limits the latency; a high value, for example 64, raises the throughput for small images,
    because the network runs on larger batches. Raise `ParameterError` for a limit below 1, a confidence or coverage out
    of range, and a root path that is not a path such as "/models/digits".
    """

    model: str = "digits"  # a model folder, a run folder, or the name of a bundled model
    max_bytes: int = 16 * MEBIBYTE  # of a request's body, and of a file of a batch; longer bodies are rejected with 413
    max_pixels: int = 16_000_000  # per image; larger images are rejected with 422
    max_images: int = 64  # per request; requests with more images are rejected with 413
    max_batch_bytes: int = 1024 * MEBIBYTE  # of a batch request, compressed and decompressed
    max_batch_images: int = 10_000  # per batch request
    max_waiting: int = 3  # requests in progress; further requests are rejected with 429
    timeout: float = 10.0  # seconds to receive a body (408 afterwards), and to respond to it (503 afterwards)
    min_confidence: float = 0.0  # labels of lower confidence are replaced by "?"
    coverage: float | None = None  # of prediction sets
    root_path: str = ""  # prefix of the URLs behind a proxy, such as "/models/digits"
    keys: tuple[ApiKey, ...] = field(default=(), repr=False)  # without keys, every client is accepted

    def __post_init__(self) -> None:
        for name in LIMITS:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value < 2**40:
                raise ParameterError(
                    f"The '{name}' parameter must be a number of at least 1 and below 2**40. Got {value!r}."
                )
        if self.min_confidence != 0:
            from skconv.commands.predict import check_confidence

            check_confidence(self.min_confidence)
        if self.coverage is not None:
            from skconv.evaluation.conformal import check_coverage

            check_coverage(self.coverage)
        first = self.root_path[1:].partition("/")[0]
        if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)*", self.root_path) or first in _OWN_PATHS:
            raise ParameterError(
                "The 'root_path' parameter must be a path such as /models/digits, without a slash at the end, that "
                f"does not begin with a path of the service ({', '.join(sorted(_OWN_PATHS))}). Got {self.root_path!r}."
            )
