"""Every lifecycle, move by move: what is allowed moves, what is not changes nothing."""

import threading

import pytest
from django.apps import apps
from django.db import connection, transaction

from config.db import Stateful, WrongStatus
from tests import factories as f
from tests.clock import MONDAY
from tests.test_factories import APPS
from tests.violations import somebody_waits_for_us

# A row that satisfies the database in every status it can have.
ROWS = {
    "Campaign": f.CampaignFactory,
    "Experiment": f.ExperimentFactory,
    "Match": lambda: f.MatchFactory(pitched=True),
    "Message": lambda: f.MessageFactory(
        approved_sha256=f.sha256(),
        lease_owner="11111111-1111-4111-8111-111111111111",
        leased_until=MONDAY,
        counted_at=MONDAY,
        receipt="250 Ok",
    ),
    "PipelineRun": f.PipelineRunFactory,
    "Pitch": f.PitchFactory,
    "SyncTask": f.SyncTaskFactory,
}
STATEFUL = [
    model
    for app in APPS
    for model in apps.get_app_config(app).get_models()
    if issubclass(model, Stateful)
]
MOVES = [(model, to) for model in STATEFUL for to in model.Status.values]


def label(value) -> str:
    return value.__name__ if isinstance(value, type) else str(value)


def put(row, status) -> None:
    """Set a status past every rule."""
    type(row)._base_manager.filter(pk=row.pk).update(status=status)
    row.status = status


def stored(row) -> dict:
    return type(row)._base_manager.filter(pk=row.pk).values().get()


def test_every_lifecycle_is_tried():
    assert {model.__name__ for model in STATEFUL} == set(ROWS)


@pytest.mark.parametrize("model", STATEFUL, ids=label)
def test_a_lifecycle_speaks_only_of_its_own_statuses(model):
    spoken = {str(s) for to, origins in model.MOVES.items() for s in (to, *origins)}
    assert spoken <= set(model.Status.values)


@pytest.mark.parametrize("model", STATEFUL, ids=label)
def test_every_status_can_be_reached_from_the_first(model):
    start = model._meta.get_field("status").default
    reached, size = {start}, 0
    while size != len(reached):
        size = len(reached)
        reached |= {to for to, origins in model.MOVES.items() if reached & set(origins)}
    assert reached == set(model.Status.values)


@pytest.mark.django_db
@pytest.mark.parametrize(("model", "to"), MOVES, ids=label)
def test_an_allowed_move_moves_and_every_other_changes_nothing(model, to):
    row = ROWS[model.__name__]()
    allowed = set(model.MOVES.get(to, ()))
    for origin in model.Status.values:
        put(row, origin)
        before = stored(row)
        if origin in allowed:
            assert row.move(to).status == to
            assert stored(row) == before | {"status": to}
        else:
            with pytest.raises(WrongStatus, match=f"cannot become {to}: it is {origin}"):
                row.move(to)
            assert stored(row) == before
            assert row.status == origin


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("model", "to"), [(model, to) for model, to in MOVES if to in model.MOVES], ids=label
)
def test_a_set_of_rows_moves_only_where_it_may(model, to):
    rows = []
    for status in model.Status.values:
        row = ROWS[model.__name__]()
        put(row, status)
        rows.append(row)
    moved = model.objects.filter(pk__in=[row.pk for row in rows]).move(to)
    after = {row.status: stored(row)["status"] for row in rows}
    allowed = set(model.MOVES[to])
    assert moved == len(allowed)
    assert after == {s: to if s in allowed else s for s in model.Status.values}


def test_a_word_that_is_no_status_is_a_mistake_of_ours():
    with pytest.raises(KeyError):
        f.pitches.Pitch.objects.move("aproved")


@pytest.mark.django_db
def test_a_move_carries_its_fields_or_none_of_them():
    pitch = f.PitchFactory(status="approved")
    pitch.move("active", status_reason="first message sent")
    with pytest.raises(WrongStatus):
        pitch.move("approved", status_reason="never written")
    pitch.refresh_from_db()
    assert (pitch.status, pitch.status_reason) == ("active", "first message sent")


@pytest.mark.req("S003-038")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("model", STATEFUL, ids=label)
def test_of_two_moves_at_the_same_moment_one_wins(model):
    """The second waits for the row, looks again, and is told that it came too late."""
    # a status that is left for good, so that the second move has nowhere to come from
    to, origins = next(
        (to, origins) for to, origins in model.MOVES.items() if to not in origins
    )
    row = ROWS[model.__name__]()
    put(row, sorted(origins)[0])
    outcome = []

    def second() -> None:
        try:
            model.objects.get(pk=row.pk).move(to)
            outcome.append("moved")
        except WrongStatus as e:
            outcome.append(str(e))
        finally:
            connection.close()

    thread = threading.Thread(target=second)
    with transaction.atomic():
        row.move(to)
        thread.start()
        while thread.is_alive() and not somebody_waits_for_us():
            pass
    thread.join()
    assert outcome == [f"{row._meta.verbose_name} #{row.pk} cannot become {to}: it is {to}"]
