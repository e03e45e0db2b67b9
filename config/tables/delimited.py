"""CSV and its kin, with the broken quotes that people's files have."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator

from config.tables.decoding import split_lines
from config.tables.records import Record, begin, is_header
from config.tables.table import SIZE_LIMIT, Problem, Table, UnreadableFile

DELIMITERS = ",;\t"
# Each repair of a broken quote reads the rest of the file again.
REPAIR_LIMIT = 20


def read(text: str, name: str, only_column: str) -> Table:
    """A table separated by commas, semicolons or tabs. Raises UnreadableFile.

    ``only_column`` names the column of a bare list without a header.
    """
    # The limit is csv's and holds for the process; our own, below it, is per cell and told.
    csv.field_size_limit(SIZE_LIMIT + 1)
    lines = split_lines(text)
    given = re.fullmatch(r"sep=(.)\s*", lines[0], re.IGNORECASE)
    first = 1 if given else 0
    delimiter = given[1] if given else _delimiter(lines[:50])
    records = _records(lines, first, delimiter)
    table = begin(records, name, only_column)
    if delimiter != ",":
        table.notes.append(f"Separated by {'tab' if delimiter == chr(9) else delimiter}.")
    _fill(table, records, lines, delimiter)
    return table


def _records(lines: list[str], start: int, delimiter: str) -> Iterator[Record]:
    reader = csv.reader(lines[start:] if start else lines, delimiter=delimiter)
    before = 0
    for cells in reader:
        yield Record(start + before + 1, reader.line_num - before, cells)
        before = reader.line_num


def _delimiter(lines: list[str]) -> str:
    """The one that cuts the first lines into the most columns of the same number."""

    def weight(delimiter: str) -> int:
        widths = [len(cells) for cells in csv.reader(lines, delimiter=delimiter) if cells]
        width = widths[0] if widths else 1
        return (width - 1) * sum(each == width for each in widths)

    return max(DELIMITERS, key=weight)


def _fill(table: Table, records: Iterator[Record], lines: list[str], delimiter: str) -> None:
    """Read the rest; a quote that was never closed costs its own line, not all that follow."""
    repairs = 0
    record = next(records, None)
    while record is not None:
        if _swallowed(record, table, lines, delimiter):
            repairs += 1
            if repairs > REPAIR_LIMIT:
                raise UnreadableFile(
                    f"{table.name} has more than {REPAIR_LIMIT} quotes that are never closed, "
                    f"the last in line {record.line}. Export it again."
                )
            table.problems.append(Problem(record.line, "a quote is opened and never closed"))
            records = _records(lines, record.line, delimiter)
        elif is_header(record.cells, table.columns):
            table.problems.append(Problem(record.line, "repeats the header"))
        elif _is_cut_off(record, table, lines):
            table.problems.append(Problem(record.line, "the file ends in the middle of a row"))
        else:
            table.add(record.line, [cell.strip() for cell in record.cells])
        record = next(records, None)


def _swallowed(record: Record, table: Table, lines: list[str], delimiter: str) -> bool:
    """Whether a stray quote made several lines one row, or ran to the end of the file."""
    last = record.line + record.lines - 1
    if record.lines == 1 and (last != len(lines) or '"' not in lines[-1]):
        return False
    if record.lines > 1 and len(record.cells) != len(table.columns):
        return True
    own = lines[record.line - 1 : last]
    try:
        list(csv.reader(own, delimiter=delimiter, strict=True))
    except csv.Error as e:
        return record.lines > 1 or "end of data" in str(e)
    return False


def _is_cut_off(record: Record, table: Table, lines: list[str]) -> bool:
    last = record.line + record.lines - 1 == len(lines)
    return last and lines[-1][-1:] not in "\r\n" and 1 < len(record.cells) < len(table.columns)
