"""The interface, asked over HTTP as any program would."""

import base64
import io
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import requests
from PIL import Image

import skconv

from .conftest import run_server


def test_prediction_is_that_of_the_library(server, digits, to_png, tmp_path):
    content = to_png(255 - digits[7])
    (tmp_path / "seven.png").write_bytes(content)
    (expected,) = skconv.predict("digits", tmp_path / "seven.png").predictions
    answer = server.post_image("/v1/predict", content)
    assert answer.status_code == 200
    (prediction,) = answer.json()["predictions"]
    assert prediction["label"] == expected.label == "7"
    assert prediction["confidence"] == pytest.approx(expected.confidence, abs=1e-5)
    assert [each["label"] for each in prediction["alternatives"]] == [each.label for each in expected.alternatives]


def test_several_images_are_answered_in_their_order(server, digits, to_png):
    files = [("image", (f"{label}.png", to_png(255 - digits[label]))) for label in (3, 0, 6)]
    predictions = server.post("/v1/predict", files=files).json()["predictions"]
    assert [each["input"] for each in predictions] == ["3.png", "0.png", "6.png"]
    assert [each["label"] for each in predictions] == ["3", "0", "6"]


def test_number_is_read_with_boxes_and_what_the_network_saw(server, digits, to_png, write_rows):
    image = write_rows([[digits[1], digits[8], digits[4]]])
    answer = server.post_image("/v1/read?seen=true", to_png(image))
    (reading,) = answer.json()["readings"]
    assert reading["text"] == "184"
    assert (reading["height"], reading["width"]) == image.shape
    lefts = [digit["box"][0] for digit in reading["digits"]]
    assert lefts == sorted(lefts)
    seen = Image.open(io.BytesIO(base64.b64decode(reading["digits"][0]["seen"])))
    assert seen.size == (28, 28)
    assert np.asarray(seen).max() > 200


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/read"])
def test_body_of_another_kind_is_told_what_is_expected(server, path):
    answer = server.post(path, data={"image": "x"})
    assert answer.status_code == 415
    assert "expected image/png" in answer.json()["detail"]


@pytest.mark.parametrize(
    "content", [b"", b"no image", b"\x89PNG\r\n\x1a\n" + bytes(50)], ids=["empty", "text", "cut off"]
)
def test_body_that_is_no_image_is_unprocessable(server, content):
    answer = server.post_image("/v1/predict", content)
    assert answer.status_code == 422
    assert "Traceback" not in answer.text


def test_body_beyond_the_bytes_allowed_is_refused_whether_its_length_is_told_or_not(server):
    assert server.post_image("/v1/predict", bytes(2**20 + 1)).status_code == 413
    parts = (bytes(2**16) for _ in range(40))  # sent in chunks: nothing tells the length
    assert server.post_image("/v1/predict", parts).status_code == 413


def test_image_beyond_the_pixels_allowed_is_refused(server, to_png):
    answer = server.post_image("/v1/read", to_png(np.zeros((1100, 1000), np.uint8)))
    assert answer.status_code == 422
    assert "at most 1,000,000" in answer.json()["detail"]


def test_more_images_than_allowed_are_refused(server, digits, to_png):
    files = [("image", ("a.png", to_png(digits[0])))] * 4
    answer = server.post("/v1/predict", files=files)
    assert answer.status_code == 413
    assert "more than 3 images" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"abc", "multipart/form-data"),
        (b"abc", "multipart/form-data; boundary=x"),
        (b"--x\r\nContent-Disposition: form-data\r\n\r\n", "multipart/form-data; boundary=x"),
        (b"--x--\r\n", "multipart/form-data; boundary=x"),
        (b"--x--\r\n", "multipart/form-data; boundary=x; charset=nonsense"),
        (
            b'--x\r\nContent-Disposition: form-data; name="other"\r\n\r\n1\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
        ),
    ],
)
def test_broken_form_is_unprocessable(server, body, kind):
    answer = server.post_image("/v1/predict", body, kind)
    assert answer.status_code == 422
    assert answer.json()["detail"]


def test_query_that_is_no_boolean_is_told(server):
    answer = server.post("/v1/predict?seen=maybe")
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("seen: ")


def test_beyond_what_it_takes_the_service_says_when_to_ask_again(server, digits, to_png, write_rows):
    page = to_png(write_rows([digits[:8]] * 3))
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: server.post_image("/v1/read", page), range(24)))
    statuses = {answer.status_code for answer in answers}
    assert statuses == {200, 429}
    assert {answer.headers["Retry-After"] for answer in answers if answer.status_code == 429} == {"1"}
    assert server.post_image("/v1/read", page).status_code == 200


def test_model_is_described(server):
    described = requests.get(f"{server.url}/v1/model", timeout=60).json()
    assert described["reads_numbers"] is True
    assert described["n_classes"] == len(described["class_names"]) == 11
    assert described["limits"]["max_images"] == 3


def test_metrics_count_requests_and_images(server, digits, to_png):
    before = _read_metrics(server)
    server.post("/v1/predict", files=[("image", ("a.png", to_png(digits[2])))] * 2)
    after = _read_metrics(server)
    answered = 'skconv_requests_total{path="/v1/predict",status="200"}'
    assert after[answered] == before.get(answered, 0) + 1
    assert after["skconv_images_total"] == before["skconv_images_total"] + 2
    assert after["skconv_network_runs_total"] > before["skconv_network_runs_total"]


def _read_metrics(server):
    text = requests.get(f"{server.url}/metrics", timeout=60).text
    rows = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in rows}


def test_openapi_tells_every_path_and_status(server):
    document = requests.get(f"{server.url}/openapi.json", timeout=60).json()
    assert set(document["paths"]) == {"/v1/predict", "/v1/read", "/v1/model", "/livez", "/readyz", "/metrics"}
    for path in ("/v1/predict", "/v1/read"):
        operation = document["paths"][path]["post"]
        assert {"200", "413", "415", "422", "429", "503"} <= set(operation["responses"])
        assert "Retry-After" in operation["responses"]["429"]["headers"]
        assert {"image/png", "multipart/form-data"} <= set(operation["requestBody"]["content"])


def test_every_answer_forbids_scripts_and_frames_from_elsewhere(server):
    for path in ("/", "/page/page.js", "/v1/model", "/nothing-here"):
        policy = requests.get(server.url + path, timeout=60).headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy


def test_unknown_path_and_wrong_method_are_told_as_json(server):
    assert requests.get(f"{server.url}/nothing-here", timeout=60).json() == {
        "detail": "There is no GET /nothing-here. GET /openapi.json tells what there is."
    }
    assert requests.get(f"{server.url}/v1/predict", timeout=60).status_code == 405


def test_process_loads_neither_torch_nor_scikit_learn():
    code = (
        "import sys, skconv.server.app, skconv.server.runner\n"
        "print({'torch', 'sklearn', 'matplotlib', 'skorch'} & set(sys.modules))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "set()"


def test_model_of_other_things_predicts_and_says_that_it_cannot_read(saved_model, to_png, tmp_path):
    with run_server(tmp_path, str(saved_model)) as server:
        image = to_png(np.zeros((40, 40), np.uint8))
        assert server.post_image("/v1/predict", image).json()["predictions"][0]["label"] in (
            "three",
            "five",
            "eight",
        )
        assert requests.get(f"{server.url}/v1/model", timeout=60).json()["reads_numbers"] is False
        answer = server.post_image("/v1/read", image)
        assert answer.status_code == 422
        assert "model of digits" in answer.json()["detail"]
