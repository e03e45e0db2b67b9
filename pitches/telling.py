"""What happened that a person should hear of, gathered for ``config.alerts``.

One question per kind, each over rows that have not been told of; so nothing has to be raised
where it happens, whichever door it came through, and nothing is told twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db.models import CharField, Exists, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Cast, Concat
from django.urls import reverse

from config import alerts
from config.alerts import News
from config.models import Alert
from pitches import auditing, delegating, inbox, journal, situations
from pitches.models import (
    Breaker,
    IncomingMessage,
    Message,
    ReviewTask,
    Sender,
    SendMode,
)

# Older answers than this were seen by somebody, or will be in the digest.
RECENT = timedelta(days=2)
BLIND = timedelta(minutes=10)
AUDITED = timedelta(days=2)
MOST = 200


def gather(*, now: datetime) -> int:
    """Write down everything nobody has been told of; how many. Eight queries and the rows."""
    news = [
        *_replies(now=now),
        *_unknown(),
        *_overdue_tasks(now=now),
        *_breakers(),
        *_blind(now=now),
        *_unconfirmed_stops(now=now),
    ]
    return alerts.tell_all(news, now=now) if news else 0


def _untold(rows: QuerySet[Any], kind: str) -> list[Any]:
    """Those without an alert under ``kind:id``; over the unique index of its keys."""
    key = Concat(Value(f"{kind}:"), Cast(OuterRef("pk"), CharField()))
    return list(rows.filter(~Exists(Alert.objects.filter(key=key))).order_by("pk")[:MOST])


def page_of(row: Any) -> str:
    """The admin page of a row, without the host."""
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def _replies(*, now: datetime) -> Iterator[News]:
    rows = IncomingMessage.objects.filter(
        kind=IncomingMessage.Kind.HUMAN_REPLY,
        handled_at=None,
        created_at__gt=now - RECENT,
    )
    rows = rows.exclude(source="noted by hand").select_related("pitch__lead", "pitch__campaign")
    for row in _untold(rows.defer("raw", "text"), "reply"):
        who = row.from_name or row.from_address or "Somebody"
        intent = f" ({row.get_intent_display()})" if row.intent else ""
        about = f" about {row.pitch.lead.name}" if row.pitch else ", matched to no pitch"
        captured = "Rehearsal: " if row.source == "capture" else ""
        yield News(
            "reply",
            f"reply:{row.pk}",
            f"{captured}{who} answered{intent}{about}",
            row.reply_text[:500],
            page_of(row),
        )


def _unknown() -> Iterator[News]:
    rows = Message.objects.filter(status=Message.Status.UNKNOWN).select_related("sender")
    for row in _untold(rows, "unknown"):
        title = f"Nobody knows whether a mail to {row.to_address} went out"
        why = f"{row.sender.address}: {row.last_error}"
        yield News("unknown", f"unknown:{row.pk}", title, why, page_of(row))


def _overdue_tasks(*, now: datetime) -> Iterator[News]:
    rows = ReviewTask.objects.filter(status=ReviewTask.Status.OPEN, due_at__lt=now)
    for row in _untold(rows.select_related("campaign", "assignee"), "task"):
        owner = row.assignee.get_username() if row.assignee else "nobody in particular"
        title = f"A decision about a {row.get_kind_display()} is overdue"
        about = f"{row.campaign or 'no campaign'}: due {row.due_at:%Y-%m-%d %H:%M} UTC, {owner}"
        yield News("task", f"task:{row.pk}", title, about, page_of(row))


def _breakers() -> Iterator[News]:
    rows = Breaker.objects.filter(level=Breaker.Level.PAUSE, closed_at=None)
    for row in _untold(rows.select_related("sender", "campaign"), "breaker"):
        title = f"{row.target} was paused: {row.reason}"
        until = (
            f"Until {row.until:%Y-%m-%d %H:%M} UTC." if row.until else "Until an admin ends it."
        )
        yield News("breaker", f"breaker:{row.pk}", title, until, page_of(row))


def _blind(*, now: datetime) -> Iterator[News]:
    """Once per mailbox and day."""
    if situations.mode() == SendMode.CAPTURE:
        return
    longer = Q(inbox_read_at__lt=now - BLIND)
    never = Q(inbox_read_at=None, created_at__lt=now - BLIND)
    rows = inbox.readable().filter(longer | never, status=Sender.Status.ACTIVE)
    for row in rows.order_by("pk"):
        read = f"since {row.inbox_read_at:%Y-%m-%d %H:%M} UTC" if row.inbox_read_at else "ever"
        title = f"The inbox of {row.address} could not be read {read}"
        why = f"Its follow-ups wait. {row.inbox_error}".strip()
        yield News("blind", f"blind:{row.pk}:{now:%Y-%m-%d}", title, why, page_of(row))


def _unconfirmed_stops(*, now: datetime) -> Iterator[News]:
    rows = delegating.overdue(now=now).select_related("sender")
    for row in _untold(rows, "stop"):
        title = f"{row.sender.name} does not confirm that {row.to_address} is left alone"
        asked = f"Asked at {row.stop_requested_at:%Y-%m-%d %H:%M} UTC: stop it there by hand."
        yield News("stop", f"stop:{row.pk}", title, asked, page_of(row))


def audit(*, now: datetime) -> int:
    """Look whether the last two days kept the promises, and tell of each that they broke, once
    a day; how many violations.
    """
    day = f"{now:%Y-%m-%d}"
    try:
        found = auditing.audit(since=now - AUDITED)
    except journal.JournalUnavailable as e:
        title = "Sending could not be audited"
        alerts.tell(kind="audit", key=f"audit:{day}", title=title, text=str(e), now=now)
        return 0
    for invariant, times in found.counts.items():
        if times:
            listed = [row for row in found.violations if row.invariant == invariant]
            alerts.tell(
                kind="audit",
                key=f"audit:{invariant}:{day}",
                title=f"The audit found {times} broken promises of {invariant}",
                text="\n".join(f"{row.subject}: {row.sentence}" for row in listed[:10]),
                now=now,
            )
    return len(found.violations)
