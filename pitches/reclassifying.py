"""The rules of classification run again over the mail that is stored.

What a person decided stays. A consequence is drawn only where the new reading stops more than
the old one did (a missed reply, bounce, complaint or opt-out); none is ever taken back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from config.text import clean_line
from pitches import classification, inbox, unsubscribing
from pitches.inbox import joining
from pitches.models import IncomingMessage, Message, Sender

Kind = IncomingMessage.Kind
# What a kind stops: the person's steps, everything for ever, the address.
_STOPS: dict[str, frozenset[str]] = {
    Kind.HUMAN_REPLY: frozenset({"person"}),
    Kind.UNSUBSCRIBE: frozenset({"person", "for ever"}),
    Kind.COMPLAINT: frozenset({"person", "for ever", "complained"}),
    Kind.BOUNCE: frozenset({"address"}),
}
_CHUNK = 100
# Rules sign with their name and number; whoever else signed is a person.
_BY_RULES = "rules "


@dataclass(frozen=True, slots=True)
class Change:
    """One mail that the rules read otherwise now."""

    pk: int
    from_address: str
    subject: str
    old_kind: str
    new_kind: str
    old_intent: str
    new_intent: str
    stops_more: bool


def changes(*, now: datetime) -> Iterator[Change]:
    """What would be read otherwise; nothing is written. One pass over all stored mail."""
    own = _own()
    for incoming in _by_rules().order_by("pk").iterator(chunk_size=_CHUNK):
        fields = _read_again(incoming, own, now=now)[1]
        change = _change(incoming, fields)
        if change:
            yield change


def reclassify(*, now: datetime) -> list[Change]:
    """Read all stored mail again and write what is different, mail by mail.

    Each with its consequence in one transaction, so that an interrupted run is only shorter.
    """
    own, found = _own(), []
    keys = list(_by_rules().order_by("pk").values_list("pk", flat=True))
    for key in keys:
        with transaction.atomic():
            change = _reclassify_one(key, own, now=now)
        if change:
            found.append(change)
    return found


def _reclassify_one(key: int, own: set[str], *, now: datetime) -> Change | None:
    incoming = _by_rules().select_for_update(of=("self",)).filter(pk=key).first()
    if incoming is None:
        return None  # a person decided meanwhile
    found, fields = _read_again(incoming, own, now=now)
    change = _change(incoming, fields)
    for name, value in fields.items():
        setattr(incoming, name, value)
    if change and change.stops_more and incoming.pitch_id is None and incoming.sender:
        mail = classification.parse(bytes(incoming.raw))
        match = joining.join(mail, found, incoming.sender, kind=incoming.kind, now=now)
        incoming.pitch, incoming.answers, incoming.matched_by = (
            match.pitch,
            match.message,
            match.by,
        )
        incoming.contact = match.pitch.address.contact if match.pitch else None
        incoming.possible_pitches.set(match.possible)
    incoming.save()
    if change and change.stops_more:
        inbox.act_on(incoming, now=now)
    return change


def _by_rules() -> Any:
    return IncomingMessage.objects.filter(classified_by__startswith=_BY_RULES).exclude(raw=b"")


def _own() -> set[str]:
    return {address.lower() for address in Sender.objects.values_list("address", flat=True)}


def _read_again(
    incoming: IncomingMessage, own: set[str], *, now: datetime
) -> tuple[classification.Classification, dict[str, Any]]:
    mail = classification.parse(bytes(incoming.raw))
    found = classification.classify(mail, own=own, now=incoming.received_at)
    kind, intent = found.kind, found.intent
    if unsubscribing.in_subject(classification.header(mail, "Subject")):
        kind, intent = Kind.UNSUBSCRIBE, IncomingMessage.Intent.UNSUBSCRIBE
    elif kind == Kind.HUMAN_REPLY and _is_ours(incoming.message_id):
        kind, intent = Kind.OWN, ""
    return found, {
        "kind": kind,
        "intent": intent,
        "from_address": found.from_address[:320],
        "text": found.text,
        "reply_text": found.reply_text,
        "bounce_kind": found.bounce_kind,
        "bounce_status": found.bounce_status,
        "bounce_recipients": list(found.bounce_recipients)[:50],
        "returns_on": found.returns_on,
        "classified_by": classification.RULES,
    }


def _is_ours(message_id: str) -> bool:
    return bool(message_id) and Message.objects.filter(message_id=message_id).exists()


def _change(incoming: IncomingMessage, fields: dict[str, Any]) -> Change | None:
    old, new = (incoming.kind, incoming.intent), (fields["kind"], fields["intent"])
    if old == new and incoming.bounce_kind == fields["bounce_kind"]:
        return None
    none: frozenset[str] = frozenset()
    return Change(
        pk=incoming.pk,
        from_address=incoming.from_address,
        subject=clean_line(incoming.subject, 80),
        old_kind=old[0],
        new_kind=new[0],
        old_intent=old[1],
        new_intent=new[1],
        stops_more=bool(_STOPS.get(new[0], none) - _STOPS.get(old[0], none)),
    )
