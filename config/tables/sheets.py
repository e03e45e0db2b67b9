"""XLSX: the cells of a sheet as a person sees them."""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Any
from xml.etree.ElementTree import ParseError

import openpyxl
from openpyxl.utils.datetime import from_ISO8601
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet import _reader

from config.tables.records import Record, begin, is_header
from config.tables.table import (
    COLUMN_LIMIT,
    ROW_LIMIT,
    SIZE_LIMIT,
    EmptyFile,
    Problem,
    Table,
    UnreadableFile,
)
from config.text import clean_line


def _moment_or_text(value: str) -> Any:
    """A date cell's value; its text where it is no date, so that only its row is refused."""
    try:
        return from_ISO8601(value)
    except ValueError:
        return value


# The library would give the whole file up for one such cell.
_reader.from_ISO8601 = _moment_or_text

# An XLSX is a zip: this is what it may unfold to.
UNFOLDED_LIMIT = 15 * SIZE_LIMIT
CELL_LIMIT = 5_000_000
# What the library raises for files that are broken in one way or another.
_BROKEN = (
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
)


def read(content: bytes, name: str) -> Table:
    """The first visible sheet that is not empty. Raises UnreadableFile."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _check_size(archive, name)
        with warnings.catch_warnings():
            # It tells of every feature of the sheet that it leaves out; we want values only.
            warnings.simplefilter("ignore")
            return _read_sheets(content, name)
    except UnreadableFile:
        raise
    except _BROKEN as e:
        raise UnreadableFile(f"{name} is not a whole XLSX file: {clean_line(e)}.") from e


def _check_size(archive: zipfile.ZipFile, name: str) -> None:
    """Refuse what unfolds to more than a table, before the library builds any of it."""
    unfolded = sum(member.file_size for member in archive.infolist())
    if unfolded > UNFOLDED_LIMIT:
        raise UnreadableFile(
            f"{name} unfolds to {unfolded / 1024**2:,.0f} MB; "
            f"{UNFOLDED_LIMIT // 1024**2} MB are allowed."
        )
    for member in archive.infolist():
        if not member.filename.startswith("xl/worksheets/"):
            continue
        rows, cells = _counted(archive, member)
        if rows > 2 * ROW_LIMIT:
            raise UnreadableFile(f"{name} has more than {ROW_LIMIT:,} rows.")
        if cells > CELL_LIMIT:
            raise UnreadableFile(f"{name} has more than {CELL_LIMIT:,} cells.")


def _counted(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> tuple[int, int]:
    """How many rows a sheet has, or claims by its highest number, and how many cells."""
    rows = highest = cells = 0
    rest = b""
    with archive.open(member) as file:
        while chunk := file.read(1024**2):
            # a tag that the chunk cuts in two is looked at with the next one
            whole, _, rest = (rest + chunk).rpartition(b"<")
            rest = b"<" + rest
            rows += len(_ROW.findall(whole))
            cells += len(_CELL.findall(whole))
            highest = max([highest, *(int(n) for n in _ROW_NUMBER.findall(whole))])
    return max(rows, highest), cells


_ROW = re.compile(rb"<row[\s/>]")
_CELL = re.compile(rb"<c[\s/>]")
_ROW_NUMBER = re.compile(rb"<row[^<>]{0,200}?\sr=\"(\d{1,10})\"")


def _read_sheets(content: bytes, name: str) -> Table:
    book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    try:
        sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
        for sheet in sheets:
            sheet.reset_dimensions()  # what the file claims of its size may be wrong
            records = _sheet_records(sheet, name)
            try:
                table = begin(records, name, "")
            except EmptyFile:
                continue
            if len(sheets) > 1:
                table.notes.append(f"Read the sheet “{clean_line(sheet.title)}” only.")
            for record in records:
                if is_header(record.cells, table.columns):
                    table.problems.append(Problem(record.line, "repeats the header"))
                else:
                    table.add(record.line, record.cells)
            return table
    finally:
        book.close()
    raise EmptyFile(name)


def _sheet_records(sheet: Any, name: str) -> Iterator[Record]:
    rows = sheet.iter_rows(values_only=True, max_col=COLUMN_LIMIT + 1)
    for line, values in enumerate(rows, 1):
        cells = [as_text(value) for value in values]
        while cells and not cells[-1]:
            cells.pop()
        if len(cells) > COLUMN_LIMIT:
            raise UnreadableFile(f"{name} has more than {COLUMN_LIMIT} columns.")
        if line > 2 * ROW_LIMIT:
            raise UnreadableFile(f"{name} has more than {ROW_LIMIT:,} rows.")
        yield Record(line, 1, cells)


def as_text(value: Any) -> str:
    """A value as the text a person sees in the sheet; "" for an error."""
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
