"""Messages by the hundred, approved and due, in a handful of queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import cycle, islice

from django.db import transaction

from config.db import database_now
from pitches import fingerprints, situations, unsubscribing
from pitches.models import FollowUpTask, Message, Pitch, Sender
from prospects.models import Contact, ContactAddress, Lead, Organization
from tests.factories import CampaignFactory, SenderFactory, StepFactory

BATCH = 500
WORDS = "Hello Paula,\n\nmay I introduce three interns?\n.\n..dots\nKind regards"


@dataclass
class Seeds:
    campaign: object
    senders: list[Sender]
    messages: list[int]


def sender_at(port: int, **fields) -> Sender:
    """A mailbox on the sink, with room for everything and no gaps."""
    fields = {"gap_min": 0, "gap_max": 0, "daily_limit": 1_000_000} | fields
    return SenderFactory(
        smtp_host="127.0.0.1", smtp_port=port, smtp_security=Sender.Security.NONE, **fields
    )


@transaction.atomic  # no worker that lives already sees them half done
def sow(
    count: int,
    *,
    ports: Sequence[int],
    scripts: Sequence[str] = ("ok",),
    organizations: int | None = None,
    follow_ups: bool = False,
    now: datetime | None = None,
    mode: str = "allowlist",
    prefix: str = "",
) -> Seeds:
    """``count`` messages, due for a day; one mailbox per port, taking turns.

    ``scripts`` are the sink's, one after the other; ``organizations`` is how many share them
    (default: each message its own). ``follow_ups``: first messages went out three days ago, and
    these are the first follow-ups.
    """
    now = now or database_now()
    campaign = CampaignFactory(
        window_start=time(0),
        window_end=time.max,
        window_days=[1, 2, 3, 4, 5, 6, 7],
        observe_holidays=False,
    )
    StepFactory(sequence=campaign.sequence, number=0) if not _steps(campaign) else None
    senders = [sender_at(port) for port in ports]
    pitches = _pitches(
        count, campaign, senders, scripts, organizations or count, follow_ups, mode, prefix, now
    )
    steps = {step.number: step for step in _steps(campaign)}

    if follow_ups:
        before, due_at = now - timedelta(days=3), now - timedelta(hours=1)
        Message.objects.bulk_create(
            [_message(pitch, 0, steps[0], before, sent=True) for pitch in pitches], BATCH
        )
        FollowUpTask.objects.bulk_create(
            [FollowUpTask(pitch=each, step=steps[1], due_at=due_at) for each in pitches], BATCH
        )
    number = 1 if follow_ups else 0
    messages = Message.objects.bulk_create(
        [_message(pitch, number, steps[number], now - timedelta(days=1)) for pitch in pitches],
        BATCH,
    )
    ids = [message.pk for message in messages]
    approve(ids)
    return Seeds(campaign, senders, ids)


def _steps(campaign) -> list:
    return list(campaign.sequence.steps.all())


def _pitches(
    count, campaign, senders, scripts, organizations, follow_ups, mode, prefix, now
) -> list[Pitch]:
    tag = f"{prefix}{campaign.pk}"
    firms = Organization.objects.bulk_create(
        [
            Organization(name=f"Firm {tag}-{n}", name_key=f"firm {tag}-{n}")
            for n in range(organizations)
        ],
        BATCH,
    )
    firm_of = list(islice(cycle(firms), count))
    contacts = Contact.objects.bulk_create(
        [
            Contact(organization=firm, name=f"Paula {n}", role=Contact.Role.PARTNER)
            for n, firm in enumerate(firm_of)
        ],
        BATCH,
    )
    values = [
        f"{script}.{tag}.{n}@example.com"
        for n, script in zip(range(count), cycle(scripts), strict=False)
    ]
    addresses = ContactAddress.objects.bulk_create(
        [
            ContactAddress(
                contact=contact,
                kind=ContactAddress.Kind.EMAIL,
                value=value,
                canonical=value,
            )
            for contact, value in zip(contacts, values, strict=True)
        ],
        BATCH,
    )
    leads = Lead.objects.bulk_create(
        [
            Lead(
                kind=Lead.Kind.ROLE,
                organization=firm,
                name=f"Intern {tag}-{n}",
                first_seen_at=now,
                last_seen_at=now,
            )
            for n, firm in enumerate(firm_of)
        ],
        BATCH,
    )
    return Pitch.objects.bulk_create(
        [
            Pitch(
                campaign=campaign,
                lead=lead,
                address=address,
                sender=sender,
                sequence=campaign.sequence,
                send_mode=mode,
                status=Pitch.Status.ACTIVE if follow_ups else Pitch.Status.APPROVED,
            )
            for lead, address, sender in zip(leads, addresses, cycle(senders), strict=False)
        ],
        BATCH,
    )


def _message(pitch: Pitch, number: int, step, at: datetime, *, sent: bool = False) -> Message:
    message = _row(pitch, number, step, at, sent=sent)
    message.body = f"{WORDS}\n\n{unsubscribing.link(message)}"
    return message


def _row(pitch: Pitch, number: int, step, at: datetime, *, sent: bool) -> Message:
    status = Message.Status.SENT if sent else Message.Status.QUEUED
    fields = {"counted_at": at, "handed_at": at, "sent_at": at, "receipt": "250 ok"}
    return Message(
        pitch=pitch,
        number=number,
        step=step,
        status=status,
        send_mode=pitch.send_mode,
        sender=pitch.sender,
        to_address=pitch.address.value,
        message_id=fingerprints.message_id(
            pitch, identity=pitch.lead.name, number=number, channel="email"
        ),
        subject=f"Three interns, {pitch.lead.name}",
        approved_sha256="0" * 64,
        approved_at=at,
        **(fields if sent else {"send_at": at}),
    )


def approve(ids: Sequence[int]) -> None:
    """Bind each to its words as they are now."""
    rows = list(situations.readable(Message.objects.filter(pk__in=ids)))
    for row in rows:
        row.approved_sha256 = fingerprints.of_message(row)
    Message.objects.bulk_update(rows, ["approved_sha256"], BATCH)
