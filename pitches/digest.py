"""The digest of a day: what waits for somebody, what happened yesterday, what goes out today.

Every number is counted by the lookups of the list it links to, so that they cannot differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Min, Q

from campaigns.zones import zone
from config import alerts
from config.cards import figure, rows_at
from pitches import limits
from pitches.decisions import Reason
from pitches.models import Breaker, IncomingMessage, Message, ReviewTask, Sender

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Line:
    """One number, what it counts, and the page that lists exactly these."""

    label: str
    count: int
    path: str = ""
    more: str = ""

    @property
    def sentence(self) -> str:
        return f"{self.count:>5}  {self.label}{f' ({self.more})' if self.more else ''}"


@dataclass(frozen=True, slots=True)
class Digest:
    """The whole, in parts that have a heading each."""

    day: str
    parts: dict[str, list[Line]]

    @property
    def title(self) -> str:
        waits = sum(line.count for line in self.parts["Waits for you"])
        return f"Digest of {self.day}: {waits} wait for you"

    @property
    def text(self) -> str:
        """Plain text, with the address of each page that has something to show."""
        lines: list[str] = []
        for heading, rows in self.parts.items():
            lines += [heading, *(_printed(row) for row in rows), ""]
        return "\n".join(lines).strip()

    def as_dict(self) -> dict[str, Any]:
        """The object that ``--json`` prints."""
        return {
            "day": self.day,
            "parts": {
                heading: [
                    {"label": r.label, "count": r.count, "path": r.path, "more": r.more}
                    for r in rows
                ]
                for heading, rows in self.parts.items()
            },
        }


def _printed(row: Line) -> str:
    link = f"\n       {settings.PUBLIC_URL}{row.path}" if row.count and row.path else ""
    return f"{row.sentence}{link}"


def digest(*, now: datetime) -> Digest:
    """What there is to say at ``now``; days are those of UTC. Some twenty queries, whatever the
    number of rows.
    """
    today = datetime.combine(now.astimezone(UTC).date(), time.min, tzinfo=UTC)
    return Digest(
        f"{today:%Y-%m-%d}",
        {
            "Waits for you": [*_decisions(), *_answers()],
            "Held": list(_holds()),
            "Yesterday": list(_yesterday(today)),
            "Mailboxes in trouble": list(_trouble(now)),
            "Planned for today": list(_planned(now, today + DAY)),
        },
    )


def write(*, now: datetime) -> Digest:
    """Hand the digest of this day to the alerts, once."""
    made = digest(now=now)
    key = f"{alerts.DIGEST}:{made.day}"
    alerts.tell(
        kind=alerts.DIGEST, key=key, title=made.title, text=made.text, path="/", now=now
    )
    return made


def _line(label: str, model: Any, lookups: dict[str, Any], more: str = "") -> Line:
    counted = figure(label, model, lookups)
    return Line(label, counted.count, counted.url, more)


def _decisions() -> Iterator[Line]:
    is_open = {"status": ReviewTask.Status.OPEN.value}
    rows = ReviewTask.objects.filter(**is_open).values_list("kind")
    oldest = {kind: at for kind, at in rows.annotate(Min("created_at"))}
    for kind, at in sorted(oldest.items()):
        label = f"decisions about a {ReviewTask.Kind(kind).label}"
        yield _line(label, ReviewTask, {**is_open, "kind": kind}, f"oldest {at:%Y-%m-%d %H:%M}")
    if not oldest:
        yield Line("decisions", 0)


def _answers() -> Iterator[Line]:
    replies = {
        "kind": IncomingMessage.Kind.HUMAN_REPLY.value,
        "handled_at__isnull": True,
    }
    yield _line("replies to answer", IncomingMessage, replies)
    unmatched = {"pitch__isnull": True, "handled_at__isnull": True}
    yield _line("mails matched to no pitch", IncomingMessage, unmatched)
    unknown = {"status": Message.Status.UNKNOWN.value}
    yield _line("messages of unknown fate", Message, unknown)


def _holds() -> Iterator[Line]:
    """Messages that wait for something else than their time, by reason."""
    waiting = (Message.Status.APPROVED, Message.Status.QUEUED)
    rows = Message.objects.filter(status__in=waiting).exclude(hold_reason="")
    groups = rows.values_list("hold_reason").annotate(n=Count("pk"), free=Min("hold_until"))
    for reason, n, free in groups.order_by("-n", "hold_reason"):
        lookups = {
            "hold_reason": reason,
            "status__in": ",".join(status.value for status in waiting),
        }
        until = f"first free {free:%Y-%m-%d %H:%M}" if free else ""
        yield Line(_in_words(reason), n, rows_at(Message, lookups), until)


def _in_words(reason: str) -> str:
    return reason.replace("_", " ") if reason in Reason.values else reason


def _yesterday(today: datetime) -> Iterator[Line]:
    begin = today - DAY

    def between(field: str) -> dict[str, Any]:
        return {f"{field}__gte": begin, f"{field}__lt": today}

    sent = {"status": Message.Status.SENT.value, **between("counted_at")}
    failed = {"status": Message.Status.FAILED.value, **between("first_attempt_at")}
    yield _line("sent", Message, sent)
    yield _line("failed", Message, failed)
    yield _line("bounced", Message, between("bounced_at"))
    yield _line("replied to", Message, between("replied_at"))


def _trouble(now: datetime) -> Iterator[Line]:
    active = {"status": Sender.Status.ACTIVE.value}
    yield _line("paused", Sender, {"status": Sender.Status.PAUSED.value})
    yield _line("inboxes not readable", Sender, {**active, "inbox_error__gt": ""})
    is_open = {"closed_at__isnull": True}
    yield _line("pauses by breakers", Breaker, {**is_open, "level": Breaker.Level.PAUSE.value})
    yield _line("warnings", Breaker, {**is_open, "level": Breaker.Level.WARNING.value})


def _planned(now: datetime, tomorrow: datetime) -> Iterator[Line]:
    """Per mailbox: what is queued until midnight, beside its number of the day."""
    queued = Q(messages__status=Message.Status.QUEUED, messages__send_at__lt=tomorrow)
    senders = Sender.objects.filter(status=Sender.Status.ACTIVE)
    for sender in senders.annotate(n=Count("messages", filter=queued)).order_by("address"):
        most = limits.ramped(sender, on=now.astimezone(zone(sender.time_zone)).date())
        lookups = {
            "sender__id": sender.pk,
            "status": Message.Status.QUEUED.value,
            "send_at__lt": tomorrow,
        }
        yield Line(
            sender.address, sender.n, rows_at(Message, lookups), f"may send {most} a day"
        )
