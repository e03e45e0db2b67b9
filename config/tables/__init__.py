"""Rows from files that people bring: CSV, XLSX, JSON and JSON lines.

What cannot be read at all raises UnreadableFile with a sentence for a person; a row that cannot
be read becomes a Problem with its line, and the rows around it are read all the same.
"""

from config.tables.reading import check_size, load, read
from config.tables.table import (
    CELL_LIMIT,
    ROW_LIMIT,
    SIZE_LIMIT,
    Problem,
    Row,
    Table,
    UnreadableFile,
)

__all__ = [
    "CELL_LIMIT",
    "ROW_LIMIT",
    "SIZE_LIMIT",
    "Problem",
    "Row",
    "Table",
    "UnreadableFile",
    "check_size",
    "load",
    "read",
]
