"""The blocks of code on the pages of the documentation, and how each is dealt with."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

# Blocks that only say something: a drawing, or what the site puts a piece of itself in place of.
TOLD = {"", "text", "toml", "{toctree}", "{eval-rst}", "{include}"}
RUN = {"bash", "sh", "python"}

# Commands that are checked up to the point of work, by their first words, and why they are not run.
PARSED = {
    "make": "would install the project and run its tests: make says what it would do",
    "pip install": "would change the environment that the tests run in: its extras are looked up",
    "torchrun": "trains in processes of their own, which see no small data: tests/cli/test_torchrun.py runs it",
    "python examples/": "run by tests/test_examples.py: the script is there",
}
# Settings of other programs: read by a parser, and the commands in them parsed.
READ = {"ini": "a unit for systemd, which tests do not install: read, and its command parsed"}

SCHEDULER = "8786"  # the port of a page's scheduler; a free one is taken

# What is put in place of an option to be quicker.
SHORTENED = {
    "--minutes 15": "--trials 2",
    "--fraction 0.1": "--fraction 0.5",
    "--folds 5": "--folds 2",
    "--seeds 3": "--seeds 2",
    "--seeds 5": "--seeds 2",
}


@dataclass(frozen=True)
class Block:
    """A fenced block: its page, the line of its first line, its language, its text."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    def list_commands(self) -> list[str]:
        """Return the commands of a block for a shell, continued lines joined, without comments."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]

    def find_reason(self) -> str:
        """Return why no command of the block is run; empty where one is."""
        if self.language in READ:
            return READ[self.language]
        if self.language == "python":
            return ""
        reasons = {find_reason(command) for command in self.list_commands()}
        return "" if "" in reasons else "; ".join(sorted(reasons))


def find_reason(command: str) -> str:
    """Return why a command is not run, or nothing where it is."""
    return next((why for words, why in PARSED.items() if command.startswith(words)), "")


def read_blocks(page: Path) -> list[Block]:
    """Return all blocks of a page, also those that only say something."""
    text = page.read_text(encoding="utf-8")
    found = re.finditer(r"^```([^\s`]*)[^\n]*\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    return [Block(page, text.count("\n", 0, match.start(2)) + 1, match[1], match[2]) for match in found]
