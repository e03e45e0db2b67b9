"""What all four floors ask of the database.

Named transitions, closed lists, scores, canonical keys.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Self

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import connection, models
from django.db.models import Q
from pgvector.django import VectorField

EMBEDDING_DIMENSIONS = 256


class WrongStatus(Exception):
    """A row was asked to take a step that its present status does not allow."""

    def __init__(self, row: models.Model, to: str, status: str) -> None:
        self.row, self.to, self.status = row, to, status
        super().__init__(
            f"{row._meta.verbose_name} #{row.pk} cannot become {to}: it is {status}"
        )


class StatefulQuerySet(models.QuerySet[Any]):
    def move(self, to: str, **fields: Any) -> int:
        """Move every row of this set whose status allows it; answer how many moved."""
        allowed = self.model.MOVES[to]
        return self.filter(status__in=allowed).update(status=to, **fields)


class Stateful(models.Model):
    """A row whose ``status`` changes only by name, over one conditional UPDATE.

    ``MOVES`` maps each status to the statuses it may be reached from, so that two doors
    pressing the same button cannot both win.
    """

    MOVES: ClassVar[dict[str, frozenset[str]]] = {}

    objects = StatefulQuerySet.as_manager()

    class Meta:
        abstract = True

    def move(self, to: str, *, only_if: Q | None = None, **fields: Any) -> Self:
        """Set ``status`` to ``to`` together with ``fields``.

        Raises WrongStatus if the row is elsewhere.
        """
        origins = self.MOVES.get(to, frozenset())  # nothing leads back to a first status
        rows = type(self)._base_manager.filter(pk=self.pk, status__in=origins)
        if only_if is not None:
            rows = rows.filter(only_if)
        if not rows.update(status=to, **fields):
            status = type(self)._base_manager.values_list("status", flat=True).get(pk=self.pk)
            raise WrongStatus(self, to, status)
        self.status = to
        for name, value in fields.items():
            setattr(self, name, value)
        return self


def moves(**reached_from: Iterable[str]) -> dict[str, frozenset[str]]:
    """``moves(approved=["draft"])``: readable declaration of ``Stateful.MOVES``."""
    return {to: frozenset(origins) for to, origins in reached_from.items()}


class ScoreField(models.DecimalField):
    """0 to 100 with two places.

    Exact, so that a boundary such as 65.00 is on the right side of it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs |= {"max_digits": 5, "decimal_places": 2}
        kwargs.setdefault(
            "validators", [MinValueValidator(Decimal(0)), MaxValueValidator(Decimal(100))]
        )
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        for implied in ("max_digits", "decimal_places", "validators"):
            kwargs.pop(implied, None)
        return name, path, args, kwargs


class EmbeddingField(VectorField):
    """256 numbers; only vectors of the same ``embedding_model`` are ever compared."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs |= {
            "dimensions": EMBEDDING_DIMENSIONS,
            "null": True,
            "blank": True,
            "editable": False,
        }
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        for implied in ("dimensions", "null", "blank", "editable"):
            kwargs.pop(implied, None)
        return name, path, args, kwargs


def one_of(field: str, choices: type[models.TextChoices]) -> models.CheckConstraint:
    """A closed list that holds for plain SQL too."""
    return models.CheckConstraint(
        condition=Q(**{f"{field}__in": choices.values}),
        name=f"%(app_label)s_%(class)s_{field}_is_known",
    )


def within(field: str, low: Any, high: Any) -> models.CheckConstraint:
    """``low <= field <= high``; an empty value passes."""
    return models.CheckConstraint(
        condition=Q(**{f"{field}__gte": low, f"{field}__lte": high}),
        name=f"%(app_label)s_%(class)s_{field}_in_range",
    )


def exactly_one_of(*fields: str, name: str) -> models.CheckConstraint:
    """Exactly one of these foreign keys is set."""
    condition = Q()
    for chosen in fields:
        condition |= Q(**{f"{field}__isnull": field != chosen for field in fields})
    return models.CheckConstraint(condition=condition, name=name)


def database_now() -> datetime:
    """The database's clock, which governs leases and stops whatever the hosts' clocks say."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
        return now
