"""Pitches and messages of the past."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings
from django.db.models import Max

from campaigns.models import Campaign
from config.bulk import batches
from pitches import fingerprints
from pitches.history.past import BATCH, Past
from pitches.history.rows import Told
from pitches.models import Message, Pitch, Sender
from pitches.models.sender import SendMode
from prospects.models import LeadIdentity

RECEIPT = "imported"


def name(campaign: Campaign, told: Sequence[Told]) -> None:
    """Give each the Message-ID the file has, else one that is the same for the same row."""
    first: dict[int, str] = {}
    for some in batches({each.lead_id for each in told}, BATCH):
        rows = LeadIdentity.objects.filter(lead__in=some).order_by("pk")
        for lead, platform, platform_id in rows.values_list("lead", "platform", "platform_id"):
            first.setdefault(lead, f"{platform}:{platform_id}")
    for each in told:
        each.message_id = each.given_id[:200] or _message_id(
            campaign, each, first[each.lead_id]
        )


def _message_id(campaign: Campaign, each: Told, identity: str) -> str:
    keys = [RECEIPT, campaign.slug, identity, each.canonical, each.sender]
    keys += [each.day, str(each.number), each.channel]
    secret = settings.MESSAGE_ID_KEY.encode()
    name = hmac.new(secret, json.dumps(keys).encode(), hashlib.sha256).hexdigest()
    return f"{name[:40]}@{each.sender.rpartition('@')[2]}"


def stored(message_ids: Iterable[str]) -> dict[str, Message]:
    """Messages that are here already, by Message-ID. One query per thousand."""
    return {
        message.message_id: message
        for some in batches(message_ids, BATCH)
        for message in Message.objects.filter(message_id__in=some).select_related("pitch")
    }


def write(past: Past, told: Iterable[Told], senders: Mapping[str, Sender]) -> dict[str, Pitch]:
    """Make pitches and messages, oldest first; the pitch by Message-ID."""
    talks = _talks(past, sorted(told, key=_order), senders)
    new = [talk.pitch for talk in talks if talk.pitch.pk is None]
    grown = [talk.pitch for talk in talks if talk.pitch.pk is not None]
    Pitch.objects.bulk_create(new, batch_size=BATCH)
    if grown:
        Pitch.objects.bulk_update(grown, ["ended_at"], batch_size=BATCH)
    messages = [
        _message(each, talk.pitch, senders[each.sender]) for talk in talks for each in talk.new
    ]
    Message.objects.bulk_create(messages, batch_size=BATCH)
    return {each.message_id: talk.pitch for talk in talks for each in talk.new}


def _order(each: Told) -> tuple[datetime, int, int]:
    return each.sent_at, each.number, each.line


@dataclass
class _Talk:
    """A pitch and what was said in it: the first message and its follow-ups."""

    pitch: Pitch
    numbers: set[int] = field(default_factory=set)
    new: list[Told] = field(default_factory=list)


def _talks(past: Past, told: Sequence[Told], senders: Mapping[str, Sender]) -> list[_Talk]:
    """A first message begins a pitch of its own; a later step joins the one before it."""
    lead_ids = {each.lead_id for each in told}
    rounds = _rounds(past.campaign, lead_ids)
    latest = _latest(past.campaign, lead_ids)
    talks: dict[int, _Talk] = {}
    for each in told:
        talk = latest.get(each.place())
        if talk is None or not each.number or each.number in talk.numbers:
            rounds[each.lead_id] += 1
            pitch = _pitch(past, each, senders[each.sender], rounds[each.lead_id])
            talk = latest[each.place()] = _Talk(pitch)
        talk.numbers.add(each.number)
        talk.new.append(each)
        talk.pitch.ended_at = max(each.sent_at, talk.pitch.ended_at or each.sent_at)
        talks[id(talk)] = talk
    return list(talks.values())


def _rounds(campaign: Campaign, lead_ids: set[int]) -> dict[int, int]:
    rows = Pitch.objects.filter(campaign=campaign, lead__in=lead_ids)
    counted = rows.values("lead").annotate(last=Max("round")).values_list("lead", "last")
    return defaultdict(int, counted)


def _latest(campaign: Campaign, lead_ids: set[int]) -> dict[tuple[int, str], _Talk]:
    """The newest imported pitch to each person, which a follow-up may join."""
    rows = (
        Pitch.objects.filter(campaign=campaign, lead__in=lead_ids, is_imported=True)
        .select_related("address")
        .prefetch_related("messages")
        .order_by("first_sent_at")
    )
    return {
        (row.lead_id, row.address.canonical): _Talk(
            row, {message.number or 0 for message in row.messages.all()}
        )
        for row in rows
    }


def _pitch(past: Past, each: Told, sender: Sender, number: int) -> Pitch:
    return Pitch(
        campaign=past.campaign,
        lead_id=each.lead_id,
        round=number,
        address=each.address,
        sender=sender,
        send_mode=SendMode.LIVE,
        status=Pitch.Status.COMPLETED,
        status_reason=f"imported from {past.file}"[:300],
        is_imported=True,
        first_sent_at=each.sent_at,
        ended_at=each.sent_at,
    )


def _message(each: Told, pitch: Pitch, sender: Sender) -> Message:
    words = json.dumps([each.email, each.sender, each.subject, each.body])
    return Message(
        pitch=pitch,
        number=each.number,
        channel=each.channel,
        status=Message.Status.SENT,
        send_mode=SendMode.LIVE,
        sender=sender,
        to_address=each.email,
        message_id=each.message_id,
        subject=each.subject,
        body=each.body,
        approved_sha256=fingerprints.digest(words),
        approved_policy=RECEIPT,
        counted_at=each.sent_at,
        handed_at=each.sent_at,
        sent_at=each.sent_at,
        receipt=RECEIPT,
    )
