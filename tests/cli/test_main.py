"""Command line: exit codes, standard output and standard error."""

import json
import os
import signal
import subprocess
import sys
import time
import weakref
from importlib.metadata import entry_points

import pytest

from skconv.cli.main import main
from skconv.data.catalog.lookup import summarize_names


def run(*arguments, stdout=subprocess.PIPE):
    return subprocess.run(
        [sys.executable, "-m", "skconv", *arguments], stderr=subprocess.PIPE, text=True, timeout=60, stdout=stdout
    )


def fail_with(monkeypatch, error):
    """Make `skconv recipes` raise `error`."""

    def fail():
        raise error

    monkeypatch.setattr("skconv.recipes.list_recipes", fail)


def test_version_is_printed(capsys):
    import skconv

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"skconv {skconv.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-command"],
        ["train", "--no-such-option"],
        ["train", "digits", "--seeds", "0"],
        ["train", "digits", "--seeds", "-1"],
        ["train", "digits", "--seeds", "many"],
        ["train", "digits", "--seed", "-1"],
        ["train", "digits", "--device", "tpu"],
        ["train", "digits", "--image-size", "28x28x2"],
        ["train", "digits", "--image-size", "0x28"],
        ["train", "digits", "--epochs", "many"],
        ["train", "digits", "--threads", "0"],
        ["train", "digits", "--time-limit", "5x"],
        ["evaluate", "model-without-source"],
        ["predict", "model-without-input"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_exit_code_2(arguments, capsys):
    assert main(arguments) == 2
    streams = capsys.readouterr()
    assert streams.out == ""
    assert "Error: " in streams.err and "Traceback" not in streams.err


def test_interrupt_during_the_first_imports_is_exit_code_130(tmp_path):
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt")
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    command = [sys.executable, "-m", "skconv", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (130, "Interrupted.\n")


@pytest.mark.parametrize(("command", "key"), [("data", "datasets"), ("networks", "networks"), ("recipes", "recipes")])
def test_listing_command_lists_and_shows(command, key, capsys):
    assert main([command]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert main([command, "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)[key]
    assert [line.split()[0] for line in lines] == summarize_names([each["name"] for each in listed])
    for each in listed:
        assert main([command, each["name"], "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == each


def test_printed_recipe_can_be_loaded(tmp_path, capsys):
    from skconv.recipes import load_recipe

    assert main(["recipes", "fast"]) == 0
    (tmp_path / "mine.toml").write_text(capsys.readouterr().out)
    assert load_recipe(tmp_path / "mine.toml").training == load_recipe("fast").training


@pytest.mark.parametrize("command", ["data", "networks", "recipes"])
def test_unknown_name_lists_the_known_ones(command, capsys):
    assert main([command, "fas"]) == 1
    streams = capsys.readouterr()
    assert streams.out == ""
    assert streams.err.startswith("Error: Unknown ") and streams.err.count("\n") == 1
    assert "Available: " in streams.err


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            RuntimeError("tensor\nis  wrong"),
            "Error: Unexpected RuntimeError: tensor is wrong. Run it again with --debug",
        ),
        (AssertionError(), "Error: Unexpected AssertionError: no message. Run"),
        (MemoryError(), "Error: Out of memory. "),
        (PermissionError(13, "Permission denied", "a.csv"), "Error: [Errno 13] Permission denied: 'a.csv'"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_unexpected_error_is_one_line(error, expected, monkeypatch, capsys):
    fail_with(monkeypatch, error)
    assert main(["recipes"]) == 1
    streams = capsys.readouterr()
    assert streams.err.startswith(expected)
    assert streams.err.count("\n") == 1
    assert streams.out == ""


def test_debug_prints_the_traceback(monkeypatch, capsys):
    fail_with(monkeypatch, RuntimeError("wrong"))
    assert main(["recipes", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_interrupt_is_130_and_prints_the_command(monkeypatch, capsys):
    fail_with(monkeypatch, KeyboardInterrupt())
    assert main(["recipes", "--seed", "1"]) == 130
    streams = capsys.readouterr()
    assert streams.out == ""
    assert streams.err.count("\n") == 1
    assert streams.err.endswith("run it again: skconv recipes --seed 1\n")


def test_interrupt_between_seeds_prints_what_remains(tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"

    def interrupt(*_):
        (out / "seed-0").mkdir(parents=True)
        raise KeyboardInterrupt

    monkeypatch.setattr("skconv.commands.train.prepare_run", interrupt)
    assert main(["train", "digits", "--seeds", "2", "--out", str(out)]) == 130
    (line,) = capsys.readouterr().err.splitlines()
    assert f"finished results remain in {out}" in line
    assert line.endswith(f"remove that folder or choose another --out: skconv train digits --seeds 2 --out {out}")


def test_data_describes_a_data_set_line_by_line(capsys):
    assert main(["data", "mnist"]) == 0
    facts = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())
    assert facts["licence"] == "CC BY-SA 3.0"
    assert facts["class names"] == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9"
    assert facts["found in"].endswith("mnist")


def test_data_lists_the_places_searched_for_missing_data(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda *_: str(tmp_path / "cache"))
    monkeypatch.setenv("SKCONV_DATA", str(tmp_path / "home"))
    assert main(["data", "usps"]) == 0
    facts = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())
    assert facts["looked for in"].startswith(f"{tmp_path / 'home' / 'usps'}, {tmp_path / 'cache' / 'usps'}")
    assert facts["fetched from"] == "OpenML, data set USPS"


def test_data_lists_a_collection(capsys):
    assert main(["data", "medmnist"]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert len(names) == 11 and names[0] == "medmnist:bloodmnist"


def test_data_describes_a_copy_and_published_accuracies(tmp_path, capsys):
    (tmp_path / "cifar10.tar.gz").write_bytes(b"")
    assert main(["data", "cifar10", "--data-home", str(tmp_path)]) == 0
    facts = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())
    assert facts["found in"] == f"{tmp_path / 'cifar10.tar.gz'} (not in the published form)"
    assert "ResNet-20 91.25 %, ResNet-56 93.03 % (arXiv:1512.03385)" in facts["published test accuracies"]


def test_output_of_libraries_goes_to_standard_error(monkeypatch, capsys):
    def chatter():
        print("loading")
        return []

    monkeypatch.setattr("skconv.recipes.list_recipes", chatter)
    assert main(["recipes", "--json"]) == 0
    streams = capsys.readouterr()
    assert json.loads(streams.out) == {"recipes": []}
    assert streams.err == "loading\n"


def test_closed_pipe_is_quiet():
    reader, writer = os.pipe()
    os.close(reader)
    done = run("recipes", stdout=writer)
    os.close(writer)
    assert done.stderr == ""
    assert done.returncode == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="/dev/full is not there")  # noqa: PTH110
def test_full_disk_behind_standard_output_is_one_line():
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = run("recipes", stdout=full)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ") and done.stderr.count("\n") == 1


def test_installed_command_runs_the_module(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["skconv", "--version"])
    (script,) = entry_points(group="console_scripts", name="skconv")
    with pytest.raises(SystemExit) as left:
        script.load()()
    assert left.value.code == 0 and capsys.readouterr().out.startswith("skconv ")
    assert run("recipes").stdout.startswith("accurate ")


def test_interrupt_that_another_error_hides_is_an_interrupt(monkeypatch, capsys):
    def fail_to_import(*_):
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt as error:
            raise ImportError("initialization failed") from error

    monkeypatch.setattr("skconv.commands.train.prepare_run", fail_to_import)
    assert main(["train", "digits"]) == 130
    assert capsys.readouterr().err.startswith("Interrupted.")


def test_signal_in_a_callback_whose_exceptions_python_ignores_interrupts(monkeypatch, capsys):
    def receive(*_):
        item = {1}  # sets support weak references
        reference = weakref.ref(item, lambda _: signal.raise_signal(signal.SIGTERM))
        del item
        assert reference() is None
        for _ in range(1000):  # the command goes on
            time.sleep(0.01)

    hook = sys.unraisablehook
    monkeypatch.setattr("skconv.commands.train.prepare_run", receive)
    assert main(["train", "digits"]) == 130
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Interrupted.")
    assert sys.unraisablehook is hook
