"""The gate: the last look before a message is handed over, under locks.

It is the only code that sets ``handing``. It asks the same rules as the planner, and no stop
can slip past it: both take the same locks in the same order.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from psycopg.errors import DeadlockDetected, LockNotAvailable

from config import faults
from pitches import (
    continuity,
    fingerprints,
    journal,
    rules,
    situations,
    stopping,
)
from pitches.decisions import Reason
from pitches.models import Message, Sender

log = logging.getLogger(__name__)

# A journal that could not be written may be back soon: the next tick asks again (REL-35).
ASK_AGAIN = timedelta(seconds=30)


class Held(Exception):
    """The gate said no: why, and from when it may be asked again."""

    def __init__(
        self, reason: Reason, *, until: datetime | None = None, sentence: str = ""
    ) -> None:
        self.reason, self.until = reason, until
        super().__init__(sentence or reason.label)


def ask(message: Message, *, now: datetime, by_person: bool = False) -> None:
    """The same question as the planner's, about one row; raises Held."""
    (situation,) = situations.of_messages([message], now=now)
    situation.by_person = by_person
    ruling = rules.decide(situation)
    if not ruling.may:
        raise Held(ruling.reason, until=ruling.at, sentence=ruling.sentence)


def pass_through(
    message: Message, *, now: datetime, by_person: bool = False, told: bool = False
) -> None:
    """The last look, under locks: claimed becomes handing, or Held is raised and nothing
    changed.

    ``by_person``: somebody takes it by hand. ``told``: they say that they have done so already;
    then no rule is asked, for it is the truth, and it is written down like everything that
    leaves.

    The intent is in the journal, fsynced, before the commit. Locks are taken in the order of
    ``stopping``, which every stop follows too, so of a stop and a message one waits for the
    other.
    """
    try:
        with transaction.atomic():
            _patience()
            stopping.lock_for_sending(message)
            fresh = _mine(message, now=now)
            if not (told and fresh.is_by_hand):
                ask(fresh, now=now, by_person=by_person)
            if fresh.is_follow_up and not fresh.is_by_hand:
                _inbox_is_fresh(fresh.sender, now=now)
            continuity.confirm()
            _journal_does_not_know(fresh)
            journal.record_intent(
                fresh.message_id,
                recipient=fresh.to_address,
                owner=str(message.lease_owner),
                words=fingerprints.of_sent_words(fresh),
                mode=fresh.send_mode,
                at=now,
            )
            Message.objects.filter(pk=fresh.pk).update(
                status=Message.Status.HANDING,
                counted_at=now,
                handed_at=_database_clock(),
                first_attempt_at=fresh.first_attempt_at or now,
                leased_until=_database_clock(settings.HANDING_LEASE),
                hold_reason="",
                hold_until=None,
            )
            faults.point("P6")
    except journal.JournalUnavailable as e:
        sentence = Reason.JOURNAL_UNAVAILABLE.label.format(cause=e)
        raise Held(Reason.JOURNAL_UNAVAILABLE, until=now + ASK_AGAIN, sentence=sentence) from e
    except OperationalError as e:
        if not isinstance(e.__cause__, (LockNotAvailable, DeadlockDetected)):
            raise
        raise Held(Reason.LEASE_LOST, until=now, sentence="somebody else holds a lock") from e
    message.status = Message.Status.HANDING


def _patience() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '5s'; SET LOCAL synchronous_commit = on")


def _database_clock(seconds: int = 0) -> Now | F:
    from_now = Now()
    return from_now + timedelta(seconds=seconds) if seconds else from_now  # type: ignore[return-value]


def _mine(message: Message, *, now: datetime) -> Message:
    """The row as it is now, if the lease is still ours; raises Held.

    One that came too late and was not yet missed goes straight back into the queue.
    """
    fresh: Message | None = situations.readable(
        Message.objects.select_for_update(of=("self",)).filter(
            pk=message.pk,
            status=Message.Status.CLAIMED,
            lease_owner=message.lease_owner,
            leased_until__gt=Now(),
        )
    ).first()
    if fresh is None:
        raise Held(Reason.LEASE_LOST, until=now)
    return fresh


def _inbox_is_fresh(sender: Sender, *, now: datetime) -> None:
    if situations.is_heard_by_asking(sender):
        return
    if not rules.inbox_is_fresh(sender, now=now):
        sentence = Reason.INBOX_NOT_READ.label.format(
            sender=sender.address, cause="the read is too old"
        )
        raise Held(Reason.INBOX_NOT_READ, until=now, sentence=sentence)


def _journal_does_not_know(message: Message) -> None:
    if journal.outcome_of(message.message_id) in (journal.INTENT, journal.ACCEPTED):
        raise Held(Reason.JOURNAL_KNOWS_IT)
