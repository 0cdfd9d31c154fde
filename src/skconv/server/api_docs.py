"""HTML page that documents the HTTP interface: the OpenAPI document, without scripts and files from other servers."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

_PAGE = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>{title}: HTTP interface</title>
  <link rel="stylesheet" href="docs/style.css">
</head>
<body>
<h1>{title} {version}: HTTP interface</h1>
<p>{description} <a href="openapi.json">OpenAPI document</a></p>
{sections}
</body>
</html>
"""
_EXAMPLES = {  # options of curl for a request body
    "image/png": "--data-binary @image.png -H 'Content-Type: image/png'",
    "application/zip": "--no-buffer --data-binary @images.zip -H 'Content-Type: application/zip'",
    "multipart/form-data": "-F image=@first.jpg -F image=@second.jpg",
}


def render_docs(document: dict[str, Any]) -> str:
    """Return the HTML page of an OpenAPI document: its operations with curl commands, and its schemas."""
    root_path = "".join(server["url"] for server in document.get("servers", ()))
    sections = [
        _render_operation(document, f"{root_path}{path}", method, operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
    sections += [_render_schema(*schema) for schema in document["components"]["schemas"].items()]
    info = document["info"]
    return _PAGE.format(
        title=escape(info["title"]),
        version=escape(info["version"]),
        description=escape(info["description"]),
        sections="\n".join(sections),
    )


def _render_operation(document: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> str:
    parts = [f"<h2><code>{method.upper()} {escape(path)}</code> {escape(operation['summary'])}</h2>"]
    if "description" in operation:
        parts.append(f"<p>{escape(operation['description'])}</p>")
    content = _resolve(document, operation.get("requestBody", {})).get("content", {})
    credentials = " -H 'Authorization: Bearer KEY'" if operation.get("security") else ""
    options = [f" {example}" for kind, example in _EXAMPLES.items() if kind in content] or [""]
    commands = [f"curl{credentials}{each} http://HOST{path}" for each in options]
    parts.append(f"<pre>{escape(chr(10).join(commands))}</pre>")
    if content:
        parts.append(f"<p>Request body: {', '.join(f'<code>{escape(kind)}</code>' for kind in content)}</p>")
    parameters = [_resolve(document, each) for each in operation.get("parameters", ())]
    if parameters:
        rows = ((f"<code>{escape(each['name'])}</code>", escape(each["description"])) for each in parameters)
        parts.append(_render_table(("parameter", "meaning"), rows))
    rows = (
        (escape(status), _describe_response(_resolve(document, response)))
        for status, response in operation["responses"].items()
    )
    parts.append(_render_table(("status", "response"), rows))
    return "\n".join(parts)


def _describe_response(response: dict[str, Any]) -> str:
    kinds = ", ".join(
        f"<code>{escape(kind)}</code> {_describe_type(content['schema'])}"
        for kind, content in response.get("content", {}).items()
    )
    return f"{escape(response['description'])} {kinds}"


def _render_schema(name: str, schema: dict[str, Any]) -> str:
    parts = [f'<h2 id="{escape(name)}">{escape(name)}</h2>', f"<p>{escape(schema.get('description', ''))}</p>"]
    if "properties" not in schema:
        return "\n".join([*parts, f"<p>{_describe_type(schema)}</p>"])
    rows = (
        (
            f"<code>{escape(key)}</code>" + ("" if key in schema.get("required", ()) else " (optional)"),
            _describe_type(each),
            escape(each.get("description", "")),
        )
        for key, each in schema["properties"].items()
    )
    return "\n".join([*parts, _render_table(("key", "type", "meaning"), rows)])


def _describe_type(schema: dict[str, Any]) -> str:
    """Return the type of a value as HTML, with a link for a schema of its own."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "items" in schema:
        return f"array of {_describe_type(schema['items'])}"
    if "anyOf" in schema:
        return " or ".join(map(_describe_type, schema["anyOf"]))
    kinds = schema["type"] if isinstance(schema.get("type"), list) else [schema.get("type", "any")]
    return escape(" or ".join(kinds))


def _render_table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table; the cells are HTML."""
    lines = ["".join(f"<th>{cell}</th>" for cell in header)]
    lines += ["".join(f"<td>{cell}</td>" for cell in row) for row in rows]
    return "<table>" + "\n".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def _resolve(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """Return the object that a reference refers to, or the object itself."""
    for key in node.get("$ref", "").split("/")[1:]:
        node = document = document[key]
    return node
