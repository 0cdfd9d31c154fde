"""Links of the documentation, and the completeness of the reference."""

import re

import pytest

import skconv

from .blocks import PAGES, ROOT

LINKS = [
    pytest.param(page, link, id=f"{page.relative_to(ROOT)}:{link}")
    for page in PAGES
    for link in sorted(set(re.findall(r"\]\((?!http)([^)#]+)", page.read_text(encoding="utf-8"))))
]


@pytest.mark.parametrize(("page", "link"), LINKS)
def test_link_has_a_target(page, link):
    target = (page.parent / link).resolve()
    gallery = ROOT / "docs" / "gallery"  # generated from examples/ by the build of the site
    if target.is_relative_to(gallery):
        source = ROOT / "examples" / target.relative_to(gallery)
        assert source.with_suffix(".py").exists() or (
            source.with_name("README.rst").exists() and source.stem == "index"
        )
    else:
        assert target.exists()


def test_reference_lists_every_public_name():
    page = (ROOT / "docs" / "reference" / "index.md").read_text(encoding="utf-8")
    listed = re.findall(r"^   ([\w.]+)$", page, flags=re.MULTILINE)
    assert set(skconv.__all__) - set(listed) == set()
