"""Limits of the inference service, without HTTP."""

import asyncio
import struct
import zlib

import numpy as np
import pytest
from starlette.exceptions import HTTPException

from skconv.server import service as service_module
from skconv.server.service import Service
from skconv.server.settings import ServerSettings


@pytest.fixture(scope="module")
def service():
    service = Service(ServerSettings(max_waiting=1, timeout=1))
    yield service
    service.close()


def test_run_after_timeout_raises_503_and_counts_until_the_work_ends(service):
    async def run():
        release = asyncio.Event()
        with pytest.raises(HTTPException) as error:
            await service.run(release.wait())
        full_before = service.is_full
        release.set()
        await asyncio.sleep(0.01)
        return error.value.status_code, full_before, service.is_full

    assert asyncio.run(run()) == (503, True, False)


def test_run_at_the_limit_raises_429(service):
    async def run():
        release = asyncio.Event()
        first = asyncio.create_task(service.run(release.wait()))
        await asyncio.sleep(0)
        with pytest.raises(HTTPException) as error:
            await service.run(release.wait())
        release.set()
        await first
        return error.value

    error = asyncio.run(run())
    assert error.status_code == 429
    assert error.headers["Retry-After"] == "1"


def test_classify_adds_the_out_of_distribution_score_and_counts_flags(service, digits, monkeypatch):
    counted = []
    predict = service.classifier.predict_proba
    scores = np.array([0.25, 0.75], np.float32)
    monkeypatch.setattr(service.classifier, "ood_threshold", 0.5)
    monkeypatch.setattr(service.classifier, "predict_with_ood", lambda images: (predict(images), scores))
    monkeypatch.setattr(service_module, "observe_predictions", lambda *_, **named: counted.append(named))
    records = asyncio.run(service.classify(["a", "b"], digits[:2]))
    assert [(each["ood_score"], each["unlike_training"]) for each in records] == [(0.25, False), (0.75, True)]
    assert counted[0]["n_unlike_training"] == 1


def test_classify_adds_prediction_sets_with_the_threshold(service, digits, monkeypatch):
    monkeypatch.setattr(service, "_set_threshold", 0.5)
    (record,) = asyncio.run(service.classify(["a"], digits[7:8]))
    assert record["labels"] == ["7"] and record["label"] == "7"


def _add_chunk(png, name, body):
    chunk = struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    return png[:-12] + chunk + png[-12:]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda png: png, True),
        (lambda png: b"\xff\xd8\xff" + png, False),
        (lambda png: png[:16] + struct.pack(">II", 65, 28) + png[24:], False),
        (lambda png: png + bytes(2**15), False),
        (lambda png: _add_chunk(png, b"zTXt", b"a\0\0" + zlib.compress(bytes(1000))), False),
        (lambda png: _add_chunk(png, b"IHDR", struct.pack(">IIBBBBB", 9000, 9000, 8, 0, 0, 0, 0)), False),
    ],
    ids=["small", "not a PNG", "wide", "long", "compressed text", "second header"],
)
def test_is_small_accepts_only_png_files_that_decode_fast(to_png, change, expected):
    assert service_module._is_small(change(to_png(np.zeros((28, 28), np.uint8)))) is expected
