"""To check: what holds and cannot help itself, each row with its one obvious action."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from config.cards import rows_at
from pitches.admin.story import held_because
from pitches.decisions import Reason
from pitches.models import IncomingMessage, Message, Sender

VIEW = "pitches.view_message"
MOST_ROWS = 20
# What the work itself ends: an earlier step is sent, a decision that is in the queue is taken,
# another worker comes back.
ENDS_BY_ITSELF = (
    Reason.NOT_DUE,
    Reason.NOT_APPROVED,
    Reason.LEASE_LOST,
    Reason.BY_HAND,
)


@dataclass(frozen=True, slots=True)
class Row:
    """One thing to look at."""

    title: str
    detail: str
    url: str
    action: str


@dataclass(frozen=True, slots=True)
class Group:
    """Rows of one kind, and what they are about in a sentence."""

    title: str
    about: str
    count: int
    url: str
    rows: list[Row] = field(default_factory=list)
    tone: str = "wait"

    @property
    def more(self) -> int:
        return self.count - len(self.rows)


def view(request: HttpRequest) -> HttpResponse:
    """Everything that waits for somebody outside the review queue."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    groups = [group for group in _groups() if group.count]
    context = {**admin.site.each_context(request), "title": "To check", "groups": groups}
    return TemplateResponse(request, "admin/desk/check.html", context)


def _groups() -> list[Group]:
    return [_unknown(), _unclear(), _unmatched(), _mailboxes(), _failed(), _stuck()]


def _unknown() -> Group:
    lookups = {"status": Message.Status.UNKNOWN}
    found = Message.objects.filter(**lookups)
    return Group(
        "Sent or not?",
        "The line broke after the text was handed over. It is never sent again by itself; the "
        "worker looks for evidence.",
        found.count(),
        rows_at(Message, lookups),
        [_fate(row) for row in _read(found, "handed_at")],
        "bad",
    )


def _unclear() -> Group:
    lookups = {
        "pitch__isnull": True,
        "handled_at__isnull": True,
        "possible_pitches__isnull": False,
        "kind__in": (IncomingMessage.Kind.HUMAN_REPLY, IncomingMessage.Kind.UNSUBSCRIBE),
    }
    found = IncomingMessage.objects.filter(**lookups).distinct()
    latest = found.defer("raw", "text").order_by("-received_at")[:MOST_ROWS]
    return Group(
        "Which pitch do they mean?",
        "The follow-ups of every pitch these may mean wait until you say which one it is.",
        found.count(),
        "",
        [_mail(row, "Say which") for row in latest],
    )


def _mail(row: IncomingMessage, verb: str) -> Row:
    page = reverse("admin:pitches_incomingmessage_change", args=[row.pk])
    return Row(row.subject or "(no subject)", row.from_address, page, verb)


def _unmatched() -> Group:
    lookups = {
        "pitch__isnull": True,
        "handled_at__isnull": True,
        "possible_pitches__isnull": True,
    }
    found = IncomingMessage.objects.filter(**lookups)
    latest = found.defer("raw", "text").order_by("-received_at")[:MOST_ROWS]
    return Group(
        "Mail that belongs to no pitch",
        "Somebody wrote, and nothing says what about.",
        found.count(),
        rows_at(IncomingMessage, lookups),
        [_mail(row, "Read") for row in latest],
    )


def _mailboxes() -> Group:
    found = Sender.objects.filter(Q(status=Sender.Status.PAUSED) | ~Q(inbox_error=""))
    return Group(
        "Mailboxes in trouble",
        "Paused, or their inbox cannot be read: their follow-ups wait.",
        found.count(),
        "",
        [
            Row(
                row.address,
                row.inbox_error or row.status_reason,
                reverse("admin:pitches_sender_change", args=[row.pk]),
                "Set right",
            )
            for row in found.order_by("name")[:MOST_ROWS]
        ],
        "bad",
    )


def _failed() -> Group:
    lookups = {"status": Message.Status.FAILED, "pitch__status__in": ("approved", "active")}
    found = Message.objects.filter(**lookups)
    return Group(
        "Refused for good",
        "The other side said no, and the pitch is still open.",
        found.count(),
        "",
        [_message(row, row.last_error, "Look") for row in _read(found, "pk")],
        "bad",
    )


def _stuck() -> Group:
    lookups = {"status": Message.Status.APPROVED, "hold_until__isnull": True}
    found = Message.objects.filter(**lookups).exclude(hold_reason__in=("", *ENDS_BY_ITSELF))
    reasons = found.order_by("hold_reason").values_list("hold_reason", flat=True).distinct()
    return Group(
        "Held with no end in sight",
        "Approved, and no time by itself will let them go: somebody has to act.",
        found.count(),
        rows_at(Message, {**lookups, "hold_reason__in": ",".join(reasons)}),
        [_message(row, held_because(row.hold_reason), "Why") for row in _read(found, "pk")],
    )


def _read(rows: QuerySet[Message], order: str) -> list[Message]:
    return list(rows.select_related("pitch__lead", "step").order_by(order)[:MOST_ROWS])


def _fate(row: Message) -> Row:
    url = reverse("admin:pitches_fate", args=[row.pk])
    return Row(f"{row.pitch.lead}: {row.to_address}", row.last_error, url, "Evidence")


def _message(row: Message, detail: str, action: str) -> Row:
    url = reverse("admin:pitches_pitch_change", args=[row.pitch_id])
    return Row(f"{row.pitch.lead}: {row.to_address}", detail, url, action)
