"""Races at the gate, each made to happen: both sides stand where the test wants them."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone

from config.db import WrongStatus
from pitches import (
    jobs,
    journal,
    outreach,
    pitching,
    reaping,
    review,
    sending,
    settling,
    stopping,
)
from pitches.channels import ChannelError, OutcomeUnknown, capture
from pitches.channels.capture import CaptureChannel
from pitches.decisions import Verdict
from pitches.models import FollowUpTask, Message, Pitch, ReviewTask, Stop
from tests.clock import MONDAY
from tests.factories import EmailLimitFactory, LeadFactory, OrganizationFactory
from tests.races import PATIENCE, Aside, Halt, await_lock_wait

HOUR = timedelta(hours=1)


def halting_channel(halt: Halt):
    """A channel that stands still between DATA and the gate."""

    class Halting(CaptureChannel):
        def open(self, letter):
            super().open(letter)
            halt.here()

    return Halting


@contextmanager
def halted_in_the_gate(monkeypatch, halt: Halt):
    """Whoever is in the gate stops there, every lock in hand, the intent still to write."""
    write = journal.record_intent

    def writes(*args, **kwargs):
        halt.here()
        write(*args, **kwargs)

    with monkeypatch.context() as m:
        m.setattr(journal, "record_intent", writes)
        yield


def queue(desk) -> Message:
    """One approved first message, due now."""
    (message,) = queue_several(desk, 1)
    return message


def queue_several(desk, number: int) -> list[Message]:
    matches = [desk.match() for _ in range(number)]
    desk.run()
    desk.approve_all()
    rows = Message.objects.filter(pitch__matches__in=matches, number=0)
    Message.objects.filter(pk__in=rows.values("pk")).update(status="queued", send_at=MONDAY)
    return list(rows.order_by("pk"))


def copies(desk) -> Counter:
    return Counter(captured.message_id for captured in capture.sent(desk.sender))


# -- stop and send ---------------------------------------------------------------------------

STOPS = {
    "reply": lambda pitch: stopping.person_answered(pitch, reason="answered"),
    "unsubscribe": lambda pitch: stopping.unsubscribed(pitch, source="t", now=MONDAY),
    "do not contact": lambda pitch: stopping.do_not_contact(
        pitch.lead.organization, reason="asked"
    ),
    "campaign": lambda pitch: stopping.stop(
        scope="campaign", campaign=pitch.campaign, reason="budget"
    ),
    "client": lambda pitch: stopping.stop(
        scope="client", client=pitch.campaign.client, reason="bill"
    ),
    "mailbox": lambda pitch: stopping.stop(
        scope="mailbox", sender=pitch.sender, reason="blocked"
    ),
    "everything": lambda pitch: stopping.stop(scope="everything", reason="fire drill"),
}
FOR_GOOD = {"reply", "unsubscribe", "do not contact"}


@pytest.mark.req("REL-16", "F-17")
@pytest.mark.django_db(transaction=True)
def test_a_message_that_meets_a_stop_at_the_gate_waits_for_it_and_stays(desk):
    """Every kind of stop holds its locks, uncommitted, when the worker comes to the gate."""
    for kind, stop in STOPS.items():
        message = queue(desk)
        halt = Halt()
        worker = Aside(
            lambda message=message, halt=halt: sending.send_due(
                now=MONDAY, channel_of=halting_channel(halt), only=[message.pk]
            )
        )
        halt.wait()
        with transaction.atomic():
            row = stop(message.pitch)
            halt.go()
            await_lock_wait()
        assert worker.done().sent == 0, kind
        message.refresh_from_db()
        assert message.message_id not in copies(desk), kind
        if kind in FOR_GOOD:
            assert message.status == "canceled", kind
            open_steps = message.pitch.messages.exclude(status="canceled")
            assert not open_steps.exists(), kind
        else:
            assert (message.status, message.hold_reason) == ("approved", "stopped"), kind
        stopping.lift(row, by=desk.reviewer)
        Message.objects.update(status="canceled", canceled_reason="the next round begins")


@pytest.mark.req("REL-16")
@pytest.mark.django_db(transaction=True)
def test_a_stop_that_meets_a_message_in_the_gate_waits_and_takes_all_that_follows(
    desk, monkeypatch
):
    for kind, stop in STOPS.items():
        message = queue(desk)
        halt = Halt()
        with halted_in_the_gate(monkeypatch, halt):
            only = [message.pk]
            worker = Aside(lambda only=only: sending.send_due(now=MONDAY, only=only))
            halt.wait()
            pitch = Pitch.objects.get(pk=message.pitch_id)
            stopped = Aside(lambda pitch=pitch, stop=stop: stop(pitch))
            await_lock_wait()
            halt.go()
            assert worker.done().sent == 1, kind
            row = stopped.done()
        message.refresh_from_db()
        assert message.status == "sent", kind
        # in the order in which they held the locks (invariant I5)
        assert message.handed_at < row.begins_at, kind
        if kind in FOR_GOOD:
            assert not FollowUpTask.objects.filter(
                FollowUpTask.is_open(), pitch=pitch
            ).exists(), kind
            later = pitch.messages.filter(number__gt=0)
            assert set(later.values_list("status", flat=True)) == {"canceled"}, kind
            pitch.refresh_from_db()
            assert pitch.status in ("replied", "stopped"), kind
        stopping.lift(row, by=desk.reviewer)


@pytest.mark.django_db(transaction=True)
def test_control_without_the_locks_the_message_slips_past_the_stop(desk, monkeypatch):
    message = queue(desk)
    monkeypatch.setattr(stopping, "lock_for_sending", lambda message: None)
    with transaction.atomic():
        row = STOPS["campaign"](message.pitch)
        worker = Aside(lambda: sending.send_due(now=MONDAY))
        assert worker.done().sent == 1
    message.refresh_from_db()
    assert message.handed_at > row.begins_at


# -- two workers -----------------------------------------------------------------------------


def two_for_one_organization(desk) -> list[Message]:
    """Both in the queue, though the limit has room for one of them."""
    organization = OrganizationFactory()
    desk.match(desk.lead(organization=organization))
    desk.match(LeadFactory(organization=organization))
    limit = EmailLimitFactory(organization=organization, maximum=2)
    desk.run()
    desk.approve_all()
    type(limit).objects.update(maximum=1)
    Message.objects.filter(number=0).update(status="queued", send_at=MONDAY)
    return list(Message.objects.filter(number=0))


def two_workers(monkeypatch, *, meet: bool) -> int:
    """Both come to the gate; how many messages went out."""
    halt = Halt()
    with halted_in_the_gate(monkeypatch, halt):
        first = Aside(lambda: sending.send_due(now=MONDAY))
        halt.wait()
        second = Aside(lambda: sending.send_due(now=MONDAY))
        if meet:
            halt.wait()
        else:
            await_lock_wait()
        halt.go()
        return first.done().sent + second.done().sent


@pytest.mark.req("F-2", "S003-031", "REL-13")
@pytest.mark.django_db(transaction=True)
def test_the_second_worker_waits_at_the_gate_and_then_finds_the_limit_reached(
    desk, monkeypatch
):
    messages = two_for_one_organization(desk)
    assert two_workers(monkeypatch, meet=False) == 1
    states = {Message.objects.get(pk=m.pk).status for m in messages}
    assert states == {"sent", "queued"}
    held = Message.objects.get(number=0, status="queued")
    assert (held.hold_reason, held.send_at) == ("organization_limit", MONDAY + 168 * HOUR)


@pytest.mark.django_db(transaction=True)
def test_control_without_the_locks_two_workers_break_the_limit(desk, monkeypatch):
    two_for_one_organization(desk)
    monkeypatch.setattr(stopping, "lock_for_sending", lambda message: None)
    assert two_workers(monkeypatch, meet=True) == 2


@pytest.mark.req("REL-2", "S003-038")
@pytest.mark.django_db(transaction=True)
def test_a_message_that_is_being_claimed_is_passed_over(desk):
    message = queue(desk)
    with transaction.atomic():
        assert sending._claim(MONDAY).pk == message.pk
        assert Aside(lambda: sending._claim(MONDAY)).done() is None


@pytest.mark.req("REL-2", "F-2")
@pytest.mark.django_db(transaction=True)
def test_a_worker_that_slept_through_its_lease_finds_the_gate_shut(desk):
    """Its message was put back, taken by another worker, and is out."""
    message = queue(desk)
    halt = Halt()
    sleeper = Aside(lambda: sending.send_due(now=MONDAY, channel_of=halting_channel(halt)))
    halt.wait()
    Message.objects.update(leased_until=timezone.now() - HOUR)
    assert reaping.reap(now=MONDAY).released == 1
    assert sending.send_due(now=MONDAY).sent == 1
    halt.go()
    assert sleeper.done().sent == 0
    message.refresh_from_db()
    assert (message.status, copies(desk)) == ("sent", Counter([message.message_id]))


@pytest.mark.req("REL-2", "REL-5")
@pytest.mark.django_db(transaction=True)
def test_a_message_whose_lease_ended_unnoticed_is_back_in_the_queue(desk):
    """Nobody took it: the next worker does, and no plan has to find it first."""
    message = queue(desk)
    halt = Halt()
    sleeper = Aside(lambda: sending.send_due(now=MONDAY, channel_of=halting_channel(halt)))
    halt.wait()
    Message.objects.update(leased_until=timezone.now() - HOUR)
    halt.go()
    assert sleeper.done().sent == 0
    message.refresh_from_db()
    assert message.status == "queued"
    assert sending.send_due(now=MONDAY).sent == 1


@pytest.mark.req("REL-9", "REL-2")
@pytest.mark.django_db(transaction=True)
def test_the_reaper_takes_no_intent_back_from_a_worker_in_the_gate(desk, monkeypatch):
    """Its lease ended while it stood there; what it then hands over stays on record."""
    message = queue(desk)
    write, halt = journal.record_intent, Halt()

    def writes_and_stands(*args, **kwargs):
        write(*args, **kwargs)
        halt.here()

    with monkeypatch.context() as m:
        m.setattr(journal, "record_intent", writes_and_stands)
        m.setattr(reaping, "Now", lambda: timezone.now() + HOUR)  # the reaper's clock only
        worker = Aside(lambda: sending.send_due(now=MONDAY))
        halt.wait()
        assert reaping.reap(now=MONDAY) == reaping.Reaped()
        assert journal.outcome_of(message.message_id) == journal.INTENT
        halt.go()
        assert worker.done().sent == 1
    assert journal.outcome_of(message.message_id) == journal.ACCEPTED


@pytest.mark.req("REL-26")
@pytest.mark.django_db(transaction=True)
def test_words_that_change_while_the_gate_waits_are_not_sent(desk):
    message = queue(desk)
    variant = message.variants.get(is_chosen=True)
    halt = Halt()
    worker = Aside(lambda: sending.send_due(now=MONDAY, channel_of=halting_channel(halt)))
    halt.wait()
    with pytest.raises(WrongStatus, match="claimed"):
        review.edit(variant, by=desk.reviewer, now=MONDAY, subject="New", body="New words")
    with transaction.atomic():
        stopping.lock_person(message.pitch.address.contact_id)
        halt.go()
        await_lock_wait()
        Message.objects.filter(pk=message.pk).update(body="Words nobody has read")
    assert worker.done().sent == 0
    message.refresh_from_db()
    assert (message.status, message.hold_reason) == ("approved", "approval_void")
    assert copies(desk) == Counter()


@pytest.mark.req("REL-26")
@pytest.mark.django_db
def test_approved_words_do_not_go_to_another_address(desk):
    message = queue(desk)
    Message.objects.filter(pk=message.pk).update(to_address="somebody.else@example.com")
    assert sending.send_due(now=MONDAY).sent == 0
    message.refresh_from_db()
    assert (message.status, message.hold_reason) == ("approved", "approval_void")


# -- the same run from several doors ---------------------------------------------------------


@pytest.mark.req("REL-15", "S003-069", "REL-1")
@pytest.mark.django_db(transaction=True)
def test_one_plan_carried_out_by_four_doors_at_once_has_the_effect_of_one(desk):
    ready = queue_several(desk, 3)
    Message.objects.filter(number=0).update(status="approved", send_at=None)
    for _ in range(3):
        desk.match()
    planned = outreach.plan(now=MONDAY)
    assert Counter(row.verdict for row in planned.decisions) == {"pitch": 3, "send": 3}
    start = threading.Barrier(4)

    def carry_out():
        start.wait(PATIENCE)
        return outreach.carry_out(planned)

    runs = [door.done() for door in [Aside(carry_out) for _ in range(4)]]
    assert sum(run.sending.sent for run in runs) == 3
    assert sorted(key for run in runs for key in run.pitched.done) == sorted(
        row.key for row in planned.decisions if row.verdict == Verdict.PITCH
    )
    assert copies(desk) == Counter(message.message_id for message in ready)
    assert Pitch.objects.filter(status="draft").count() == 3
    assert ReviewTask.objects.filter(status="open").count() == 3
    assert FollowUpTask.objects.count() == 3 * 4
    assert Message.objects.values("pitch", "number").distinct().count() == 6 * 4


@pytest.mark.req("S003-004", "F-3")
@pytest.mark.django_db(transaction=True)
def test_two_campaigns_that_draft_the_same_pair_at_once_make_one_pitch(desk):
    match = desk.match()
    other = type(desk.campaign).objects.get(pk=desk.campaign.pk)
    other.pk, other.slug = None, "second"
    other.save()
    desk.match(match.lead, match.candidate, campaign=other)
    desk.sender.sender_campaigns.create(campaign=other)
    plans = [
        pitching.plan(campaign=campaign, now=MONDAY) for campaign in (desk.campaign, other)
    ]
    assert [row.verdict for rows in plans for row in rows] == ["pitch", "pitch"]
    start = threading.Barrier(2)

    def draft(rows):
        start.wait(PATIENCE)
        return pitching.carry_out(rows, now=MONDAY)

    doors = [Aside(lambda rows=rows: draft(rows)) for rows in plans]
    outcomes = [door.done() for door in doors]
    assert sum(len(outcome.done) for outcome in outcomes) == 1
    (cause,) = [cause for outcome in outcomes for cause in outcome.changed.values()]
    assert "pitched to this lead" in cause
    assert Pitch.objects.count() == 1


# -- what nobody may send again --------------------------------------------------------------


@pytest.fixture
def unknown(desk, monkeypatch):
    """A first message of which nobody knows whether it arrived."""

    def says_nothing(self, letter, *, now):
        raise OutcomeUnknown("no answer")

    message = queue(desk)
    with monkeypatch.context() as m:
        m.setattr(CaptureChannel, "hand_over", says_nothing)
        assert sending.send_due(now=MONDAY).unknown == 1
    message.refresh_from_db()
    assert message.status == "unknown"
    return message


@pytest.mark.req("REL-6", "F-4")
@pytest.mark.django_db
def test_no_door_sends_a_message_of_unknown_fate_again(desk, unknown, client):
    later = (MONDAY + 200 * HOUR).isoformat()
    for name in ("run_outreach_automation", "run_follow_up_workflow"):
        call_command(name, "--now", later)
    for job in (jobs.send, jobs.run_outreach, jobs.follow_up, jobs.reap):
        job()
    task = ReviewTask.objects.get()
    with pytest.raises(WrongStatus):
        review.withdraw(task, by=desk.reviewer)
    with pytest.raises(WrongStatus):
        review.approve(task, by=desk.reviewer, now=MONDAY)
    with pytest.raises(WrongStatus):
        review.edit(
            unknown.variants.first(), by=desk.reviewer, now=MONDAY, subject="Hi", body="Hi"
        )
    client.force_login(desk.reviewer)
    for path in ("/api/outreach/trigger/", "/api/outreach/follow-up/trigger/"):
        assert client.post(path, content_type="application/json").status_code < 300
    sending.send_due(now=MONDAY + 200 * HOUR)
    unknown.refresh_from_db()
    assert (unknown.status, copies(desk)) == ("unknown", Counter())


@pytest.mark.req("REL-16")
@pytest.mark.django_db
def test_a_message_refused_while_its_pitch_was_ended_is_canceled_and_not_tried_again(
    desk, monkeypatch
):
    message = queue(desk)

    def refuses_while_somebody_stops(self, letter, *, now):
        stopping.stop_pitch(Pitch.objects.get(pk=message.pitch_id), reason="thought again")
        raise ChannelError("451 try later", code=451)

    with monkeypatch.context() as m:
        m.setattr(CaptureChannel, "hand_over", refuses_while_somebody_stops)
        sending.send_due(now=MONDAY)
    message.refresh_from_db()
    assert message.status == "queued"
    assert sending.send_due(now=MONDAY + HOUR).sent == 0
    message.refresh_from_db()
    assert (message.status, copies(desk)) == ("canceled", Counter())
    assert Stop.objects.count() == 0


@pytest.mark.django_db
def test_a_receiver_of_the_news_that_fails_ends_no_run(desk, monkeypatch):
    """The mail is out: the reaper settles from the journal once the news can be told."""
    messages = queue_several(desk, 2)
    broken = []

    def fails(*args, **kwargs):
        broken.append(kwargs)
        raise RuntimeError("the CRM is confused")

    with monkeypatch.context() as m:
        m.setattr(settling.pitch_sent, "send", fails)
        assert sending.send_due(now=MONDAY).sent == 2
    assert len(broken) == 2
    Message.objects.filter(number=0).update(leased_until=timezone.now() - HOUR)
    assert reaping.reap(now=MONDAY).settled == 2
    assert {Message.objects.get(pk=m.pk).status for m in messages} == {"sent"}
    assert set(copies(desk).values()) == {1}
