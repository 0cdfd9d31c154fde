"""Prometheus metrics of the service and of the drift of its predictions, summed over its worker processes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from skconv.server.settings import METRICS_FOLDER

# All other paths share one label, and so do all other statuses: clients cannot create an unlimited number of series.
PATHS = frozenset(
    {"/v1/predict", "/v1/read", "/v1/batch", "/v1/model", "/livez", "/readyz", "/metrics", "/openapi.json", "/docs"}
)
STATUSES = frozenset({200, 304, 307, 400, 401, 404, 405, 408, 413, 415, 422, 429, 500, 503})
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)  # of the histogram's buckets, in seconds
CONFIDENCE_BOUNDS = (0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.99, 0.999, 1.0)

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
NETWORK_RUNS = Counter(
    "skconv_network_runs", "Batches that the network ran on for /v1/predict and /v1/batch.", registry=_REGISTRY
)
PREDICTIONS = Counter(
    "skconv_predictions", "Images or digits by most probable class, with abstentions.", ("class",), registry=_REGISTRY
)
CONFIDENCE = Histogram(
    "skconv_confidence", "Confidence of the predictions.", buckets=CONFIDENCE_BOUNDS, registry=_REGISTRY
)
ABSTENTIONS = Counter("skconv_abstentions", "Predictions below --min-confidence.", registry=_REGISTRY)
UNLIKE_TRAINING = Counter("skconv_unlike_training", "Images flagged as unlike the training images.", registry=_REGISTRY)


def observe_request(path: str, status: int, seconds: float, n_images: int = 0) -> None:
    """Count one request and its duration; count its images if the status is 200."""
    path = path if path in PATHS else "page"
    _count_status(path, status if status in STATUSES else "other").inc()
    _time_path(path).observe(seconds)
    if status == 200 and n_images:
        IMAGES.inc(n_images)


def observe_predictions(
    labels: Iterable[str], confidences: Iterable[float], *, min_confidence: float, n_unlike_training: int = 0
) -> None:
    """Count predictions by their most probable class, confidences and abstentions, for the detection of drift."""
    for label in labels:
        count_class(label).inc()
    n_abstentions = 0
    for confidence in confidences:
        CONFIDENCE.observe(confidence)
        n_abstentions += confidence < min_confidence
    if n_abstentions:
        ABSTENTIONS.inc(n_abstentions)
    if n_unlike_training:
        UNLIKE_TRAINING.inc(n_unlike_training)


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
def count_class(name: str) -> Counter:
    """Return the counter of the predictions of a class; the first call adds it to the metrics, with the value 0."""
    return PREDICTIONS.labels(name)


@cache
def _time_path(path: str) -> Histogram:
    return SECONDS.labels(path)
