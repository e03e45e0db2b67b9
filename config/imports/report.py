"""What became of the rows of a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from config.imports.columns import Columns
from config.tables import Problem, Table, UnreadableFile

PROBLEMS_SHOWN = 20

# Counts, and how long each list is.
Mark = tuple[Counter[str], list[int]]


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
    def of(cls, table: Table, columns: Columns, *verdicts: str) -> Report:
        """A report that begins with what reading the file has already found.

        ``verdicts`` are counted from 0 and so are told even where there are none.
        """
        report = cls(table.name, columns.by_field, columns.ignored, list(table.notes))
        report.problems = list(table.problems)
        report.counts["rows"] = len(table.rows) + len(table.problems)
        report.counts |= dict.fromkeys(verdicts, 0)
        return report

    def mark(self) -> Mark:
        """Where the report stands, for ``back_to``."""
        return Counter(self.counts), [len(told) for told in self._told()]

    def back_to(self, mark: Mark) -> None:
        """Forget what was told since: what it was about did not come to pass."""
        counts, lengths = mark
        self.counts = Counter(counts)
        for told, length in zip(self._told(), lengths, strict=True):
            del told[length:]

    def _told(self) -> tuple[list[Any], ...]:
        return self.notes, self.problems, self.warnings, self.suppressed, self.unreadable

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
