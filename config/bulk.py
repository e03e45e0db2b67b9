"""Many rows at once: cut into batches, inserted by COPY."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from django.contrib.postgres.fields import ArrayField
from django.db import connection, models
from django.utils import timezone

T = TypeVar("T")


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """``items`` in lists of ``size``; the last one may be shorter."""
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some


def new_ids(model: type[models.Model], count: int) -> list[int]:
    """Primary keys for ``count`` rows of ``model`` that do not exist yet."""
    if not count:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, %s)) FROM generate_series(1, %s)",
            [model._meta.db_table, model._meta.pk.column, count],
        )
        return [row[0] for row in cursor.fetchall()]


def insert(
    model: type[models.Model],
    fields: Sequence[str],
    rows: Iterable[Sequence[Any]],
) -> None:
    """Insert ``rows``, each with the values of ``fields`` in this order.

    Fields that are not named get their default, the same for all rows; a primary key that is
    not named gets the next. Values must be of the column's own type; lists and dicts are taken
    for arrays and JSON. COPY writes about four times as many rows a second as ``bulk_create``;
    it knows no conflicts: the caller has looked what is there, and an IntegrityError undoes the
    statement.
    """
    rows = list(rows)
    if not rows:
        return
    named, others = _columns(model, fields)
    defaults = [_default(each) for each in others]
    with connection.cursor() as cursor:
        table = connection.ops.quote_name(model._meta.db_table)
        _copy(cursor, table, named, rows, others, defaults)


def insert_new(
    model: type[models.Model],
    fields: Sequence[str],
    rows: Iterable[Sequence[Any]],
) -> int:
    """Insert those of ``rows`` that violate no unique constraint; answer how many.

    As ``insert``, for where somebody else may write the same row at the same time. Three
    statements and a COPY; inside a transaction.
    """
    rows = list(rows)
    if not rows:
        return 0
    named, others = _columns(model, fields)
    quote = connection.ops.quote_name
    table, waiting = quote(model._meta.db_table), quote(f"new_{model._meta.db_table}")
    given, rest = _listed(named), "".join(f", {quote(each.column)}" for each in others)
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TEMP TABLE {waiting} ON COMMIT DROP AS "
            f"SELECT {given} FROM {table} WITH NO DATA"
        )
        _copy(cursor, waiting, named, rows)
        cursor.execute(
            f"INSERT INTO {table} ({given}{rest}) "
            f"SELECT {given}{', %s' * len(others)} FROM {waiting} ON CONFLICT DO NOTHING",
            [_default(each) for each in others],
        )
        inserted = int(cursor.rowcount)
        cursor.execute(f"DROP TABLE {waiting}")
    return inserted


def _columns(model: type[models.Model], fields: Sequence[str]) -> tuple[list[Any], list[Any]]:
    """The fields that are named, and those that get a default."""
    named: list[Any] = [model._meta.get_field(name) for name in fields]
    every = model._meta.local_concrete_fields
    return named, [each for each in every if each not in named and not each.primary_key]


def _copy(
    cursor: Any,
    table: str,
    named: Sequence[Any],
    rows: Iterable[Sequence[Any]],
    others: Sequence[Any] = (),
    defaults: Sequence[Any] = (),
) -> None:
    """Write rows with the values of the named columns, and the same in the others."""
    nested = [at for at, each in enumerate(named) if isinstance(each, models.JSONField)]
    with cursor.copy(f"COPY {table} ({_listed([*named, *others])}) FROM STDIN") as copy:
        for row in rows:
            values = [*row, *defaults]
            for at in nested:
                values[at] = json.dumps(values[at])
            copy.write_row(values)


def _listed(columns: Sequence[Any]) -> str:
    return ", ".join(connection.ops.quote_name(each.column) for each in columns)


def _default(each: models.Field) -> Any:
    if getattr(each, "auto_now", False) or getattr(each, "auto_now_add", False):
        return timezone.now()
    value = each.get_default()
    if isinstance(each, models.JSONField):
        return json.dumps(value)
    if isinstance(each, ArrayField) and not value:
        return "{}"
    return each.get_db_prep_save(value, connection)


def md5(value: str) -> str:
    """The digest that PostgreSQL's md5() gives: to compare long texts without fetching them."""
    return hashlib.md5(value.encode(), usedforsecurity=False).hexdigest()
