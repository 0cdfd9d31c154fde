"""Code blocks of the documentation, and how each is tested."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

# Blocks that are not code to run: output, directives, configuration.
NOT_RUN = {"", "text", "toml", "{toctree}", "{eval-rst}", "{include}"}
RUN = {"bash", "sh", "python"}

DOWNLOADS = "downloads onnxruntime-web: tests/web_page/test_browser.py runs it"
# Commands that are parsed but not run, by their first words, with the reason.
PARSED = {
    "make": "would install the project and run its tests: a dry run",
    "pip install": "would change the environment that the tests run in: its extras are looked up",
    "skconv export runs/first --format web": DOWNLOADS,
    "skconv export runs/flowers --format web": DOWNLOADS,
    "torchrun": "trains in separate processes without the small data: tests/cli/test_torchrun.py runs it",
}

SCHEDULER = "8786"  # port of the scheduler on the page; replaced by a free one

# Options and their faster replacements.
SHORTENED = {
    "--folds 5": "--folds 2",
    "--seeds 3": "--seeds 2",
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
        """Return the commands of a shell block: continued lines joined, no comments."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]

    def find_reason(self) -> str:
        """Return why no command of the block is run; empty if one is run."""
        if self.language == "python":
            return ""
        reasons = {find_reason(command) for command in self.list_commands()}
        return "" if "" in reasons else "; ".join(sorted(reasons))


def find_reason(command: str) -> str:
    """Return why a command is not run; empty if it is run."""
    return next((why for words, why in PARSED.items() if command.startswith(words)), "")


def read_blocks(page: Path) -> list[Block]:
    """Return all blocks of a page."""
    text = page.read_text(encoding="utf-8")
    found = re.finditer(r"^```([^\s`]*)[^\n]*\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    return [Block(page, text.count("\n", 0, match.start(2)) + 1, match[1], match[2]) for match in found]
