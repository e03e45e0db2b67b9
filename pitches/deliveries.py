"""Webhooks: stored as they came, then understood, event by event, as often as one likes.

The door verifies and stores (``accept``), and acts upon what stops somebody; the rest waits
for the tick, which reads many at once. Understanding a delivery again changes nothing that it
changed before, so everything may be repeated (REL-20..REL-22, S000-066).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from django.db import connection
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Length

from config.text import clean_line, clean_text
from pitches import callbacks, inbox, settling, sources, texting, tracking
from pitches.callbacks import BadAddress
from pitches.channels import name_of_answer
from pitches.models import Event, IncomingMessage, Message, Sender, WebhookDelivery
from pitches.sources import Delivered, Part, Reply, Report, Source, Unreadable
from pitches.tracking import Origin, Recorded, record_trouble

log = logging.getLogger(__name__)

Verdict = WebhookDelivery.Verdict
# So many people are stopped before the provider has its answer (within a second).
AT_ONCE = 50
# A delivery whose events belong to nothing is tried again: it may have overtaken our commit,
# and the longest hand-over takes ten minutes.
TRY_JOINING_FOR = timedelta(minutes=20)
# The request itself is kept for so long, its id for good: a later replay finds it (LAW-13).
KEEP_BODIES = timedelta(days=30)
# The tick reads so many deliveries of one sender together, and no more bytes than these.
BATCH, MOST_BYTES = 500, 4_000_000
# So many are listed before the first of them is read.
ROUND = 5_000


class TooMuch(Exception):
    """More events in one request than are taken."""


# -- who reports -------------------------------------------------------------------------------


def address_of(sender: Sender) -> str:
    """The address to enter at the sender's provider; empty where none reports."""
    provider = provider_of(sender)
    return callbacks.address_of(provider, sender.pk) if provider and sender.pk else ""


def inbound_address_of(sender: Sender) -> str:
    """Where its provider hands on the mail that it receives; empty where none does."""
    provider = f"{provider_of(sender)}_inbound"
    is_known = provider in sources.names() and sender.pk
    return callbacks.address_of(provider, sender.pk) if is_known else ""


def sender_of(provider: str, secret: str) -> Sender:
    """Whose address it is, with what proves a report and no other secret; raises BadAddress."""
    needed = Sender.objects.only("transport", "provider", "provider_options")
    sender = needed.filter(pk=callbacks.sender_of(provider, secret)).first()
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


def accept(
    provider: str, sender: Sender, source: Source, delivered: Delivered, *, now: datetime
) -> bool:
    """Verify and store it; whether it is new. One query, unless it stops somebody.

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
    is_new = _store(provider, sender, source, delivered, now=now)
    if is_new:
        _at_once(provider, sender, source, parts, now=now)
    return is_new


def _store(
    provider: str, sender: Sender, source: Source, delivered: Delivered, *, now: datetime
) -> bool:
    """One statement: of twenty at once, one is new."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO pitches_webhookdelivery (
                provider, delivery_id, body, headers, verdict, sender_id, received_at, error
            )
            VALUES (%s, %s, %s, %s, %s, %s, %s, '')
            ON CONFLICT (provider, delivery_id) DO NOTHING
            """,
            [
                provider,
                source.delivery_id(delivered)[:200],
                delivered.body,
                json.dumps(kept_headers(source, delivered)),
                str(Verdict.VALID if source.is_signed else Verdict.UNSIGNED),
                sender.pk,
                now,
            ],
        )
        return bool(cursor.rowcount)


def kept_headers(source: Source, delivered: Delivered) -> dict[str, str]:
    """What reading it again needs; no secret, no signature."""
    names = ("content-type", *source.kept_headers)
    return {
        name: clean_line(delivered.headers[name], 300)
        for name in names
        if name in delivered.headers
    }


def _at_once(
    provider: str, sender: Sender, source: Source, parts: list[Part], *, now: datetime
) -> None:
    """What stops somebody does not wait for the tick. Never raises."""
    try:
        told = Understood.of(source, parts)
        urgent = [report for report in told.reports if tracking.stops(report) or report.reply]
        if urgent:
            act(urgent[:AT_ONCE], Sender.objects.get(pk=sender.pk), _of(provider), now=now)
    except Exception:  # it is stored: the tick takes it up
        log.exception("a delivery of %s for sender %s waits for the tick", provider, sender.pk)


def _count_refusal(provider: str, sender: Sender, reason: str, *, now: datetime) -> None:
    """One row per sender and day, without the body: whoever knows the address may flood it."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO pitches_webhookdelivery AS told (
                provider, delivery_id, body, headers, verdict, sender_id, received_at,
                processed_at, error
            )
            VALUES (
                %(provider)s, %(day)s, '',
                jsonb_build_object('refused', 1, 'why', %(why)s::text),
                %(verdict)s, %(sender)s, %(now)s, %(now)s, ''
            )
            ON CONFLICT (provider, delivery_id) DO UPDATE SET headers = jsonb_build_object(
                'refused', coalesce((told.headers ->> 'refused')::int, 0) + 1,
                'why', %(why)s::text
            )
            """,
            {
                "provider": provider,
                "day": f"refused:{sender.pk}:{now:%Y-%m-%d}",
                "why": reason[:300],
                "verdict": str(Verdict.INVALID),
                "sender": sender.pk,
                "now": now,
            },
        )


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
    return _take([delivery], source, now=now)


def _take(
    some: Sequence[WebhookDelivery], source: Source | None = None, *, now: datetime
) -> Recorded:
    """Work through deliveries of one sender and provider in a constant number of queries,
    but for what stops somebody.
    """
    told = {delivery.pk: read(delivery, source) for delivery in some}
    reports = [report for understood in told.values() for report in understood.reports]
    sender, done = some[0].sender, Recorded()
    if sender is not None:
        done = act(reports, sender, _of(some[0].provider), now=now)
    for delivery in some:
        _conclude(delivery, told[delivery.pk], done, now=now)
    done.unread = [each for understood in told.values() for each in understood.problems]
    _save(some)
    return done


def _conclude(
    delivery: WebhookDelivery, told: Understood, done: Recorded, *, now: datetime
) -> None:
    """Whether it is over, and what of it was not understood; not saved yet."""
    ids = {report.event_id for report in told.reports}
    if delivery.sender is None and ids:
        told.problems.append("its sender is no longer there")
    waits = ids & done.unjoined and now - delivery.received_at < TRY_JOINING_FOR
    delivery.processed_at = None if waits else now
    failed = [what for event_id, what in done.failed.items() if event_id in ids]
    delivery.error = "; ".join([*told.problems, *failed])[:2_000]


def _save(some: Sequence[WebhookDelivery]) -> None:
    """At most three queries."""
    rows = WebhookDelivery.objects
    for at in {delivery.processed_at for delivery in some}:
        plain = [row.pk for row in some if row.processed_at == at and not row.error]
        rows.filter(pk__in=plain).update(processed_at=at, error="")
    rows.bulk_update([row for row in some if row.error], ["processed_at", "error"])


def _of(provider: str) -> str:
    """Whose events they are: mail that a provider receives for us is told by itself too."""
    return provider.removesuffix("_inbound")


def act(reports: list[Report], sender: Sender, provider: str, *, now: datetime) -> Recorded:
    """Everything that follows from some reports of one account."""
    origin = Origin(
        provider,
        _account(sender),
        by_recipient=sender.transport == Sender.Transport.INSTANTLY,
    )
    known = tracking.done_with(reports, provider)
    done = Recorded(known=sum(report.event_id in known for report in reports))
    rest = []
    for report in reports:
        if report.event_id in known:
            continue
        if report.reply:
            done.add(tracking.alone(report, lambda r: _hear(r, sender, origin, now=now)))
        elif tracking.is_our_fault(report):
            done.add(
                tracking.alone(report, lambda r: record_trouble(r, sender, origin, now=now))
            )
        else:
            rest.append(report)
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
    return name_of_answer(reply.provider_id)


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
    """Take each, the oldest first; one that fails does not keep the others from it."""
    worked = Worked()
    for batch in _batches(rows):
        if stop():
            break
        found = WebhookDelivery.objects.select_related("sender").in_bulk(batch)
        some = [found[pk] for pk in batch if pk in found]
        if some:
            _take_batch(some, worked, now=now)
    return worked


def _batches(rows: QuerySet[WebhookDelivery]) -> Iterator[list[int]]:
    """Keys of deliveries that one sender's provider made, within BATCH and MOST_BYTES.

    ROUND rows are listed at a time, and every row once: what still waits afterwards waits for
    the next tick.
    """
    after: tuple[datetime, int] | None = None
    while True:
        listed = rows.select_related(None).order_by("received_at", "pk")
        if after is not None:
            listed = listed.filter(
                Q(received_at__gt=after[0]) | Q(received_at=after[0], pk__gt=after[1])
            )
        told = listed.values_list(
            "received_at", "pk", "sender_id", "provider", Length("body"), named=False
        )
        some = list(told[:ROUND])
        if not some:
            return
        after = some[-1][:2]
        yield from _parted(some)


def _parted(some: Iterable[tuple[datetime, int, int | None, str, int]]) -> list[list[int]]:
    full: list[list[int]] = []
    filling: dict[tuple[int | None, str], list[int]] = {}
    held: dict[tuple[int | None, str], int] = {}
    for _, pk, sender, provider, size in some:
        key = (sender, provider)
        batch = filling.get(key)
        if batch is None or len(batch) >= BATCH or held[key] + size > MOST_BYTES:
            batch = filling[key] = []
            full.append(batch)
            held[key] = 0
        batch.append(pk)
        held[key] += size
    return full


def _take_batch(some: list[WebhookDelivery], worked: Worked, *, now: datetime) -> None:
    try:
        worked.recorded.add(_take(some, now=now))
        worked.deliveries += len(some)
    except Exception:  # one of them is at fault: the others are taken without it
        log.exception("a batch of %s deliveries goes one by one", len(some))
        for delivery in some:
            _take_one(delivery, worked, now=now)


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
