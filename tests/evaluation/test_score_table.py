import numpy as np
import pytest

from skconv.evaluation.metrics import score_predictions
from skconv.evaluation.score_table import format_scores


def table(labels, predicted, names):
    return format_scores(score_predictions(np.array(labels), np.eye(len(names))[predicted], names)).splitlines()


def test_classes_are_aligned_and_the_worst_of_many_are_shown():
    labels = np.arange(200).repeat(2)
    predicted = labels.copy()
    predicted[-1] = 0
    lines = table(labels, predicted, [f"class {k}" for k in range(200)])
    rows = lines[lines.index("") + 1 :]
    assert "30 of 200 classes with the lowest F1" in rows[0]
    assert rows[2].startswith("class 199")
    assert len(rows) == 2 + 30
    assert len({len(line) for line in rows[1:]}) == 1


@pytest.mark.parametrize(("largest", "is_shown"), [(3, False), (4, True)])
def test_scores_for_imbalanced_classes_are_shown_if_sizes_differ_by_more_than_3_times(largest, is_shown):
    labels = [0] * largest + [1]
    text = "\n".join(table(labels, labels, ["cat", "dog"]))
    for name in ("balanced accuracy", "macro F1", "Cohen's kappa", f"1 to {largest} images per class"):
        assert (name in text) == is_shown


def test_values_are_aligned():
    lines = table([0, 0, 0, 0, 1, 2], [0, 0, 0, 0, 2, 1], ["mild", "moderate", "severe"])
    values = lines[: lines.index("")]
    assert len(values) == 11
    assert {len(line.partition("  (")[0]) for line in values} == {29}


def test_undefined_scores_are_explained():
    text = "\n".join(table([1, 1], [1, 1], ["cat", "dog"]))
    assert "ROC AUC              undefined  (all images are of one class)" in text
    assert "Cohen's kappa        undefined" in text and "nan" not in text
    assert "0 to 2 images per class" in text


def test_absent_classes_are_counted():
    assert "mean of the 2 of 3 classes that have images" in "\n".join(table([0, 1], [0, 1], ["a", "b", "c"]))


def test_order_of_the_classes_is_printed():
    text = "\n".join(table([0, 1, 2], [1, 0, 2], ["high", "low", "medium"]))
    assert "the classes look ordered: low < medium < high" in text
    assert "mean absolute error    1.3333" in text
