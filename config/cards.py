"""What the first screen is made of. Each app fills it from its own rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.db.models import Model
from django.urls import reverse


@dataclass(frozen=True, slots=True)
class Figure:
    """A number and the list that shows exactly the rows it counts."""

    label: str
    count: int
    url: str
    tone: str = ""  # "", "good", "wait", "bad"
    since: datetime | None = None

    @property
    def color(self) -> str:
        """A tone speaks only of rows that are there."""
        return self.tone if self.count else ""


@dataclass(frozen=True, slots=True)
class Card:
    """One box: figures, and what to do where there is nothing to count."""

    title: str
    figures: list[Figure] = field(default_factory=list)
    hint: str = ""
    links: list[tuple[str, str]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return not any(figure.count for figure in self.figures)


def rows_at(model: type[Model], lookups: Mapping[str, Any]) -> str:
    """The address of the list of ``model``'s rows that satisfy ``lookups``."""
    meta = model._meta
    url = reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")
    query = urlencode({_param(name): _value(value) for name, value in lookups.items()})
    return f"{url}?{query}" if query else url


def figure(
    label: str, model: type[Model], lookups: Mapping[str, Any], *, tone: str = ""
) -> Figure:
    """Count and link out of the same lookups, so that they cannot say different things."""
    count = model._default_manager.filter(**lookups).count()
    return Figure(label, count, rows_at(model, lookups), tone)


def _param(name: str) -> str:
    return name if "__" in name else f"{name}__exact"


def _value(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
