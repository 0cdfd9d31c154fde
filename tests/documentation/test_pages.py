"""Links of the documents, and the completeness of the reference."""

import re
import tomllib

import pytest

import skconv
from skconv.cli.app import COMMANDS

from .blocks import PAGES, ROOT

# The pages of the site, and the other documents of the repository.
DOCUMENTS = [*PAGES, *sorted({*ROOT.glob("*.md")} - {*PAGES}), *sorted((ROOT / "benchmarks").glob("*.md"))]
GALLERY = ROOT / "docs" / "gallery"  # generated from examples/ by the build of the site
LINKS = [
    pytest.param(page, link, id=f"{page.relative_to(ROOT)}:{link}")
    for page in DOCUMENTS
    for link in sorted(set(re.findall(r"\]\((?!http)([^)]+)", page.read_text(encoding="utf-8"))))
]


def list_anchors(page):
    """Return the anchors of the headings of a page, as GitHub and the site derive them."""
    if page.name == "commands.md":  # the site adds the help of the commands
        return {f"skconv-{name.replace('_', '-')}" for name in COMMANDS}
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(("page", "link"), LINKS)
def test_link_has_a_target(page, link):
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if target.is_relative_to(GALLERY):
        source = ROOT / "examples" / target.relative_to(GALLERY)
        assert source.with_suffix(".py").exists() or (
            source.with_name("README.rst").exists() and source.stem == "index"
        )
    else:
        assert target.exists()
        assert not anchor or anchor in list_anchors(target)


def test_getting_started_lists_every_extra():
    page = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    table = re.search(r"\| extra \| adds \|\n(.*?)\n\n", page, flags=re.DOTALL)
    extras = set(re.findall(r"^\| `([a-z]+)`", table[1], flags=re.MULTILINE))
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(pyproject["project"]["optional-dependencies"]) - extras == {"dev", "docs"}


def test_reference_lists_every_public_name():
    page = (ROOT / "docs" / "reference" / "index.md").read_text(encoding="utf-8")
    listed = re.findall(r"^   ([\w.]+)$", page, flags=re.MULTILINE)
    assert set(skconv.__all__) - set(listed) == set()
