"""Results of commands as HTML for notebooks: a table of the values, and the written figures."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from html import escape
from pathlib import Path
from typing import Any

from skconv.text import format_duration, format_percent

_MAX_ROWS = 20
_MAX_FIGURES = 8
_MAX_FIGURE_BYTES = 2**21
_FRACTIONS = re.compile(r"accuracy|accuracies|confidence|^low$|^high$|share|fraction")
_PNG = re.compile(r"\S+\.png")


def render_result(result: Any) -> str:
    """Return a result record as HTML.

    Plain values are the rows of one table; a list of records is a separate table, with at most 20 rows. The figures are
    PNG files whose path, or the path of whose folder, is a field of the record.
    """
    record = {name: value for name, value in result.to_json().items() if value is not None}
    simple = {name: value for name, value in record.items() if not isinstance(value, list | tuple | dict)}
    parts = [_make_table([(_describe(name), _format(name, value)) for name, value in simple.items()])]
    for name, value in record.items():
        rows = list(value) if isinstance(value, list | tuple) else []
        if rows and all(isinstance(row, Mapping) for row in rows):
            parts.append(_make_list(name, rows))
    parts += [_embed(path) for path in find_figures(result)[:_MAX_FIGURES]]
    return "\n".join(part for part in parts if part)


def find_figures(result: Any) -> list[Path]:
    """Return the PNG files of a result."""
    found: list[Path] = []
    for each in fields(result):
        value = getattr(result, each.name)
        if not isinstance(value, str) or len(value) > 4096:
            continue
        if each.name == "folder" and value and Path(value).is_dir():
            found += sorted(Path(value).glob("*.png"))
        found += [path for path in map(Path, _PNG.findall(value)) if path.is_file()]
    return [path for path in dict.fromkeys(found) if path.stat().st_size <= _MAX_FIGURE_BYTES]


def _make_list(name: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Return records as a table with one row each."""
    columns = [
        key for key in dict.fromkeys(key for row in rows for key in row)
        if not any(isinstance(row.get(key), list | tuple | dict) for row in rows)
    ]  # fmt: skip
    body = [[_format(key, row.get(key)) for key in columns] for row in rows[:_MAX_ROWS]]
    more = f"<p>… and {len(rows) - _MAX_ROWS:,} more</p>" if len(rows) > _MAX_ROWS else ""
    return f"<h4>{escape(_describe(name))}</h4>{_make_table(body, [_describe(key) for key in columns])}{more}"


def _make_table(rows: Sequence[Sequence[str]], columns: Sequence[str] = ()) -> str:
    if not rows:
        return ""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table>{f'<thead><tr>{head}</tr></thead>' if head else ''}<tbody>{body}</tbody></table>"


def _embed(path: Path) -> str:
    content = base64.b64encode(path.read_bytes()).decode()
    name = escape(path.stem)
    return (
        f'<figure><img src="data:image/png;base64,{content}" alt="{name}" style="max-width: min(100%, 36em)"></figure>'
    )


def _describe(name: str) -> str:
    return name.removeprefix("n_").replace("_", " ")


def _format(name: str, value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        if name.endswith("seconds"):
            return format_duration(value)
        return format_percent(value) if _FRACTIONS.search(name) else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) and name != "seed" else str(value)
