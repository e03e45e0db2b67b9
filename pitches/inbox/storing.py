"""Keeping a message as it came, with what it was taken for and whom it is about."""

from __future__ import annotations

import hashlib
import logging
from datetime import datetime
from typing import Any

from django.db import DataError, IntegrityError, transaction

from config.text import clean_line
from pitches import classification, situations, unsubscribing
from pitches.inbox import joining
from pitches.models import IncomingMessage, Message, ReviewTask, Sender, SendMode

log = logging.getLogger(__name__)

# The numbering of captured mail: no server's, whose are 1 and above (RFC 3501 section 2.3.1.1).
CAPTURE = 0
NOT_STUCK: dict[str, Any] = {
    "inbox_stuck_uid": None,
    "inbox_stuck_reads": 0,
    "inbox_stuck_since": None,
}
QUIET = (
    IncomingMessage.Kind.OWN,
    IncomingMessage.Kind.AUTOMATIC,
    IncomingMessage.Kind.DELAY,
)
NOT_UNDERSTOOD = (
    DataError, ValueError, LookupError, OverflowError, TypeError, AttributeError,
    RecursionError,
)  # fmt: skip


def store(
    sender: Sender,
    uid: int | None,
    raw: bytes,
    *,
    now: datetime,
    validity: int | None = CAPTURE,
    source: str = "",
) -> IncomingMessage | None:
    """Keep the message as it came, with its classification.

    ``source`` names the provider that handed it on; such a mail has no place in a mailbox. None
    if it is known already. One that cannot be understood is kept too, unmatched and for a
    person to read: it must not keep what lies behind it from being read.
    """
    sha256 = hashlib.sha256(raw).hexdigest()
    if IncomingMessage.objects.filter(sender=sender, raw_sha256=sha256).exists():
        return None
    fields: dict[str, Any] = {
        "sender": sender,
        "source": source or _source(),
        "uid": uid,
        "uid_validity": validity,
        "raw": raw[: classification.MOST_BYTES],
        "raw_sha256": sha256,
    }
    try:
        with transaction.atomic():
            return _store_understood(sender, raw, fields, now=now)
    except NOT_UNDERSTOOD:
        log.exception("a mail to sender %s could not be understood", sender.pk)
        return _store_unread(
            fields, "(a mail that could not be understood)", "not understood", now=now
        )
    except IntegrityError:
        if IncomingMessage.objects.filter(sender=sender, raw_sha256=sha256).exists():
            return None  # somebody else reads this mailbox too, and was first
        if uid is None:
            raise
        # Its place is another mail's: a server that came back from a backup gives its numbers
        # once more under the same UIDVALIDITY, or what could not be fetched came at last.
        log.warning("mail %s of sender %s lies where another one lay", uid, sender.pk)
        return store(sender, None, raw, now=now, validity=None, source=fields["source"])


def _store_unread(
    fields: dict[str, Any], subject: str, by: str, *, now: datetime
) -> IncomingMessage | None:
    try:
        with transaction.atomic():
            incoming = IncomingMessage.objects.create(
                **fields,
                subject=subject,
                kind=IncomingMessage.Kind.HUMAN_REPLY,
                classified_by=by,
                received_at=now,
            )
    except IntegrityError:
        return None
    ask_a_person(incoming)
    return incoming


def keep_unread(
    sender: Sender, uid: int, head: bytes, *, now: datetime, validity: int
) -> IncomingMessage | None:
    """A row in the place of a mail that the server does not give, and a task for a person.

    With its headers, if at least these came: they may say whom it answers.
    """
    if head:
        incoming = store(sender, uid, head, now=now, validity=validity)
        if incoming is not None:
            told = "(The server does not give the text of this mail. Read it in the mailbox.)"
            IncomingMessage.objects.filter(pk=incoming.pk).update(text=told)
            ask_a_person(incoming)
        return incoming
    place = f"{sender.pk}:{validity}:{uid}"
    fields = {
        "sender": sender,
        "source": _source(),
        "uid": uid,
        "uid_validity": validity,
        "raw": b"",
        "raw_sha256": hashlib.sha256(place.encode()).hexdigest(),
    }
    subject = f"(mail {uid} could not be fetched: read it in the mailbox)"
    return _store_unread(fields, subject, "not fetched", now=now)


def ask_a_person(incoming: IncomingMessage) -> None:
    """Somebody has to say what this is; asked once."""
    ReviewTask.objects.get_or_create(
        kind=ReviewTask.Kind.REPLY,
        incoming=incoming,
        status=ReviewTask.Status.OPEN,
        defaults={"risk": 1},
    )


def _source() -> str:
    return "capture" if situations.mode() == SendMode.CAPTURE else "imap"


def _store_understood(
    sender: Sender, raw: bytes, fields: dict[str, Any], *, now: datetime
) -> IncomingMessage | None:
    mail = classification.parse(raw)
    own = {address.lower() for address in Sender.objects.values_list("address", flat=True)}
    found = classification.classify(mail, own=own, now=now)
    message_id = classification.header(mail, "Message-ID").strip("<> ")[:998]
    if _says_the_same(sender, message_id, found):
        return None
    said = unsubscribing.in_subject(classification.header(mail, "Subject"))
    kind = IncomingMessage.Kind.UNSUBSCRIBE if said else found.kind
    if kind == IncomingMessage.Kind.HUMAN_REPLY and _is_ours(message_id):
        kind = IncomingMessage.Kind.OWN
    match = (
        joining.by_way_out(said)
        if said
        else joining.join(mail, found, sender, kind=kind, now=now)
    )
    incoming = IncomingMessage.objects.create(
        **fields,
        message_id=message_id,
        references="\n".join(classification.references(mail))[:10_000],
        from_address=found.from_address[:320],
        from_name=clean_line(found.from_name)[:200],
        subject=clean_line(classification.header(mail, "Subject"))[:300],
        text=found.text,
        reply_text=found.reply_text,
        kind=kind,
        intent=IncomingMessage.Intent.UNSUBSCRIBE if said else found.intent,
        classified_by=classification.RULES,
        bounce_kind=found.bounce_kind,
        bounce_status=found.bounce_status[:12],
        bounce_recipients=list(found.bounce_recipients)[:50],
        returns_on=found.returns_on,
        pitch=match.pitch,
        answers=match.message,
        contact=match.pitch.address.contact if match.pitch else None,
        matched_by=match.by,
        received_at=classification.received_at(mail, now=now),
        # It belongs to nothing and asks nothing of anybody: on record, and no more.
        handled_at=now if kind in QUIET and match.pitch is None else None,
    )
    if match.possible:
        incoming.possible_pitches.set(match.possible)
    return incoming


def _is_ours(message_id: str) -> bool:
    return bool(message_id) and Message.objects.filter(message_id=message_id).exists()


def _says_the_same(
    sender: Sender, message_id: str, found: classification.Classification
) -> bool:
    """Whether this mail is known although its bytes are not.

    A server that numbers anew may have rewritten headers. The Message-ID alone proves nothing:
    some programs use one for all their mail.
    """
    if not message_id:
        return False
    return IncomingMessage.objects.filter(
        sender=sender,
        message_id=message_id,
        from_address=found.from_address[:320],
        kind=found.kind,
        text=found.text,
    ).exists()
