"""Model and limits of the HTTP service; imports none of the packages of the extra "serve"."""

from __future__ import annotations

from dataclasses import dataclass

from skconv.exceptions import ParameterError

MEBIBYTE = 2**20
# prometheus_client reads this variable when it is imported, so `serve` sets it before it imports the application.
METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
LIMITS = ("max_bytes", "max_pixels", "max_images", "max_waiting", "timeout")


@dataclass(frozen=True)
class ServerSettings:
    """The model to serve, and the limits of each worker process.

    Parameters
    ----------
    model : str, default="digits"
        A model folder, a run folder, or the name of a bundled model.
    max_bytes : int, default=16 MiB
        Maximum length of a request's body in bytes; 413 above.
    max_pixels : int, default=16_000_000
        Maximum pixels per image; 422 above.
    max_images : int, default=64
        Maximum images per request; 413 above.
    max_waiting : int, default=3
        Maximum number of requests in progress; 429 above. A low limit bounds the latency. With small images a high
        one, such as 64, raises the throughput, because the network runs on larger batches.
    timeout : float, default=10
        Seconds until a body must have arrived (408 afterwards), and until its response must be ready (503 afterwards).

    Raises
    ------
    ParameterError
        If a limit is below 1.

    Examples
    --------
    >>> ServerSettings(max_images=8).max_images
    8
    """

    model: str = "digits"
    max_bytes: int = 16 * MEBIBYTE
    max_pixels: int = 16_000_000
    max_images: int = 64
    max_waiting: int = 3
    timeout: float = 10.0

    def __post_init__(self) -> None:
        for name in LIMITS:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value < 2**40:
                raise ParameterError(f"{name} is {value!r}; expected a number of at least 1.")
