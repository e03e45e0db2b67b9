"""What the database promises about every table alike, and that no promise is only on paper."""

from datetime import UTC, datetime

import pytest
from django.db import connection

from tests import factories
from tests.test_factories import APPS, FACTORIES
from tests.violations import (
    closed_list_constraint,
    fields_with_choices,
    named_in_database,
    named_in_models,
    our_models,
    refusal,
    refused,
)

pytestmark = pytest.mark.django_db

OURS = ["config", *APPS]
MAKE = {made._meta.model: made for made in FACTORIES if made is not factories.SequenceFactory}
# These refuse every UPDATE by trigger; their own tests break them by INSERT.
APPEND_ONLY = {"AIUsage", "Event"}


def label(value) -> str:
    return value.__name__ if isinstance(value, type) else str(value)


LISTS = [pair for app in APPS for pair in fields_with_choices(app)]
UNIQUE = [
    (model, field.name)
    for app in APPS
    for model in our_models(app)
    for field in model._meta.fields
    if field.unique and not field.primary_key
]
POSITIVE = [
    (model, field.name)
    for app in APPS
    for model in our_models(app)
    for field in model._meta.fields
    if "Positive" in type(field).__name__
]
BETWEEN = [m for app in APPS for m in our_models(app) if m._meta.auto_created]


def made(model):
    return MAKE.get(model, factories.SequenceFactory)


@pytest.mark.req("S001-004", "S001-008")
@pytest.mark.parametrize(("model", "name"), LISTS, ids=label)
def test_every_closed_list_is_closed_in_sql(model, name):
    if model.__name__ in APPEND_ONLY:
        assert closed_list_constraint(model, name)
        return
    row = made(model)()
    assert refused(row, {name: "nonsense"}) in also_objecting(model, name)


def also_objecting(model, name) -> set[str]:
    """The checks on this column; PostgreSQL names the first that it meets."""
    return {
        constraint.name
        for constraint in model._meta.constraints
        if name in str(getattr(constraint, "condition", ""))
    }


@pytest.mark.parametrize(("model", "name"), UNIQUE, ids=label)
def test_every_unique_column_is_unique_in_sql(model, name):
    first, second = made(model).create_batch(2)
    attname = model._meta.get_field(name).attname
    refusing = refused(second, {attname: getattr(first, attname)})
    assert name in refusing


@pytest.mark.parametrize(("model", "name"), POSITIVE, ids=label)
def test_no_count_goes_below_zero(model, name):
    if model.__name__ in APPEND_ONLY:
        row = made(model).build(**{name: -1})
        refusing = refusal(lambda: model.objects.bulk_create([row]))
    else:
        refusing = refused(made(model)(), {name: -1})
    assert name in refusing or refusing in also_objecting(model, name)


@pytest.mark.parametrize("model", BETWEEN, ids=label)
def test_nothing_is_joined_twice(model):
    """The tables between two models."""
    ends = [field for field in model._meta.fields if field.is_relation]
    pair = {field.name: made(field.related_model)() for field in ends}
    twins = [model(**pair), model(**pair)]
    assert "uniq" in refusal(lambda: model.objects.bulk_create(twins))


@pytest.mark.parametrize("app", OURS)
def test_the_database_keeps_every_promise_of_the_models(app):
    assert named_in_models(app) - named_in_database(app) == set()


@pytest.mark.parametrize("app", OURS)
def test_the_database_keeps_no_promise_that_no_test_breaks(app):
    """What has no name in a Meta is a unique column, a count, or a table between two models."""
    nameless = {
        name
        for name in named_in_database(app) - named_in_models(app)
        if not name.endswith(("_key", "_uniq", "_check"))
    }
    # Django names the index of a unique column beside the column.
    unique = {c for m in our_models(app) for c in columns_of_unique_indexes(m)}
    assert nameless == unique


def columns_of_unique_indexes(model) -> set[str]:
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, model._meta.db_table)
    named = {constraint.name for constraint in model._meta.constraints}
    return {
        name
        for name, it in found.items()
        if it["unique"] and not it["primary_key"] and name not in named
        if not name.endswith(("_key", "_uniq"))
    }


LINKS = [
    (model, field.name)
    for app in APPS
    for model in our_models(app)
    for field in model._meta.fields
    if field.is_relation
]


@pytest.mark.req("S001-009")
@pytest.mark.parametrize(("model", "name"), LINKS, ids=label)
def test_every_link_can_be_followed_backwards_by_an_index(model, name):
    """Messages of a pitch, pitches of a campaign or a lead: none is found by reading all."""
    column = model._meta.get_field(name).column
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, model._meta.db_table)
    first = {
        it["columns"][0]
        for it in found.values()
        if it["columns"] and (it["index"] or it["unique"])
    }
    assert column in first


@pytest.mark.req("S001-007")
@pytest.mark.parametrize("made", FACTORIES, ids=lambda made: made.__name__)
def test_counts_begin_at_nothing_and_times_fill_themselves(made):
    row = made()
    row.refresh_from_db()
    for name in ("created_at", "updated_at"):
        assert getattr(row, name, True), name
    counts = {"attempts", "claims", "total", "done", "passed", "failed", "output_tokens"}
    for field in row._meta.fields:
        if field.name in counts and "Integer" in type(field).__name__:
            assert getattr(row, field.name) == 0, field.name


def test_times_come_back_as_utc():
    moment = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    lead = factories.LeadFactory(first_seen_at=moment)
    lead.refresh_from_db()
    assert lead.first_seen_at == moment
    assert lead.first_seen_at.utcoffset().total_seconds() == 0
