"""What was planned is what leaves: the same bytes at the same moments; and where the world was
changed in between, every difference has its cause.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

from pitches import inbox, outbox, stopping
from pitches.decisions import Reason, Verdict
from pitches.models import Message, Pitch, Sender, Stop
from prospects import suppressions
from prospects.models import Suppression
from tests import promised_plan
from tests.clock import MONDAY

pytestmark = pytest.mark.django_db
ROWS = 120


@pytest.fixture
def planned(settings):
    """120 messages of two mailboxes over several days, planned at once and queued."""
    settings.SEND_MODE = "capture"
    promised_plan.sow(ROWS, senders=2, now=MONDAY, ramp_began_on=MONDAY.date())
    decisions = promised_plan.plan(MONDAY)
    assert {row.verdict for row in decisions} == {Verdict.SEND}
    promised = promised_plan.promises(decisions)
    outbox.carry_out(decisions, now=MONDAY)
    return promised


def test_the_run_sends_exactly_the_plan_byte_for_byte_and_at_its_times(planned):
    days = {promise.at.date() for promise in planned.values()}
    assert len(days) >= 3
    promised_plan.run()
    found = promised_plan.compare(planned)
    assert (found.kept, found.differences) == (ROWS, {})


def test_the_same_inputs_give_the_same_plan(planned):
    Message.objects.update(status="approved", send_at=None)
    assert promised_plan.promises(promised_plan.plan(MONDAY)) == planned


def test_the_plan_keeps_spacing_ramp_cap_and_window(planned):
    shortest = timedelta(seconds=promised_plan.SPACING[0])
    for sender in Sender.objects.all():
        names = set(sender.messages.values_list("message_id", flat=True))
        times = sorted(planned[name].at for name in names)
        assert min(b - a for a, b in pairwise(times)) >= shortest
        first_day = [at for at in times if at.date() == MONDAY.date()]
        assert len(first_day) == promised_plan.RAMP_START
    for promise in planned.values():
        opens, closes = promised_plan.WINDOW
        assert opens <= promise.at.time() < closes
        assert promise.at.isoweekday() <= 5


@pytest.fixture
def world(planned, ada):
    """The queued messages from the last to the first, by which each change takes its own."""
    rows = Message.objects.order_by("-send_at", "-pk").select_related(
        "pitch__address__contact", "pitch__lead__organization", "sender"
    )
    return list(rows)


def test_every_difference_has_its_cause(planned, world):
    stopped, answered, edited, suppressed, closed, deleted = world[:6]
    expected = {
        stopped.message_id: "canceled: asked by telephone",
        answered.message_id: "canceled: answered",
        edited.message_id: f"approved: {Reason.APPROVAL_VOID.value}",
        suppressed.message_id: f"approved: {Reason.SUPPRESSED.value}",
        closed.message_id: f"approved: {Reason.LEAD_CLOSED.value}",
        deleted.message_id: "canceled: withdrawn",
    }

    def change(number: int) -> None:
        if number != 10:
            return
        contact = stopped.pitch.address.contact
        reason = "asked by telephone"
        stopping.stop(scope=Stop.Scope.PERSON, kind="staff", contact=contact, reason=reason)
        inbox.record_reply(answered.pitch, intent="interested", now=MONDAY, text="Gladly!")
        Message.objects.filter(pk=edited.pk).update(body=f"{edited.body} Oh, and")
        suppressions.add(
            Suppression.Kind.EMAIL,
            suppressed.to_address,
            reason=Suppression.Reason.IMPORTED,
            source="test",
            now=MONDAY,
        )
        type(closed.pitch.lead).objects.filter(pk=closed.pitch.lead_id).update(closed_at=MONDAY)
        stopping.stop_pitch(Pitch.objects.get(pk=deleted.pitch_id), reason="withdrawn")

    promised_plan.run(change)
    found = promised_plan.compare(planned)
    assert found.kept == ROWS - len(expected)
    assert found.differences.keys() == expected.keys()
    for name, cause in expected.items():
        assert found.differences[name].startswith(cause), found.differences[name]


def test_a_paused_mailbox_sends_nothing_more_and_the_other_keeps_its_plan(planned, world):
    paused = world[0].sender

    def change(number: int) -> None:
        if number == 12:
            stopping.pause_sender(paused, reason="on holiday")

    promised_plan.run(change)
    found = promised_plan.compare(planned)
    theirs = set(paused.messages.values_list("message_id", flat=True))
    assert found.differences
    assert found.differences.keys() <= theirs
    assert set(found.causes) == {f"approved: {Reason.SENDER_PAUSED.value}"}
