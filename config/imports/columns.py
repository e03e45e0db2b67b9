"""Which column of a file means what."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from config.imports.cells import Cells
from config.tables import Row, Table, UnreadableFile


class Field(NamedTuple):
    """Something an import understands, and the headers people give it."""

    name: str
    about: str
    synonyms: Sequence[str] = ()


class UnknownColumn(UnreadableFile):
    """A mapping names a field or a column that does not exist."""


@dataclass
class Columns:
    """Which column holds which field."""

    by_field: dict[str, str]
    places: dict[str, int]
    ignored: list[str]

    def of(self, row: Row) -> Cells:
        """The filled fields of one row."""
        filled = {name: row.cells[at] for name, at in self.places.items() if row.cells[at]}
        return Cells(row.line, filled)


def header_key(header: str) -> str:
    """``Contact E-Mail`` as ``contact_e_mail``."""
    return re.sub(r"[^\w]+|_+", "_", header.casefold()).strip("_")


def map_columns(
    table: Table, fields: Iterable[Field], chosen: Mapping[str, str] | None = None
) -> Columns:
    """Guess the column of each field from its header; ``chosen`` (field to column) wins.

    An empty choice leaves a field out. Raises UnknownColumn for names that do not exist.
    """
    fields = list(fields)
    chosen = dict(chosen or {})
    by_key = {header_key(column): column for column in table.columns}
    by_field = _check(chosen, table, fields, by_key)
    taken = set(by_field.values())
    for each in fields:
        if each.name in chosen:
            continue
        keys = (header_key(word) for word in (each.name, *each.synonyms))
        column = next((by_key[key] for key in keys if key in by_key), None)
        if column and column not in taken:
            by_field[each.name] = column
            taken.add(column)
    places = {name: table.columns.index(column) for name, column in by_field.items()}
    ignored = [column for column in table.columns if column not in taken]
    order = [each.name for each in fields if each.name in by_field]
    return Columns({name: by_field[name] for name in order}, places, ignored)


def _check(
    chosen: Mapping[str, str], table: Table, fields: list[Field], by_key: Mapping[str, str]
) -> dict[str, str]:
    known = [each.name for each in fields]
    by_field = {}
    for name, column in chosen.items():
        if name not in known:
            raise UnknownColumn(f"There is no field “{name}”. Known are {', '.join(known)}.")
        if column and column not in table.columns and header_key(column) not in by_key:
            raise UnknownColumn(
                f"{table.name} has no column “{column}”. It has {', '.join(table.columns)}."
            )
        if column:
            by_field[name] = column if column in table.columns else by_key[header_key(column)]
    return by_field


def parse_choices(options: Iterable[str]) -> dict[str, str]:
    """``["email=Host Mail"]`` as ``{"email": "Host Mail"}``; raises UnknownColumn."""
    chosen = {}
    for option in options:
        name, equals, column = option.partition("=")
        if not equals:
            raise UnknownColumn(f"“{option}” is not field=column.")
        chosen[name.strip()] = column.strip()
    return chosen


def need(columns: Columns, table: Table, *names: str) -> None:
    """Raises UnreadableFile unless one of the fields has a column."""
    if not any(name in columns.by_field for name in names):
        raise UnreadableFile(
            f"{table.name} has no column for {' or '.join(names)}; it has "
            f"{', '.join(table.columns)}. Say which it is: --map {names[0]}=COLUMN."
        )
