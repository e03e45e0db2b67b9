"""What every import shares: which column means what, and what became of the rows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from config.tables import Problem, Table, UnreadableFile

PROBLEMS_SHOWN = 20


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

    def of(self, cells: Sequence[str]) -> dict[str, str]:
        """The filled fields of one row."""
        return {name: cells[at] for name, at in self.places.items() if cells[at]}


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


@dataclass
class Report:
    """What an import did, or would do: counts, and each row left out, with its reason."""

    file: str
    columns: dict[str, str] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    suppressed: list[tuple[int, str]] = field(default_factory=list)
    unreadable: list[UnreadableFile] = field(default_factory=list)

    @classmethod
    def of(cls, table: Table, columns: Columns) -> Report:
        """A report that begins with what reading the file has already found."""
        report = cls(table.name, columns.by_field, columns.ignored, list(table.notes))
        report.problems = list(table.problems)
        report.counts["rows"] = len(table.rows) + len(table.problems)
        return report

    def refuse(self, line: int, reason: str) -> None:
        """Leave a row out."""
        self.problems.append(Problem(line, reason))

    def warn(self, line: int, what: str) -> None:
        """Take a row in without one of its values."""
        self.warnings.append(Problem(line, what))

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "file": self.file,
            "columns": self.columns,
            "ignored": self.ignored,
            "notes": self.notes,
            "counts": dict(self.counts) | {"refused": len(self.problems)},
            "problems": [each._asdict() for each in sorted(self.problems)],
            "warnings": [each._asdict() for each in sorted(self.warnings)],
            "suppressed": [
                {"line": line, "reason": reason} for line, reason in sorted(self.suppressed)
            ],
        }

    def sentences(self, *, everything: bool = False) -> list[str]:
        """For a terminal: columns, counts, and the first twenty rows that were left out."""
        lines = []
        if self.columns:
            pairs = (f"{name} = {column}" for name, column in self.columns.items())
            lines.append(f"Columns: {', '.join(pairs)}")
        if self.ignored:
            lines.append(f"Not used: {', '.join(self.ignored)}")
        lines += self.notes
        counts = dict(self.counts) | {"refused": len(self.problems)}
        lines.append(", ".join(f"{number} {name}" for name, number in counts.items()))
        most = None if everything else PROBLEMS_SHOWN
        lines += _listed("refused", self.problems, most)
        lines += _listed("taken in, but", self.warnings, most)
        suppressed = [Problem(line, reason) for line, reason in self.suppressed]
        lines += _listed("not to be written to:", suppressed, most)
        return lines


def _listed(verdict: str, problems: Sequence[Problem], most: int | None) -> list[str]:
    shown = [f"line {each.line}: {verdict} {each.reason}" for each in sorted(problems)[:most]]
    rest = len(problems) - len(shown)
    return [*shown, f"… and {rest} more such lines; --verbose lists all."] if rest else shown
