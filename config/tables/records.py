"""Rows before the header gives them their columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from config.tables.table import EmptyFile, Table, name_columns
from config.text import clean_line


class Record(NamedTuple):
    """The cells of a row, and where it stands."""

    line: int  # of its beginning, 1 is the first
    lines: int  # how many it spans
    cells: list[str]


def begin(records: Iterator[Record], name: str, only_column: str) -> Table:
    """An empty table with the columns of the header, which is consumed. Raises UnreadableFile.

    ``only_column`` is the name of the column where there is one without a header.
    """
    filled = (record for record in records if any(cell.strip() for cell in record.cells))
    record = next(filled, None)
    if record is None:
        raise EmptyFile(name)
    names = [cell for cell in record.cells if cell.strip()]
    if only_column and len(names) == 1 and _is_value(names[0]):
        table = Table(name, [only_column])
        table.add(record.line, [names[0].strip()])
        return table
    notes = []
    if len(names) == 1 and len(record.cells) > 1:
        # “Our shows as of May,,,,” above the header.
        notes.append(f"Line {record.line} is a title and was left out.")
        record = next(filled, record)
    return Table(name, name_columns(record.cells, name), notes=notes)


def _is_value(cell: str) -> bool:
    return "@" in cell or "." in cell or "://" in cell


def is_header(cells: list[str], columns: list[str]) -> bool:
    """Whether a row repeats the header."""
    return (
        bool(cells)
        and cells[0].strip() == columns[0]
        and [clean_line(cell) for cell in cells if cell.strip()]
        == [column for column in columns if not column.startswith("column ")]
    )
