"""Results as HTML for notebooks."""

from skconv.commands import Result
from skconv.commands.notebook import find_figures
from skconv.commands.predict import predict


def test_run_is_a_table_with_its_figures(run):
    html = run._repr_html_()
    assert f"<td>test accuracy</td><td>{100 * run.test_accuracy:.2f} %</td>" in html
    assert "<th>seed</th>" in html  # a table of the seeds
    assert html.count("data:image/png;base64,") == len(find_figures(run)) >= 3


def test_predictions_are_rows_and_names_are_escaped(tmp_path):
    from PIL import Image

    path = tmp_path / "<b>&.png"
    Image.new("L", (28, 28)).save(path)
    result = predict("digits", [path] * 30, annotate=tmp_path / "drawn.png")
    html = result._repr_html_()
    assert "&lt;b&gt;&amp;.png" in html and "<b>&" not in html
    assert html.count("<tr>") == 21 and "10 more" in html
    assert find_figures(result) == [tmp_path / "drawn.png"] and "base64," in html


def test_every_result_is_shown_as_html():
    from skconv.commands.read import ReadResult
    from skconv.commands.tune import TuneResult

    assert issubclass(ReadResult, Result) and issubclass(TuneResult, Result)
    assert ReadResult(())._repr_html_() == ""
