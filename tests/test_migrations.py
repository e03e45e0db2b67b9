"""Migrations on a database of their own: all the way up, all the way down, and up again."""

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connections

from tests.test_factories import APPS

OURS = ["config", *APPS]


@pytest.fixture
def empty(django_db_setup, django_db_blocker):
    """The alias of an empty database on the same server."""
    with django_db_blocker.unblock():
        default = connections["default"]
        name = f"{default.settings_dict['NAME']}_migrations"
        with default._nodb_cursor() as cursor:
            cursor.execute(f'DROP DATABASE IF EXISTS "{name}"')
            cursor.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        connections.settings["empty"] = default.settings_dict | {"NAME": name}
        try:
            yield "empty"
        finally:
            connections["empty"].close()
            del connections["empty"], connections.settings["empty"]
            with default._nodb_cursor() as cursor:
                cursor.execute(f'DROP DATABASE "{name}"')


def left_over() -> list[str]:
    """Our tables, functions and triggers that a database holds."""
    with connections["empty"].cursor() as cursor:
        cursor.execute(
            """
            SELECT relname FROM pg_class WHERE relkind IN ('r', 'S') AND relname ~ %(ours)s
            UNION ALL SELECT proname FROM pg_proc WHERE proname ~ %(ours)s
            UNION ALL SELECT tgname FROM pg_trigger WHERE NOT tgisinternal
            """,
            {"ours": f"^({'|'.join(OURS)})_"},
        )
        return [name for (name,) in cursor.fetchall()]


def missing_columns() -> list[str]:
    """Columns that a model has and the database has not."""
    connection, missing = connections["empty"], []
    with connection.cursor() as cursor:
        for app in OURS:
            for model in apps.get_app_config(app).get_models(include_auto_created=True):
                table = model._meta.db_table
                there = {
                    column.name
                    for column in connection.introspection.get_table_description(cursor, table)
                }
                wanted = {field.column for field in model._meta.local_concrete_fields}
                missing += [f"{table}.{column}" for column in wanted - there]
    return missing


@pytest.mark.req("S000-007", "S001-010")
def test_the_way_up_down_and_up_again(empty):
    call_command("migrate", database=empty, verbosity=0)
    assert missing_columns() == []
    first = sorted(left_over())
    for app in reversed(OURS):
        call_command("migrate", app, "zero", database=empty, verbosity=0)
    assert left_over() == []
    call_command("migrate", database=empty, verbosity=0)
    assert missing_columns() == []
    assert sorted(left_over()) == first
