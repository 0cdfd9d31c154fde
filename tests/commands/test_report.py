"""`report`: a self-contained HTML page."""

import html
import json
import os
import re
import shutil
import sys
import xml.etree.ElementTree
from pathlib import Path

import pytest
from PIL import Image

import skconv
from skconv.commands.report import report
from skconv.evaluation.label_issues import LabelIssue, NamedImages, locate_issues, read_issues, write_issues
from skconv.exceptions import DataError, OutputError, SourceNotFoundError
from skconv.reports.training_sections import show_learning_curves

from ..server.browser import find_browser, open_browser


@pytest.fixture(scope="module")
def trained(tiny_recipe, tmp_path_factory):
    """A run whose folder has an audit of its data, and a leaderboard as of recipe `auto`."""
    folder = tmp_path_factory.mktemp("report") / "run"
    result = skconv.train("digits", recipe=tiny_recipe, out=folder)
    labels = skconv.load_dataset("digits").train_labels
    kinds = ["label"] * 25 + ["duplicate"]
    issues = [LabelIssue(kind, f"train {k}", str(labels[k]), "7", 0.9, "train 0") for k, kind in enumerate(kinds)]
    (folder / "audit").mkdir()
    write_issues(folder / "audit" / "issues.csv", issues)
    row = "fast,fast,8x8,2,0.9,0.3,1.0\n"
    (folder / "leaderboard.csv").write_text(f"candidate,recipe,size,epochs,accuracy,log_loss,seconds\n{row}")
    return result


@pytest.fixture(scope="module")
def written(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page") / "report"
    result = report(trained.folder, "digits", out=folder)
    return result, Path(result.file).read_text(encoding="utf-8")


def test_report_gives_the_score_of_evaluate(written, trained):
    result, page = written
    expected = skconv.evaluate(trained.folder, "digits")
    assert result.accuracy == expected.accuracy
    assert result.n == expected.n
    assert f"{100 * expected.accuracy:.2f} % accuracy" in page


def test_page_embeds_its_figures_and_loads_nothing(written):
    result, page = written
    assert result.bytes == len(page.encode()) < 5_000_000
    assert set(re.findall(r'(?:src|href)="([^":]+:?)', page)) <= {"data:"} | set(re.findall(r'href="(#[^"]+)"', page))
    assert "<script" not in page
    figures = re.findall(r'<img src="data:image/(?:svg\+xml|png);base64,[^"]+" alt="([^"]+)"', page)
    assert len(figures) == page.count("<img") == 12


def test_page_shows_data_model_and_command(written, trained):
    _, page = written
    for part in ("training images", "licence", "skconv.train", "skconv report", skconv.__version__):
        assert part in page
    assert (Path(trained.folder) / "recipe.toml").read_text().strip() in html.unescape(page)
    titles = re.findall(r"<h2[^>]*>([^<]+)</h2>", page)
    assert titles[:4] == ["Model and data", "Sample images", "Comparison of recipes", "Learning curves"]


def test_classes_are_listed_worst_first(written):
    _, page = written
    rows = re.findall(r'<th scope="row">(\d)</th><td>[^<]+</td><td>[^<]+</td><td>([\d.]+) %</td>', page)
    assert sorted(label for label, _ in rows) == list("0123456789")
    shares = [float(share) for _, share in rows]
    assert shares == sorted(shares)


def test_folder_has_the_figures_of_the_page_as_png_and_svg(written):
    result, page = written
    folder = Path(result.figures)
    names = {path.stem for path in folder.glob("*.png")}
    assert names == {path.stem for path in folder.glob("*.svg")}
    assert names >= {"samples", "curves", "confusion", "mistakes", "issues-label", "calibration", "attributions"}
    assert names >= {"roc", "precision_recall", "leaderboard"}
    assert len(list(folder.iterdir())) == 2 * page.count("<img")
    for name in names:
        with Image.open(folder / f"{name}.png") as image:
            image.load()
            assert image.format == "PNG" and image.getextrema()[0] != (255, 255)
        assert xml.etree.ElementTree.parse(folder / f"{name}.svg").getroot().tag.endswith("svg")
    with pytest.raises(OutputError, match="not empty"):
        report("no-model", "digits", out=folder.parent)


def test_issues_of_the_audit_in_the_run_are_shown(written):
    _, page = written
    section = page.partition("Label issues</h2>")[2].partition("</section>")[0]
    assert "<dt>probably wrong labels</dt><dd>25</dd>" in section
    assert "<dt>duplicates</dt><dd>1</dd>" in section
    assert section.count("<img") == 2


def test_model_folder_without_a_run_gives_no_curves_and_no_audit(trained, tmp_path, monkeypatch):
    shutil.copytree(trained.model, tmp_path / "alone" / "model")
    monkeypatch.setitem(sys.modules, "captum", None)  # makes the import fail
    with pytest.warns(UserWarning, match=r"skconv\[explain\]"):
        result = report(tmp_path / "alone" / "model", "digits", out=tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Learning curves" not in page and "audit" not in page and "gradients" not in page
    assert result.figures == "" and len(list(tmp_path.iterdir())) == 2


def test_missing_audit_or_one_of_other_data_raises(trained, tmp_path):
    with pytest.raises(SourceNotFoundError, match="skconv audit"):
        report(trained.folder, "digits", out=tmp_path / "page.html", audit=tmp_path)
    (tmp_path / "issues.csv").write_text("kind,image\nlabel,train 0\n")
    with pytest.raises(DataError, match="cannot be read as the table"):
        report(trained.folder, "digits", out=tmp_path / "page.html", audit=tmp_path)
    write_issues(tmp_path / "issues.csv", [LabelIssue("label", "train 0", "a dog", "a cat", 0.9)])
    with pytest.raises(DataError, match="of other data than digits"):
        report(trained.folder, "digits", out=tmp_path / "page.html", audit=tmp_path)
    assert not (tmp_path / "page.html").exists()


def test_audit_of_other_data_in_the_run_is_omitted(trained, tmp_path):
    shutil.copytree(trained.model, tmp_path / "run" / "model")
    (tmp_path / "run" / "audit").mkdir()
    write_issues(tmp_path / "run" / "audit" / "issues.csv", [LabelIssue("label", "train 0", "a dog", "a cat", 0.9)])
    result = report(tmp_path / "run", "digits", out=tmp_path / "page.html")
    assert "audit" not in Path(result.file).read_text(encoding="utf-8").partition("How to")[0]


@pytest.mark.parametrize("text", ["", "a,b\n"])
def test_read_issues_raises_for_another_table(text, tmp_path):
    (tmp_path / "issues.csv").write_text(text)
    with pytest.raises(DataError, match="unexpected columns"):
        read_issues(tmp_path)


def test_issue_of_a_file_name_that_is_not_utf8_is_located(tmp_path):
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/\xff")
    for label in "ab":
        (Path(folder) / label).mkdir(parents=True)
        for number in range(2):
            Image.new("L", (8, 8), 50 * number).save(Path(folder) / label / f"{number}.png")
    images = NamedImages(skconv.load_dataset(folder))
    write_issues(tmp_path / "issues.csv", [LabelIssue("blank", images.name(2), "b")])
    assert locate_issues(read_issues(tmp_path), images) == [2]


def test_issues_of_a_folder_are_located(tmp_path):
    for label in "ab":
        (tmp_path / label).mkdir()
        for number in range(3):
            Image.new("L", (8, 8), 50 * number).save(tmp_path / label / f"{number}.png")
    images = NamedImages(skconv.load_dataset(tmp_path))
    issue = LabelIssue("blank", str(tmp_path / "b" / "1.png"), "b")
    assert locate_issues([issue], images) == [4]


def test_report_of_an_ensemble_shows_the_curves_of_its_members(tmp_path):
    rows = [f"{fold},{epoch},{1 / epoch},,\n" for fold in (1, 2, 3) for epoch in (1, 2)]
    (tmp_path / "history.csv").write_text("fold,epoch,train_loss,valid_loss,valid_accuracy\n" + "".join(rows))
    (section,) = show_learning_curves(tmp_path)
    (drawn,) = section.figures
    titles = [axes.get_title() for axes in drawn.figure.axes]
    assert titles == ["fold 1", "fold 2", "fold 3", "mean of 3 folds ± standard deviation"]


@pytest.mark.parametrize("name", ["history.csv", "scores.json"])
def test_damaged_file_of_the_run_raises(name, trained, tmp_path):
    shutil.copytree(trained.folder, tmp_path / "run")
    (tmp_path / "run" / name).write_text("epoch\nnothing\n")
    with pytest.raises(DataError, match=name):
        report(tmp_path / "run", "digits", out=tmp_path / "page.html")


def test_model_card_has_the_scores_of_the_run(trained):
    card = (Path(trained.model) / "card.md").read_text(encoding="utf-8")
    scores = json.loads((Path(trained.folder) / "scores.json").read_text())["test"]
    assert f"- test calibration error: {100 * scores['ece']:.2f} %" in card
    rows = re.findall(r"^\| (\d) \| .* \| ([\d.]+) % \| (\d+) \|$", card, re.MULTILINE)
    expected = {(each["name"], f"{100 * each['f1']:.2f}", str(each["support"])) for each in scores["per_class"]}
    assert set(rows) == expected


@pytest.mark.browser
@pytest.mark.skipif(find_browser() is None, reason="no Chromium is installed: the page cannot be looked at")
def test_browser_shows_every_figure_and_requests_nothing(written, tmp_path):
    url = Path(written[0].file).resolve().as_uri()
    with open_browser(tmp_path) as open_page:
        for view in ({}, {"dark": True}, {"width": 390, "height": 844, "phone": True}):
            page = open_page(url, ready=None, **view)
            assert [each for each in page.requests if not each.startswith("data:")] == [url]
            assert page.problems == []
            assert page.run("document.images.length") == 12
            assert page.run("[...document.images].every((each) => each.naturalWidth > 100)")
            wide = page.run("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide == 0  # no horizontal overflow


def test_comparison_with_another_model_shows_the_record_of_compare(trained, tiny_recipe, tmp_path):
    other = skconv.train("digits", recipe=tiny_recipe, epochs=0.3, out=tmp_path / "other").folder
    result = report(trained.folder, "digits", out=tmp_path / "page", against=other)
    page = html.unescape(Path(result.file).read_text(encoding="utf-8"))
    expected = skconv.compare(other, trained.folder, "digits")
    assert result.accuracy == expected.models[1].accuracy
    for title in ("Comparison with another model", "Comparison by class", "Images classified differently"):
        assert f">{title}</h2>" in page
    assert expected.verdict in page and expected.list_disagreements() in page
    assert "".join(f"<td>{cell}</td>" for cell in expected.list_scores()[0][1:]) in page
    assert f"(all rows: {expected.n_different})" in page
    assert f"--against {other}" in page
    assert (tmp_path / "page" / "figures" / "differences.svg").is_file()


def test_comparison_with_a_copy_reports_the_same_model_without_figures(trained, tmp_path):
    shutil.copytree(trained.model, tmp_path / "copy")
    result = report(trained.folder, "digits", out=tmp_path / "page.html", against=tmp_path / "copy")
    page = Path(result.file).read_text(encoding="utf-8")
    assert "are the same model" in page and "Comparison by class" not in page
    with pytest.raises(SourceNotFoundError, match="No model at"):
        report(trained.folder, "digits", out=tmp_path / "other.html", against=tmp_path / "missing")
    assert not (tmp_path / "other.html").exists()


def test_out_with_another_suffix_raises_first(tmp_path):
    with pytest.raises(OutputError, match=r"\.html"):
        report(tmp_path / "no-model", "digits", out=tmp_path / "report.pdf")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OutputError, match="no folder"):
        report(tmp_path / "no-model", "digits", out=tmp_path / "none" / "report.html")
