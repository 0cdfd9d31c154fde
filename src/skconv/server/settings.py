"""Settings of the HTTP service, in a module that imports no package of the extra "serve"."""

from __future__ import annotations

from dataclasses import dataclass

from skconv.exceptions import ParameterError

MEBIBYTE = 2**20
# `serve` sets this variable before importing the application, because prometheus_client reads it when imported.
METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
LIMITS = ("max_bytes", "max_pixels", "max_images", "max_waiting", "timeout")


@dataclass(frozen=True)
class ServerSettings:
    """Model to serve, and limits of each worker process.

    A low `max_waiting` limits the latency; a high value, for example 64, raises the throughput for small images,
    because the network runs on larger batches. Raise `ParameterError` for a limit below 1.
    """

    model: str = "digits"  # a model folder, a run folder, or the name of a bundled model
    max_bytes: int = 16 * MEBIBYTE  # of a request's body; longer bodies are rejected with 413
    max_pixels: int = 16_000_000  # per image; larger images are rejected with 422
    max_images: int = 64  # per request; requests with more images are rejected with 413
    max_waiting: int = 3  # requests in progress; further requests are rejected with 429
    timeout: float = 10.0  # seconds to receive a body (408 afterwards), and to respond to it (503 afterwards)

    def __post_init__(self) -> None:
        for name in LIMITS:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value < 2**40:
                raise ParameterError(
                    f"The '{name}' parameter must be a number of at least 1 and below 2**40. Got {value!r}."
                )
