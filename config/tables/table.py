"""A table as every kind of file gives it: columns, rows, and what was left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from config.text import clean_line, unquote_cell

SIZE_LIMIT = 20 * 1024 * 1024
ROW_LIMIT = 100_000
COLUMN_LIMIT = 500
CELL_LIMIT = 100_000


class UnreadableFile(ValueError):
    """A file cannot be used; the text says why, to a person."""


class EmptyFile(UnreadableFile):
    """There is nothing in a file, or in a sheet of it."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is empty.")


class Row(NamedTuple):
    """One row: its line in the file, and its cells in the order of the columns."""

    line: int
    cells: Sequence[str]


class Problem(NamedTuple):
    """A row that was left out: its line in the file, and the reason."""

    line: int
    reason: str


@dataclass
class Table:
    """A file that was read: columns, rows, what was left out, and how it was read."""

    name: str
    columns: list[str]
    rows: list[Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, line: int, cells: Sequence[str]) -> None:
        """Keep a row, cut and checked against the header."""
        width = len(self.columns)
        if len(cells) > width and any(cells[width:]):
            self.problems.append(
                Problem(line, f"{len(cells)} cells where the header has {width}")
            )
        elif any(len(cell) > CELL_LIMIT for cell in cells):
            longest = max(len(cell) for cell in cells)
            reason = f"a cell of {longest:,} characters; {CELL_LIMIT:,} are allowed"
            self.problems.append(Problem(line, reason))
        elif any(cells):
            if len(self.rows) >= ROW_LIMIT:
                raise UnreadableFile(
                    f"{self.name} has more than {ROW_LIMIT:,} rows. Split it into several."
                )
            self.rows.append(Row(line, _fitted(cells, width)))


def _fitted(cells: Sequence[str], width: int) -> list[str]:
    fitted = [unquote_cell(cell) for cell in cells[:width]]
    fitted += [""] * (width - len(fitted))
    return fitted


def name_columns(cells: Sequence[Any], name: str) -> list[str]:
    """Column names: cleaned, unnamed ones numbered; raises for too many and for twins."""
    if len(cells) > COLUMN_LIMIT:
        raise UnreadableFile(f"{name} has {len(cells):,} columns; {COLUMN_LIMIT} are allowed.")
    columns = [clean_line(cell) or f"column {at}" for at, cell in enumerate(cells, 1)]
    while columns and columns[-1] == f"column {len(columns)}":
        columns.pop()
    seen: dict[str, int] = {}
    for at, column in enumerate(columns, 1):
        twin = seen.setdefault(column.casefold(), at)
        if twin != at:
            raise UnreadableFile(
                f"{name} has two columns “{column}”, the {_nth(twin)} and the {_nth(at)}. "
                "Rename one."
            )
    if sum("@" in column or "://" in column for column in columns) > len(columns) // 4:
        raise UnreadableFile(f"{name} begins with a row of values; it needs a header row.")
    return columns


def _nth(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10 if number % 100 // 10 != 1 else 0)
    return f"{number}{ending or 'th'}"
