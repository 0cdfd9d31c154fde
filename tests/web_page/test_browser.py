"""Exported web pages in headless Chromium: predictions equal to Python's, input by mouse, camera and keyboard."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

import skconv
from skconv.images.resizing import convert_image

from ..server.browser import find_browser, open_browser, wait_for
from ..server.test_page import STROKES, read_axe

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_browser() is None, reason="Chromium is not installed"),
]


@pytest.fixture(scope="module")
def open_page(tmp_path_factory):
    with open_browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture(scope="module")
def colour_page(open_page, open_site, colour_model):
    return open_page(open_site(colour_model))


@pytest.fixture(scope="module")
def digit_page(open_page, open_site):
    return open_page(open_site("digits"))


def encode(image, kind="PNG", **options):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, kind, **options)
    return stream.getvalue()


def make_photo(height, width, seed=0):
    """Return a smooth image with noise, so that every rule and filter changes it."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / max(height, width)
    waves = [np.sin(9 * x + 5 * y), np.cos(7 * y), np.sin(13 * x * y)]
    noise = rng.normal(0, 12, (height, width, 3))
    return np.clip(127 + 90 * np.stack(waves, axis=2) + noise, 0, 255).astype(np.uint8)


def classify(page, content):
    """Return the prediction of the page's model for a file, with the model input as an array."""
    encoded = base64.b64encode(content).decode()
    result = page.run(
        f"""(async () => {{
            const {{ recognize }} = await import("/page/local.js");
            const bytes = Uint8Array.from(atob("{encoded}"), (c) => c.charCodeAt(0));
            return (await recognize(new Blob([bytes]), {{ isDrawing: false, nClasses: 3 }})).result;
        }})()"""
    )
    return result, np.asarray(Image.open(io.BytesIO(base64.b64decode(result["seen"]))).convert("RGB"))


def turn_exif():
    exif = Image.Exif()
    exif[274] = 6  # rotate by 90 degrees
    return exif


@pytest.mark.parametrize(
    ("content", "tolerance"),
    [
        (encode(make_photo(20, 17)), 0),
        (encode(make_photo(90, 41)), 0),
        (encode(make_photo(41, 90)[:, :, 0]), 0),
        (encode(make_photo(130, 70), "JPEG", quality=90, exif=turn_exif()), 1),
        # The browser decodes the whole image, and Python a quarter of it.
        (encode(make_photo(640, 400), "JPEG", quality=90), 6),
        # The browser stores colours multiplied by the opacity.
        (encode(np.dstack([make_photo(60, 50), make_photo(60, 50, 1)[:, :, 0]])), 4),
    ],
    ids=["same-size", "tall", "wide-grey", "rotated-jpeg", "large-jpeg", "transparent"],
)
def test_page_predicts_as_python(colour_page, colour_model, tmp_path, content, tolerance):
    (tmp_path / "image").write_bytes(content)
    classifier = skconv.OnnxClassifier(colour_model)
    image = classifier.image_spec.preprocess(classifier.image_spec.open(tmp_path / "image"))
    result, seen = classify(colour_page, content)
    assert np.abs(seen.astype(int) - image).max() <= tolerance
    probabilities = classifier.predict_proba(seen[None])[0]
    found = {each["label"]: each["confidence"] for each in result["top"]}
    np.testing.assert_allclose([found[name] for name in classifier.class_names], probabilities, atol=1e-5)
    assert result["label"] == classifier.class_names[probabilities.argmax()]


def test_resizing_has_the_bits_of_python(colour_page):
    rng = np.random.default_rng(0)
    cases = []
    for number in range(90):
        height, width, target_height, target_width = (int(each) for each in rng.integers(1, 70, 4))
        image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        cases.append((image, target_height, target_width, ("pad", "crop", "stretch")[number % 3]))
    calls = [
        {"width": image.shape[1], "height": image.shape[0], "channels": 3, "data": image.ravel().tolist()}
        | {"target": {"height": height, "width": width, "resize": rule}}
        for image, height, width, rule in cases
    ]
    results = colour_page.run(
        f"""(async () => {{
            const {{ fit }} = await import("/page/preprocess.js");
            const resizeOne = ({{ target, data, ...image }}) =>
                fit({{ ...image, data: Uint8Array.from(data) }}, target);
            return {json.dumps(calls)}.map((each) => [...resizeOne(each).data]);
        }})()"""
    )
    for (image, height, width, rule), result in zip(cases, results, strict=True):
        expected = convert_image(image, height, width, 3, rule)
        np.testing.assert_array_equal(np.reshape(result, expected.shape), expected)


def test_colour_page_begins_with_photos(colour_page):
    assert colour_page.text("title") == "Classify an image"
    assert colour_page.run("document.getElementById('drawing').hidden && document.getElementById('draw').hidden")
    colour_page.drop(encode(make_photo(90, 41)), "photo.png", "image/png")
    wait_for(lambda: colour_page.text("text") in ("three", "five", "eight"))
    assert colour_page.run("document.querySelectorAll('.bars li').length") == 3
    assert colour_page.run("document.querySelector('#preview img').naturalHeight") == 90


@pytest.mark.parametrize(
    ("names", "channels", "kinds"),
    [
        ("0 1 2 3 4 5 6 7 8 9", 1, [True, True]),
        ("0 1 2 3 4 5 6 7 8 9 nothing", 1, [True, True]),
        ("0 1 2 3 4 5 6 7 8 9", 3, [False, False]),
        ("0 1", 1, [False, False]),  # numbered classes, such as of BreastMNIST
        ("a b c d e f g h i j", 1, [False, True]),
        ("0 1 2 3 4 5 6 7 8 9 A", 1, [False, True]),
        ("bag boot coat", 1, [False, False]),
    ],
)
def test_page_begins_with_drawings_for_characters_only(colour_page, names, channels, kinds):
    model = {"class_names": names.split(), "input": {"channels": channels, "height": 28, "width": 28}}
    found = colour_page.run(
        f"""import("/page/model.js").then(({{ isDigitModel, isForDrawings }}) =>
            [isDigitModel({json.dumps(model)}), isForDrawings({json.dumps(model)})])"""
    )
    assert found == kinds


def test_photo_of_the_camera_is_classified(open_page, open_site, colour_model):
    page = open_page(open_site(colour_model))
    page.run("document.getElementById('start').click()")
    wait_for(lambda: page.run("document.getElementById('video').readyState") == 4)
    page.run("document.getElementById('take').click()")
    wait_for(lambda: page.text("text") in ("three", "five", "eight"))
    assert page.run("document.getElementById('camera').hidden && document.getElementById('video').srcObject === null")
    assert page.problems == []


@pytest.mark.parametrize("digit", ["2", "4", "5", "8"])
def test_drawn_digit_is_classified(digit_page, digit):
    digit_page.run("document.getElementById('clear').click()")
    digit_page.draw("pad", [[(2 * (x - 0.5) + 0.5, y) for x, y in stroke] for stroke in STROKES[digit]])
    digit_page.wait_for_text("text", digit)


def test_scanned_digit_is_normalised_as_in_python(digit_page, tmp_path):
    scan = 230 - (np.kron(skconv.load_dataset("mnist").test_images[0], np.ones((6, 6))) * 0.8).astype(np.uint8)
    content = encode(np.pad(scan, ((10, 60), (80, 0)), constant_values=230))
    (tmp_path / "seven.png").write_bytes(content)
    digit_page.drop(content, "seven.png", "image/png")
    digit_page.wait_for_text("text", "7")
    _, seen = classify(digit_page, content)
    assert np.abs(seen[:, :, 0].astype(int) - skconv.normalize_digit(tmp_path / "seven.png")).max() <= 6


def test_noise_and_specks_around_a_digit_are_removed(digit_page):
    scan = np.full((220, 260), 225.0)
    scan[30:198, 60:228] -= np.kron(skconv.load_dataset("mnist").test_images[0], np.ones((6, 6))) * 0.7
    scan[8:12, 8:12] = 90
    noisy = np.clip(scan + np.random.default_rng(0).normal(0, 4, scan.shape), 0, 255).astype(np.uint8)
    result, seen = classify(digit_page, encode(noisy))
    assert result["label"] == "7"
    rows = np.flatnonzero(seen.max(axis=(1, 2)) > 60)
    assert rows[-1] + 1 - rows[0] == 20


def test_digit_in_the_form_of_mnist_is_not_changed(digit_page):
    digit = skconv.load_dataset("mnist").test_images[0]
    result, seen = classify(digit_page, encode(digit))
    np.testing.assert_array_equal(seen[:, :, 0], digit)
    _, scores = skconv.OnnxClassifier("digits").predict_with_ood(digit[None])
    assert result["ood_score"] == pytest.approx(scores[0], abs=1e-3)
    assert result["unlike_training"] is False


def test_photo_unlike_the_training_images_is_flagged(digit_page):
    digit_page.drop(encode(make_photo(90, 120)), "photo.png", "image/png")
    wait_for(lambda: digit_page.run("!document.getElementById('unlike').hidden"))


def test_regions_that_matter_are_marked_on_demand(colour_page):
    image = make_photo(20, 17)
    colour_page.drop(encode(image), "photo.png", "image/png")
    wait_for(lambda: not colour_page.run("document.getElementById('explain').hidden"))
    colour_page.run("document.getElementById('explain').click()")
    wait_for(lambda: colour_page.text("falls-text").startswith("Covering"))
    assert colour_page.run("document.getElementById('falls').height") == 280
    colour_page.drop(b"no image", "notes.png", "image/png")
    wait_for(lambda: colour_page.run("document.getElementById('regions').hidden"))


def test_fall_of_the_probability_is_that_of_covered_regions(colour_page, colour_model):
    image = make_photo(20, 17)
    encoded = base64.b64encode(encode(image)).decode()
    classifier = skconv.OnnxClassifier(colour_model)
    probabilities = classifier.predict_proba(image[None])[0]
    best = int(probabilities.argmax())
    falls = colour_page.run(
        f"""(async () => {{
            const {{ decode, measureFalls }} = await import("/page/attribution.js");
            const {{ measureAll }} = await import("/page/local.js");
            const measure = (images) => measureAll(images, "{classifier.class_names[best]}");
            return measureFalls(await decode("{encoded}"), measure, {float(probabilities[best])});
        }})()"""
    )
    mean = np.rint(image.reshape(-1, 3).mean(0))
    expected = []
    for row in range(7):
        for column in range(7):
            covered = image.copy()
            (top, bottom), (left, right) = (
                [max(0, int(np.floor((k + side) * length / 7 + 0.5))) for side in (-0.5, 1.5)]
                for k, length in ((row, 20), (column, 17))
            )
            covered[top:bottom, left:right] = mean
            expected.append(probabilities[best] - classifier.predict_proba(covered[None])[0][best])
    np.testing.assert_allclose(falls, expected, atol=1e-4)


def test_text_file_shows_an_error(colour_page):
    colour_page.drop(b"no image", "notes.png", "image/png")
    wait_for(lambda: "cannot decode" in colour_page.text("confidence"))


@pytest.mark.parametrize("model", ["colour", "digits"])
def test_pages_fit_a_phone_pass_axe_and_request_only_their_server(open_page, open_site, colour_model, model):
    url = open_site(colour_model if model == "colour" else "digits")
    for view in ({}, {"dark": True}, {"width": 360, "height": 740, "phone": True}):
        page = open_page(url, **view)
        page.drop(encode(make_photo(90, 41)), "photo.png", "image/png")
        wait_for(lambda page=page: page.text("text") != "…")
        assert page.run("document.documentElement.scrollWidth <= window.innerWidth")
        page.run(read_axe() + "; true")
        violations = page.run("axe.run().then((result) => result.violations.map((each) => each.id + ': ' + each.help))")
        assert violations == []
        assert page.problems == []
        assert [each for each in page.requests if not each.startswith((url, "data:", "blob:" + url, "about:"))] == []
