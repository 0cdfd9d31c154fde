"""Runner of the code blocks of a page, in order, in a folder of small images."""

import contextlib
import io
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import typer.main

from skconv.cli.app import create_app
from skconv.cli.main import main

from ..server.conftest import run_server
from .blocks import ROOT, SCHEDULER, SHORTENED, Block, find_reason

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


class PageRunner:
    """Runs the blocks of a page in order, each once, in one folder."""

    def __init__(self, folder: Path, blocks: list[Block]) -> None:
        self.folder = folder
        self.blocks = blocks
        self.done: list[Block] = []
        self.servers = contextlib.ExitStack()
        self.address = ""
        self.namespace: dict[str, object] = {"__name__": "documentation"}  # of the Python blocks
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.scheduler = str(listening.getsockname()[1])  # replaces the port on the page

    def run_to(self, block: Block) -> None:
        """Run a block after all previous blocks of the page."""
        while block not in self.done:
            following = self.blocks[len(self.done)]
            with contextlib.chdir(self.folder):
                self.run(following)
            self.done.append(following)

    def run(self, block: Block) -> None:
        block = replace(block, text=block.text.replace(SCHEDULER, self.scheduler))
        if block.language == "python":
            run_python(block, self.namespace)
        else:
            for command in block.list_commands():
                self.run_command(command)

    def run_command(self, command: str) -> None:
        for words, shorter in SHORTENED.items():
            command = command.replace(words, shorter)
        command = re.sub(r"^(\w+=\S+ )+", "", command)  # environment variables of the command
        name, *arguments = shlex.split(command, comments=True)
        if find_reason(command):
            check_command(name, arguments)
        elif command.startswith("skconv serve"):
            self.serve(arguments[1:])
        elif name == "dask":
            self.servers.enter_context(run_beside([sys.executable, "-m", "dask", *arguments]))
        elif name == "skconv":
            run_skconv(arguments)
        elif name == "curl":
            self.send_request(arguments)
        else:
            raise AssertionError(f"No rule for {command}: add one to tests/documentation/blocks.py.")

    def serve(self, options: list[str]) -> None:
        """Start the service on a free port; it runs until the end of the page."""
        log = Path(f"serve-{len(list(self.folder.glob('serve-*')))}")
        log.mkdir()
        server = self.servers.enter_context(run_server(log, *options, "--port", "0"))
        self.address = self.address or server.url

    def send_request(self, arguments: list[str]) -> None:
        """Send a request to the service that the page started."""
        if shutil.which("curl") is None:
            pytest.skip("curl is not installed")
        there = [argument.replace("http://127.0.0.1:8000", self.address) for argument in arguments]
        response = subprocess.run(["curl", "--silent", "--fail", *there], capture_output=True, timeout=60, check=True)
        assert response.stdout.startswith(b"{")

    def end(self) -> None:
        self.servers.close()


@contextlib.contextmanager
def run_beside(command: list[str]) -> Iterator[None]:
    """Start a process that runs until the end of the page."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def run_skconv(arguments: list[str]) -> None:
    """Run a command of skconv in this process; it must succeed and print something."""
    target = None
    if ">" in arguments:
        target = arguments[arguments.index(">") + 1]
        arguments = arguments[: arguments.index(">")]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(arguments)
    assert code == 0, f"skconv {shlex.join(arguments)}: {err.getvalue()}"
    assert out.getvalue().strip()
    if target:
        Path(target).write_text(out.getvalue(), encoding="utf-8")


def run_python(block: Block, namespace: dict[str, object]) -> None:
    """Run a Python block in the namespace of the previous blocks of its page; it must print something."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile("\n" * (block.line - 1) + block.text, str(block.page), "exec"), namespace)
    assert printed.getvalue().strip()


def check_command(name: str, arguments: list[str]) -> None:
    """Parse a command that is not run."""
    if name == "make":
        dry = ["make", "--dry-run", f"PYTHON={sys.executable}", *arguments]
        result = subprocess.run(dry, cwd=ROOT, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
    elif name == "torchrun":
        _, command, *options = arguments[arguments.index("-m") + 1 :]
        typer.main.get_command(create_app()).commands[command].make_context(command, options)
    elif name == "skconv":
        command, *options = arguments
        typer.main.get_command(create_app()).commands[command].make_context(command, options)
    elif name == "pip":
        for extras in re.findall(r"\[(.+)\]", " ".join(arguments)):
            assert set(extras.split(",")) <= set(PYPROJECT["project"]["optional-dependencies"])
    else:
        assert (ROOT / arguments[0]).is_file()
