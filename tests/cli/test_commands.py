"""`skconv train`, `evaluate` and `predict`, end to end."""

import json
import signal
import subprocess
import sys
from functools import partial

import pytest
from PIL import Image

from skconv.cli.main import main


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    import skconv

    path = tmp_path_factory.mktemp("images") / "digit.png"
    Image.fromarray(skconv.load_dataset("digits").train_images[0]).save(path)
    return path


def test_train_prints_one_json_object_and_records_the_command(trained):
    folder, record, err = trained
    assert record["model"] == str(folder / "model")
    assert record["seeds"][0]["seed"] == 3
    assert "Traceback" not in err
    command = json.loads((folder / "scores.json").read_text())["command"]
    assert command.startswith("skconv train digits --recipe ") and command.endswith("--seed 3 --json")


@pytest.mark.usefixtures("no_figures")
def test_train_with_another_network_writes_it_into_the_recipe(tiny_recipe, tmp_path, capsys):
    arguments = ["train", "digits", "--recipe", str(tiny_recipe), "--network", "plain"]
    assert main([*arguments, "--out", str(tmp_path / "out"), "--device", "cpu"]) == 0
    printed = capsys.readouterr().out
    assert "Test accuracy" in printed and "95 % interval" in printed
    assert str(tmp_path / "out" / "model") in printed
    assert 'name = "plain"' in (tmp_path / "out" / "recipe.toml").read_text()
    assert json.loads((tmp_path / "out" / "model" / "config.json").read_text())["network"]["name"] == "plain"
    assert main(["recipes", str(tmp_path / "out" / "recipe.toml")]) == 0
    assert 'name = "plain"' in capsys.readouterr().out


@pytest.mark.usefixtures("no_figures")
def test_options_replace_settings_of_the_recipe(tiny_recipe, tmp_path, capsys):
    options = ["--epochs", "0.5", "--batch-size", "32", "--learning-rate", "0.02", "--set", "training.optimizer=adam"]
    run, again = tmp_path / "run", tmp_path / "again"
    assert main(["train", "digits", "--recipe", str(tiny_recipe), *options, "--out", str(run)]) == 0
    assert main(["train", "--recipe", str(run / "recipe.toml"), "--out", str(again)]) == 0
    weights = [(folder / "model" / "model.safetensors").read_bytes() for folder in (run, again)]
    assert weights[0] == weights[1]
    assert main(["train", "digits", "--set", "training.learning_rate=-1", "--out", str(tmp_path / "other")]) == 1
    assert "training.learning_rate must be a number above 0" in capsys.readouterr().err


def test_evaluate_scores_unseen_images_and_prints_json(trained, capsys):
    folder, _, _ = trained
    assert main(["evaluate", str(folder), "digits", "--json"]) == 0
    streams = capsys.readouterr()
    result = json.loads(streams.out)
    assert {"accuracy", "low", "high", "n", "model"} <= set(result)
    assert (result["n"], result["split"], streams.err) == (270, "unseen", "")


def test_evaluate_prints_a_table(trained, capsys):
    folder, _, _ = trained
    assert main(["evaluate", str(folder), "digits"]) == 0
    assert "precision" in capsys.readouterr().out


def test_predict_prints_label_and_confidence(trained, image, capsys):
    folder, _, _ = trained
    assert main(["predict", str(folder), str(image)]) == 0
    streams = capsys.readouterr()
    assert streams.out.startswith(f"{image}: ") and streams.out.rstrip().endswith(" %)")
    assert streams.err == ""


def test_predict_writes_a_csv_and_prints_json(trained, image, tmp_path, capsys):
    folder, _, _ = trained
    out = tmp_path / "predictions.csv"
    assert main(["predict", str(folder), str(image), str(image.parent), "--out", str(out), "--json"]) == 0
    predictions = json.loads(capsys.readouterr().out)["predictions"]
    assert [each["input"] for each in predictions] == [str(image)] * 2
    assert len(out.read_text().splitlines()) == 3


@pytest.mark.data
def test_data_home_is_searched(trained, data_home, tiny_recipe, tmp_path, capsys):
    folder, _, _ = trained
    assert main(["evaluate", str(folder), "fashion-mnist", "--data-home", str(data_home)]) == 1
    assert "28×28" in capsys.readouterr().err


def test_interrupted_training_is_130_and_writes_nothing(tiny_recipe, tmp_path, monkeypatch, capsys):
    """An interrupted fit ends without an error in skorch; the model must not be saved."""
    from skconv.training.net import ClassifierNet

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(ClassifierNet, "train_step", interrupt)
    arguments = ["train", "digits", "--recipe", str(tiny_recipe), "--out", str(tmp_path / "runs" / "out")]
    assert main(arguments) == 130
    streams = capsys.readouterr()
    assert streams.out == ""
    assert streams.err.endswith(f"To run it again: skconv {' '.join(arguments)}\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("no_figures")
def test_interrupted_training_in_the_default_folder_is_resumed_by_the_printed_command(
    tiny_recipe, tmp_path, monkeypatch, capsys
):
    from skconv.training.net import ClassifierNet

    monkeypatch.chdir(tmp_path)
    step, counts = ClassifierNet.train_step, []

    def interrupt(net, batch, **options):
        counts.append(1)
        if len(counts) == 20:
            signal.raise_signal(signal.SIGINT)
        return step(net, batch, **options)

    arguments = ["train", "digits", "--recipe", str(tiny_recipe), "--seed", "2"]
    with monkeypatch.context() as patch:
        patch.setattr(ClassifierNet, "train_step", interrupt)
        assert main(arguments) == 130
    printed = capsys.readouterr().err.splitlines()[-1].partition("To resume the run: ")[2]
    assert printed == f"skconv {' '.join(arguments)} --out runs/digits-tiny --resume"
    assert [each.name for each in (tmp_path / "runs").iterdir()] == ["digits-tiny.checkpoint"]
    assert main([*arguments, "--out", "elsewhere"]) == 0  # uninterrupted
    assert main(arguments) == 0  # another run does not overwrite the checkpoints
    printed_before = capsys.readouterr().err
    assert "runs/digits-tiny --resume" in printed_before and "Resumed" not in printed_before
    assert main(printed.split()[1:]) == 0
    assert "Resumed in epoch 1/2." in capsys.readouterr().err
    folders = (tmp_path / "elsewhere", tmp_path / "runs" / "digits-tiny")
    weights = [(folder / "model" / "model.safetensors").read_bytes() for folder in folders]
    assert weights[0] == weights[1]
    assert sorted(each.name for each in (tmp_path / "runs").iterdir()) == ["digits-tiny", "digits-tiny-2"]


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_signal_during_training_writes_no_run_folder(signal_number, tiny_recipe, tmp_path_factory):
    tmp_path = tmp_path_factory.mktemp("work")
    recipe = tmp_path_factory.mktemp("recipe") / "long.toml"
    text = tiny_recipe.read_text().replace("max_epochs = 2", "max_epochs = 100000")
    recipe.write_text(f"{text}\n[report]\nprint_epochs = true\n")
    command = [sys.executable, "-m", "skconv", "train", "digits", "--recipe", str(recipe)]
    # A background process of a shell ignores SIGINT, and its children inherit this.
    listen = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, preexec_fn=listen) as process:
        try:
            assert any(line.startswith("epoch") for line in process.stderr)
            assert (tmp_path / "runs" / "digits-long").exists()
            process.send_signal(signal_number)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()  # otherwise the end of the block waits forever
    assert process.returncode == 130, err
    assert err.splitlines()[-1].startswith("Interrupted.") and "Traceback" not in err
    assert [each for each in tmp_path.rglob("*") if each.parent.name == "runs" and each.suffix != ".checkpoint"] == []
