"""Messages of unknown fate: evidence first, then a person; never the machine by itself.

The line broke after the text was handed over, so it may have arrived (RFC 1047). What proves
that it did is looked for in the journal, in what came in, in what the provider reported and in
the mailbox itself (RELIABILITY 4.2). Where nothing proves anything an admin decides, not before
two hours: a worker that stood still may yet write the final dot.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from config.db import WrongStatus
from pitches import channels, journal, letters, mailboxes, settling, stopping
from pitches.channels import ChannelError, Receipt, Refused, capture
from pitches.models import Event, IncomingMessage, Message, Sender, SendMode

log = logging.getLogger(__name__)

# Until then "not there" says nothing, and nobody may decide (REL-7).
DECIDED_AFTER = timedelta(hours=2)
# Without evidence it counts as sent from then on, everywhere.
ASSUMED_AFTER = timedelta(hours=72)
SHORTEST_REASON = 10
# How an incoming mail was joined, where it named the very message that it answers.
NAMES_IT = ("message-id", "way out")


class NotResolvable(Exception):
    """It cannot be decided now, or not like this; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One place that was asked, and what it says: it went out, it did not, or nothing."""

    source: str
    sentence: str
    went_out: bool | None = None
    # what the place said, where another sender holds it and sends it when it likes
    taken_over: Receipt | None = None


def unknown() -> QuerySet[Message]:
    """Those whose fate nobody knows, the oldest first."""
    rows = Message.objects.filter(status=Message.Status.UNKNOWN).order_by("handed_at", "pk")
    return rows.select_related("sender", "pitch__campaign", "pitch__address__contact", "step")


# -- evidence ----------------------------------------------------------------------------------


def evidence(message: Message, *, now: datetime) -> list[Evidence]:
    """Everything that is known of it, the surest first. Asks the mailbox or the provider.

    A place that cannot be asked says so; nothing here raises for it.
    """
    return list(_evidence(message, now=now))


def _evidence(message: Message, *, now: datetime) -> Iterator[Evidence]:
    yield _journal(message)
    yield from _incoming(message)
    yield from _events(message)
    yield _at_the_sender(message, now=now)


def _journal(message: Message) -> Evidence:
    try:
        outcome = journal.outcome_of(message.message_id)
    except journal.JournalUnavailable as e:
        return Evidence("send journal", f"The journal cannot be read: {e}.")
    if outcome == journal.ACCEPTED:
        sentence = "The journal has the server's acceptance."
        receipt = Receipt(sentence, delegated=True) if settling.is_delegated(message) else None
        return Evidence("send journal", sentence, True, receipt)
    if outcome == journal.REFUSED:
        return Evidence("send journal", "The journal has the server's refusal.", False)
    return Evidence("send journal", "The journal has the handing over, and no answer.")


def _incoming(message: Message) -> Iterator[Evidence]:
    """What names this message; what only its writer joins to it, if nothing else went there."""
    rows = IncomingMessage.objects.filter(answers=message)
    others = Message.objects.filter(
        pitch__address__contact=message.pitch.address.contact_id, status__in=Message.COUNTED
    ).exclude(pk=message.pk)
    if others.exists():
        rows = rows.filter(matched_by__in=NAMES_IT)
    for row in rows.order_by("received_at")[:5]:
        kind = row.get_kind_display().lower()
        sentence = (
            f"A mail that answers it came in on {row.received_at:%Y-%m-%d %H:%M}: {kind}."
        )
        yield Evidence("inbox", sentence, True)


def _events(message: Message) -> Iterator[Evidence]:
    tells = Event.objects.filter(message=message).exclude(
        kind__in=[Event.Kind.QUEUED, Event.Kind.FAILED, Event.Kind.REJECTED, Event.Kind.UNKNOWN]
    )
    for event in tells.order_by("occurred_at")[:5]:
        sentence = f"{event.provider} reported “{event.kind}” at {event.occurred_at:%H:%M}."
        yield Evidence("provider", sentence, True)


def _at_the_sender(message: Message, *, now: datetime) -> Evidence:
    """The Sent folder of an own mailbox, or what the provider knows."""
    if message.send_mode == SendMode.CAPTURE:
        found: bool | None = capture.find(message.sender, message.message_id) is not None
        return _in_sent_folder(found, "captured mail")
    if message.sender.transport == Sender.Transport.MAILBOX:
        found = mailboxes.find_sent(message.sender, message.message_id)
        return _in_sent_folder(found, "Sent folder")
    return _at_the_provider(message, now=now)


def _in_sent_folder(found: bool | None, place: str) -> Evidence:
    if found:
        return Evidence(place, "Its Message-ID lies there: it went out.", True)
    if found is None:
        return Evidence(
            place, "It cannot be looked into: no IMAP server, no folder, no answer."
        )
    return Evidence(place, "Its Message-ID is not there, which proves nothing by itself.")


def _at_the_provider(message: Message, *, now: datetime) -> Evidence:
    source = message.sender.get_transport_display()
    try:
        with channels.opened_for(message.sender, captured=False) as channel:
            if channel.look_up_may_deliver:
                # asking would send it, past every rule; an admin may, for a copy is refused
                told = "The provider refuses a second copy under the same key: sending again "
                return Evidence(source, f"{told}makes no duplicate within 23 hours.")
            found = channel.look_up(
                letters.build(message, now=now), since=message.handed_at or now, now=now
            )
    except (ChannelError, letters.BuildError) as e:
        return Evidence(source, f"It cannot be asked: {e}")
    if isinstance(found, Refused):
        return Evidence(source, f"It was not taken there: {found.reason}", False)
    if found is None:
        return Evidence(source, "Nothing is known of it there.")
    taken_over = found if found.delegated else None
    return Evidence(source, f"It was taken there: {found.answer}", True, taken_over)


# -- what follows ------------------------------------------------------------------------------


@dataclass(slots=True)
class Resolved:
    """What one look for evidence settled."""

    sent: int = 0
    failed: int = 0
    assumed: int = 0
    open: int = 0


def look_for_evidence(*, now: datetime, stop: Callable[[], bool] = lambda: False) -> Resolved:
    """Settle what is proven; assume what nobody could prove in 72 hours. Never sends.

    One message after the other: each may ask a server.
    """
    result = Resolved()
    for message in unknown():
        if stop():
            break
        try:
            proof = next(
                (each for each in _evidence(message, now=now) if each.went_out is not None),
                None,
            )
            _conclude(message, proof, result, now=now)
        except WrongStatus:  # somebody decided it in the meantime
            log.info("message %s was resolved by somebody else", message.pk)
        except Exception:  # foreign answers fail in any way; the others are not to wait for it
            log.exception("no evidence could be looked for about message %s", message.pk)
            result.open += 1
    return result


def _conclude(
    message: Message, proof: Evidence | None, result: Resolved, *, now: datetime
) -> None:
    if proof is not None and proof.went_out:
        why = f"{proof.source}: {proof.sentence}"
        _was_sent(message, why, by=None, now=now, taken_over=proof.taken_over)
        result.sent += 1
    elif proof is not None:
        _was_not_sent(message, f"{proof.source}: {proof.sentence}", now=now)
        result.failed += 1
    elif message.handed_at and now - message.handed_at >= ASSUMED_AFTER:
        cause = "no evidence for 72 hours: it counts as sent"
        settling.conclude(
            message, Receipt(cause), at=_when(message, now), status=Message.Status.ASSUMED_SENT
        )
        _note(message, cause, by=None, now=now)
        result.assumed += 1
    else:
        result.open += 1


def _was_sent(
    message: Message,
    why: str,
    *,
    by: User | None,
    now: datetime,
    taken_over: Receipt | None = None,
) -> None:
    with transaction.atomic():
        settling.conclude(message, taken_over or Receipt(why), at=_when(message, now))
        _note(message, why, by=by, now=now)


def _was_not_sent(message: Message, why: str, *, now: datetime) -> None:
    with transaction.atomic():
        message.move(
            Message.Status.FAILED, failure="refused", last_error=why[:500], counted_at=None
        )
        _note(message, why, by=None, now=now)


def _when(message: Message, now: datetime) -> datetime:
    """It went out when it was handed over, whenever that came to be known."""
    return message.counted_at or now


def _note(message: Message, resolution: str, *, by: User | None, now: datetime) -> None:
    Message.objects.filter(pk=message.pk).update(
        resolved_at=now, resolved_by=by, resolution=resolution[:300]
    )


# -- an admin's word ---------------------------------------------------------------------------


def mark_sent(message: Message, *, by: User, reason: str, now: datetime) -> Message:
    """An admin says that it went out: the later steps get their times from when it left.

    Raises NotResolvable for a short reason, within two hours, or once it is resolved.
    """
    _check(message, reason, now=now)
    try:
        _was_sent(message, f"{by.get_username()} says it went out: {reason}", by=by, now=now)
    except WrongStatus as e:
        raise NotResolvable(str(e)) from e
    message.refresh_from_db()
    return message


def send_again(message: Message, *, by: User, reason: str, now: datetime) -> Message:
    """An admin takes the risk of a second copy: it goes back into the queue, same Message-ID.

    The journal gets the word too, for it would keep the message back otherwise. Everything else
    is asked anew at the gate. Raises NotResolvable as ``mark_sent`` does, and where something
    that is on record here proves that it went out.
    """
    _check(message, reason, now=now)
    with transaction.atomic():
        stopping.lock_person(message.pitch.address.contact_id)
        _check_not_proven(message)
        try:
            message.move(
                Message.Status.QUEUED,
                send_at=now,
                not_before=None,
                claims=0,
                counted_at=None,
                handed_at=None,
                expires_at=None,
                last_error="",
            )
        except WrongStatus as e:
            raise NotResolvable(str(e)) from e
        _note(message, f"{by.get_username()} sends it again: {reason}", by=by, now=now)
        journal.record_reply(
            message.message_id,
            outcome=journal.RELEASED,
            code=None,
            mode=message.send_mode,
            at=now,
        )
    message.refresh_from_db()
    return message


def may_be_decided_at(message: Message) -> datetime | None:
    """From when an admin may decide; None where it was never handed over."""
    return message.handed_at + DECIDED_AFTER if message.handed_at else None


def _check(message: Message, reason: str, *, now: datetime) -> None:
    if len(reason.strip()) < SHORTEST_REASON:
        raise NotResolvable(f"Say why, in {SHORTEST_REASON} characters or more: it is kept.")
    if message.status != Message.Status.UNKNOWN:
        state = message.get_status_display().lower()
        raise NotResolvable(f"Its fate is known already: it is {state}.")
    opens = may_be_decided_at(message)
    if opens is None or now < opens:
        raise NotResolvable(
            "Wait until two hours after it was handed over: a worker that stood still may yet "
            "finish it, and evidence may come in."
        )


def _check_not_proven(message: Message) -> None:
    """No server is asked under the person's lock, only what lies here."""
    known = (_journal(message), *_incoming(message), *_events(message))
    for each in known:
        if each.went_out:
            raise NotResolvable(f"It went out, and is not sent again. {each.sentence}")
