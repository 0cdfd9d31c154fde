"""The HTTP interface of a running service."""

import asyncio
import base64
import io
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
import requests
from PIL import Image

import skconv
from skconv.server.metrics import PATHS
from skconv.server.middleware import WORK_PATHS, RequestMiddleware
from skconv.server.settings import ServerSettings

from .conftest import run_server


def test_predict_returns_the_prediction_of_the_library(server, digits, to_png, tmp_path):
    content = to_png(255 - digits[7])
    (tmp_path / "seven.png").write_bytes(content)
    (expected,) = skconv.predict("digits", tmp_path / "seven.png").predictions
    response = server.post_image("/v1/predict", content)
    assert response.status_code == 200
    (prediction,) = response.json()["predictions"]
    assert prediction["label"] == expected.label == "7"
    assert prediction["confidence"] == pytest.approx(expected.confidence, abs=1e-5)
    assert prediction["ood_score"] == pytest.approx(expected.ood_score, rel=1e-4)
    assert [each["label"] for each in prediction["alternatives"]] == [each.label for each in expected.alternatives]


def test_predict_returns_several_images_in_their_order(server, digits, to_png):
    files = [("image", (f"{label}.png", to_png(255 - digits[label]))) for label in (3, 0, 6)]
    predictions = server.post("/v1/predict", files=files).json()["predictions"]
    assert [each["input"] for each in predictions] == ["3.png", "0.png", "6.png"]
    assert [each["label"] for each in predictions] == ["3", "0", "6"]


def test_read_returns_number_boxes_and_model_input(server, digits, to_png, write_rows):
    image = write_rows([[digits[1], digits[8], digits[4]]])
    response = server.post_image("/v1/read?seen=true", to_png(image))
    (reading,) = response.json()["readings"]
    assert reading["text"] == "184"
    assert (reading["height"], reading["width"]) == image.shape
    lefts = [digit["box"][0] for digit in reading["digits"]]
    assert lefts == sorted(lefts)
    seen = Image.open(io.BytesIO(base64.b64decode(reading["digits"][0]["seen"])))
    assert seen.size == (28, 28)
    assert np.asarray(seen).max() > 200


def test_read_returns_rows_columns_and_cells_of_grid(server, to_png):
    image = np.full((140, 200), 235, np.uint8)
    image[20:121:50, 20:171] = image[20:121, 20:171:50] = 100
    image[30:60, 44:48] = 20
    (reading,) = server.post_image("/v1/read", to_png(image)).json()["readings"]
    schemas = server.get("/openapi.json").json()["components"]["schemas"]
    (grid,) = reading["grids"]
    assert (grid["rows"], grid["columns"], reading["n_outside"]) == (2, 3, 0)
    assert [cell["text"] for cell in grid["cells"]] == ["1", *[None] * 5]
    assert reading["text"] == "1..\n..."
    assert set(grid) == set(schemas["Grid"]["properties"])
    assert set(grid["cells"][0]) == set(schemas["Cell"]["properties"])


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/read"])
def test_wrong_content_type_returns_415_with_the_expected_types(server, path):
    response = server.post(path, data={"image": "x"})
    assert response.status_code == 415
    assert "expected image/png" in response.json()["detail"]
    response = server.post_image(path, b"PK", "application/zip")
    assert response.status_code == 415 and "/v1/batch" in response.json()["detail"]


@pytest.mark.parametrize(
    "content", [b"", b"no image", b"\x89PNG\r\n\x1a\n" + bytes(50)], ids=["empty", "text", "cut off"]
)
def test_body_without_valid_image_returns_422(server, content):
    response = server.post_image("/v1/predict", content)
    assert response.status_code == 422
    assert "Traceback" not in response.text


def test_body_above_max_bytes_returns_413_with_or_without_content_length(server):
    assert server.post_image("/v1/predict", bytes(2**20 + 1)).status_code == 413
    chunks = (bytes(2**16) for _ in range(40))
    assert server.post_image("/v1/predict", chunks).status_code == 413


def test_image_above_max_pixels_returns_422(server, to_png):
    response = server.post_image("/v1/read", to_png(np.zeros((1100, 1000), np.uint8)))
    assert response.status_code == 422
    assert "at most 1,000,000" in response.json()["detail"]


def test_form_above_max_images_returns_413(server, digits, to_png):
    files = [("image", ("a.png", to_png(digits[0])))] * 4
    response = server.post("/v1/predict", files=files)
    assert response.status_code == 413
    assert "more than 3 images" in response.json()["detail"]


@pytest.mark.parametrize(
    ("body", "content_type"),
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
def test_invalid_form_returns_422(server, body, content_type):
    response = server.post_image("/v1/predict", body, content_type)
    assert response.status_code == 422
    assert response.json()["detail"]


def test_form_without_file_names_the_option_of_curl(server):
    for arguments in ({"data": {"image": "seven.png"}}, {"files": {"image": (None, "seven.png")}}):
        response = server.post("/v1/predict", **arguments)
        assert response.status_code in (415, 422)
        assert "-F image=@FILE" in response.json()["detail"]


@pytest.mark.parametrize(("name", "value"), [("seen", "maybe"), ("top", "0"), ("top", "9" * 5000), ("top", "²")])
def test_invalid_query_returns_422(server, name, value):
    response = server.post(f"/v1/predict?{name}={value}")
    assert response.status_code == 422
    assert response.json()["detail"].startswith(f"The query parameter '{name}' is '{value[:80]}'")


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/v1/predict?Top=5", "seen or top"), ("/v1/read?top=5", "seen"), ("/v1/batch?top=5&seen=true", "top")],
)
def test_query_parameter_without_effect_returns_422(server, path, expected):
    response = server.post(path, files={"image": b""})
    assert response.status_code == 422
    assert response.json()["detail"].endswith(f"is unknown for this path; expected {expected}.")


def test_most_probable_classes_are_listed_on_request(server, digits, to_png):
    (prediction,) = server.post_image("/v1/predict?top=5", to_png(digits[7])).json()["predictions"]
    assert prediction["top"][0]["label"] == prediction["label"] == "7"
    confidences = [each["confidence"] for each in prediction["top"]]
    assert len(confidences) == 5 and confidences == sorted(confidences, reverse=True)


def test_requests_above_max_waiting_return_429_with_retry_after(server, digits, to_png, write_rows):
    page = to_png(write_rows([digits[:8]] * 3))
    with ThreadPoolExecutor(12) as pool:
        responses = list(pool.map(lambda _: server.post_image("/v1/read", page), range(24)))
    assert {response.status_code for response in responses} == {200, 429}
    assert {response.headers["Retry-After"] for response in responses if response.status_code == 429} == {"1"}
    assert server.post_image("/v1/read", page).status_code == 200


def test_model_returns_classes_and_limits(server):
    model = server.get("/v1/model").json()
    assert model["reads_numbers"] is True
    assert model["n_classes"] == len(model["class_names"]) == 11
    assert model["limits"]["max_images"] == 3


def test_metrics_count_requests_images_and_runs(server, digits, to_png):
    before = _read_metrics(server)
    server.post("/v1/predict", files=[("image", ("a.png", to_png(digits[2])))] * 2)
    after = _read_metrics(server)
    requests_total = 'skconv_requests_total{path="/v1/predict",status="200"}'
    assert after[requests_total] == before.get(requests_total, 0) + 1
    assert after["skconv_images_total"] == before["skconv_images_total"] + 2
    assert after["skconv_network_runs_total"] > before["skconv_network_runs_total"]


def test_image_unlike_the_training_images_is_flagged_and_counted(server, to_png):
    noise = np.random.default_rng(0).integers(0, 256, (28, 28, 3), np.uint8)
    before = _read_metrics(server)["skconv_unlike_training_total"]
    (prediction,) = server.post_image("/v1/predict", to_png(noise)).json()["predictions"]
    assert prediction["unlike_training"] is True
    assert prediction["ood_score"] > server.get("/v1/model").json()["ood"]["threshold"]
    assert _read_metrics(server)["skconv_unlike_training_total"] == before + 1


def _read_metrics(server):
    rows = [line.rpartition(" ") for line in server.get("/metrics").text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in rows}


def test_openapi_describes_every_path_and_status(server):
    document = server.get("/openapi.json").json()
    assert document["info"]["version"]
    assert set(document["paths"]) == {*PATHS} - {"/openapi.json", "/docs"}
    for path, kind in (("/v1/predict", "image/png"), ("/v1/read", "image/png"), ("/v1/batch", "application/zip")):
        operation = document["paths"][path]["post"]
        assert set(operation["responses"]) == {"200", "400", "401", "408", "413", "415", "422", "429", "503"}
        assert "Retry-After" in _resolve(document, operation["responses"]["429"])["headers"]
        assert {kind, "multipart/form-data"} <= set(_resolve(document, operation["requestBody"])["content"])


@pytest.mark.parametrize(
    ("path", "schema"), [("/v1/predict", "Predictions"), ("/v1/read", "Readings"), ("/v1/model", "Model")]
)
def test_openapi_schema_lists_the_keys_of_the_response(server, digits, to_png, write_rows, path, schema):
    document = server.get("/openapi.json").json()
    image = to_png(write_rows([digits[[1, 8]]]))
    query = {"/v1/predict": "?seen=true&top=3", "/v1/read": "?seen=true"}.get(path, "")
    response = server.get(path) if path == "/v1/model" else server.post_image(path + query, image)
    _check_keys(document, document["components"]["schemas"][schema], response.json())


def _check_keys(document, schema, value):
    schema = _resolve(document, schema)
    if "properties" in schema:
        assert set(schema["required"]) <= set(value) <= set(schema["properties"])
        for key, each in value.items():
            _check_keys(document, schema["properties"][key], each)
    elif "items" in schema:
        for each in value:
            _check_keys(document, schema["items"], each)


def _resolve(document, node):
    for key in node.get("$ref", "").split("/")[1:]:
        node = document = document[key]
    return node


def test_every_response_has_security_headers(server):
    for path in ("/", "/page/page.js", "/docs", "/v1/model", "/unknown"):
        policy = server.get(path).headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy


def test_head_returns_headers_without_body(server):
    for path in ("/", "/page/page.js", "/docs", "/docs/style.css", *PATHS - WORK_PATHS):
        response = requests.head(server.url + path, timeout=60)
        assert response.status_code == 200
        assert int(response.headers["Content-Length"]) > 0
        assert response.content == b""


def test_unknown_path_and_method_return_json(server):
    response = server.get("/unknown")
    assert response.status_code == 404
    assert "GET /unknown" in response.json()["detail"]
    assert server.get("/docs/").status_code == 404  # a redirect would contain the host, which a proxy may change
    response = server.get("/v1/predict")
    assert response.status_code == 405
    assert "/openapi.json" in response.json()["detail"]


def test_server_imports_neither_torch_nor_scikit_learn():
    code = (
        "import sys, skconv.server.app, skconv.server.runner\n"
        "print({'torch', 'sklearn', 'matplotlib', 'skorch'} & set(sys.modules))"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "set()"


def test_model_of_other_classes_predicts_but_does_not_read(saved_model, to_png, tmp_path):
    with run_server(tmp_path, str(saved_model)) as server:
        image = to_png(np.zeros((40, 40), np.uint8))
        assert server.post_image("/v1/predict", image).json()["predictions"][0]["label"] in ("three", "five", "eight")
        assert server.get("/v1/model").json()["reads_numbers"] is False
        response = server.post_image("/v1/read", image)
        assert response.status_code == 422
        detail = response.json()["detail"]
        assert "model that predicts digits" in detail and "Start skconv serve with a digit model" in detail


def test_request_cancelled_at_shutdown_returns_503():
    async def wait(scope, receive, send):
        await asyncio.sleep(60)

    async def cancel():
        middleware = RequestMiddleware(wait, SimpleNamespace(settings=ServerSettings()))
        sent = []

        async def send(message):
            sent.append(message)

        request = asyncio.create_task(
            middleware({"type": "http", "path": "/v1/model", "method": "GET", "headers": []}, None, send)
        )
        await asyncio.sleep(0)
        request.cancel()
        await request
        return sent

    start, body = asyncio.run(cancel())
    assert start["status"] == 503
    assert "shutting down" in json.loads(body["body"])["detail"]
