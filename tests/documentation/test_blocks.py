"""Every command and Python block of the documentation is run, or parsed if it cannot be run."""

import pytest

from .blocks import NOT_RUN, PAGES, PARSED, ROOT, RUN, SHORTENED, read_blocks

ACTIVE = [block for page in PAGES for block in read_blocks(page) if block.language not in NOT_RUN]
# Pages that train; the blocks of a page depend on each other.
SLOW = {
    ROOT / "README.md",
    *(
        ROOT / "docs" / f"{name}.md"
        for name in ("index", "scale", "reliability", "custom-networks", "pretrained-networks", "tables")
    ),
}


def mark(block):
    return pytest.param(block, id=str(block), marks=[pytest.mark.slow] if block.page in SLOW else [])


@pytest.mark.parametrize("block", [mark(block) for block in ACTIVE])
def test_block_runs(block, get_runner, record_property):
    assert block.language in RUN, f"{block}: no rule for the language {block.language}"
    record_property("documentation", (str(block), block.find_reason()))
    get_runner(block.page).run_to(block)


def test_most_blocks_are_run():
    run = [block for block in ACTIVE if not block.find_reason()]
    assert len(run) >= 30 and len(run) >= 0.8 * len(ACTIVE)
    assert sum(block.language == "python" for block in run) >= 6


def test_every_exception_is_used():
    commands = [command for block in ACTIVE if block.language != "python" for command in block.list_commands()]
    assert [words for words in PARSED if not any(command.startswith(words) for command in commands)] == []
    assert [words for words in SHORTENED if not any(words in command for command in commands)] == []
