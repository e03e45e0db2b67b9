"""Limits and stops while workers race and die: F3 and F4 of the fault plan."""

from __future__ import annotations

import os
import random
from collections import Counter

import pytest

from config import faults
from config.db import database_now
from pitches import sending, stopping, thresholds
from pitches.models import FollowUpTask, Message, Pitch, Sender, Stop
from tests.factories import EmailLimitFactory
from tests.faults import seeding
from tests.faults.checking import violations
from tests.faults.rig import sized, wait_for
from tests.races import Aside, Halt, await_lock_wait

pytestmark = pytest.mark.fault
# Between the question and the commit there is time for everybody else.
GAP = "P6:wait:0.05"


# -- limits (F3)


def limited(cap: int) -> None:
    EmailLimitFactory(organization=None, maximum=cap, hours=168)


@pytest.mark.req("REL-13", "REL-2", "REL-4")
def test_eight_workers_that_race_and_die_keep_every_limit(rig, told):
    limited(3)
    firms = 10
    seeds = seeding.sow(sized(60, 400), ports=[rig.port] * 4, organizations=firms)
    faulty = ",".join([GAP, *(f"{name}:kill:0.05" for name in ("P5", "P7", "P9", "P10"))])
    rig.spawn_many(8, faults=faulty)
    rig.wait_settled()
    wrong = violations(rig, cap=3, lost=seeds.messages)
    taken = Counter(
        Message.objects.filter(counted_at__isnull=False).values_list(
            "pitch__lead__organization", flat=True
        )
    )
    told(rig, over_limit=len([w for w in wrong if " of 3 by " in w]), lost=len(wrong))
    assert wrong == []
    # nobody gets less than there is room for
    assert set(taken.values()) == {3}
    assert len(taken) == firms


@pytest.mark.skipif(
    "OVERTURE_SOAK" not in os.environ, reason="waits for a collision, which may take minutes"
)
def test_control_without_a_lock_the_limit_breaks(rig):
    limited(3)
    seeding.sow(24, ports=[rig.port] * 4, organizations=1)
    rig.spawn_many(6, faults=GAP, mutant="M-2")
    wait_for(
        lambda: any(" of 3 by the server" in wrong for wrong in violations(rig, cap=3)),
        "the checker notices",
    )


# -- stops (F4)

KINDS = sorted(Stop.Kind)


def stop_person(kind: str, pitch: Pitch) -> None:
    """Each kind by the way it comes in; the others are what staff says at the stop's page."""
    contact, reason = pitch.address.contact, f"{kind} in a test"
    match kind:
        case Stop.Kind.REPLY:
            stopping.person_answered(pitch, reason=reason)
        case Stop.Kind.UNSUBSCRIBE:
            stopping.unsubscribed(pitch, source=reason, now=database_now())
        case Stop.Kind.DO_NOT_CONTACT:
            stopping.do_not_contact(contact.organization, reason=reason)
        case Stop.Kind.COMPLAINT:
            stopping.complained(pitch, source=reason, now=database_now())
        case Stop.Kind.HARD_BOUNCE:
            # a report that comes late, about the first message
            first = pitch.messages.select_related("pitch__address__contact").first()
            stopping.address_is_dead(first, now=database_now())
        case Stop.Kind.SOFT_BOUNCE:
            until = database_now() + thresholds.SOFT_REST
            stopping.stop(
                scope=Stop.Scope.PERSON, kind=kind, reason=reason, contact=contact, until=until
            )
        case _:
            stopping.stop(scope=Stop.Scope.PERSON, kind=kind, reason=reason, contact=contact)


def inbox_was_read() -> None:
    """Follow-ups want a fresh look into the inbox; nobody wrote."""
    Sender.objects.update(inbox_read_began_at=database_now(), inbox_read_at=database_now())


def nothing_is_open(pitch: Pitch) -> bool:
    still = Message.objects.filter(pitch=pitch, status__in=Message.BEFORE_HANDING)
    tasks = FollowUpTask.objects.filter(FollowUpTask.is_open(), pitch=pitch)
    return not still.exists() and not tasks.exists()


@pytest.fixture
def due(rig):
    """One follow-up that is due, and the in-process way to send it."""
    seeds = seeding.sow(1, ports=[rig.port], follow_ups=True)
    inbox_was_read()
    return Message.objects.select_related("pitch__address__contact__organization").get(
        pk=seeds.messages[0]
    )


@pytest.mark.req("REL-16")
@pytest.mark.parametrize("kind", KINDS)
def test_a_message_that_meets_a_stop_waits_for_it_and_is_never_sent(
    due, rig, kind, monkeypatch
):
    """The stop holds its locks when the message comes to the gate."""
    held, end = Halt(), stopping._cancel_open_steps

    def halts_and_cancels(*args, **kwargs):
        held.here()
        end(*args, **kwargs)

    monkeypatch.setattr(stopping, "_cancel_open_steps", halts_and_cancels)
    stop = Aside(lambda: stop_person(kind, due.pitch))
    held.wait()
    worker = Aside(lambda: sending.send_due(now=database_now()))
    await_lock_wait()
    held.go()
    stop.done()
    assert worker.done().sent == 0
    assert rig.sink.counts() == {}
    assert nothing_is_open(due.pitch)


@pytest.mark.req("REL-16")
@pytest.mark.parametrize("kind", KINDS)
def test_a_stop_that_meets_a_message_in_the_gate_takes_all_that_follows(
    due, rig, kind, monkeypatch
):
    """The message is in the gate when the stop comes: it goes, and it is the last."""
    held = Halt()

    def halts(name):
        if name == "P6":
            held.here()

    monkeypatch.setattr(faults, "point", halts)
    worker = Aside(lambda: sending.send_due(now=database_now()))
    held.wait()
    stop = Aside(lambda: stop_person(kind, due.pitch))
    await_lock_wait()
    held.go()
    assert worker.done().sent == 1
    stop.done()
    assert sum(rig.sink.counts().values()) == 1
    assert nothing_is_open(due.pitch)
    assert violations(rig) == []


def stops_among_workers(rig, *, follow_ups: int, stops: int, workers: int, **orders):
    """Stops of all kinds while workers send; every so often all inboxes are read anew."""
    seeds = seeding.sow(follow_ups, ports=[rig.port] * 4, follow_ups=True)
    inbox_was_read()
    rig.spawn_many(workers, faults=GAP, **orders)
    chance = random.Random(7)
    pitches = list(Pitch.objects.select_related("address__contact__organization"))
    for number, pitch in enumerate(chance.sample(pitches, stops)):
        stop_person(KINDS[number % len(KINDS)], pitch)
        if number % 10 == 0:
            inbox_was_read()
    return seeds


@pytest.mark.req("REL-16", "REL-4")
def test_nothing_is_handed_over_after_a_stop_of_any_kind(rig, told):
    seeds = stops_among_workers(rig, follow_ups=sized(32, 300), stops=sized(24, 250), workers=6)

    def is_over():
        inbox_was_read()
        # one that found the inbox too old asks again at once, by its own clock
        return rig.settled()

    wait_for(is_over, "everything is settled")
    wrong = violations(rig, lost=seeds.messages)
    told(rig, after_stop=len([w for w in wrong if "after its stop" in w]), lost=len(wrong))
    assert wrong == []
    assert Stop.objects.count() == sized(24, 250)
    stopped = Pitch.objects.filter(address__contact__stops__isnull=False)
    assert all(nothing_is_open(pitch) for pitch in stopped)


def test_control_who_asks_before_locking_sends_after_a_stop(rig):
    stops_among_workers(rig, follow_ups=60, stops=0, workers=4, mutant="M-3")
    wait_for(lambda: Message.objects.filter(status="claimed").exists(), "somebody works")

    def noticed():
        for message in Message.objects.filter(status="claimed").select_related(
            "pitch__address__contact__organization"
        ):
            stop_person(Stop.Kind.STAFF, message.pitch)
        return any("after its stop" in wrong for wrong in violations(rig))

    wait_for(noticed, "the checker notices")
