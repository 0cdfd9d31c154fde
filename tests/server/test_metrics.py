"""Prometheus metrics: histogram, labels, and sums over processes."""

import os
import re
import subprocess
import sys

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
