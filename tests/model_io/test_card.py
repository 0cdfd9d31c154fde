"""The card of a model: its head for a hub, its table and how to make the model again."""

from dataclasses import replace

import pytest

from skconv.model_io.card import write_card

yaml = pytest.importorskip("yaml")

SCORES = {
    "test_accuracy": 0.9957,
    "test_low": 0.9942,
    "test_high": 0.9968,
    "test_n": 10_000,
    "test_nll": 0.0141,
    "test_brier": 0.0071,
    "test_ece": 0.0123,
}


def read_head(card):
    assert card.startswith("---\n")
    return yaml.safe_load(card.split("\n---\n")[0].removeprefix("---\n"))


def test_head_has_the_keys_that_a_hub_reads(make_config):
    config = make_config(scores=SCORES)
    head = read_head(write_card(replace(config, data=replace(config.data, scored_on="a test")), n_parameters=5))
    assert head["license"] == "cc-by-sa-3.0"
    assert (head["library_name"], head["pipeline_tag"]) == ("skconv", "image-classification")
    assert "image-classification" in head["tags"] and head["datasets"] == ["mnist"] and head["metrics"] == ["accuracy"]
    (model,) = head["model-index"]
    (result,) = model["results"]
    assert result["task"]["type"] == "image-classification"
    assert (result["dataset"]["name"], result["dataset"]["split"]) == ("mnist", "test")
    assert result["metrics"] == [{"type": "accuracy", "value": 0.9957, "name": "accuracy, a test"}]


def test_model_without_scores_has_no_results_in_its_head(make_config):
    head = read_head(write_card(make_config(scores={}), n_parameters=5))
    assert "model-index" not in head and "metrics" not in head


@pytest.mark.parametrize("name", ['a "b": c', "- x", "two\nlines", "---", "del\x7f", "# no", "{a: b}", "ключ 🌷"])
def test_any_name_is_one_value_of_the_head(name, make_config):
    config = make_config(scores=SCORES)
    card = write_card(replace(config, data=replace(config.data, name=name, licence=name)), n_parameters=5)
    head = read_head(card)
    expected = name.replace("\n", " ").replace("\x7f", " ")
    assert head["datasets"] == [expected]
    assert (head["license"], head["license_name"]) == ("other", expected)


def test_scores_beside_the_accuracy_are_told_as_what_they_are(make_config):
    lines = write_card(make_config(scores=SCORES), n_parameters=5).splitlines()
    assert "- test expected calibration error: 1.23 %" in lines
    assert "- test negative log likelihood: 0.0141" in lines
    assert "- test Brier score: 0.0071" in lines
    assert "Its confidences are not calibrated." in lines


def test_every_class_has_a_row_with_the_worst_first(make_config):
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
    assert "Each class" not in write_card(make_config(), n_parameters=5)


def test_command_stands_by_itself_to_be_copied(make_config):
    config = make_config()
    environment = {**config.environment, "command": "skconv train mnist"}
    lines = write_card(replace(config, environment=environment), n_parameters=5).splitlines()
    assert "    skconv train mnist" in lines
    assert not any(line.startswith("- command") for line in lines)
