"""The usual mistakes. A test that does not notice them proves nothing."""

from __future__ import annotations

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from config import db, faults
from pitches import gate, journal, reaping, sending, settling, stopping
from pitches.channels import Receipt
from pitches.models import Message

TAKEN_BACK = {"status": Message.Status.QUEUED, "counted_at": None, "handed_at": None}
HELD_BY_NOBODY = {"lease_owner": None, "leased_until": None}


def become(name: str) -> None:
    """Make this process commit the mistake, for as long as it lives."""
    MUTANTS[name]()


def _forget_the_journal() -> None:
    gate._journal_does_not_know = lambda message: None


def sends_again_when_the_lease_is_over() -> None:
    """M-1: what was being handed over goes back into the queue."""

    def reap_handing(message, reaped, *, now):
        Message.objects.filter(pk=message.pk).update(**TAKEN_BACK, **HELD_BY_NOBODY)

    _forget_the_journal()
    reaping._reap_handing = reap_handing


def counts_without_a_lock() -> None:
    """M-2: every worker counts for itself."""
    stopping.lock_for_sending = lambda message: None


def asks_before_it_locks() -> None:
    """M-3: between the question and the lock there is time for a stop."""

    def pass_through(message, *, now):
        gate.ask(message, now=now)
        faults.point("P6")
        with transaction.atomic():
            stopping.lock_for_sending(message)
            journal.record_intent(
                message.message_id, recipient="", owner="", mode=message.send_mode, at=now
            )
            Message.objects.filter(pk=message.pk).update(
                status=Message.Status.HANDING,
                counted_at=now,
                handed_at=Now(),
                lease_owner=message.lease_owner,
                leased_until=message.leased_until,
            )

    gate.pass_through = pass_through


def calls_it_sent_before_the_answer() -> None:
    """M-4: settled first, handed over afterwards."""
    hand_over = sending._hand_over

    def marks_and_hands_over(message, letter, channel, report, *, now):
        settling.settle(message, Receipt(answer="250 surely"), now=now)
        hand_over(message, letter, channel, report, now=now)

    sending._hand_over = marks_and_hands_over


def tries_again_after_a_time_out() -> None:
    """M-5: no answer counts as a no."""

    def unknown(message, error, *, now):
        Message.objects.filter(pk=message.pk).update(**TAKEN_BACK, **HELD_BY_NOBODY)

    _forget_the_journal()
    settling.unknown = unknown


def trusts_its_clock() -> None:
    """Whoever works asks its own host what time it is."""
    db.database_now = timezone.now


MUTANTS = {
    "trusts-its-clock": trusts_its_clock,
    "M-1": sends_again_when_the_lease_is_over,
    "M-2": counts_without_a_lock,
    "M-3": asks_before_it_locks,
    "M-4": calls_it_sent_before_the_answer,
    "M-5": tries_again_after_a_time_out,
}
