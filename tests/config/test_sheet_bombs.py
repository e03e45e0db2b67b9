"""Sheets that are small as files and endless as tables."""

import io
import zipfile

import openpyxl
import pytest

from config import tables
from config.tables import UnreadableFile


def bomb(rows: bytes) -> bytes:
    """A real workbook whose sheet data is replaced."""
    book, source = io.BytesIO(), io.BytesIO()
    openpyxl.Workbook().save(source)
    with (
        zipfile.ZipFile(source) as old,
        zipfile.ZipFile(book, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for member in old.infolist():
            content = old.read(member)
            if member.filename == "xl/worksheets/sheet1.xml":
                head, _, tail = content.partition(b"<sheetData")
                tail = tail.partition(b">")[2].partition(b"</sheetData>")[2] or tail
                content = head + b"<sheetData>" + rows + b"</sheetData></worksheet>"
            new.writestr(member.filename, content)
    return book.getvalue()


@pytest.mark.req("SEC-28")
@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (b"<row/>" * 4_000_000, "rows"),
        (b'<row r="1048576"><c r="XFD1048576" t="n"><v>1</v></c></row>', "rows"),
        (b'<row r="1">' + b"<c/>" * 6_000_000 + b"</row>", "cells"),
    ],
)
def test_a_sheet_that_unfolds_to_no_end_is_refused_before_it_is_built(rows, told):
    with pytest.raises(UnreadableFile, match=f"more than .* {told}"):
        tables.read(bomb(rows), "bomb.xlsx")


def test_an_ordinary_sheet_is_read():
    book, file = openpyxl.Workbook(), io.BytesIO()
    for row in (["name", "email"], ["Ada", "ada@example.com"], ["Ben", "ben@example.com"]):
        book.active.append(row)
    book.save(file)
    table = tables.read(file.getvalue(), "people.xlsx")
    assert [row.cells for row in table.rows] == [
        ["Ada", "ada@example.com"],
        ["Ben", "ben@example.com"],
    ]
