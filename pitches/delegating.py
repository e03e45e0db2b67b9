"""What another sender holds for us, and how it is taken back (REL-37, LAW-26).

A stop marks such a message in its own transaction. A tick asks the other sender not to send
it, reads back that it will not, and only then cancels it here. What is not confirmed after a
quarter of an hour is an alarm. A wish that holds for ever is told to it too, though everything
was sent before.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet

from pitches import breakers, channels, settling, stopping
from pitches.channels import ChannelError, Delegating, Stopped
from pitches.models import Message, Sender
from prospects import suppressions
from prospects.models import Suppression

log = logging.getLogger(__name__)

# A stop that is not confirmed by then needs a person (REL-37, LAW-26).
CONFIRMED_WITHIN = timedelta(minutes=15)
BATCH = 500
# Reasons that hold for ever and for everybody; a bounce says nothing about what they want.
FOR_EVER = frozenset(
    {
        Suppression.Reason.UNSUBSCRIBED,
        Suppression.Reason.COMPLAINED,
        Suppression.Reason.DO_NOT_CONTACT,
        Suppression.Reason.ERASED,
        Suppression.Reason.IMPORTED,
    }
)


@dataclass(slots=True)
class Asked:
    """What one round of asking brought."""

    stopped: int = 0
    sent: int = 0
    waiting: int = 0
    failed: int = 0


def waiting() -> QuerySet[Message]:
    """Stops that the other sender was or will be asked for, and has not confirmed; the oldest
    first (index message_stop_waits)."""
    rows = Message.objects.filter(
        stop_requested_at__isnull=False, stop_confirmed_at__isnull=True
    )
    return rows.order_by("stop_requested_at", "pk")


def overdue(*, now: datetime) -> QuerySet[Message]:
    """Those for which nobody may wait any longer: the alarm of REL-37."""
    return waiting().filter(stop_requested_at__lte=now - CONFIRMED_WITHIN)


def notice_suppressed(*, now: datetime) -> int:
    """Ask back what waits elsewhere for somebody who came onto the list some other way, by an
    import for one; how many. Four queries for 500 messages."""
    held = Message.objects.filter(
        status=Message.Status.DELEGATED, stop_requested_at__isnull=True
    )
    rows = list(held.select_related("pitch__address").order_by("pk"))
    noticed = 0
    for at in range(0, len(rows), BATCH):
        some = rows[at : at + BATCH]
        reasons = suppressions.of_addresses(row.pitch.address for row in some)
        ids = [row.pk for row in some if row.to_address in reasons]
        noticed += held.filter(pk__in=ids).update(stop_requested_at=now)
    return noticed


def take_back(*, now: datetime, stop: Callable[[], bool] = lambda: False) -> Asked:
    """Ask for every stop that waits, and read back. Twice, late or at once it does no harm:
    asking can be repeated, and a confirmation is written once.

    One request after the other per message; a sender whose provider does not answer is left for
    the next round.
    """
    result = Asked()
    rows = list(
        waiting().select_related("sender", "pitch__address__contact__organization", "pitch")
    )
    reasons = suppressions.of_addresses(row.pitch.address for row in rows)
    silent: set[int] = set()
    for message in rows:
        if stop():
            break
        if message.sender_id in silent:
            result.failed += 1
            continue
        try:
            found = _asked(message, for_ever=_is_for_ever(message, reasons), now=now)
        except ChannelError as e:
            result.failed += 1
            _note(message.sender, e, silent, now=now)
            continue
        _write_down(message, found, result, now=now)
    return result


def _is_for_ever(message: Message, reasons: dict[str, str]) -> bool:
    organization = message.pitch.address.contact.organization
    is_wish = organization is not None and organization.do_not_contact
    return is_wish or reasons.get(message.to_address) in FOR_EVER


def _asked(message: Message, *, for_ever: bool, now: datetime) -> Stopped | None:
    with channels.opened_for(message.sender, captured=False) as channel:
        if not isinstance(channel, Delegating):
            raise ChannelError("its sender no longer holds anything for us", of_mailbox=True)
        channel.ask_back(message.to_address, for_ever=for_ever, now=now)
        return channel.stopped(message.to_address, now=now)


def _note(sender: Sender, error: ChannelError, silent: set[int], *, now: datetime) -> None:
    log.warning("sender %s: a stop could not be asked for: %s", sender.pk, error)
    if error.of_mailbox:
        silent.add(sender.pk)
        if error.permanent:
            breakers.note_login_fault(sender, str(error), now=now)


def _write_down(
    message: Message, found: Stopped | None, result: Asked, *, now: datetime
) -> None:
    if found is None:
        result.waiting += 1
        return
    with transaction.atomic():
        stopping.lock_person(message.pitch.address.contact_id)
        Message.objects.filter(pk=message.pk, stop_confirmed_at__isnull=True).update(
            stop_confirmed_at=now
        )
        if found.was_sent:
            settling.delegated_was_sent(message, provider_id=found.provider_id, at=now)
            result.sent += 1
            return
        rows = Message.objects.filter(pk=message.pk, status=Message.Status.DELEGATED)
        reason = message.pitch.status_reason or "stopped"
        rows.move(Message.Status.CANCELED, canceled_reason=f"taken back: {reason}"[:300])
        result.stopped += 1
