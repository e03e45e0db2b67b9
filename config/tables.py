"""Rows from files that people bring: CSV, XLSX, JSON and JSON lines.

What cannot be read at all raises UnreadableFile with a sentence for a person; a row that cannot
be read becomes a Problem with its line, and the rows around it are read all the same.
"""

from __future__ import annotations

import csv
import io
import json
import re
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from xml.etree.ElementTree import ParseError

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from config.text import NAME, clean_line, unquote_cell

SIZE_LIMIT = 20 * 1024 * 1024
ROW_LIMIT = 100_000
COLUMN_LIMIT = 500
CELL_LIMIT = 100_000
# An XLSX is a zip: this is what it may unfold to.
UNFOLDED_LIMIT = 15 * SIZE_LIMIT
DELIMITERS = ",;\t"
# Each repair of a broken quote reads the rest of the file again.
REPAIR_LIMIT = 20

T = TypeVar("T")


class UnreadableFile(ValueError):
    """A file cannot be used; the text says why, to a person."""


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


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """``items`` in lists of ``size``; the last one may be shorter."""
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some


def load(path: str | Path) -> bytes:
    """The bytes of a file of at most 20 MB (SEC-28); raises UnreadableFile."""
    path = Path(path)
    try:
        size = path.stat().st_size
        check_size(path.name, size)
        return path.read_bytes()
    except FileNotFoundError:
        raise UnreadableFile(f"There is no file {path}.") from None
    except IsADirectoryError:
        raise UnreadableFile(f"{path} is a folder; name one file.") from None
    except OSError as e:
        raise UnreadableFile(f"{path} cannot be read: {e.strerror}.") from None


def check_size(name: str, size: int) -> None:
    """Raises UnreadableFile for more than 20 MB or nothing at all."""
    if size > SIZE_LIMIT:
        raise UnreadableFile(
            f"{name} has {size / 1024**2:.0f} MB; {SIZE_LIMIT // 1024**2} MB are allowed. "
            "Split it into several files."
        )
    if size == 0:
        raise UnreadableFile(f"{name} is empty.")


def read(content: bytes, name: str, *, only_column: str = "") -> Table:
    """The table in ``content``; ``name`` is its file's name, for messages.

    ``only_column`` names the column of a file that is a bare list without a header. Raises
    UnreadableFile.
    """
    name = Path(name).name
    check_size(name, len(content))
    if content.startswith(b"PK\x03\x04"):
        return _read_xlsx(content, name)
    if content.startswith(b"\xd0\xcf\x11\xe0"):
        raise UnreadableFile(f"{name} is an old Excel file. Save it as XLSX or CSV.")
    text, note = _decode(content, name)
    start = text.lstrip()[:1]
    if start == "<":
        raise UnreadableFile(f"{name} is XML or HTML, not a table.")
    if start == "[" and name.lower().endswith((".json", ".jsonl", ".ndjson")):
        table = _read_json(text, name)
    elif start == "{":
        table = _read_json_lines(text, name)
    else:
        table = _read_csv(text, name, only_column)
    table.notes[:0] = [note] if note else []
    return table


# Text


def _decode(content: bytes, name: str) -> tuple[str, str]:
    """The text, and a note where its encoding had to be guessed."""
    for mark, encoding in (
        (b"\xef\xbb\xbf", "utf-8-sig"),
        (b"\xff\xfe\x00\x00", "utf-32"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if content.startswith(mark):
            return content.decode(encoding, errors="replace"), ""
    if wide := _utf16_without_mark(content):
        return content.decode(wide, errors="replace"), "Read as UTF-16."
    try:
        text, note = content.decode("utf-8"), ""
    except UnicodeDecodeError:
        text, note = _decode_other(content, name)
    controls = sum(text.count(chr(code)) for code in range(32) if code not in (9, 10, 13))
    if controls > max(8, len(text) // 20):
        raise UnreadableFile(f"{name} is not a text file, an XLSX or a feed.")
    return text, note


def _utf16_without_mark(content: bytes) -> str:
    """utf-16-le or -be where every other byte of the beginning is NUL, as in Western text."""
    start = content[:1_000]
    half = max(1, len(start) // 2)
    if start[1::2].count(0) > 0.7 * half and start[::2].count(0) < 0.1 * half:
        return "utf-16-le"
    if start[::2].count(0) > 0.7 * half and start[1::2].count(0) < 0.1 * half:
        return "utf-16-be"
    return ""


def _decode_other(content: bytes, name: str) -> tuple[str, str]:
    """What is almost UTF-8 stays so, with its broken characters replaced; else Windows-1252."""
    text = content.decode("utf-8", errors="replace")
    broken = text.count("\ufffd")
    if len(text.encode("ascii", errors="ignore")) + 10 * broken < len(text):
        return text, f"{broken} characters are no UTF-8 and were replaced."
    try:
        return content.decode("cp1252"), "Read as Windows-1252."
    except UnicodeDecodeError:
        raise UnreadableFile(
            f"{name} is neither UTF-8, UTF-16 nor Windows-1252. Save it as UTF-8."
        ) from None


# CSV


def _read_csv(text: str, name: str, only_column: str) -> Table:
    # The limit is csv's and holds for the process; our own, below it, is per cell and told.
    csv.field_size_limit(SIZE_LIMIT + 1)
    lines = _lines(text)
    given = re.fullmatch(r"sep=(.)\s*", lines[0], re.IGNORECASE)
    first = 1 if given else 0
    delimiter = given[1] if given else _delimiter(lines[:50])
    records = _records(lines, first, delimiter)
    table = _header(records, name, only_column)
    if delimiter != ",":
        table.notes.append(f"Separated by {'tab' if delimiter == chr(9) else delimiter}.")
    _fill(table, records, lines, delimiter)
    return table


def _lines(text: str) -> list[str]:
    """Split at line ends only; ``splitlines`` also splits at form feeds and U+2028."""
    return re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$", text)


class _Record(NamedTuple):
    line: int  # of its beginning, 1 is the first
    lines: int  # how many it spans
    cells: list[str]


def _records(lines: list[str], start: int, delimiter: str) -> Iterator[_Record]:
    reader = csv.reader(lines[start:] if start else lines, delimiter=delimiter)
    before = 0
    for cells in reader:
        yield _Record(start + before + 1, reader.line_num - before, cells)
        before = reader.line_num


def _delimiter(lines: list[str]) -> str:
    """The one that cuts the first lines into the most columns of the same number."""

    def weight(delimiter: str) -> int:
        widths = [len(cells) for cells in csv.reader(lines, delimiter=delimiter) if cells]
        width = widths[0] if widths else 1
        return (width - 1) * sum(each == width for each in widths)

    return max(DELIMITERS, key=weight)


def _header(records: Iterator[_Record], name: str, only_column: str) -> Table:
    filled = (record for record in records if any(cell.strip() for cell in record.cells))
    record = next(filled, None)
    if record is None:
        raise UnreadableFile(f"{name} is empty.")
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
    return Table(name, _columns(record.cells, name), notes=notes)


def _is_value(cell: str) -> bool:
    return "@" in cell or "." in cell or "://" in cell


def _columns(cells: Sequence[Any], name: str) -> list[str]:
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


def _fill(table: Table, records: Iterator[_Record], lines: list[str], delimiter: str) -> None:
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
        elif _is_header(record.cells, table.columns):
            table.problems.append(Problem(record.line, "repeats the header"))
        elif _is_cut_off(record, table, lines):
            table.problems.append(Problem(record.line, "the file ends in the middle of a row"))
        else:
            table.add(record.line, [cell.strip() for cell in record.cells])
        record = next(records, None)


def _swallowed(record: _Record, table: Table, lines: list[str], delimiter: str) -> bool:
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


def _is_header(cells: list[str], columns: list[str]) -> bool:
    return (
        bool(cells)
        and cells[0].strip() == columns[0]
        and [clean_line(cell) for cell in cells if cell.strip()]
        == [column for column in columns if not column.startswith("column ")]
    )


def _is_cut_off(record: _Record, table: Table, lines: list[str]) -> bool:
    last = record.line + record.lines - 1 == len(lines)
    return last and lines[-1][-1:] not in "\r\n" and 1 < len(record.cells) < len(table.columns)


# XLSX


def _read_xlsx(content: bytes, name: str) -> Table:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unfolded = sum(member.file_size for member in archive.infolist())
        if unfolded > UNFOLDED_LIMIT:
            raise UnreadableFile(
                f"{name} unfolds to {unfolded / 1024**2:,.0f} MB; "
                f"{UNFOLDED_LIMIT // 1024**2} MB are allowed."
            )
        with warnings.catch_warnings():
            # It tells of every feature of the sheet that it leaves out; we want values only.
            warnings.simplefilter("ignore")
            return _read_sheets(content, name)
    except (
        zipfile.BadZipFile,
        InvalidFileException,
        ParseError,
        KeyError,
        ValueError,
        IndexError,
        TypeError,
        AttributeError,
        OSError,
        EOFError,
        NotImplementedError,
        RecursionError,
    ) as e:
        if isinstance(e, UnreadableFile):
            raise
        raise UnreadableFile(f"{name} is not a whole XLSX file: {clean_line(e)}.") from e


def _read_sheets(content: bytes, name: str) -> Table:
    book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    try:
        sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
        for sheet in sheets:
            sheet.reset_dimensions()  # what the file claims of its size may be wrong
            records = _sheet_records(sheet, name)
            try:
                table = _header(records, name, "")
            except UnreadableFile as e:
                if "is empty" in str(e):
                    continue
                raise
            if len(sheets) > 1:
                table.notes.append(f"Read the sheet “{clean_line(sheet.title)}” only.")
            for record in records:
                if _is_header(record.cells, table.columns):
                    table.problems.append(Problem(record.line, "repeats the header"))
                else:
                    table.add(record.line, record.cells)
            return table
    finally:
        book.close()
    raise UnreadableFile(f"{name} is empty.")


def _sheet_records(sheet: Any, name: str) -> Iterator[_Record]:
    rows = sheet.iter_rows(values_only=True, max_col=COLUMN_LIMIT + 1)
    for line, values in enumerate(rows, 1):
        cells = [_cell(value) for value in values]
        while cells and not cells[-1]:
            cells.pop()
        if len(cells) > COLUMN_LIMIT:
            raise UnreadableFile(f"{name} has more than {COLUMN_LIMIT} columns.")
        if line > 2 * ROW_LIMIT:
            raise UnreadableFile(f"{name} has more than {ROW_LIMIT:,} rows.")
        yield _Record(line, 1, cells)


def _cell(value: Any) -> str:
    """A value as the text a person sees in the sheet."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        case datetime() if value.time() == time():
            return value.date().isoformat()
        case datetime() | date() | time():
            return value.isoformat()
        case str() if value.startswith("#") and value.rstrip("!?") in _SHEET_ERRORS:
            return ""
    return str(value).strip()


_SHEET_ERRORS = {"#N/A", "#REF", "#NAME", "#VALUE", "#DIV/0", "#NULL", "#NUM"}


# JSON


def _read_json(text: str, name: str) -> Table:
    try:
        rows = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as e:
        raise UnreadableFile(f"{name} is not JSON: {clean_line(e)}.") from None
    return _table_of_objects(name, ((line, row) for line, row in enumerate(rows, 1)))


def _read_json_lines(text: str, name: str) -> Table:
    def objects() -> Iterator[tuple[int, Any]]:
        for line, row in enumerate(_lines(text), 1):
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
                table.columns = _columns(list(places), name)
        cells = [""] * len(places)
        for key, value in row.items():
            cells[places[key]] = _json_cell(value)
        table.add(line, cells)
    if not table.rows and not table.problems:
        raise UnreadableFile(f"{name} is empty.")
    width = len(table.columns)  # later rows may have brought more
    table.rows = [
        Row(row.line, [*row.cells, *[""] * (width - len(row.cells))]) for row in table.rows
    ]
    return table


def _json_cell(value: Any) -> str:
    if isinstance(value, list):
        return " | ".join(_json_cell(each) for each in value)
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)[:NAME]
    return _cell(value)
