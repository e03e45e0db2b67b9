"""What providers report becomes events, and what an event means becomes a fact of its message.

Facts know no order: whatever comes first, late, twice or again ends in the same row (REL-21).
An event is written once, with its effect in the same transaction; one that belongs to no
message yet is kept without, and taken up again when its message is there.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import DataError, IntegrityError, connection, transaction
from django.db.models import Q, QuerySet

from campaigns.models import Channel
from config.bulk import batches
from pitches import breakers, stopping
from pitches.models import Event, Message, Pitch, Sender
from pitches.sources import Report

log = logging.getLogger(__name__)

BATCH = 500
# How far a provider's clock may be off: before we sent, and after now (REL-21).
DRIFT = timedelta(minutes=5)
# A delegated message is recognised by its recipient for this long.
DELEGATED_FOR = timedelta(days=90)

Kind = Event.Kind
# An event of this kind makes the message's fact of this name true.
FACTS = {
    Kind.DELIVERED: "delivered_at",
    Kind.OPENED: "opened_at",
    Kind.CLICKED: "clicked_at",
    Kind.REPLIED: "replied_at",
    Kind.COMPLAINED: "complained_at",
    Kind.UNSUBSCRIBED: "unsubscribed_at",
}
# It did not arrive; how bad that is, the kind of bounce says.
NOT_DELIVERED = (Kind.BOUNCED, Kind.REJECTED, Kind.FAILED)
GRAVITY = ["", *(kind.value for kind in (Message.BounceKind.SOFT, Message.BounceKind.POLICY))]
GRAVITY += [Message.BounceKind.OURS.value, Message.BounceKind.HARD.value]
# What a breaker counts.
JUDGED = (*NOT_DELIVERED, Kind.COMPLAINED)
FIELDS = [*FACTS.values(), "bounced_at", "bounce_kind"]

# A server's answer names whom it refused; an event outlives the person's erasure.
_ADDRESS = re.compile(r"[^\s<>()\[\],;:\"']{1,64}@[^\s<>()\[\],;:\"']{1,255}")

Facts = dict[str, Any]


# -- facts without order -----------------------------------------------------------------------


def advance(facts: Facts, kind: str, at: datetime, bounce_kind: str = "") -> Facts:
    """The facts after one more event: each has its earliest time, a bounce its gravest kind.

    Order and repetition make no difference, so no late event takes anything back (REL-21).
    """
    if kind in FACTS:
        name = FACTS[Kind(kind)]
        return {**facts, name: min(filter(None, [facts.get(name), at]))}
    if kind not in NOT_DELIVERED:
        return facts
    known = facts.get("bounce_kind") or ""
    bounced_at = facts.get("bounced_at")
    if bounced_at is None or GRAVITY.index(bounce_kind) > GRAVITY.index(known):
        return {**facts, "bounced_at": at, "bounce_kind": bounce_kind}
    if bounce_kind == known:
        return {**facts, "bounced_at": min(bounced_at, at)}
    return facts


def clamped(at: datetime | None, *, sent_at: datetime | None, now: datetime) -> datetime:
    """The time of an event, but not long before its message was sent nor in our future."""
    at = min(at or now, now + DRIFT)
    return max(at, sent_at - DRIFT) if sent_at else at


def stops(report: Report) -> bool:
    """Whether it ends what is planned for its person."""
    is_dead = report.kind in NOT_DELIVERED and report.bounce_kind == Message.BounceKind.HARD
    return is_dead or report.kind in (Kind.COMPLAINED, Kind.UNSUBSCRIBED)


def is_our_fault(report: Report) -> bool:
    """Whether it tells of our account, login or DNS, and not of one message."""
    return report.of_sender or report.bounce_kind == Message.BounceKind.OURS


# -- whose they are ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Origin:
    """Who reported, for which of our mailboxes: those of one account at the provider."""

    provider: str
    senders: Sequence[int]
    # the recipient is all that a delegated message can be known by
    by_recipient: bool = False


def join(reports: Iterable[Report], origin: Origin, *, now: datetime) -> dict[str, Message]:
    """The message of each report, by event id: by our id, by theirs, by whom it went to.

    Only of the mailboxes that may be meant, and only what was handed over. Three queries.
    """
    reports = list(reports)
    ours = {_bare(report.message_id) for report in reports} - {""}
    theirs = {_bare(report.provider_id) for report in reports} - {""}
    rows = _of(origin)
    by_ours = _by_our_id(rows, ours) if ours else {}
    by_theirs = _by_provider_id(rows, theirs) if theirs else {}
    left = {
        report.recipient
        for report in reports
        if origin.by_recipient and report.recipient and _bare(report.message_id) not in by_ours
        if _bare(report.provider_id) not in by_theirs
    }
    by_recipient = _by_recipient(rows, left, now=now) if left else {}
    joined = {}
    for report in reports:
        message = (
            by_ours.get(_bare(report.message_id))
            or by_theirs.get(_bare(report.provider_id))
            or by_recipient.get(report.recipient)
        )
        if message is not None:
            joined[report.event_id] = message
    return joined


def _of(origin: Origin) -> QuerySet[Message]:
    status = (*Message.COUNTED, Message.Status.FAILED)
    rows = Message.objects.filter(sender__in=origin.senders, status__in=status)
    return rows.select_related("pitch__address__contact", "pitch__campaign", "sender")


def _bare(name: str) -> str:
    """An id without the brackets of a header."""
    return name.strip("<> ")


def _by_our_id(rows: QuerySet[Message], ids: set[str]) -> dict[str, Message]:
    found = rows.filter(message_id__in=[*ids, *(f"<{each}>" for each in ids)])
    return {_bare(row.message_id): row for row in found}


def _by_provider_id(rows: QuerySet[Message], ids: set[str]) -> dict[str, Message]:
    spellings = [*ids, *(f"<{each}>" for each in ids)]
    # the empty one is excluded in words, so that the partial index answers
    found = rows.filter(provider_id__gt="", provider_id__in=spellings).order_by("pk")
    return {_bare(row.provider_id): row for row in found}


def _by_recipient(
    rows: QuerySet[Message], recipients: set[str], *, now: datetime
) -> dict[str, Message]:
    """The newest that went to each; the ledger of the sender bounds the search."""
    found = rows.filter(counted_at__gt=now - DELEGATED_FOR, to_address__in=recipients)
    return {row.to_address: row for row in found.order_by("counted_at", "pk")}


# -- recording ---------------------------------------------------------------------------------


@dataclass(slots=True)
class Recorded:
    """What became of some reports."""

    new: int = 0
    known: int = 0
    # those that belong to no message of ours, by event id
    unjoined: set[str] = field(default_factory=set)
    # what could not be read, and what could not be recorded, by event id
    unread: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def unmatched(self) -> int:
        return len(self.unjoined)

    @property
    def problems(self) -> list[str]:
        return [*self.unread, *self.failed.values()]

    def add(self, other: Recorded) -> None:
        self.new += other.new
        self.known += other.known
        self.unjoined |= other.unjoined
        self.unread += other.unread
        self.failed |= other.failed


def record(reports: Sequence[Report], origin: Origin, *, now: datetime) -> Recorded:
    """Write events and draw what follows: what stops somebody first, each in a transaction of
    its own; the rest 500 at a time in a constant number of queries.

    One that fails does not keep the others from it; it is told in ``problems``.
    """
    unique = list({report.event_id: report for report in reports}.values())
    done = Recorded()
    urgent = [report for report in unique if stops(report)]
    joined = join(urgent, origin, now=now) if urgent else {}
    for report in urgent:
        done.add(alone(report, lambda r: _record_stop(r, joined.get(r.event_id), origin, now)))
    rest = [report for report in unique if not stops(report)]
    for some in batches(rest, BATCH):
        done.add(_record_batch(list(some), origin, now=now))
    return done


def alone(report: Report, write: Callable[[Report], Recorded]) -> Recorded:
    """Carry one out; what is wrong with it alone is told, not raised (REL-22)."""
    try:
        with transaction.atomic():
            return write(report)
    except (DataError, IntegrityError, ValueError, TypeError, KeyError, LookupError) as e:
        log.exception("a report could not be recorded: %s", report.kind)
        return Recorded(failed={report.event_id: f"{report.kind}: {type(e).__name__}"})


def _record_batch(reports: list[Report], origin: Origin, *, now: datetime) -> Recorded:
    try:
        with transaction.atomic():
            return _write(reports, join(reports, origin, now=now), origin, now=now)
    except (DataError, IntegrityError, ValueError, TypeError, LookupError):
        log.warning("a batch of %s reports goes one by one", len(reports))
    done = Recorded()
    for report in reports:
        done.add(
            alone(report, lambda r: _write([r], join([r], origin, now=now), origin, now=now))
        )
    return done


def _write(
    reports: list[Report], joined: Mapping[str, Message], origin: Origin, *, now: datetime
) -> Recorded:
    """Insert the events; those that are new, or have found their message, make facts."""
    fresh = insert_events(reports, joined, origin.provider, now=now)
    told = [(joined[r.event_id], r) for r in reports if r.event_id in fresh & joined.keys()]
    state_facts(told, now=now)
    return _counted(reports, joined, fresh)


def _counted(reports: list[Report], joined: Mapping[str, Message], fresh: set[str]) -> Recorded:
    unjoined = {r.event_id for r in reports if not r.of_sender} - joined.keys()
    return Recorded(len(fresh), len(reports) - len(fresh), unjoined)


def done_with(reports: Iterable[Report], provider: str) -> set[str]:
    """The ids of those whose effect is complete; an event that awaits its message is not.

    One query for BATCH of them.
    """
    told = {report.event_id: report for report in reports}
    done = set()
    for ids in batches(told, BATCH):
        found = Event.objects.filter(provider=provider, provider_event_id__in=ids)
        for event_id, message in found.values_list("provider_event_id", "message_id"):
            if message or told[event_id].reply or told[event_id].of_sender:
                done.add(event_id)
    return done


def insert_events(
    reports: Iterable[Report], joined: Mapping[str, Message], provider: str, *, now: datetime
) -> set[str]:
    """Write one event each; the ids of those that are new. Two queries.

    One that was kept without its message makes room for the same with it: events are never
    changed. Of two processes that tell the same, one waits for the other and finds it known.
    """
    rows = sorted(
        (_row(report, joined.get(report.event_id), now=now) for report in reports),
        key=lambda row: str(row["id"]),
    )
    found = [row["id"] for row in rows if row["message"]]
    if found:
        Event.objects.filter(
            provider=provider, provider_event_id__in=found, message__isnull=True
        ).delete()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO pitches_event (
                provider, provider_event_id, kind, message_id, occurred_at, payload, created_at
            )
            SELECT %s, told.id, told.kind, told.message, told.at, told.payload, now()
            FROM jsonb_to_recordset(%s::jsonb) AS
                told (id text, kind text, message bigint, at timestamptz, payload jsonb)
            ORDER BY told.id
            ON CONFLICT (provider, provider_event_id) DO NOTHING
            RETURNING provider_event_id
            """,
            [provider, json.dumps(rows)],
        )
        return {each for (each,) in cursor.fetchall()}


def _row(report: Report, message: Message | None, *, now: datetime) -> dict[str, Any]:
    sent_at = _sent_at(message) if message else None
    notes = {
        "reason": _ADDRESS.sub("(an address)", report.reason),
        "label": report.label,
        "bounce": report.bounce_kind,
    }
    return {
        "id": report.event_id,
        "kind": str(report.kind),
        "message": message.pk if message else None,
        "at": clamped(report.occurred_at, sent_at=sent_at, now=now).isoformat(),
        "payload": {name: note for name, note in notes.items() if note},
    }


def _sent_at(message: Message) -> datetime | None:
    return message.sent_at or message.handed_at or message.counted_at


def state_facts(told: Sequence[tuple[Message, Report]], *, now: datetime) -> None:
    """Move the facts of the messages forward. Two queries for up to BATCH messages."""
    if not told:
        return
    ids = {message.pk for message, _ in told}
    rows = Message.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk")
    messages = {row.pk: row for row in rows}
    changed = set()
    for message, report in told:
        row = messages[message.pk]
        before = {name: getattr(row, name) for name in FIELDS}
        at = clamped(report.occurred_at, sent_at=_sent_at(row), now=now)
        after = advance(before, report.kind, at, report.bounce_kind)
        if after != before:
            changed.add(row.pk)
            for name, value in after.items():
                setattr(row, name, value)
    Message.objects.bulk_update([messages[pk] for pk in sorted(changed)], FIELDS, BATCH)
    breakers.judge(
        [messages[m.pk] for m, report in told if report.kind in JUDGED and m.pk in changed],
        now=now,
    )


# -- what ends things --------------------------------------------------------------------------


def _record_stop(
    report: Report, message: Message | None, origin: Origin, now: datetime
) -> Recorded:
    joined = {report.event_id: message} if message else {}
    if message:
        # the person before the message, as everybody locks them
        stopping.lock_person(message.pitch.address.contact_id)
    fresh = insert_events([report], joined, origin.provider, now=now)
    if message and fresh:
        consequences(report, message, source=f"{origin.provider} reported it", now=now)
        state_facts([(message, report)], now=now)
    return _counted([report], joined, fresh)


def consequences(report: Report, message: Message, *, source: str, now: datetime) -> None:
    """What a mail of the same meaning would do: suppress, stop, end the pitch."""
    if report.kind == Kind.UNSUBSCRIBED and message.channel == Channel.SMS:
        stopping.opted_out(message.pitch.address.contact, source=source, now=now)
    elif report.kind == Kind.UNSUBSCRIBED:
        stopping.unsubscribed(message.pitch, source=source, now=now)
    elif report.kind == Kind.COMPLAINED:
        stopping.complained(message.pitch, source=source, now=now)
    else:
        stopping.address_is_dead(message, now=now)
        # A pitch that a complaint ended a moment earlier bounced all the same.
        Pitch.objects.filter(pk=message.pitch_id, status=Pitch.Status.STOPPED).update(
            status=Pitch.Status.BOUNCED
        )


def record_trouble(
    report: Report, sender: Sender, origin: Origin, *, now: datetime
) -> Recorded:
    """The provider can no longer send for this mailbox: it waits until somebody has looked.

    Told again, it changes nothing: whoever has looked and let it go on is not overruled.
    """
    done = _write([report], join([report], origin, now=now), origin, now=now)
    if done.new:
        told = report.reason or report.label
        breakers.note_login_fault(sender, f"{origin.provider} reports: {told}", now=now)
    return done


def unmatched(provider: str = "") -> QuerySet[Event]:
    """Events that belong to no message of ours, newest first."""
    rows = Event.objects.filter(message__isnull=True)
    return rows.filter(Q(provider=provider)) if provider else rows
