"""Whether the journal is the one with which this database was sending.

A journal that was lost with its disk, or another desk's, does not know what went out. Whoever
goes on with it has nothing left that remembers more than the database does, so the gate stays
shut until an admin begins it anew (RELIABILITY 7, F9).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser

from config.text import clean_line
from pitches import journal, situations
from pitches.models import Message, SendMode

# How many of the last messages it has to know. More than one, for somebody may have written a
# line into an empty journal in the moment in which it was lost.
LATEST = 100
SHORTEST_REASON = 10


class NotBegun(Exception):
    """It is not begun anew, and why not."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A message that went out, and of which the journal does not know."""

    message_id: str
    counted_at: datetime

    def __str__(self) -> str:
        return (
            f"it does not know a message that went out on {self.counted_at:%Y-%m-%d %H:%M} "
            "UTC: it was lost, or is another one's"
        )


def confirm() -> None:
    """Raises JournalUnavailable while the journal misses what went out in the present mode.

    Asks the database once for each journal and process: one query.
    """
    mode = situations.mode()
    if mode == SendMode.CAPTURE or mode in journal.believed():
        return
    if missing := gap():
        raise journal.JournalUnavailable(str(missing))
    journal.believed().add(mode)


def gap() -> Gap | None:
    """The newest of the last messages that the journal misses; what was imported it never knew.

    One query over the ledger's index. Where nothing leaves, nothing can be missing. Raises
    JournalUnavailable.
    """
    if situations.mode() == SendMode.CAPTURE:
        return None
    latest = (
        Message.objects.filter(
            status__in=Message.COUNTED,
            counted_at__isnull=False,
            send_mode=situations.mode(),
            pitch__is_imported=False,
        )
        .order_by("-counted_at")
        .values_list("message_id", "counted_at")[:LATEST]
    )
    # The rows before the journal: an intent is on disk before its message is counted.
    rows, begun_at, known = list(latest), journal.begun_at(), journal.intents()
    for name, counted_at in rows:
        is_asked_for = begun_at is None or counted_at > begun_at
        if is_asked_for and name not in known:
            return Gap(name, counted_at)
    return None


def begin_anew(*, by: AbstractBaseUser, reason: str, now: datetime) -> Gap:
    """From now on the journal is believed again; earlier messages are not asked for any more.

    What is queued although it went out before goes out again then: whoever says this has
    looked. Raises NotBegun without a reason or where nothing is missing, JournalUnavailable if
    it cannot be written.
    """
    reason = clean_line(reason)[:300]
    if len(reason) < SHORTEST_REASON:
        raise NotBegun(f"Say why, in {SHORTEST_REASON} characters or more.")
    missing = gap()
    if missing is None:
        raise NotBegun("The journal knows what went out last; there is nothing to begin anew.")
    journal.record_beginning(by=by.get_username(), reason=reason, at=now)
    return missing
