import re
from dataclasses import replace

import pytest

from skconv.model_io.card import write_card
from skconv.model_io.folder import find_model_folder, read_config

yaml = pytest.importorskip("yaml")

SCORES = {
    "test_accuracy": 0.9957,
    "test_low": 0.9942,
    "test_high": 0.9968,
    "test_n": 10_000,
    "test_nll": 0.0141,
    "test_brier": 0.0071,
    "test_ece": 0.0123,
    "test_balanced_accuracy": 0.95,
    "test_cohen_kappa": 0.91,
}


def read_front_matter(card):
    assert card.startswith("---\n")
    return yaml.safe_load(card.split("\n---\n")[0].removeprefix("---\n"))


def test_front_matter_has_the_keys_of_model_hubs(make_config):
    config = make_config(scores=SCORES)
    card = write_card(replace(config, data=replace(config.data, scored_on="a test")), n_parameters=5)
    front_matter = read_front_matter(card)
    assert front_matter["license"] == "cc-by-sa-3.0"
    assert (front_matter["library_name"], front_matter["pipeline_tag"]) == ("skconv", "image-classification")
    assert "image-classification" in front_matter["tags"]
    assert (front_matter["datasets"], front_matter["metrics"]) == (["mnist"], ["accuracy"])
    (model,) = front_matter["model-index"]
    (result,) = model["results"]
    assert result["task"]["type"] == "image-classification"
    assert (result["dataset"]["name"], result["dataset"]["split"]) == ("mnist", "test")
    assert result["metrics"] == [{"type": "accuracy", "value": 0.9957, "name": "accuracy, a test"}]


def test_front_matter_without_scores_has_no_results(make_config):
    front_matter = read_front_matter(write_card(make_config(scores={}), n_parameters=5))
    assert "model-index" not in front_matter and "metrics" not in front_matter


@pytest.mark.parametrize("name", ['a "b": c', "- x", "two\nlines", "---", "del\x7f", "# no", "{a: b}", "ключ 🌷"])
def test_front_matter_quotes_any_name(name, make_config):
    config = make_config(scores=SCORES)
    card = write_card(replace(config, data=replace(config.data, name=name, licence=name)), n_parameters=5)
    front_matter = read_front_matter(card)
    expected = name.replace("\n", " ").replace("\x7f", " ")
    assert front_matter["datasets"] == [expected]
    assert (front_matter["license"], front_matter["license_name"]) == ("other", expected)


def test_card_lists_secondary_scores_and_missing_calibration(make_config):
    lines = write_card(make_config(scores=SCORES), n_parameters=5).splitlines()
    assert "- test calibration error: 1.23 %" in lines
    assert "- test log loss: 0.0141" in lines
    assert "- test Brier score: 0.0071" in lines
    assert "- test balanced accuracy: 95.00 %" in lines
    assert "- test Cohen's kappa: 0.9100" in lines
    assert "The probabilities are not calibrated." in lines


def test_card_has_a_row_per_class_the_lowest_f1_first(make_config):
    per_class = [
        {"name": "a|b", "precision": 1.0, "recall": 0.98, "f1": 0.99, "support": 1200},
        {"name": "two\nlines", "precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 4},
        {"name": "never seen", "precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0},
    ]
    card = write_card(make_config(), n_parameters=5, per_class=per_class)
    rows = [line for line in card.splitlines() if line.startswith("|")][2:]
    assert rows == [
        "| two lines | 50.00 % | 50.00 % | 50.00 % | 4 |",
        "| a\\|b | 100.00 % | 98.00 % | 99.00 % | 1,200 |",
    ]
    assert "Scores per class" not in write_card(make_config(), n_parameters=5)


def test_card_shows_the_command_as_code(make_config):
    config = make_config()
    environment = {**config.environment, "command": "skconv train mnist"}
    lines = write_card(replace(config, environment=environment), n_parameters=5).splitlines()
    assert "    skconv train mnist" in lines
    assert not any(line.startswith("- command") for line in lines)


def test_card_of_the_bundled_model_is_current():
    folder = find_model_folder("digits")
    card = (folder / "card.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\S+) \| ([\d.]+) % \| ([\d.]+) % \| ([\d.]+) % \| ([\d,]+) \|$", card, re.MULTILINE)
    per_class = [
        {"name": name, "precision": float(precision) / 100, "recall": float(recall) / 100, "f1": float(f1) / 100}
        | {"support": int(support.replace(",", ""))}
        for name, precision, recall, f1, support in rows
    ]
    assert card == write_card(read_config(folder), n_parameters=310_635, per_class=per_class)
