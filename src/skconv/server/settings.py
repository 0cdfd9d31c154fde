"""`ServerSettings`: what a service serves and how much it takes on."""

from __future__ import annotations

from dataclasses import dataclass

from skconv.exceptions import ParameterError

MEBIBYTE = 2**20


@dataclass(frozen=True)
class ServerSettings:
    """What a service serves and its limits, each of them told to whoever goes beyond.

    Parameters
    ----------
    model : str, default="digits"
        A model folder, a run folder, or the bundled model by its name.
    max_bytes : int, default=16 MiB
        Longest body of a request, in bytes; a longer one is answered with 413.
    max_pixels : int, default=16_000_000
        Most pixels of one image; one with more is answered with 422.
    max_images : int, default=64
        Most images of one request; more are answered with 413.
    max_waiting : int, default=3
        Requests that one process works on at a time; the next is answered with 429. A request waits at most for
        as many others, so that a long queue never makes all of them slow. More, as 64, gives more answers a second of
        images that are small, because the network takes many at a time, and each of them later.
    timeout : float, default=10
        Seconds for a body to arrive (408 after that), and for the answer to be found (503 after that).

    Raises
    ------
    ParameterError
        A limit below 1.

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
        for name in ("max_bytes", "max_pixels", "max_images", "max_waiting", "timeout"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value < 2**40:
                raise ParameterError(f"{name} is {value!r}; expected a number of at least 1.")
