"""What every import shares: columns, cells, what became of the rows, and sets that fail."""

from config.imports.cells import Cells
from config.imports.columns import (
    Columns,
    Field,
    UnknownColumn,
    header_key,
    map_columns,
    need,
    parse_choices,
)
from config.imports.report import Report
from config.imports.sets import bring_in_parts, first_line, one_by_one, read_each

__all__ = [
    "Cells",
    "Columns",
    "Field",
    "Report",
    "UnknownColumn",
    "bring_in_parts",
    "first_line",
    "header_key",
    "map_columns",
    "need",
    "one_by_one",
    "parse_choices",
    "read_each",
]
