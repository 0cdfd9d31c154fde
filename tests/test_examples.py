"""Scripts of examples/: each runs and reaches its accuracy."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
SCRIPTS = sorted(path.relative_to(EXAMPLES).with_suffix("").as_posix() for path in EXAMPLES.rglob("*.py"))

# Minimum of the last test accuracy that a script prints.
LEAST = {
    "01_train_and_predict": 0.95,
    "02_grid_search": 0.95,
    "03_random_search": 0.95,
    "05_save_and_load": 0.95,
    "08_augmentation": 0.7,
    "09_average_of_seeds": 0.94,
    "10_bagging": 0.94,
    "11_boosting": 0.9,
    "12_pipeline": 0.95,
    "13_skorch": 0.93,
    "14_kfold_ensemble": 0.93,
    "16_own_network": 0.95,
    "17_skorch_module": 0.9,
}


@pytest.fixture(scope="module")
def forks(tmp_path_factory):
    """Start a process that has imported the heavy packages; each script runs in a fork of it."""
    wandb = {"WANDB_MODE": "offline", "WANDB_CACHE_DIR": str(tmp_path_factory.mktemp("wandb"))}
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **wandb}
    launcher = [sys.executable, str(Path(__file__).with_name("fork_scripts.py"))]
    with subprocess.Popen(
        launcher, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env=environment
    ) as process:
        yield process
        process.stdin.close()
        assert process.wait(60) == 0


@pytest.fixture(scope="module")
def run(forks, tmp_path_factory):
    """Return a function that runs a script once in a new folder and returns the folder."""
    folders = {}

    def run(name):
        if name not in folders:
            folders[name] = folder = tmp_path_factory.mktemp(name.replace("/", "-"))
            forks.stdin.write(f"{EXAMPLES / name}.py\t{folder}\n")
            status = forks.stdout.readline()
            assert status == "0\n", (folder / "stderr.txt").read_text()
        return folders[name]

    return run


@pytest.fixture(scope="module")
def printed(run):
    """Return a function that runs a script once and returns its output."""
    return lambda name: (run(name) / "stdout.txt").read_text()


def numbers(pattern, text):
    return [float(number) for number in re.findall(pattern, text)]


@pytest.mark.slow  # each takes seconds, all together two minutes
@pytest.mark.parametrize("name", SCRIPTS)
def test_example_runs_without_a_warning(name, run):
    folder = run(name)
    assert (folder / "stdout.txt").read_text().strip()
    assert "Warning" not in (folder / "stderr.txt").read_text()


@pytest.mark.parametrize("name", LEAST)
def test_example_reaches_its_accuracy(name, printed):
    assert numbers(r"test accuracy.* (0\.\d{4}|1\.0000)", printed(name))[-1] >= LEAST[name]


def test_grid_search_scores_every_combination(printed):
    assert len(re.findall(r"^ +0\.\d+ +\d+ +\d\.\d{4}$", printed("02_grid_search"), flags=re.MULTILINE)) == 6


def test_random_search_draws_several_networks(printed):
    rows = printed("03_random_search").splitlines()[1:-1]
    accuracies = [float(row.split()[0]) for row in rows]
    assert accuracies == sorted(accuracies, reverse=True)
    assert len({row.split(maxsplit=3)[3] for row in rows}) >= 2


def test_cross_validation_gives_mean_and_spread_of_five_folds(printed):
    folds = numbers(r"fold \d: (\d\.\d+)", printed("04_cross_validation"))
    mean, spread = numbers(r"\d\.\d{4}", printed("04_cross_validation").splitlines()[-1])
    assert len(folds) == 5
    assert mean == pytest.approx(sum(folds) / 5, abs=1e-4) and mean > 0.95
    assert 0 < spread < 0.05


def test_saved_model_predicts_the_same_without_torch(printed):
    text = printed("05_save_and_load")
    assert "loaded classifier returns the same probabilities: yes" in text
    assert "torch imported: no" in text
    assert numbers(r"largest difference .*: (\S+)", text)[0] < 1e-4


def test_digits_and_a_number_of_own_images_are_read(printed):
    *digits, number = printed("15_own_images").splitlines()
    assert [line.split(": ")[1].split()[0] for line in digits] == ["0", "9"]
    assert number == "predicted 219933, true 219933"


def test_tensorboard_log_contains_loss_and_accuracy_of_every_epoch(run, printed):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run("06_tensorboard") / "runs" / "tensorboard"))
    events.Reload()
    for tag in ("loss/training", "loss/validation", "accuracy/training", "accuracy/validation"):
        assert [event.step for event in events.Scalars(tag)] == [1, 2, 3, 4, 5, 6]
    recorded = [event.value for event in events.Scalars("accuracy/validation")]
    assert recorded == pytest.approx(numbers(r"accuracy (\d\.\d+)", printed("06_tensorboard")), abs=1e-4)
    assert recorded[-1] > 0.95


def test_wandb_records_offline(run, printed):
    folder = run("07_wandb")
    (record,) = (folder / "runs" / "wandb").glob("offline-run-*/run-*.wandb")
    content = record.read_bytes()
    assert all(name in content for name in (b"train_loss", b"valid_loss", b"valid_acc", b"learning_rate"))
    assert numbers(r"valid_acc of the last epoch: (\d\.\d+)", printed("07_wandb"))[0] > 0.95


def test_augmentation_helps_and_a_flip_does_not(printed):
    none, rotation, translation, flip = numbers(r"test accuracy (\d\.\d+)", printed("08_augmentation"))
    assert translation > none and rotation > none
    assert flip < translation


@pytest.mark.parametrize(
    ("name", "single"),
    [
        ("09_average_of_seeds", r"seed \d: (\S+)"),
        ("10_bagging", r"member .* test accuracy (\S+)"),
        ("11_boosting", r"one network alone: (\S+)"),
        ("14_kfold_ensemble", r"member .* fold, (\S+) on the test split"),
    ],
)
def test_ensemble_is_better_than_its_members_on_average(name, single, printed):
    members = numbers(single, printed(name))
    together = numbers(r"test accuracy of .*: (\S+)", printed(name))[-1]
    assert together > sum(members) / len(members)


def test_skorch_stops_at_the_latest_after_ten_epochs(printed):
    assert 1 <= numbers(r"epochs: (\d+)", printed("13_skorch"))[0] <= 10
