"""Webhooks: stored as they came, then understood, event by event, as often as one likes.

The door verifies and stores (``accept``); what stops somebody is acted upon at once, the rest
at once too or by the tick, if there is much of it. Understanding a delivery again changes
nothing that it changed before, so everything may be repeated (REL-20..REL-22, S000-066).
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet

from config.text import clean_line, clean_text
from pitches import callbacks, inbox, settling, sources, texting, tracking
from pitches.callbacks import BadAddress
from pitches.models import Event, IncomingMessage, Message, Sender, WebhookDelivery
from pitches.sources import Delivered, Part, Reply, Report, Source, Unreadable
from pitches.tracking import Origin, Recorded

log = logging.getLogger(__name__)

Verdict = WebhookDelivery.Verdict
# So many events are worked through before the provider has its answer (within a second).
AT_ONCE = 50
# A delivery whose events belong to nothing is tried again: it may have overtaken our commit,
# and the longest hand-over takes ten minutes.
TRY_JOINING_FOR = timedelta(minutes=20)
# The request itself is kept for so long, its id for good: a later replay finds it (LAW-13).
KEEP_BODIES = timedelta(days=30)
BATCH = 200


class TooMuch(Exception):
    """More events in one request than are taken."""


# -- who reports -------------------------------------------------------------------------------


def address_of(sender: Sender) -> str:
    """The address to enter at the sender's provider; empty where none reports."""
    provider = provider_of(sender)
    return callbacks.address_of(provider, sender.pk) if provider and sender.pk else ""


def sender_of(provider: str, secret: str) -> Sender:
    """Whose address it is; raises BadAddress."""
    sender = Sender.objects.filter(pk=callbacks.sender_of(provider, secret)).first()
    if sender is None:
        raise BadAddress(provider)
    return sender


def provider_of(sender: Sender) -> str:
    """The provider that reports for this sender; empty where none does."""
    name = {
        Sender.Transport.PROVIDER: sender.provider,
        Sender.Transport.INSTANTLY: "instantly",
        Sender.Transport.TWILIO: "twilio",
    }.get(Sender.Transport(sender.transport), "")
    return name if name in sources.names() else ""


def options_of(sender: Sender) -> dict[str, Any]:
    """The sender's options; empty where they are no JSON object."""
    try:
        read = json.loads(sender.provider_options or "{}")
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def missing_option(sender: Sender) -> str:
    """The option without which its provider is not believed; empty where nothing is missing."""
    source = sources.find(provider_of(sender))
    if source is None or source.secrets(options_of(sender)):
        return ""
    return source.secret_option


def unproven() -> list[tuple[Sender, str]]:
    """Active senders whose provider cannot prove itself, with the option that is missing."""
    missing = []
    for sender in Sender.objects.filter(status=Sender.Status.ACTIVE).exclude(
        transport__in=[Sender.Transport.MAILBOX, Sender.Transport.BY_HAND]
    ):
        if option := missing_option(sender):
            missing.append((sender, option))
    return missing


# -- taking one in -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Accepted:
    """A stored delivery; ``is_new`` is False where it was there already."""

    delivery: WebhookDelivery
    is_new: bool


def accept(
    provider: str, sender: Sender, source: Source, delivered: Delivered, *, now: datetime
) -> Accepted:
    """Verify, store and, if it is new, work through it.

    Raises sources.NotConfigured, sources.Refused, sources.Unreadable and TooMuch; then nothing
    is stored but the count of refusals.
    """
    try:
        source.verify(delivered, options_of(sender), now)
    except sources.Refused as e:
        _count_refusal(provider, sender, str(e), now=now)
        raise
    parts = source.parts(delivered)
    if len(parts) > sources.MOST_EVENTS:
        raise TooMuch(f"{len(parts)} events in one request")
    delivery, is_new = WebhookDelivery.objects.get_or_create(
        provider=provider,
        delivery_id=source.delivery_id(delivered)[:200],
        defaults={
            "body": delivered.body,
            "headers": kept_headers(source, delivered),
            "verdict": Verdict.VALID if source.is_signed else Verdict.UNSIGNED,
            "sender": sender,
            "received_at": now,
        },
    )
    if is_new:
        _at_once(delivery, source, parts, now=now)
    return Accepted(delivery, is_new)


def kept_headers(source: Source, delivered: Delivered) -> dict[str, str]:
    """What reading it again needs; no secret, no signature."""
    names = ("content-type", *source.kept_headers)
    return {
        name: clean_line(delivered.headers[name], 300)
        for name in names
        if name in delivered.headers
    }


def _at_once(
    delivery: WebhookDelivery, source: Source, parts: list[Part], *, now: datetime
) -> None:
    """What is little, or stops somebody, does not wait for the tick. Never raises."""
    try:
        if len(parts) <= AT_ONCE:
            take(delivery, source, now=now)
            return
        told = Understood.of(source, parts)
        urgent = [report for report in told.reports if tracking.stops(report) or report.reply]
        if urgent:
            _act(urgent[:AT_ONCE], delivery, now=now)
    except Exception:  # it is stored: the tick takes it up
        log.exception("delivery %s waits for the tick", delivery.pk)


def _count_refusal(provider: str, sender: Sender, reason: str, *, now: datetime) -> None:
    """One row per sender and day, without the body: whoever knows the address may flood it."""
    row, _ = WebhookDelivery.objects.get_or_create(
        provider=provider,
        delivery_id=f"refused:{sender.pk}:{now:%Y-%m-%d}",
        defaults={
            "body": b"",
            "verdict": Verdict.INVALID,
            "sender": sender,
            "received_at": now,
            "processed_at": now,
            "headers": {"refused": 0},
        },
    )
    with transaction.atomic():
        row = WebhookDelivery.objects.select_for_update().get(pk=row.pk)
        count = int(row.headers.get("refused", 0)) + 1
        row.headers = {"refused": count, "why": reason[:300]}
        row.save(update_fields=["headers"])


# -- understanding it --------------------------------------------------------------------------


@dataclass(slots=True)
class Understood:
    """The reports of a delivery, and which of its events could not be read."""

    reports: list[Report] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, source: Source, parts: Iterable[Part]) -> Understood:
        """Event by event: a bad one is set aside, the others go on (REL-22)."""
        told = cls()
        for number, part in enumerate(parts, start=1):
            try:
                told.reports += source.reports(part)
            except Exception as e:  # foreign words through foreign code: any error is possible
                told.problems.append(f"event {number}: {type(e).__name__}")
        return told


def read(delivery: WebhookDelivery, source: Source | None = None) -> Understood:
    """What a stored delivery says; nothing is changed."""
    source = source or sources.find(delivery.provider)
    if source is None:
        return Understood(problems=[f"{delivery.provider} is not in WEBHOOK_SOURCES"])
    try:
        parts = source.parts(Delivered(bytes(delivery.body), delivery.headers))
    except Unreadable as e:
        return Understood(problems=[str(e)])
    return Understood.of(source, parts)


def take(delivery: WebhookDelivery, source: Source | None = None, *, now: datetime) -> Recorded:
    """Work through one delivery, again if need be: what was done is not done twice."""
    told = read(delivery, source)
    done = _act(told.reports, delivery, now=now)
    done.problems = told.problems + done.problems
    waits = done.unmatched and now - delivery.received_at < TRY_JOINING_FOR
    delivery.processed_at = None if waits else now
    delivery.error = "; ".join(done.problems)[:2_000]
    delivery.save(update_fields=["processed_at", "error"])
    return done


def _act(reports: list[Report], delivery: WebhookDelivery, *, now: datetime) -> Recorded:
    sender = delivery.sender
    provider = delivery.provider.removesuffix("_inbound")
    if sender is None:
        return Recorded(problems=["its sender is no longer there"] if reports else [])
    return act(reports, sender, provider, now=now)


def act(reports: list[Report], sender: Sender, provider: str, *, now: datetime) -> Recorded:
    """Everything that follows from some reports of one account."""
    origin = Origin(
        provider,
        _account(sender),
        by_recipient=sender.transport == Sender.Transport.INSTANTLY,
    )
    done = Recorded()
    for report in [report for report in reports if report.reply]:
        done.add(tracking.alone(report, lambda r: _hear(r, sender, origin, now=now)))
    for report in [report for report in reports if tracking.is_our_fault(report)]:
        tracking.account_is_in_trouble(report, sender, provider=provider, now=now)
    rest = [report for report in reports if not report.reply]
    _settle_delegated(rest, origin, now=now)
    done.add(tracking.record(rest, origin, now=now))
    return done


def _account(sender: Sender) -> list[int]:
    """The senders of one account: what it reports may concern each of them, and nobody else."""
    options = options_of(sender)
    alike = Sender.objects.filter(transport=sender.transport, provider=sender.provider)
    return [
        other.pk for other in alike if other.pk == sender.pk or options_of(other) == options
    ]


def _settle_delegated(reports: list[Report], origin: Origin, *, now: datetime) -> None:
    """What another sender holds for us has gone out: later steps begin from there."""
    sent = [report for report in reports if report.kind == Event.Kind.SENT]
    for event_id, message in tracking.join(sent, origin, now=now).items():
        if message.status != Message.Status.DELEGATED:
            continue
        report = next(each for each in sent if each.event_id == event_id)
        at = tracking.clamped(report.occurred_at, sent_at=message.handed_at, now=now)
        settling.delegated_was_sent(message, provider_id=report.provider_id, at=at)


# -- answers -----------------------------------------------------------------------------------


def _hear(report: Report, sender: Sender, origin: Origin, *, now: datetime) -> Recorded:
    """An answer that came through a provider is an answer: stored, classified, acted upon."""
    known = Event.objects.filter(provider=origin.provider, provider_event_id=report.event_id)
    if known.exists():
        return Recorded(known=1)
    assert report.reply is not None
    joined = tracking.join([report], origin, now=now)
    name = name_of(report.reply)
    if name and IncomingMessage.objects.filter(sender=sender, message_id=name).exists():
        # told in another way, by a webhook or by a look into the mailbox there
        tracking.insert_events([report], joined, origin.provider, now=now)
        return Recorded(known=1)
    if sender.transport == Sender.Transport.TWILIO:
        incoming = texting.received(
            sender,
            number=report.reply.from_address,
            text=report.reply.text,
            provider_id=report.reply.provider_id,
            told=report.label,
            now=now,
        )
    else:
        raw = report.reply.raw or as_mail(
            report, report.reply, sender, joined.get(report.event_id)
        )
        incoming = inbox.take_in_reported(sender, raw, source=origin.provider, now=now)
    answered = incoming.answers if incoming is not None else joined.get(report.event_id)
    found = {report.event_id: answered} if answered else {}
    fresh = tracking.insert_events([report], found, origin.provider, now=now)
    # an answer that matches nothing is kept as a mail, and shown; it need not be tried again
    return Recorded(new=len(fresh))


def name_of(reply: Reply) -> str:
    """The Message-ID of an answer that a provider names by an id of its own; else empty."""
    if not reply.provider_id:
        return ""
    return f"{hashlib.sha256(reply.provider_id.encode()).hexdigest()[:32]}@reported.invalid"


def as_mail(report: Report, reply: Reply, sender: Sender, message: Message | None) -> bytes:
    """The answer as a mail, so that it is classified and joined by the rules of all mail."""
    mail = EmailMessage()
    mail["From"] = _header(reply.from_address, 320)
    mail["To"] = sender.address
    mail["Subject"] = _header(reply.subject, 300)
    if report.occurred_at:
        mail["Date"] = format_datetime(report.occurred_at)
    if name := name_of(reply):
        mail["Message-ID"] = f"<{name}>"
    if message is not None:
        mail["In-Reply-To"] = f"<{message.message_id}>"
    if reply.is_automatic:
        mail["Auto-Submitted"] = "auto-replied"
    if reply.text or not reply.html:
        mail.set_content(clean_text(reply.text))
    else:
        mail.set_content(clean_text(reply.html, 200_000), subtype="html")
    return mail.as_bytes()


def _header(text: str, limit: int) -> str:
    return clean_line(text, limit).encode("ascii", "ignore").decode()


# -- the tick, and again -----------------------------------------------------------------------


def waiting(*, provider: str = "") -> QuerySet[WebhookDelivery]:
    """What is stored and not yet worked through, the oldest first."""
    rows = WebhookDelivery.objects.filter(processed_at__isnull=True)
    rows = rows.filter(provider=provider) if provider else rows
    return rows.select_related("sender").order_by("received_at", "pk")


def stored(*, provider: str = "") -> QuerySet[WebhookDelivery]:
    """Everything that can be read again, the oldest first."""
    rows = WebhookDelivery.objects.exclude(verdict=Verdict.INVALID).exclude(body=b"")
    rows = rows.filter(provider=provider) if provider else rows
    return rows.select_related("sender").order_by("received_at", "pk")


def quarantined() -> QuerySet[WebhookDelivery]:
    """Those with an event that could not be read or recorded."""
    return WebhookDelivery.objects.filter(error__gt="")


@dataclass(slots=True)
class Worked:
    """What a round did."""

    deliveries: int = 0
    failed: int = 0
    recorded: Recorded = field(default_factory=Recorded)


def work_through(
    rows: QuerySet[WebhookDelivery],
    *,
    now: datetime,
    stop: Callable[[], bool] = lambda: False,
) -> Worked:
    """Take each; one that fails does not keep the others from it. In batches, by key."""
    worked, after = Worked(), 0
    ids = list(rows.values_list("pk", flat=True))
    while batch := ids[after : after + BATCH]:
        after += BATCH
        found = WebhookDelivery.objects.select_related("sender").in_bulk(batch)
        for pk in batch:
            if stop():
                return worked
            if pk in found:
                _take_one(found[pk], worked, now=now)
    return worked


def _take_one(delivery: WebhookDelivery, worked: Worked, *, now: datetime) -> None:
    try:
        worked.recorded.add(take(delivery, now=now))
        worked.deliveries += 1
    except Exception as e:  # the next round tries again; whoever looks sees why
        log.exception("delivery %s could not be worked through", delivery.pk)
        worked.failed += 1
        told = f"not worked through: {type(e).__name__}"
        WebhookDelivery.objects.filter(pk=delivery.pk).update(error=told)


def forget(*, now: datetime) -> dict[str, int]:
    """Empty what is older than 30 days: the requests, and events that found no message.

    The id of a request stays, so that it has no effect if it comes again (SEC-14).
    """
    old = WebhookDelivery.objects.filter(received_at__lt=now - KEEP_BODIES)
    emptied = old.exclude(body=b"", headers={}).update(
        body=b"", headers={}, processed_at=F("received_at")
    )
    lost = Event.objects.filter(Q(message__isnull=True), created_at__lt=now - KEEP_BODIES)
    return {"deliveries": emptied, "events": lost.delete()[0]}


def from_file(
    payload: bytes, provider: str, sender: Sender, headers: Mapping[str, str], *, now: datetime
) -> WebhookDelivery:
    """A delivery for a payload that somebody saved; not stored yet. Raises Unreadable."""
    source = sources.find(provider)
    if source is None:
        raise Unreadable(f"{provider} is not in WEBHOOK_SOURCES")
    delivered = Delivered(payload, headers)
    source.parts(delivered)
    return WebhookDelivery(
        provider=provider,
        delivery_id=source.delivery_id(delivered)[:200],
        body=payload,
        headers=kept_headers(source, delivered),
        verdict=Verdict.UNSIGNED,
        sender=sender,
        received_at=now,
    )
