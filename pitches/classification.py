"""What a mail is and what a person wants with it: pure, no database.

The rules are versioned by ``RULES``, which stands on everything they classified.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime

from mailparser_reply import EmailReplyParser

from config.text import clean_line, clean_text
from pitches.models import IncomingMessage

RULES = "rules 1"
# The reply parser is slower than linear on hostile text; nobody's answer is longer than this.
MOST_CHARACTERS = 4_000
# Larger mail is stored by its head; an answer fits ten times over.
MOST_BYTES = 2_000_000
MOST_HEADER = 20_000
MOST_REFERENCES = 100


def parse(raw: bytes) -> EmailMessage:
    """A mail as the standard library reads it, whatever its state.

    Never raises for broken mail.
    """
    mail = message_from_bytes(raw[:MOST_BYTES], policy=policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


# -- what it is --------------------------------------------------------------------------------


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
    name, address = written_by(mail)
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
    subject = header(mail, "Subject").lower()
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
    r"\b(out of (the )?office|on vacation|away from (my|the) (desk|office)"
    r"|automatic reply|auto.?reply|on leave)\b",
    re.IGNORECASE,
)


def _is_daemon(mail: EmailMessage, address: str) -> bool:
    local = address.partition("@")[0]
    return (
        local in {"mailer-daemon", "postmaster"} or header(mail, "Return-Path").strip() == "<>"
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
    submitted = header(mail, "Auto-Submitted").lower()
    precedence = header(mail, "Precedence").lower()
    return (
        (bool(submitted) and not submitted.startswith("no"))
        or precedence in {"auto_reply", "bulk", "junk", "list"}
        or any(mail.get(name) for name in ("X-Autoreply", "X-Autorespond", "List-Id"))
        or "all" in header(mail, "X-Auto-Response-Suppress").lower()
    )


# Whole words and phrases, the plainest first: "yesterday" is not a yes.
_PHRASES: dict[str, list[str]] = {
    IncomingMessage.Intent.UNSUBSCRIBE: [
        r"unsubscribe( me)?",
        r"no thanks",
        r"remove me",
        r"take me off",
        r"stop (e-?mailing|writing|contacting)( me| us)?",
        r"do not (contact|e-?mail|write to)( me| us)?",
        r"opt( me)? out",
    ],
    IncomingMessage.Intent.WRONG_PERSON: [
        r"wrong (person|address|contact)",
        r"no longer (work|with)",
        r"not the right (person|contact)",
        r"left the company",
    ],
    IncomingMessage.Intent.NOT_INTERESTED: [
        r"not interested",
        r"no interest",
        r"(we|i)('ll| will) pass",
        r"not a (good )?fit",
        r"not (right|looking) (now|at this time|at the moment)",
        r"no,? thank you",
    ],
    IncomingMessage.Intent.MEETING_BOOKED: [
        r"(booked|scheduled) (a|the) (call|meeting|slot|time)",
        r"calendar invit(e|ation)",
        r"see you (on|at)",
    ],
    IncomingMessage.Intent.MORE_INFO: [
        r"(send|share|tell) (me|us) (more|the|some|details|their|her|his)",
        r"more (information|info|details)",
        r"could you (send|share)",
        r"what (is|are) (the|your)",
    ],
    IncomingMessage.Intent.INTERESTED: [
        r"interested",
        r"sounds (good|great|interesting|like a (good )?fit)",
        r"yes",
        r"happy to (talk|chat|meet)",
        r"would love",
        r"let'?s (talk|chat|set up|schedule|do)",
        r"(love|like) to (meet|interview|have|talk|learn)",
    ],
}


def _any_of(phrases: Iterable[str]) -> re.Pattern[str]:
    return re.compile(rf"\b({'|'.join(phrases)})\b", re.IGNORECASE)


_INTENTS = [(intent, _any_of(phrases)) for intent, phrases in _PHRASES.items()]


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


def written_by(mail: EmailMessage) -> tuple[str, str]:
    try:
        (sender, *_) = mail["From"].addresses
    except (AttributeError, TypeError, ValueError, IndexError):
        return "", ""
    return clean_line(sender.display_name), clean_line(sender.addr_spec, 320).lower()


def header(mail: EmailMessage, name: str) -> str:
    """A header as one clean line; empty where the package cannot read it."""
    try:
        return clean_line(mail.get(name) or "", MOST_HEADER)
    except (ValueError, LookupError, AttributeError, TypeError):
        return ""


def received_at(mail: EmailMessage, *, now: datetime) -> datetime:
    """When they wrote it; never in our future, and now where the header lies or is missing."""
    try:
        written = parsedate_to_datetime(header(mail, "Date"))
        if written.tzinfo is None:
            written = written.replace(tzinfo=UTC)
        return min(written.astimezone(UTC), now)
    except (ValueError, TypeError, OverflowError):
        return now


def references(mail: EmailMessage) -> list[str]:
    """The Message-IDs this one points to, in any of the three headers; the first hundred."""
    named = " ".join(
        header(mail, name) for name in ("In-Reply-To", "References", "X-Overture-Id")
    )
    ids = (word.strip("<>,;") for word in named.replace("><", "> <").split())
    return list(dict.fromkeys(name for name in ids if "@" in name))[:MOST_REFERENCES]
