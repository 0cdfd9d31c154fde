"""Files of an exported web page, and the ways to get onnxruntime-web."""

import json
import os
import stat

import pytest

import skconv
from skconv.exceptions import DownloadError, MissingPackageError, OutputError, ParameterError, SourceNotFoundError
from skconv.web_page.static_files import FILES


@pytest.fixture
def fake_package(tmp_path):
    """A folder in which npm has installed the package, with other content."""
    dist = tmp_path / "project" / "node_modules" / "onnxruntime-web" / "dist"
    dist.mkdir(parents=True)
    for name in FILES:
        (dist / name).write_bytes(name.encode())
    return tmp_path / "project"


@pytest.fixture
def fake_npm(tmp_path, monkeypatch):
    """Return a function that replaces npm by a shell script."""

    def install(script):
        folder = tmp_path / "bin"
        folder.mkdir()
        (folder / "npm").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "npm").chmod(stat.S_IRWXU)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    return install


def test_page_has_model_description_and_runtime(saved_model, fake_package, tmp_path):
    result = skconv.export(saved_model, tmp_path / "site", format="web", runtime=fake_package)
    site = tmp_path / "site"
    files = {file.relative_to(site).as_posix() for file in site.rglob("*") if file.is_file()}
    assert {"index.html", "model.json", "model.onnx", "onnxruntime-web/ort.js", "onnxruntime-web/ort.wasm"} <= files
    assert "page/service.js" not in files
    assert 'data-backend="local"' in (site / "index.html").read_text()
    description = json.loads((site / "model.json").read_text())
    assert description["class_names"] == ["three", "five", "eight"]
    assert description["input"]["resize"] == "stretch" and description["input"]["decoded_side"] is None
    assert result.bytes == sum((site / each).stat().st_size for each in files)
    assert str(tmp_path) not in json.dumps(description)


def test_folder_that_is_not_empty_is_refused_before_the_download(saved_model, tmp_path, fake_npm):
    fake_npm("touch called")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "notes.txt").touch()
    with pytest.raises(OutputError, match="not empty"):
        skconv.export(saved_model, tmp_path / "site", format="web")
    assert not list(tmp_path.rglob("called"))


def test_missing_npm_is_an_error_with_the_remedy(saved_model, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingPackageError, match=r"Install Node\.js.*--runtime"):
        skconv.export(saved_model, tmp_path / "site", format="web")
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo 'npm error network timeout' >&2; exit 1", "network timeout"),
        ("exit 0", "exit status 0"),
        ("echo x > onnxruntime-web.tgz", "cannot be read"),
    ],
    ids=["failure", "nothing", "damaged"],
)
def test_failing_npm_is_an_error_in_one_line(saved_model, tmp_path, fake_npm, script, message):
    fake_npm(script)
    with pytest.raises(DownloadError, match=message) as caught:
        skconv.export(saved_model, tmp_path / "site", format="web")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "site").exists()


def test_wrong_options_are_errors(saved_model, tmp_path):
    with pytest.raises(SourceNotFoundError, match="npm install onnxruntime-web@"):
        skconv.export(saved_model, tmp_path / "site", format="web", runtime=tmp_path)
    with pytest.raises(ParameterError, match="format 'web'"):
        skconv.export(saved_model, tmp_path / "model.onnx", runtime=tmp_path)
