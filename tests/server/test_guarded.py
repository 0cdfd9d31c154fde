"""A service with API keys, rates, a root path and abstention, over HTTP."""

import asyncio
import hashlib
import json
from types import SimpleNamespace

import pytest
import requests

import skconv
from skconv.server.keys import ApiKey
from skconv.server.middleware import RequestMiddleware
from skconv.server.settings import COUNT_IMAGES, ServerSettings

from .conftest import run_server

KEYS = {"lab": "lab-0123456789abcdef", "few": "few-0123456789abcdef"}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A service behind /models/digits with two keys; `few` may send three images per minute."""
    folder = tmp_path_factory.mktemp("guarded")
    file = folder / "keys.txt"
    file.write_text(f"lab {KEYS['lab']}\nfew {KEYS['few']} 3\n")
    file.chmod(0o600)
    options = ["--keys", str(file), "--root-path", "/models/digits", "--min-confidence", "0.9999999"]
    options += ["--coverage", "0.99", "--workers", "2"]
    with run_server(folder, *options) as running:
        yield running


@pytest.fixture(scope="module")
def seven(digits, to_png):
    return to_png(255 - digits[7])


def bearer(name):
    return {"Authorization": f"Bearer {KEYS[name]}", "Content-Type": "image/png"}


@pytest.mark.parametrize("path", ["/metrics%0A", "/v1/predict%0A", "/v1/batch%0A"])
def test_path_with_a_line_break_does_not_bypass_keys_and_limits(guarded, path):
    for root in ("/models/digits", ""):
        url = guarded.url.removesuffix("/models/digits") + root + path
        response = requests.request("GET" if "metrics" in path else "POST", url, data=b"x", timeout=60)
        assert response.status_code == 404 and "line break" in response.json()["detail"]


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/read", "/v1/batch", "/v1/model", "/metrics"])
@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer lab-0123456789abcdeg"}, {"X-API-Key": ""}, {"Authorization": "Basic bGFi"}],
)
def test_request_without_valid_key_returns_401(guarded, path, headers):
    send = requests.get if path in ("/v1/model", "/metrics") else requests.post
    response = send(guarded.url + path, headers=headers, data=b"" if send is requests.get else b"x", timeout=60)
    assert response.status_code == 401
    assert "Bearer" in response.headers["WWW-Authenticate"] and "Basic" in response.headers["WWW-Authenticate"]
    assert ("no API key" if not headers else "not valid") in response.json()["detail"]
    assert response.json()["request_id"] == response.headers["X-Request-ID"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"headers": {"Authorization": f"Bearer {KEYS['lab']}"}},
        {"headers": {"X-API-Key": KEYS["lab"]}},
        {"auth": ("anyone", KEYS["lab"])},
    ],
)
def test_request_with_valid_key_is_accepted(guarded, arguments):
    assert requests.get(f"{guarded.url}/v1/model", timeout=60, **arguments).json()["reads_numbers"]


def test_health_page_and_docs_need_no_key(guarded):
    for path in ("/livez", "/readyz", "/", "/docs", "/docs/style.css", "/openapi.json", "/page/page.js"):
        assert guarded.get(path).status_code == 200


def test_images_above_the_rate_of_a_key_return_429_in_all_processes(guarded, seven):
    statuses = []
    for _ in range(6):
        response = requests.post(f"{guarded.url}/v1/predict", seven, headers=bearer("few"), timeout=60)
        statuses.append(response.status_code)
    assert statuses == [200] * 3 + [429] * 3
    assert 10 <= int(response.headers["Retry-After"]) <= 20
    assert "few" in response.json()["detail"] and "3 images per minute" in response.json()["detail"]
    assert requests.post(f"{guarded.url}/v1/predict", seven, headers=bearer("lab"), timeout=60).status_code == 200


def test_proxy_may_remove_the_root_path_or_not(guarded, seven):
    for prefix in ("", "/models/digits"):
        response = requests.post(f"{guarded.url}{prefix}/v1/predict", seven, headers=bearer("lab"), timeout=60)
        assert response.status_code == 200
        assert guarded.get(f"{prefix}/page/page.js").status_code == 200
        assert guarded.get(f"{prefix}/openapi.json").json()["servers"] == [{"url": "/models/digits"}]
        assert "/models/digits/v1/predict" in guarded.get(f"{prefix}/docs").text
    redirect = requests.get(f"{guarded.url}/models/digits", allow_redirects=False, timeout=60)
    assert (redirect.status_code, redirect.headers["Location"]) == (307, "/models/digits/")
    assert guarded.get("/models/digitsx/livez").status_code == 404


def test_openapi_lists_the_authentication(guarded):
    document = guarded.get("/openapi.json").json()
    assert {"BearerToken": []} in document["paths"]["/v1/predict"]["post"]["security"]
    assert "security" not in document["paths"]["/livez"]["get"]


def test_prediction_has_the_prediction_set_of_the_library(guarded, seven, tmp_path):
    (tmp_path / "seven.png").write_bytes(seven)
    (expected,) = skconv.predict("digits", tmp_path / "seven.png", coverage=0.99).predictions
    response = requests.post(f"{guarded.url}/v1/predict", seven, headers=bearer("lab"), timeout=60)
    assert tuple(response.json()["predictions"][0]["labels"]) == expected.labels == ("7",)
    model = requests.get(f"{guarded.url}/v1/model", headers=bearer("lab"), timeout=60).json()
    assert (model["coverage"], model["min_confidence"]) == (0.99, 0.9999999)


def test_uncertain_predictions_are_abstentions_and_counted(guarded, seven):
    before = read_metrics(guarded)
    response = requests.post(f"{guarded.url}/v1/predict", seven, headers=bearer("lab"), timeout=60)
    (prediction,) = response.json()["predictions"]
    assert prediction["label"] == "?" and prediction["alternatives"][0]["label"] == "7"
    after = read_metrics(guarded)
    for name in ('skconv_predictions_total{class="7"}', "skconv_abstentions_total", "skconv_confidence_count"):
        assert after[name] == before[name] + 1
    assert 0 < after["skconv_confidence_sum"] - before["skconv_confidence_sum"] <= 1
    assert after['skconv_predictions_total{class="0"}'] == before['skconv_predictions_total{class="0"}']


def read_metrics(server):
    text = requests.get(f"{server.url}/metrics", headers=bearer("lab"), timeout=60).text
    rows = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in rows}


@pytest.mark.parametrize(
    ("sent", "is_accepted"),
    [
        ("0af7651916cd43dd8448eb211c80319c", True),
        ("a/b:c_1+2=3@x", True),
        ('x"y', False),
        ("a b", False),
        ("x" * 129, False),
    ],
)
def test_request_id_is_that_of_the_client_if_harmless(guarded, sent, is_accepted):
    headers = bearer("lab") | {"X-Request-ID": sent}
    start = len(guarded.read_log())
    response = requests.post(f"{guarded.url}/v1/predict", b"no image", headers=headers, timeout=60)
    assert response.status_code == 422
    used = response.headers["X-Request-ID"]
    assert (used == sent) == is_accepted and len(used) >= 16 - 4 * is_accepted
    assert response.json()["request_id"] == used
    record = guarded.wait_for_post(start)
    assert (record["request_id"], record["key"]) == (used, "lab")
    assert KEYS["lab"] not in json.dumps(record)


def test_images_of_a_request_are_counted_while_it_is_processed():
    secret = b"key-of-the-laboratory"
    keys = (ApiKey("lab", hashlib.sha256(secret).digest(), max_rate=3),)
    statuses = []

    async def post():
        async def send(message):
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        await middleware(
            {"type": "http", "path": "/v1/batch", "method": "POST", "headers": [(b"x-api-key", secret)]}, None, send
        )

    async def process(scope, receive, send):
        for n_images in (1, 2):
            scope[COUNT_IMAGES](n_images)
        await post()
        await send({"type": "http.response.start", "status": 200})

    middleware = RequestMiddleware(process, SimpleNamespace(settings=ServerSettings(keys=keys), is_full=False))
    asyncio.run(post())
    assert statuses == [429, 200]
