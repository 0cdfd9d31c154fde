"""Prometheus metrics of the service, summed over its worker processes."""

from __future__ import annotations

import os
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from skconv.server.settings import METRICS_FOLDER

# All other paths share one label, and so do all other statuses: clients cannot create an unlimited number of series.
PATHS = frozenset({"/v1/predict", "/v1/read", "/v1/model", "/livez", "/readyz", "/metrics", "/openapi.json"})
STATUSES = frozenset({200, 304, 400, 404, 405, 408, 413, 415, 422, 429, 500, 503})
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)  # of the histogram's buckets, in seconds

_REGISTRY = CollectorRegistry()
REQUESTS = Counter("skconv_requests", "Requests by path and status.", ("path", "status"), registry=_REGISTRY)
SECONDS = Histogram(
    "skconv_request_seconds",
    "Seconds from the start of a request to its response.",
    ("path",),
    buckets=BOUNDS,
    registry=_REGISTRY,
)
IMAGES = Counter("skconv_images", "Images in requests with status 200.", registry=_REGISTRY)
NETWORK_RUNS = Counter("skconv_network_runs", "Batches that the network ran on for /v1/predict.", registry=_REGISTRY)


def observe_request(path: str, status: int, seconds: float, n_images: int = 0) -> None:
    """Count one request and its duration; count its images if the status is 200."""
    path = path if path in PATHS else "page"
    _count_status(path, status if status in STATUSES else "other").inc()
    _time_path(path).observe(seconds)
    if status == 200 and n_images:
        IMAGES.inc(n_images)


def render_metrics() -> bytes:
    """Return the metrics of all worker processes in Prometheus text format 0.0.4.

    The metrics files of terminated workers remain, so that counters do not decrease when a worker is restarted.
    `serve` removes them when it ends.
    """
    folder = os.environ.get(METRICS_FOLDER)
    if not folder:
        return generate_latest(_REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry, folder)
    return generate_latest(registry)


@cache  # avoids the lookup of labels by prometheus_client, which takes several microseconds per request
def _count_status(path: str, status: int | str) -> Counter:
    return REQUESTS.labels(path, status)


@cache
def _time_path(path: str) -> Histogram:
    return SECONDS.labels(path)
