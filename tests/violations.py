"""How a test breaks a promise of the database, past all validation, and hears which."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, transaction
from django.db.models import Model
from factory.django import DjangoModelFactory


@dataclass(frozen=True)
class Violation:
    """Make a row, spoil it with one UPDATE, and the database names ``constraint``.

    ``change`` holds the new values (a function is called for its value), or the names of the
    fields that a second row takes from the first.
    """

    constraint: str
    factory: type[DjangoModelFactory]
    change: dict[str, Any] | list[str]
    given: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        change = self.change
        spoiled = (
            [f"{k}={v!r}" for k, v in change.items() if not callable(v)]
            if isinstance(change, dict)
            else change
        )
        return f"{self.constraint}-{','.join(spoiled)}"

    def attempt(self) -> None:
        """Break it; raises AssertionError unless exactly this constraint objects."""
        row = self.factory(**self.given)
        if isinstance(self.change, dict):
            values = {k: v() if callable(v) else v for k, v in self.change.items()}
        else:
            first, row = row, self.factory(**self.given)
            names = [type(row)._meta.get_field(name).attname for name in self.change]
            values = {name: getattr(first, name) for name in names}
        assert refused(row, values) == self.constraint


def refused(row: Model, values: dict[str, Any]) -> str:
    """The constraint that refuses these values on this row, in one plain UPDATE."""
    return refusal(lambda: type(row)._base_manager.filter(pk=row.pk).update(**values))


def refusal(write: Any) -> str:
    """The name of the constraint that refuses what ``write`` does."""
    with pytest.raises(IntegrityError) as e, transaction.atomic():
        write()
    return e.value.__cause__.diag.constraint_name


def our_models(app: str) -> list[type[Model]]:
    """Every table of an app, those between two models included."""
    return list(apps.get_app_config(app).get_models(include_auto_created=True))


def named_in_models(app: str) -> set[str]:
    """What the models' Meta promise."""
    return {c.name for model in our_models(app) for c in model._meta.constraints}


def named_in_database(app: str) -> set[str]:
    """What PostgreSQL keeps: checks and unique indexes, but no primary keys."""
    tables = [model._meta.db_table for model in our_models(app)]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT conname FROM pg_constraint
             WHERE conrelid = ANY (%(tables)s::regclass[]) AND contype = 'c'
            UNION
            SELECT indexrelid::regclass::text FROM pg_index
             WHERE indrelid = ANY (%(tables)s::regclass[]) AND indisunique AND NOT indisprimary
            """,
            {"tables": tables},
        )
        return {name for (name,) in cursor.fetchall()}


def closed_list_constraint(model: type[Model], name: str) -> str | None:
    """The check that closes the list of choices of a field, if there is one."""
    for constraint in model._meta.constraints:
        if constraint.name.endswith(f"{name}_is_known"):
            return constraint.name
    return None


def fields_with_choices(app: str) -> list[tuple[type[Model], str]]:
    """Every closed list of an app."""
    return [
        (model, field.name)
        for model in our_models(app)
        for field in model._meta.fields
        if field.choices
    ]


def violated(table: Iterable[Violation], app: str) -> set[str]:
    """What this table breaks, and what the tests of closed lists break."""
    lists = {closed_list_constraint(*pair) for pair in fields_with_choices(app)} - {None}
    return {violation.constraint for violation in table} | lists


def somebody_waits_for_us() -> bool:
    """Whether another connection waits for a lock that this one holds."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks"
            " WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
        )
        return cursor.fetchone()[0] > 0
