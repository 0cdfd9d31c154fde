"""Counts in Prometheus' text form."""

import re

from skconv.server.metrics import Metrics


def test_counts_of_all_processes_are_summed(tmp_path):
    metrics = Metrics(tmp_path)
    metrics.count("/v1/predict", 200, 0.02, images=3)
    own = next(tmp_path.glob("*.counts"))
    (tmp_path / "999999.counts").write_bytes(own.read_bytes())
    text = metrics.to_text()
    assert 'skconv_requests_total{path="/v1/predict",status="200"} 2' in text
    assert "skconv_images_total 6" in text


def test_histogram_counts_up_to_every_bound(tmp_path):
    metrics = Metrics(tmp_path)
    for seconds in (0.001, 0.03, 20.0):
        metrics.count("/v1/read", 200, seconds)
    buckets = re.findall(r'_bucket{path="/v1/read",le="([^"]+)"} (\d+)', metrics.to_text())
    assert dict(buckets) == {
        "0.005": "1", "0.01": "1", "0.025": "1", "0.05": "2", "0.1": "2", "0.25": "2", "0.5": "2", "1": "2",
        "2.5": "2", "10": "2", "+Inf": "3",
    }  # fmt: skip


def test_refused_images_are_not_counted_as_answered(tmp_path):
    metrics = Metrics(tmp_path)
    metrics.count("/v1/read", 422, 0.01, images=1)
    assert "skconv_images_total 0" in metrics.to_text()


def test_unknown_paths_and_statuses_share_a_row(tmp_path):
    metrics = Metrics(tmp_path)
    metrics.count("/made/up", 418, 0.01)
    assert 'skconv_requests_total{path="page",status="other"} 1' in metrics.to_text()
