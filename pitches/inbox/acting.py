"""What follows from a message, in the transaction that stored it.

Every consequence takes the person's row first, as the gate does.
"""

from __future__ import annotations

import contextlib
from datetime import datetime

from pitches import breakers, classification, stopping, unsubscribing
from pitches.inbox import absences, storing
from pitches.models import IncomingMessage, Message, Pitch, SendMode
from pitches.signals import reply_received
from pitches.unsubscribing import Opened
from prospects import suppressions
from prospects.addresses import AddressError
from prospects.models import Suppression

Kind = IncomingMessage.Kind
BounceKind = Message.BounceKind


def act_on(incoming: IncomingMessage, *, now: datetime) -> None:
    """Draw the consequence of one message, in the transaction that stored it."""
    if said := _way_out(incoming):
        source = f"unsubscribe mail of {incoming.received_at:%Y-%m-%d}"
        stopping.way_out_taken(said, source=source, now=now)
        return
    pitch = incoming.pitch
    if pitch is None:
        if incoming.possible_pitches.exists():
            _hold_what_it_may_mean(incoming)
        elif incoming.kind == Kind.UNSUBSCRIBE and incoming.source != "capture":
            # Long after our last mail, or before any: the wish holds for the address.
            writer = Opened(incoming.from_address, message_key="")
            source = f"mail of {incoming.received_at:%Y-%m-%d}"
            stopping.way_out_taken(writer, source=source, now=now)
        return
    match Kind(incoming.kind):
        case Kind.HUMAN_REPLY:
            _answered(incoming, pitch, now=now)
        case Kind.UNSUBSCRIBE:
            _answered(incoming, pitch, now=now)
            source = f"reply of {incoming.received_at:%Y-%m-%d}"
            stopping.unsubscribed(pitch, source=source, now=now)
            _suppress_writer(incoming, pitch, source=source, now=now)
        case Kind.COMPLAINT:
            _complained(incoming, pitch, now=now)
        case Kind.BOUNCE:
            _bounced(incoming, now=now)
        case Kind.OUT_OF_OFFICE:
            absences.move_steps(pitch, returns_on=incoming.returns_on, now=now)
        case _:
            pass  # a delay, an automatic answer, our own mail: on record, no more


def _way_out(incoming: IncomingMessage) -> Opened | None:
    """The token that our mailto link wrote into the subject: no answer, whoever sends it.

    Read from the mail itself; the row holds only the beginning of a long subject.
    """
    if incoming.kind != Kind.UNSUBSCRIBE or not incoming.raw:
        return None
    mail = classification.parse(bytes(incoming.raw))
    return unsubscribing.in_subject(classification.header(mail, "Subject"))


def _hold_what_it_may_mean(incoming: IncomingMessage) -> None:
    """An answer that may mean several pitches: all of them wait until a person said which.

    The rules see it as soon as this transaction ends; whoever is in the gate for one of these
    people now is waited for.
    """
    if incoming.kind not in (Kind.HUMAN_REPLY, Kind.UNSUBSCRIBE):
        return
    possible = incoming.possible_pitches.values_list("address__contact", flat=True)
    if people := sorted(set(possible)):
        stopping.lock_people(people)
        storing.ask_a_person(incoming)


def _answered(incoming: IncomingMessage, pitch: Pitch, *, now: datetime) -> None:
    stopping.person_answered(pitch, reason=f"answered on {incoming.received_at:%Y-%m-%d}")
    Pitch.objects.filter(pk=pitch.pk).update(outcome=incoming.intent or Pitch.Outcome.OTHER)
    # An answer that comes after the last step still is one.
    late = (
        Pitch.Status.COMPLETED,
        Pitch.Status.MOVED,
        Pitch.Status.STOPPED,
        Pitch.Status.BOUNCED,
    )
    sent = Pitch.objects.filter(pk=pitch.pk, status__in=late, first_sent_at__isnull=False)
    sent.update(status=Pitch.Status.REPLIED, replied_at=incoming.received_at)
    if incoming.answers_id:
        Message.objects.filter(pk=incoming.answers_id, replied_at__isnull=True).update(
            replied_at=incoming.received_at
        )
    reply_received.send(sender=IncomingMessage, incoming=incoming)


def _suppress_writer(
    incoming: IncomingMessage, pitch: Pitch, *, source: str, now: datetime
) -> None:
    """Who says no from another address than we wrote to means that one too."""
    with contextlib.suppress(AddressError):
        suppressions.add(
            Suppression.Kind.EMAIL,
            incoming.from_address,
            reason=Suppression.Reason.UNSUBSCRIBED,
            source=source,
            now=now,
            rehearsed=pitch.send_mode == SendMode.CAPTURE,
        )


def _complained(incoming: IncomingMessage, pitch: Pitch, *, now: datetime) -> None:
    """A person told their provider that this is spam: never again, from nobody here."""
    stopping.complained(pitch, source=f"complaint of {incoming.received_at:%Y-%m-%d}", now=now)
    if incoming.answers_id:
        Message.objects.filter(pk=incoming.answers_id, complained_at__isnull=True).update(
            complained_at=incoming.received_at
        )
    if incoming.answers:
        breakers.judge([incoming.answers], now=now)


def _bounced(incoming: IncomingMessage, *, now: datetime) -> None:
    """What a server had taken with 250 came back: the ledger has it, whatever its kind."""
    message = incoming.answers
    if message is None:
        return
    stopping.lock_person(message.pitch.address.contact_id)
    kind = incoming.bounce_kind or BounceKind.SOFT
    rows = Message.objects.filter(pk=message.pk)
    # A verdict for good is not taken back by a milder one that comes later.
    rows.filter(bounced_at__isnull=True).update(
        bounced_at=incoming.received_at, bounce_kind=kind
    )
    if kind == BounceKind.HARD:
        rows.update(bounce_kind=kind)
        stopping.address_is_dead(message, now=now)
    elif kind == BounceKind.OURS:
        status = f" ({incoming.bounce_status})" if incoming.bounce_status else ""
        reason = f"its mail comes back: our login or DNS is refused{status}"
        breakers.note_login_fault(message.sender, reason, now=now)
    breakers.judge([message], now=now)
