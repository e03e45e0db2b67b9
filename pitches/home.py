"""What the talking shows on the first screen: what needs a person comes first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Max, Min
from django.utils import timezone

from config.cards import Card, Figure, figure, rows_at
from pitches import by_hand, continuity, delegating, rehearsals
from pitches.journal import JournalUnavailable
from pitches.models import (
    Breaker,
    IncomingMessage,
    Message,
    ReviewTask,
    Sender,
    SendMode,
    Stop,
    WebhookDelivery,
)


def cards(user: Any, now: datetime) -> list[Card]:
    """Decisions, today's mail, mailboxes, answers; each only for whom may see its rows."""
    return [
        *(_journal() if user.has_perm("pitches.view_message") else []),
        *(_needs_you(now) if user.has_perm("pitches.view_reviewtask") else []),
        *(_today(now) if user.has_perm("pitches.view_message") else []),
        *(_answers() if user.has_perm("pitches.view_incomingmessage") else []),
        *(_mailboxes(now) if user.has_perm("pitches.view_sender") else []),
    ]


@dataclass(frozen=True, slots=True)
class Switch:
    """Whether all is stopped, when mail last went out, how many domains are not in order."""

    stop: Stop | None
    last_out: datetime | None
    may_stop: bool
    unvouched: int = 0


def switch(user: Any, now: datetime) -> Switch | None:
    """The stop switch, for whom may see it. Three queries."""
    if not user.has_perm("pitches.view_stop"):
        return None
    stops = Stop.objects.filter(Stop.in_force(now), scope=Stop.Scope.EVERYTHING)
    out = Message.objects.filter(status__in=Message.COUNTED).aggregate(at=Max("counted_at"))
    return Switch(stops.first(), out["at"], user.has_perm("pitches.add_stop"), unvouched())


def has_rehearsal() -> bool:
    """Whether captured pitches are open, which hold the real thing back."""
    return rehearsals.open_pitches().exists()


def waiting(user: Any) -> int:
    """Decisions that are owed, for the number beside the queue's name."""
    if not user.has_perm("pitches.view_reviewtask"):
        return 0
    return ReviewTask.objects.filter(status=ReviewTask.Status.OPEN).count()


def by_hand_today(user: Any, now: datetime) -> int:
    """Approved texts that this user is to take to somebody, and that are due."""
    if not user.has_perm("pitches.view_message"):
        return 0
    return by_hand.due(user, now=now).count()


def unknown(user: Any) -> int:
    """Messages of which nobody knows whether they went out."""
    if not user.has_perm("pitches.view_message"):
        return 0
    return Message.objects.filter(status=Message.Status.UNKNOWN).count()


def unvouched() -> int:
    """Active senders of mail whose domain is not in order, or was never asked about (LAW-5).

    None where mail stays on this machine.
    """
    if settings.SEND_MODE == SendMode.CAPTURE:
        return 0
    rows = Sender.objects.filter(status=Sender.Status.ACTIVE, transport__in=Sender.BY_MAIL)
    known = rows.only("address", "transport", "dns_report")
    return sum(not sender.is_vouched_for for sender in known)


def _journal() -> list[Card]:
    """Nothing, unless sending waits for the journal."""
    try:
        cause: object = continuity.gap()
    except JournalUnavailable as e:
        cause = e
    if cause is None:
        return []
    what_to_do = (
        "Put the right journal back. If it is lost, an admin looks into the Sent folders and "
        "then begins it anew: manage.py journal --begin-anew."
    )
    line = f"The send journal cannot be used: {cause}."
    return [Card("Nothing goes out", lines=[line, what_to_do])]


def _needs_you(now: datetime) -> list[Card]:
    is_open = {"status": ReviewTask.Status.OPEN}
    rows = ReviewTask.objects.filter(**is_open).values_list("kind")
    counted = {
        kind: (n, oldest) for kind, n, oldest in rows.annotate(Count("pk"), Min("created_at"))
    }
    names = {
        ReviewTask.Kind.MATCH: "matches to decide",
        ReviewTask.Kind.MESSAGE: "pitches to read",
        ReviewTask.Kind.MATCH_FIT: "fits to check",
        ReviewTask.Kind.LEAD: "leads to decide",
        ReviewTask.Kind.REPLY: "replies to judge",
    }
    always = (ReviewTask.Kind.MATCH, ReviewTask.Kind.MESSAGE)
    figures = [
        Figure(
            label,
            counted.get(kind, (0, None))[0],
            rows_at(ReviewTask, {**is_open, "kind": kind}),
            "wait",
            counted.get(kind, (0, None))[1],
        )
        for kind, label in names.items()
        if kind in counted or kind in always
    ]
    unknown = figure(
        "fate unknown: sent or not?", Message, {"status": Message.Status.UNKNOWN}, tone="bad"
    )
    hint = "Nothing waits for you. Match a campaign to get suggestions."
    return [Card("Needs you", [*figures, unknown], hint=hint)]


def _today(now: datetime) -> list[Card]:
    day = timezone.localtime(now).date()
    midnight = timezone.make_aware(datetime.combine(day, time.min))
    tomorrow = timezone.make_aware(datetime.combine(day + timedelta(days=1), time.min))
    status = Message.Status
    figures = [
        figure(
            "sent", Message, {"status": status.SENT, "counted_at__gte": midnight}, tone="good"
        ),
        figure("queued for today", Message, {"status": status.QUEUED, "send_at__lt": tomorrow}),
        figure(
            "queued for later", Message, {"status": status.QUEUED, "send_at__gte": tomorrow}
        ),
        figure("approved, not yet queued", Message, {"status": status.APPROVED}),
        figure(
            "failed today",
            Message,
            {"status": status.FAILED, "first_attempt_at__gte": midnight},
            tone="bad",
        ),
    ]
    return [
        Card("Mail today", figures, hint="Approved messages appear here once they are planned.")
    ]


def _answers() -> list[Card]:
    reply = {"kind": IncomingMessage.Kind.HUMAN_REPLY}
    unhandled = {**reply, "handled_at__isnull": True}
    figures = [
        figure("replies to answer", IncomingMessage, unhandled, tone="wait"),
        figure(
            "matched to no pitch",
            IncomingMessage,
            {"pitch__isnull": True, "handled_at__isnull": True},
            tone="bad",
        ),
        figure("bounces", IncomingMessage, {"kind": IncomingMessage.Kind.BOUNCE}),
        figure("webhooks not understood", WebhookDelivery, {"error__gt": ""}, tone="bad"),
    ]
    return [Card("Answers", figures, hint="No mail has come in yet.")]


def _mailboxes(now: datetime) -> list[Card]:
    active = {"status": Sender.Status.ACTIVE}
    figures = [
        figure("active", Sender, active, tone="good"),
        figure("paused", Sender, {"status": Sender.Status.PAUSED}, tone="wait"),
        figure("inbox not readable", Sender, {**active, "inbox_error__gt": ""}, tone="bad"),
        figure(
            "paused by a breaker",
            Breaker,
            {"closed_at__isnull": True, "level": Breaker.Level.PAUSE},
            tone="bad",
        ),
        figure(
            "warnings",
            Breaker,
            {"closed_at__isnull": True, "level": Breaker.Level.WARNING},
            tone="wait",
        ),
        figure("stops in force", Stop, {"lifted_at__isnull": True}, tone="wait"),
        figure(
            "stops not confirmed elsewhere",
            Message,
            {
                "stop_requested_at__lte": now - delegating.CONFIRMED_WITHIN,
                "stop_confirmed_at__isnull": True,
            },
            tone="bad",
        ),
    ]
    return [Card("Mailboxes", figures, hint="Add the mailbox that writes.")]
