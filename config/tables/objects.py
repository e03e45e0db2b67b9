"""JSON and JSON lines: an object is a row, its names are columns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from config.tables.decoding import split_lines
from config.tables.sheets import as_text
from config.tables.table import EmptyFile, Problem, Row, Table, UnreadableFile, name_columns
from config.text import NAME, clean_line


def read(text: str, name: str) -> Table:
    """A list of objects. Raises UnreadableFile."""
    try:
        rows = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as e:
        raise UnreadableFile(f"{name} is not JSON: {clean_line(e)}.") from None
    return _table_of_objects(name, ((line, row) for line, row in enumerate(rows, 1)))


def read_lines(text: str, name: str) -> Table:
    """An object a line; one that is broken is a problem of its own line."""

    def objects() -> Iterator[tuple[int, Any]]:
        for line, row in enumerate(split_lines(text), 1):
            if not row.strip():
                continue
            try:
                yield line, json.loads(row, object_pairs_hook=_unique)
            except (ValueError, RecursionError) as e:
                yield line, f"not JSON: {clean_line(e)}"

    return _table_of_objects(name, objects())


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise ValueError("a name appears twice in one object")
    return unique


def _table_of_objects(name: str, objects: Iterator[tuple[int, Any]]) -> Table:
    table = Table(name, [])
    places: dict[str, int] = {}
    for line, row in objects:
        if not isinstance(row, dict):
            reason = row if isinstance(row, str) and "JSON" in row else "not an object {…}"
            table.problems.append(Problem(line, reason))
            continue
        for key in row:
            if key not in places:
                places[key] = len(places)
                table.columns = name_columns(list(places), name)
        cells = [""] * len(places)
        for key, value in row.items():
            cells[places[key]] = _cell(value)
        table.add(line, cells)
    if not table.rows and not table.problems:
        raise EmptyFile(name)
    width = len(table.columns)  # later rows may have brought more
    table.rows = [
        Row(row.line, [*row.cells, *[""] * (width - len(row.cells))]) for row in table.rows
    ]
    return table


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return " | ".join(_cell(each) for each in value)
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)[:NAME]
    return as_text(value)
