"""Page of the HTTP interface."""

import re
from html.parser import HTMLParser

import pytest

from skconv.exceptions import ParameterError
from skconv.server.api_docs import render_docs
from skconv.server.app import load_openapi
from skconv.server.keys import ApiKey
from skconv.server.settings import ServerSettings


class Elements(HTMLParser):
    """Tags, their attributes, and the text of a page."""

    def __init__(self, page):
        super().__init__()
        self.found, self.text = [], ""
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data


def test_page_shows_every_operation_status_and_schema():
    document = load_openapi(ServerSettings())
    page = Elements(render_docs(document))
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert f"{method.upper()} {path}" in page.text and operation["summary"] in page.text
    anchors = {attributes["id"] for _, attributes in page.found if "id" in attributes}
    links = {attributes["href"] for tag, attributes in page.found if tag == "a"}
    assert anchors == set(document["components"]["schemas"])
    assert {link[1:] for link in links if link.startswith("#")} <= anchors
    assert "curl -F image=@first.jpg" in page.text


def test_page_needs_no_script_inline_style_or_other_server():
    page = render_docs(load_openapi(ServerSettings()))
    elements = Elements(page)
    assert not [tag for tag, attributes in elements.found if tag in ("script", "style") or "style" in attributes]
    assert not [each for each in re.findall(r'(?:src|href)="([^"]*)"', page) if "//" in each]


def test_page_escapes_the_document_and_shows_root_path_and_key():
    settings = ServerSettings(root_path="/a", keys=(ApiKey("lab", b""),))
    document = load_openapi(settings)
    document["info"]["title"] = "<script>"
    page = render_docs(document)
    assert "<script>" not in page
    assert "curl -H 'Authorization: Bearer KEY' -F" in Elements(page).text
    assert "http://HOST/a/v1/batch" in page


@pytest.mark.parametrize("root_path", ["models", "/models/", "//x", "/a b", "/v1", "/docs/x", "/é"])
def test_root_path_that_is_no_prefix_raises(root_path):
    with pytest.raises(ParameterError, match="root_path"):
        ServerSettings(root_path=root_path)
