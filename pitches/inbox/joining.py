"""Whose it is: the pitch a mail belongs to, by everything that can say so (REL-18).

By the ids it names; else by who wrote it, within sixty days; else by domain or person and
subject, which is never more than a guess and waits for a person.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage

from django.db.models import F, Q, QuerySet

from pitches import classification, stopping
from pitches.models import IncomingMessage, Message, Pitch, Sender
from pitches.unsubscribing import Opened
from prospects import addresses
from prospects.addresses import AddressError
from prospects.models import ContactAddress

# A mail that names no id of ours answers nothing older than this.
RECENT = timedelta(days=60)
# More pitches than this with one subject: the subject is a template's and says nothing.
MOST_POSSIBLE = 5
MOST_ROWS = 200
# A provider's id may come back as the first part of a Message-ID; a short word proves nothing.
SHORTEST_ID = 16
MOST_NESTED = 50

Kind = IncomingMessage.Kind
# What only ids can join: their writer is a mail server, and anybody can write as one.
REPORTS = (Kind.BOUNCE, Kind.DELAY, Kind.COMPLAINT)


@dataclass(frozen=True, slots=True)
class Joined:
    """The pitch, the message it answers and how that was found; or several it may mean."""

    pitch: Pitch | None = None
    message: Message | None = None
    by: str = ""
    possible: tuple[Pitch, ...] = ()


def by_way_out(said: Opened) -> Joined:
    """The pitch whose mail held the token that came back; nothing if it is gone."""
    message = stopping.message_named(said.message_key)
    return Joined(message.pitch, message, "way out") if message else Joined()


def join(
    mail: EmailMessage,
    found: classification.Classification,
    sender: Sender,
    *,
    kind: str,
    now: datetime,
) -> Joined:
    """The pitch a mail belongs to. A constant number of queries.

    An answer may lie in another of our mailboxes, and may come from another address of the same
    person. Where several pitches could be meant all are named, and a person says which.
    """
    if joined := _by_ids(mail, found):
        return joined
    if kind == Kind.OWN:
        return Joined()
    if kind in REPORTS:
        return _by_failed_address(found.bounce_recipients, sender, now=now)
    subject = plain_subject(classification.header(mail, "Subject"))
    joined = _by_writer(found.from_address, subject, sender, kind=kind, now=now)
    if joined or kind not in (Kind.HUMAN_REPLY, Kind.UNSUBSCRIBE):
        return joined or Joined()
    return _by_subject(found, subject, sender, now=now)


def _gone_out() -> QuerySet[Message]:
    return _messages().filter(status__in=Message.COUNTED)


def _messages() -> QuerySet[Message]:
    return Message.objects.select_related(
        "pitch__address__contact", "pitch__campaign__client", "pitch__lead"
    )


# -- by ids ------------------------------------------------------------------------------------


def _by_ids(mail: EmailMessage, found: classification.Classification) -> Joined | None:
    """In-Reply-To says it best; then any id of ours it names, if all mean one pitch.

    Whoever names an id has the mail, whatever we believe of it: one that waits to be sent
    again, or of which an older backup knows nothing, arrived all the same.
    """
    answered = _ids_in(classification.header(mail, "In-Reply-To"))
    named = [
        *answered,
        *classification.references(mail),
        *found.original_ids,
        *_nested_ids(mail),
    ]
    if not named:
        return None
    ids = list(dict.fromkeys(named))[: 2 * classification.MOST_REFERENCES]
    words = [*ids, *(name.partition("@")[0] for name in ids)]
    theirs = [word for word in words if len(word) >= SHORTEST_ID]
    known = list(
        _messages().filter(Q(message_id__in=ids) | Q(provider_id__in=theirs))[:MOST_ROWS]
    )
    direct = [message for message in known if _is_named(message, answered)]
    return _one_or_several(direct or known, "message-id")


def _is_named(message: Message, ids: Iterable[str]) -> bool:
    return any(
        name == message.message_id
        or (message.provider_id and message.provider_id in (name, name.partition("@")[0]))
        for name in ids
    )


def _ids_in(line: str) -> list[str]:
    words = line.replace("><", "> <").split()
    return [word.strip("<>,;") for word in words if "@" in word][
        : classification.MOST_REFERENCES
    ]


def _nested_ids(mail: EmailMessage) -> list[str]:
    """The ids in mails that this one carries: forwarded, or a digest."""
    ids: list[str] = []
    for part in list(mail.walk())[1:MOST_NESTED]:
        if part.get_content_type() in ("message/rfc822", "text/rfc822-headers"):
            inner = _inner(part)
            if inner is not None:
                ids += classification.references(inner)
                ids += _ids_in(classification.header(inner, "Message-ID"))
    return ids


def _inner(part: EmailMessage) -> EmailMessage | None:
    payload = part.get_payload()
    if isinstance(payload, list):
        inner = payload[0] if payload else None
        return inner if isinstance(inner, EmailMessage) else None
    return classification.parse(str(payload).encode("utf-8", "replace"))


def _one_or_several(messages: list[Message], by: str) -> Joined | None:
    """One pitch: its latest message. Several: whichever a person says."""
    if not messages:
        return None
    pitches = {message.pitch_id: message.pitch for message in messages}
    if len(pitches) == 1:
        latest = max(messages, key=_when)
        return Joined(latest.pitch, latest, by)
    return Joined(possible=tuple(pitches.values())[:MOST_ROWS])


def _when(message: Message) -> tuple[datetime, int]:
    return message.sent_at or message.counted_at or message.created_at, message.pk


# -- by who wrote it ---------------------------------------------------------------------------


def _by_writer(
    address: str, subject: str, sender: Sender, *, kind: str, now: datetime
) -> Joined | None:
    """By any address of the person; by mailbox, subject and what is open where they had several
    pitches.
    """
    try:
        canonical = addresses.canonical_email(address)
    except AddressError:
        return None
    contacts = ContactAddress.objects.filter(
        kind=ContactAddress.Kind.EMAIL, canonical=canonical
    ).values("contact")
    counted = Q(status__in=Message.COUNTED, counted_at__gt=now - RECENT)
    # One that an admin sends again may have arrived the first time.
    again = Q(status__in=Message.BEFORE_HANDING, resolved_at__gt=now - RECENT)
    to_person = list(
        _messages()
        .filter(counted | again, pitch__address__contact__in=contacts)
        .order_by(F("counted_at").desc(nulls_last=True))[:MOST_ROWS]
    )
    if not to_person:
        return None
    if kind not in (Kind.HUMAN_REPLY,):
        # It is about the person, whichever pitch: their absence, or their wish.
        return Joined(to_person[0].pitch, to_person[0], "address")
    return _one_or_several(_narrowed(to_person, subject, sender), "address")


def _narrowed(messages: list[Message], subject: str, sender: Sender) -> list[Message]:
    tests = (
        lambda message: message.sender_id == sender.pk,
        lambda message: bool(subject) and plain_subject(message.subject) == subject,
        lambda message: message.pitch.status in Pitch.OPEN,
    )
    for is_meant in tests:
        if len({message.pitch_id for message in messages}) == 1:
            break
        messages = [message for message in messages if is_meant(message)] or messages
    return messages


def _by_failed_address(failed: Iterable[str], sender: Sender, *, now: datetime) -> Joined:
    """A report without an id of ours changes nothing; a person may say that it is genuine."""
    canonical = set()
    for address in list(failed)[:MOST_POSSIBLE]:
        try:
            canonical.add(addresses.canonical_email(address))
        except AddressError:
            continue
    if not canonical:
        return Joined()
    rows = _gone_out().filter(
        sender=sender, counted_at__gt=now - RECENT, pitch__address__canonical__in=canonical
    )
    pitches = {message.pitch_id: message.pitch for message in rows[:MOST_ROWS]}
    return Joined(possible=tuple(pitches.values())[:MOST_POSSIBLE])


# -- by subject --------------------------------------------------------------------------------

_PREFIX = re.compile(
    r"^\s*(?:(?:re|aw|wg|fw|fwd|sv|vs|vb|antw|tr|res|rv|enc|odp|rif|i|r|ynt|ref|回复|转发|答复)"
    r"(?:\[\d+\])?\s*[:\uff1a]|\[[^\]]{1,30}\])\s*",
    re.IGNORECASE,
)


def plain_subject(subject: str) -> str:
    """A subject without “Re:”, “Fwd:” and a gateway's “[EXTERNAL]”, in lower case."""
    subject = subject[:400]
    for _ in range(10):
        shorter = _PREFIX.sub("", subject)
        if shorter == subject:
            break
        subject = shorter
    return " ".join(subject.casefold().split())


def _by_subject(
    found: classification.Classification, subject: str, sender: Sender, *, now: datetime
) -> Joined:
    """A colleague, an assistant, another address: the subject, with the domain, the name or the
    address it speaks of. Only ever a guess.
    """
    recent = _gone_out().filter(sender=sender, counted_at__gt=now - RECENT)
    domain = _domain(found.from_address)
    meant: dict[int, Pitch] = {}
    if domain and not addresses.is_free_mail(domain):
        same = recent.filter(pitch__address__canonical__endswith=f"@{domain}")
        meant = _with_subject(same, subject) or _speaking_of(same, found)
    if not meant and subject:
        others = recent.filter(subject__icontains=subject[:200])
        meant = _speaking_of(others, found) or _with_subject(others, subject)
    if len(meant) > MOST_POSSIBLE:
        return Joined()
    return Joined(possible=tuple(meant.values()))


def _domain(address: str) -> str:
    try:
        return addresses.domain_of(address)
    except AddressError:
        return ""


def _with_subject(messages: QuerySet[Message], subject: str) -> dict[int, Pitch]:
    return {
        message.pitch_id: message.pitch
        for message in _some(messages)
        if subject and plain_subject(message.subject) == subject
    }


def _speaking_of(
    messages: QuerySet[Message], found: classification.Classification
) -> dict[int, Pitch]:
    """Those whose recipient's address or full name stands in the mail, as in a quotation."""
    words = f"{found.from_name}\n{found.text}".casefold()
    return {
        message.pitch_id: message.pitch
        for message in _some(messages)
        if message.to_address.casefold() in words
        or _is_spoken_of(message.pitch.address.contact.name, words)
    }


def _is_spoken_of(name: str, words: str) -> bool:
    """Only by a full name: half the world is called Paul."""
    return " " in name.strip() and name.casefold() in words


def _some(messages: QuerySet[Message]) -> QuerySet[Message]:
    return messages.order_by("-counted_at")[:MOST_ROWS]
