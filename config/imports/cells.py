"""One row of a file, read field by field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import TypeVar

from config import values
from config.text import NAME, clean_line, clean_text
from config.values import ValueUnclear

LIST = 5_000  # characters of a cell that holds several words

T = TypeVar("T")


class Cells:
    """The filled fields of the row in ``line``.

    What cannot be read is left out and told in ``warnings``; a reader that cannot go on without
    it raises ValueUnclear.
    """

    def __init__(self, line: int, filled: Mapping[str, str]) -> None:
        self.line, self.filled = line, filled
        self.warnings: list[str] = []

    def text(self, name: str, limit: int = NAME) -> str:
        """The field on one line, at most ``limit`` characters; "" where it is empty."""
        cell = self.filled.get(name)
        return clean_line(cell, limit) if cell else ""

    def paragraphs(self, name: str) -> str:
        """The field on as many lines as it has."""
        cell = self.filled.get(name)
        return clean_text(cell) if cell else ""

    def full_name(self, name: str) -> str:
        """The field, else the fields first_name and last_name together."""
        return self.text(name) or clean_line(
            f"{self.text('first_name')} {self.text('last_name')}"
        )

    def words(self, name: str) -> list[str]:
        """The field as a list (``values.words``)."""
        return values.words(self.text(name, LIST))

    def read(self, name: str, how: Callable[[str], T | None]) -> T | None:
        """The field read by ``how``; None, with a warning, where it cannot be."""
        cell = self.text(name)
        try:
            return how(cell) if cell else None
        except ValueUnclear as e:
            self.warn(f"{name}: {e}; left out")
            return None

    def last_day(self, ends: date | None, *, starts: date | None) -> date | None:
        """The last day; None, with a warning, where it lies before the first."""
        if starts and ends and ends < starts:
            self.warn("it ends before it starts; the last day was left out")
            return None
        return ends

    def warn(self, what: str) -> None:
        """The row is taken in without one of its values."""
        self.warnings.append(what)
