"""Rows on their way in: one that cannot be read or stored leaves the others alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from django.db import DatabaseError, transaction

from config.imports.cells import Cells
from config.imports.columns import Columns
from config.imports.report import Report
from config.tables import Row
from config.text import clean_line
from config.values import ValueUnclear

T = TypeVar("T")


class OfLine(Protocol):
    """What was read from a line of a file."""

    line: int


Found = TypeVar("Found", bound=OfLine)


def read_each(
    rows: Iterable[Row], columns: Columns, report: Report, read: Callable[[Cells], T]
) -> Iterator[T]:
    """What ``read`` makes of each row. One for which it raises ValueUnclear is refused."""
    for row in rows:
        cells = columns.of(row)
        try:
            found = read(cells)
        except ValueUnclear as e:
            report.refuse(row.line, str(e).rstrip("."))
        else:
            yield found
        for warning in cells.warnings:
            report.warn(row.line, warning)


def one_by_one(some: Sequence[T]) -> list[list[T]]:
    """Each by itself."""
    return [[each] for each in some]


def bring_in_parts(
    some: Sequence[Found],
    bring: Callable[[Sequence[Found]], Any],
    report: Report,
    *,
    parts: Callable[[Sequence[Found]], Sequence[Sequence[Found]]] = one_by_one,
) -> None:
    """Bring a set in, within a savepoint; what the database refuses is tried again in parts.

    What it refuses even as a part that has no parts is left out, and the report says why; what
    was told of an attempt that failed is forgotten.
    """
    mark = report.mark()
    try:
        with transaction.atomic():
            bring(some)
    except DatabaseError as e:
        report.back_to(mark)
        smaller = parts(some)
        if len(smaller) > 1:
            for part in smaller:
                bring_in_parts(part, bring, report, parts=parts)
            return
        for each in some:
            report.refuse(each.line, f"the database refused it: {first_line(e)}")


def first_line(error: Exception) -> str:
    """What went wrong, without the row's values, which the next line would show."""
    return clean_line(str(error).partition("\n")[0])
