"""The report: one page that holds everything and asks for nothing."""

import re
import shutil

import pytest

import skconv
from skconv.exceptions import OutputError
from skconv.workflows.report import report


@pytest.fixture(scope="module")
def trained(tiny_recipe, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report") / "run"
    return skconv.train("digits", recipe=tiny_recipe, out=folder)


@pytest.fixture(scope="module")
def written(trained, tmp_path_factory):
    file = tmp_path_factory.mktemp("page") / "report.html"
    return report(trained.folder, "digits", out=file), file.read_text(encoding="utf-8")


def test_score_is_that_of_evaluate(written, trained):
    result, page = written
    expected = skconv.evaluate(trained.folder, "digits")
    assert result.accuracy == expected.accuracy
    assert result.n == expected.n
    assert f"{100 * expected.accuracy:.2f} % right" in page


def test_page_holds_its_figures_and_asks_for_nothing(written):
    result, page = written
    assert result.bytes == len(page.encode()) < 5_000_000
    assert set(re.findall(r'(?:src|href)="([^":]+:?)', page)) <= {"data:"} | set(re.findall(r'href="(#[^"]+)"', page))
    assert "<script" not in page
    figures = re.findall(r'<img src="data:image/(?:svg\+xml|png);base64,[^"]+" alt="([^"]+)"', page)
    assert len(figures) == page.count("<img") >= 6


def test_page_tells_what_was_trained_on_what_and_how_to_make_it_again(written, trained):
    _, page = written
    for part in ("training pictures", "licence", "skconv.train", "skconv report", skconv.__version__):
        assert part in page
    titles = re.findall(r"<h2[^>]*>([^<]+)</h2>", page)
    assert titles[:3] == ["What was trained on what", "Pictures of the data", "How it learned"]


def test_every_class_has_a_row_with_the_worst_first(written):
    _, page = written
    rows = re.findall(r'<th scope="row">(\d)</th><td>[^<]+</td><td>[^<]+</td><td>([\d.]+) %</td>', page)
    assert sorted(label for label, _ in rows) == list("0123456789")
    shares = [float(share) for _, share in rows]
    assert shares == sorted(shares)


def test_model_folder_alone_gives_a_page_without_curves(trained, tmp_path):
    shutil.copytree(trained.model, tmp_path / "alone" / "model")
    report(tmp_path / "alone" / "model", "digits", out=tmp_path / "page.html")
    assert "How it learned" not in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_name_that_is_no_page_is_refused_before_any_work(tmp_path):
    with pytest.raises(OutputError, match=r"\.html"):
        report(tmp_path / "no-model", "digits", out=tmp_path / "report.pdf")
    with pytest.raises(OutputError, match="no folder"):
        report(tmp_path / "no-model", "digits", out=tmp_path / "none" / "report.html")
