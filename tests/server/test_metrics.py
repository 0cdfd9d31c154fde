"""Prometheus metrics: histogram, labels, and sums over processes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

# Each test records in new processes, because prometheus_client selects its storage at import.
RECORD = "from skconv.server.metrics import observe_request, render_metrics\n"


def run(folder, code):
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    command = [sys.executable, "-c", RECORD + code]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def test_render_metrics_sums_processes_including_ended_ones(tmp_path):
    count = 'observe_request("/v1/predict", 200, 0.02, n_images=3)\n'
    run(tmp_path, count)
    text = run(tmp_path, count + "print(render_metrics().decode())")
    assert 'skconv_requests_total{path="/v1/predict",status="200"} 2' in text
    assert "skconv_images_total 6" in text


def test_observe_request_labels_and_histogram(tmp_path):
    text = run(
        tmp_path,
        "for seconds in (0.001, 0.03, 20.0):\n"
        '    observe_request("/v1/read", 422, seconds, n_images=1)\n'
        'observe_request("/unknown", 418, 0.01)\n'
        "print(render_metrics().decode())",
    )
    assert 'skconv_requests_total{path="page",status="other"} 1' in text
    assert "skconv_images_total 0" in text  # images of rejected requests are not counted
    buckets = re.findall(r'_bucket{le="([^"]+)",path="/v1/read"} (\d+)', text)
    assert dict(buckets) == {
        "0.005": "1", "0.01": "1", "0.025": "1", "0.05": "2", "0.1": "2", "0.25": "2", "0.5": "2", "1.0": "2",
        "2.5": "2", "10.0": "2", "+Inf": "3",
    }  # fmt: skip


def test_queries_of_the_grafana_board_use_existing_metrics(tmp_path):
    text = run(
        tmp_path,
        "from skconv.server.metrics import observe_predictions\n"
        'observe_request("/v1/predict", 200, 0.02, n_images=1)\n'
        'observe_predictions(["7"], [0.5], min_confidence=0.6, n_unlike_training=1)\n'
        "print(render_metrics().decode())",
    )
    existing = set(re.findall(r"^\w+", text, re.MULTILINE))
    board = json.loads((Path(__file__).parents[2] / "docs" / "grafana.json").read_text())
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    used = {name for query in queries for name in re.findall(r"skconv_\w+", query)}
    assert len(queries) >= len(board["panels"]) > 0 and used <= existing
    drift = {f"skconv_{name}" for name in ("predictions_total", "confidence_sum", "abstentions_total")}
    assert drift | {"skconv_unlike_training_total"} <= used
    labels = {label for query in queries for label in re.findall(r"by \((\w+)", query)}
    assert all(re.search(rf"\b{label}=", text) for label in labels)


def test_observe_predictions_counts_classes_confidence_and_flags(tmp_path):
    text = run(
        tmp_path,
        "from skconv.server.metrics import count_class, observe_predictions\n"
        'count_class("cat"), count_class("dog")\n'
        'observe_predictions(["dog", "dog"], [0.5, 0.97], min_confidence=0.9, n_unlike_training=2)\n'
        "print(render_metrics().decode())",
    )
    lines = text.splitlines()
    for line in (
        'skconv_predictions_total{class="cat"} 0.0',
        'skconv_predictions_total{class="dog"} 2.0',
        "skconv_confidence_sum 1.47",
        'skconv_confidence_bucket{le="0.6"} 1.0',
        "skconv_abstentions_total 1.0",
        "skconv_unlike_training_total 2.0",
    ):
        assert line in lines
