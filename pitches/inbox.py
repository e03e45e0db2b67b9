"""Reading what came in: stored first, then understood, then acted upon, message by message.

The mark of a mailbox only moves over what was stored. Nothing is dropped: what matches no
pitch is kept and shown.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage

from django.contrib.auth.models import AbstractBaseUser
from django.db import DataError, transaction
from django.db.models import Case, F, When

from config.text import clean_line, clean_text
from pitches import classification, situations, stopping
from pitches.channels import capture
from pitches.models import IncomingMessage, Message, Pitch, Sender, SendMode
from pitches.signals import reply_received
from prospects.addresses import AddressError, canonical_email
from prospects.models import ContactAddress

log = logging.getLogger(__name__)


class InboxUnavailable(Exception):
    """The mailbox could not be read to its end; follow-ups of its sender wait."""


@dataclass(slots=True)
class Read:
    """What one reading of a mailbox found."""

    stored: int = 0
    replies: int = 0
    unmatched: int = 0


def read(sender: Sender, *, now: datetime) -> Read:
    """Read a mailbox to its end. Raises InboxUnavailable.

    ``inbox_read_began_at`` is set to ``now`` only after everything was stored, so a follow-up
    that asks for a fresh read never relies on half of one.
    """
    result = Read()
    for uid, raw in _arrived(sender):
        _take_in(sender, uid, raw, result, now=now)
    Sender.objects.filter(pk=sender.pk).update(
        inbox_read_began_at=now, inbox_read_at=now, inbox_error=""
    )
    sender.inbox_read_began_at = sender.inbox_read_at = now
    return result


def _arrived(sender: Sender) -> Iterable[tuple[int, bytes]]:
    if situations.mode() == SendMode.CAPTURE:
        mark = Sender.objects.values_list("inbox_mark", flat=True).get(pk=sender.pk)
        try:
            return [(letter.uid, letter.raw) for letter in capture.arrived(sender, after=mark)]
        except OSError as e:
            raise InboxUnavailable(f"the captured mail cannot be read: {e.strerror}") from e
    cause = "reading a mailbox over IMAP is not part of this version"
    Sender.objects.filter(pk=sender.pk).update(inbox_error=cause)
    raise InboxUnavailable(cause)


def _take_in(sender: Sender, uid: int, raw: bytes, result: Read, *, now: datetime) -> None:
    """Store one message, act on it and move the mark, all or nothing."""
    with transaction.atomic():
        incoming = store(sender, uid, raw, now=now)
        Sender.objects.filter(pk=sender.pk, inbox_mark__lt=uid).update(inbox_mark=uid)
        if incoming is None:
            return
        result.stored += 1
        result.unmatched += incoming.pitch_id is None
        result.replies += incoming.kind == IncomingMessage.Kind.HUMAN_REPLY
        act_on(incoming, now=now)


def store(sender: Sender, uid: int, raw: bytes, *, now: datetime) -> IncomingMessage | None:
    """Keep the message as it came, with its classification.

    None if these bytes are known already. One that cannot be understood is kept too, unmatched
    and for a person to read: it must not keep what lies behind it from being read.
    """
    sha256 = hashlib.sha256(raw).hexdigest()
    if IncomingMessage.objects.filter(sender=sender, raw_sha256=sha256).exists():
        return None
    try:
        with transaction.atomic():
            return _store_understood(sender, uid, raw, sha256, now=now)
    except (DataError, ValueError, LookupError, OverflowError, TypeError, AttributeError):
        log.exception("a mail to sender %s could not be understood", sender.pk)
        return IncomingMessage.objects.create(
            sender=sender,
            source=_source(),
            uid=uid,
            uid_validity=sender.inbox_uid_validity or 1,
            raw=raw[: classification.MOST_BYTES],
            raw_sha256=sha256,
            subject="(a mail that could not be understood)",
            kind=IncomingMessage.Kind.HUMAN_REPLY,
            classified_by="not understood",
            received_at=now,
        )


def _source() -> str:
    return "capture" if situations.mode() == SendMode.CAPTURE else "imap"


def _store_understood(
    sender: Sender, uid: int, raw: bytes, sha256: str, *, now: datetime
) -> IncomingMessage:
    mail = classification.parse(raw)
    found = classification.classify(mail, own={sender.address.lower()})
    match = _join(mail, sender)
    return IncomingMessage.objects.create(
        sender=sender,
        source=_source(),
        uid=uid,
        uid_validity=sender.inbox_uid_validity or 1,
        raw=raw[: classification.MOST_BYTES],
        raw_sha256=sha256,
        message_id=classification.header(mail, "Message-ID").strip("<> ")[:998],
        references="\n".join(classification.references(mail))[:10_000],
        from_address=found.from_address[:320],
        from_name=clean_line(found.from_name)[:200],
        subject=clean_line(classification.header(mail, "Subject"))[:300],
        text=found.text,
        reply_text=found.reply_text,
        kind=found.kind,
        intent=found.intent,
        classified_by=classification.RULES,
        pitch=match.pitch,
        answers=match.message,
        contact=match.pitch.address.contact if match.pitch else None,
        matched_by=match.by,
        received_at=classification.received_at(mail, now=now),
    )


# -- whose it is -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Joined:
    pitch: Pitch | None = None
    message: Message | None = None
    by: str = ""


def _join(mail: EmailMessage, sender: Sender) -> Joined:
    """The pitch it belongs to: by the ids it answers, else by its writer.

    An answer may lie in another of our mailboxes, and may come from another address of the
    same person; what this mailbox wrote comes first.
    """
    gone_out = Message.objects.filter(status__in=Message.COUNTED).select_related(
        "pitch__address__contact", "pitch__campaign__client"
    )
    ids = classification.references(mail)
    if ids and (message := gone_out.filter(message_id__in=ids).order_by("-sent_at").first()):
        return Joined(message.pitch, message, "message-id")
    _, address = classification.written_by(mail)
    try:
        canonical = canonical_email(address)
    except AddressError:
        return Joined()
    to_person = gone_out.filter(
        pitch__address__contact__addresses__kind=ContactAddress.Kind.EMAIL,
        pitch__address__contact__addresses__canonical=canonical,
    )
    here_first = Case(When(sender=sender, then=0), default=1)
    latest = to_person.order_by(here_first, F("sent_at").desc(nulls_last=True)).first()
    return Joined(latest.pitch, latest, "address") if latest else Joined()


# -- what follows ------------------------------------------------------------------------------


def act_on(incoming: IncomingMessage, *, now: datetime) -> None:
    """Draw the consequence of one message, in the transaction that stored it."""
    pitch = incoming.pitch
    if pitch is None:
        return
    if incoming.kind == IncomingMessage.Kind.UNSUBSCRIBE:
        _answered(incoming, pitch, now=now)
        stopping.unsubscribed(
            pitch, source=f"reply of {incoming.received_at:%Y-%m-%d}", now=now
        )
    elif incoming.kind == IncomingMessage.Kind.HUMAN_REPLY:
        _answered(incoming, pitch, now=now)


def _answered(incoming: IncomingMessage, pitch: Pitch, *, now: datetime) -> None:
    stopping.person_answered(pitch, reason=f"answered on {incoming.received_at:%Y-%m-%d}")
    Pitch.objects.filter(pk=pitch.pk).update(outcome=incoming.intent or Pitch.Outcome.OTHER)
    # An answer that comes after the last step still is one.
    late = (Pitch.Status.COMPLETED, Pitch.Status.MOVED, Pitch.Status.STOPPED)
    sent = Pitch.objects.filter(pk=pitch.pk, status__in=late, first_sent_at__isnull=False)
    sent.update(status=Pitch.Status.REPLIED, replied_at=incoming.received_at)
    if incoming.answers_id:
        Message.objects.filter(pk=incoming.answers_id, replied_at__isnull=True).update(
            replied_at=incoming.received_at
        )
    reply_received.send(sender=IncomingMessage, incoming=incoming)


def record_reply(
    pitch: Pitch,
    *,
    intent: str,
    now: datetime,
    text: str = "",
    message: Message | None = None,
    by: AbstractBaseUser | None = None,
) -> IncomingMessage:
    """An answer that reached us elsewhere (telephone, another mailbox), noted by a person.

    Does what a mail would do: stops the person's open steps for this client. Noting the same
    answer twice on the same day changes nothing more.
    """
    marker = f"{pitch.pk}:{intent}:{now:%Y-%m-%d}:{text.strip()}"
    sha256 = hashlib.sha256(marker.encode()).hexdigest()
    answered = (
        message
        or pitch.messages.filter(status__in=Message.COUNTED).order_by("-sent_at").first()
    )
    with transaction.atomic():
        incoming, is_new = IncomingMessage.objects.get_or_create(
            sender=pitch.sender,
            raw_sha256=sha256,
            defaults={
                "source": "noted by hand",
                "from_address": pitch.address.value,
                "from_name": pitch.address.contact.name,
                "text": clean_text(text),
                "reply_text": clean_text(text),
                "kind": _kind_of_intent(intent),
                "intent": intent,
                "classified_by": getattr(by, "username", "") or "api",
                "pitch": pitch,
                "answers": answered,
                "contact": pitch.address.contact,
                "matched_by": "by hand",
                "received_at": now,
            },
        )
        if is_new:
            act_on(incoming, now=now)
        return incoming


def close(incoming: IncomingMessage, *, now: datetime) -> None:
    """Somebody dealt with it: its thread no longer holds other clients' pitches back."""
    open_yet = IncomingMessage.objects.filter(pk=incoming.pk, handled_at__isnull=True)
    open_yet.update(handled_at=now)


def _kind_of_intent(intent: str) -> str:
    kinds = IncomingMessage.Kind
    by_intent = {
        IncomingMessage.Intent.UNSUBSCRIBE.value: kinds.UNSUBSCRIBE,
        IncomingMessage.Intent.OUT_OF_OFFICE.value: kinds.OUT_OF_OFFICE,
    }
    return by_intent.get(intent, kinds.HUMAN_REPLY)
