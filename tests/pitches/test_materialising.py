"""One row per logical message, however many make them at once (REL-1)."""

from __future__ import annotations

import os
import threading

import pytest

from pitches import pitching, settling
from pitches.channels import Receipt
from pitches.models import FollowUpTask, Message, Pitch
from tests.clock import MONDAY
from tests.races import PATIENCE, Aside

WORKERS, ROUNDS = 8, 5
# Four messages of a plan each; at full size 500 follow-ups.
PITCHES = 125 if os.environ.get("OVERTURE_SOAK") else 8


def at_once(work) -> list:
    start = threading.Barrier(WORKERS)

    def together():
        start.wait(PATIENCE)
        return [work() for _ in range(ROUNDS)]

    return [each for door in [Aside(together) for _ in range(WORKERS)] for each in door.done()]


@pytest.mark.req("REL-1")
@pytest.mark.django_db(transaction=True)
def test_eight_at_once_make_each_message_of_a_plan_once_and_nobody_fails(desk):
    for _ in range(PITCHES):
        desk.match()
    planned = pitching.plan(now=MONDAY)
    outcomes = at_once(lambda: pitching.carry_out(planned, now=MONDAY))
    made = sorted(key for outcome in outcomes for key in outcome.done)
    assert made == sorted(row.key for row in planned)
    assert len(made) == Pitch.objects.count() == PITCHES
    rows = Message.objects.values_list("pitch", "number", "message_id")
    assert len(set(rows)) == len(rows) == PITCHES * 4
    assert len({name for *_, name in rows}) == PITCHES * 4


@pytest.mark.req("REL-1", "S003-036")
@pytest.mark.django_db(transaction=True)
def test_a_first_message_that_eight_settle_at_once_plans_each_later_step_once(desk):
    """A worker and the reaper, each with the server's answer, come to the same row."""
    desk.match()
    desk.run()
    desk.approve_all()
    message = Message.objects.get(number=0)
    lease = {"status": "handing", "lease_owner": "0" * 32, "counted_at": MONDAY}
    Message.objects.filter(pk=message.pk).update(leased_until=MONDAY, **lease)

    def settle():
        settling.settle(Message.objects.get(pk=message.pk), Receipt("250 ok"), now=MONDAY)

    at_once(settle)
    message.refresh_from_db()
    assert message.status == "sent"
    steps = FollowUpTask.objects.filter(pitch=message.pitch).values_list("step", flat=True)
    assert len(steps) == len(set(steps)) == 4
