"""Reading what came in: stored first, then understood, then acted upon, message by message.

The mark of a mailbox only moves over what was stored. Nothing is dropped: what matches no
pitch is kept and shown.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from mailparser_reply import EmailReplyParser

from config.text import clean_line, clean_text
from pitches import situations, stopping
from pitches.channels import capture
from pitches.models import IncomingMessage, Message, Pitch, Sender, SendMode
from pitches.signals import reply_received
from prospects.addresses import AddressError, canonical_email

RULES = "rules 1"
# The reply parser is slower than linear on hostile text; nobody's answer is longer than this.
MOST_CHARACTERS = 4_000
# Larger mail is stored by its head and marked; an answer fits ten times over.
MOST_BYTES = 2_000_000


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
        return [(letter.uid, letter.raw) for letter in capture.arrived(sender, after=mark)]
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

    None if these bytes are known already.
    """
    sha256 = hashlib.sha256(raw).hexdigest()
    if IncomingMessage.objects.filter(sender=sender, raw_sha256=sha256).exists():
        return None
    mail = parse(raw)
    found = classify(mail, own={sender.address.lower()})
    match = _join(mail, sender)
    return IncomingMessage.objects.create(
        sender=sender,
        source="capture" if situations.mode() == SendMode.CAPTURE else "imap",
        uid=uid,
        uid_validity=sender.inbox_uid_validity or 1,
        raw=raw[:MOST_BYTES],
        raw_sha256=sha256,
        message_id=_header(mail, "Message-ID").strip("<> ")[:998],
        references="\n".join(references(mail))[:10_000],
        from_address=found.from_address[:320],
        from_name=clean_line(found.from_name)[:200],
        subject=clean_line(_header(mail, "Subject"))[:300],
        text=found.text,
        reply_text=found.reply_text,
        kind=found.kind,
        intent=found.intent,
        classified_by=RULES,
        pitch=match.pitch,
        answers=match.message,
        contact=match.pitch.address.contact if match.pitch else None,
        matched_by=match.by,
        received_at=_received_at(mail, now=now),
    )


def parse(raw: bytes) -> EmailMessage:
    """A mail as the standard library reads it, whatever its state.

    Never raises for broken mail.
    """
    mail = message_from_bytes(raw[:MOST_BYTES], policy=policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


# -- what it is
# ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Classification:
    kind: str
    intent: str = ""
    from_address: str = ""
    from_name: str = ""
    text: str = ""
    reply_text: str = ""


def classify(mail: EmailMessage, *, own: set[str]) -> Classification:
    """What kind of message this is, and what a person wants with it (REL-19, C43)."""
    name, address = _from(mail)
    text = body_text(mail)
    kind = _kind(mail, address, own)
    if kind == IncomingMessage.Kind.OWN:
        return Classification(kind, "", address, name, text)
    written = written_by_person(text)
    intent = intent_of(written) if kind == IncomingMessage.Kind.HUMAN_REPLY else ""
    if intent == IncomingMessage.Intent.UNSUBSCRIBE:
        kind = IncomingMessage.Kind.UNSUBSCRIBE
    return Classification(kind, intent, address, name, text, written)


def _kind(mail: EmailMessage, address: str, own: set[str]) -> str:
    kinds = IncomingMessage.Kind
    report = str(mail.get_param("report-type", "") or "").lower()
    subject = _header(mail, "Subject").lower()
    if address in own:
        return kinds.OWN
    if mail.get_content_type() == "multipart/report" and report == "feedback-report":
        return kinds.COMPLAINT
    if mail.get_content_type() == "multipart/report" or _is_daemon(mail, address):
        return kinds.DELAY if _is_delay(mail) else kinds.BOUNCE
    if _is_automatic(mail):
        return (
            kinds.OUT_OF_OFFICE
            if _OUT_OF_OFFICE.search(f"{subject}\n{body_text(mail)[:500]}")
            else kinds.AUTOMATIC
        )
    if _OUT_OF_OFFICE.search(subject):
        return kinds.OUT_OF_OFFICE
    return kinds.HUMAN_REPLY


_OUT_OF_OFFICE = re.compile(
    r"\b(out of (the )?office|on vacation|away from (my|the) (desk|office)|automatic reply|auto.?reply|on leave)\b",
    re.I,
)


def _is_daemon(mail: EmailMessage, address: str) -> bool:
    local = address.partition("@")[0]
    return (
        local in {"mailer-daemon", "postmaster"} or _header(mail, "Return-Path").strip() == "<>"
    )


def _is_delay(mail: EmailMessage) -> bool:
    actions = [
        str(block.get("Action", "")).strip().lower()
        for part in mail.walk()
        if part.get_content_type() == "message/delivery-status"
        for block in (part.get_payload() if isinstance(part.get_payload(), list) else [])
    ]
    actions = [action for action in actions if action]
    return bool(actions) and all(
        action in {"delayed", "relayed", "expanded"} for action in actions
    )


def _is_automatic(mail: EmailMessage) -> bool:
    """RFC 3834, and the headers in use beside it."""
    submitted = _header(mail, "Auto-Submitted").lower()
    precedence = _header(mail, "Precedence").lower()
    return (
        (bool(submitted) and not submitted.startswith("no"))
        or precedence in {"auto_reply", "bulk", "junk", "list"}
        or any(mail.get(name) for name in ("X-Autoreply", "X-Autorespond", "List-Id"))
        or "all" in _header(mail, "X-Auto-Response-Suppress").lower()
    )


# Whole words and phrases, the plainest first: "yesterday" is not a yes.
_INTENTS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (intent, re.compile(rf"\b({words})\b", re.I))
    for intent, words in (
        (IncomingMessage.Intent.UNSUBSCRIBE, r"unsubscribe( me)?|no thanks|remove me|take me off|stop (e-?mailing|writing|contacting)( me| us)?|do not (contact|email|write)( me| us)?|opt( me)? out"),
        (IncomingMessage.Intent.WRONG_PERSON, r"wrong (person|address|contact)|no longer (work|with)|not the right (person|contact)|left the company"),
        (IncomingMessage.Intent.NOT_INTERESTED, r"not interested|no interest|we('ll| will) pass|i('ll| will) pass|not a (good )?fit|not (right|looking) (now|at this time|at the moment)|no,? thank you"),
        (IncomingMessage.Intent.MEETING_BOOKED, r"(booked|scheduled) (a|the) (call|meeting|slot|time)|calendar invit(e|ation)|see you (on|at)"),
        (IncomingMessage.Intent.MORE_INFO, r"(send|share|tell) (me|us) (more|the|some|details|their|her|his)|more (information|info|details)|could you (send|share)|what (is|are) (the|your)"),
        (IncomingMessage.Intent.INTERESTED, r"interested|sounds (good|great|interesting|like a (good )?fit)|yes|happy to (talk|chat|meet)|would love|let'?s (talk|chat|set up|schedule|do)|(love|like) to (meet|interview|have|talk|learn)"),
    )
)  # fmt: skip


def intent_of(text: str) -> str:
    """What the person wants, in the one list of C43; ``other`` where the words do not say."""
    for intent, words in _INTENTS:
        if words.search(text):
            return intent
    return IncomingMessage.Intent.OTHER


def body_text(mail: EmailMessage) -> str:
    """The readable text, capped; empty for a mail whose body cannot be read."""
    try:
        part = mail.get_body(("plain", "html"))
        text = part.get_content() if part else ""
    except (LookupError, ValueError, KeyError, AttributeError):
        return ""
    if not isinstance(text, str):
        return ""
    if part is not None and part.get_content_type() == "text/html":
        text = re.sub(
            r"<(script|style).*?</\1>", " ", text[: MOST_CHARACTERS * 10], flags=re.S | re.I
        )
        text = re.sub(r"<[^>]+>", " ", text)
    return clean_text(text[: MOST_CHARACTERS * 5])


def written_by_person(text: str) -> str:
    """The answer without quotation and signature."""
    text = text[:MOST_CHARACTERS]
    replies = (
        EmailReplyParser(languages=["en", "de", "fr", "es", "it", "nl"]).read(text).replies
    )
    return (replies[0].body or text).strip() if replies else text.strip()


def _from(mail: EmailMessage) -> tuple[str, str]:
    try:
        (sender, *_) = mail["From"].addresses
    except (AttributeError, TypeError, ValueError, IndexError):
        return "", ""
    return sender.display_name, sender.addr_spec.lower()


def _header(mail: EmailMessage, name: str) -> str:
    return str(mail.get(name) or "")


def _received_at(mail: EmailMessage, *, now: datetime) -> datetime:
    """When they wrote it; never in our future, and now where the header lies or is missing."""
    try:
        written = parsedate_to_datetime(_header(mail, "Date"))
    except (ValueError, TypeError):
        return now
    if written.tzinfo is None:
        written = written.replace(tzinfo=UTC)
    return min(written, now)


# -- whose it is
# -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Joined:
    pitch: Pitch | None = None
    message: Message | None = None
    by: str = ""


def references(mail: EmailMessage) -> list[str]:
    """Every Message-ID this one points to, in any of the three headers."""
    named = " ".join(
        _header(mail, name) for name in ("In-Reply-To", "References", "X-Overture-Id")
    )
    return re.findall(r"[^\s<>]+@[^\s<>]+", named)


def _join(mail: EmailMessage, sender: Sender) -> Joined:
    """The pitch it belongs to: by the ids it answers, else by its writer's address."""
    gone_out = Message.objects.filter(sender=sender, status__in=Message.COUNTED).select_related(
        "pitch__address__contact", "pitch__campaign__client"
    )
    ids = references(mail)
    if ids and (message := gone_out.filter(message_id__in=ids).order_by("-sent_at").first()):
        return Joined(message.pitch, message, "message-id")
    _, address = _from(mail)
    try:
        canonical = canonical_email(address)
    except AddressError:
        return Joined()
    latest = gone_out.filter(pitch__address__canonical=canonical).order_by("-sent_at").first()
    return Joined(latest.pitch, latest, "address") if latest else Joined()


# -- what follows
# ----------------------------------------------------------------------------------


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
    late = (Pitch.Status.COMPLETED, Pitch.Status.MOVED)
    Pitch.objects.filter(pk=pitch.pk, status__in=late).update(
        status=Pitch.Status.REPLIED, replied_at=incoming.received_at
    )
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


def _kind_of_intent(intent: str) -> str:
    kinds = IncomingMessage.Kind
    by_intent = {
        IncomingMessage.Intent.UNSUBSCRIBE.value: kinds.UNSUBSCRIBE,
        IncomingMessage.Intent.OUT_OF_OFFICE.value: kinds.OUT_OF_OFFICE,
    }
    return by_intent.get(intent, kinds.HUMAN_REPLY)
