"""Rows from files that people bring: CSV, XLSX, JSON lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """``items`` in lists of ``size``; the last one may be shorter."""
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some
