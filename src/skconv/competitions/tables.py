"""Headers and ids of the tables of a competition's folder."""

from __future__ import annotations

from pathlib import Path

from skconv.data.tables.text import Table, read_table
from skconv.exceptions import DataError


def find_label(sample: Path, table: Table) -> str | None:
    """Return the label header of a sample submission if it is also a header of the table of training images."""
    header = read_table(sample).split_header().header or [] if sample.is_file() else []
    return header[1] if len(header) == 2 and header[1] in (table.split_header().header or []) else None


def read_header(table: Path, ids: list[str]) -> tuple[str, str]:
    """Return the header of a submission from that of a table of test images; the label is "label" if it has no name."""
    rows = read_table(table).split_header()
    headers = rows.header or []
    if len(headers) <= 2:
        return read_ids(table)[0]
    return next(header for column, header in enumerate(headers) if rows.column(column) == ids), "label"


def read_ids(table: Path) -> tuple[tuple[str, str], list[str]]:
    """Return the header and the ids, the first column, of a table with one or two columns."""
    rows = read_table(table).split_header()
    header = rows.header or []
    if len(header) not in (1, 2):
        raise DataError(f"{table} has {len(header)} columns; expected an id and at most a label. Correct the file.")
    if not rows.rows:
        raise DataError(f"{table} has a header but no rows; expected one id per line. Download the file again.")
    ids: dict[str, None] = {}
    for row, name in enumerate(rows.column(0)):
        if name in ids or not name:
            problem = f"duplicate id '{name}'" if name else "the id is missing"
            raise DataError(f"{rows.locate(row)}: {problem}. Correct or delete the line.")
        ids[name] = None
    return (header[0], header[1] if len(header) > 1 else "label"), list(ids)
