"""Figures about the talking, each defined once, here, and equal to the rows behind it.

What is counted, in one send mode alone, so that rehearsals never look like work:

* a **message** went out when it was sent, or may have been (``Message.GONE_OUT``), at the time
  it was sent, or else took its slot in the limits;
* a **pitch** went out when its first message did, at that time;
* a **response** is a pitch's first human answer (a reply, or the wish to be left alone), at the
  time it was received, so there is at most one per pitch;
* the **response rate** is responses per pitch that went out, in percent with two places; None
  where nothing went out, because nothing divided by nothing is no figure.

Pitches that were imported as history are left out: nobody told us what became of them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, DateTimeField, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, TruncDate

from pitches import situations
from pitches.models import (
    FollowUpTask,
    IncomingMessage,
    Message,
    Pitch,
    SendMode,
    Variant,
)

ANSWERS = (IncomingMessage.Kind.HUMAN_REPLY, IncomingMessage.Kind.UNSUBSCRIBE)
LATEST = 10
TOP = 10
RECENT_DAYS = 30
DAY, WEEK = timedelta(days=1), timedelta(days=7)


# The rows


def messages_out(mode: SendMode) -> QuerySet[Any]:
    """Messages that went out in ``mode``, with the time as ``out_at``."""
    out = Message.objects.filter(status__in=Message.GONE_OUT, send_mode=mode)
    rows: QuerySet[Any] = out.filter(pitch__is_imported=False).annotate(
        out_at=Coalesce("sent_at", "counted_at")
    )
    return rows


def pitches_out(mode: SendMode) -> QuerySet[Any]:
    """Pitches that went out in ``mode``.

    Each with ``out_at``, and of its response ``answered_at``, ``intent`` and ``answered_step``
    (the number of the message it answers); these three are empty without one.
    """
    first = messages_out(mode).filter(number=0)
    answer = IncomingMessage.objects.filter(pitch=OuterRef("pk"), kind__in=ANSWERS).order_by(
        "received_at", "pk"
    )
    out_at = first.filter(pitch=OuterRef("pk")).values("out_at")[:1]
    rows: QuerySet[Any] = Pitch.objects.filter(pk__in=first.values("pitch")).annotate(
        out_at=Subquery(out_at, output_field=DateTimeField()),
        answered_at=Subquery(answer.values("received_at")[:1]),
        intent=Subquery(answer.values("intent")[:1]),
        answered_step=Subquery(answer.values("answers__number")[:1]),
    )
    return rows


def follow_ups_due(mode: SendMode, *, now: datetime) -> QuerySet[Any]:
    """Open follow-up tasks of ``mode`` whose time has come."""
    return FollowUpTask.objects.filter(
        FollowUpTask.is_open(), due_at__lte=now, pitch__send_mode=mode
    )


def rate(responses: int, pitches: int) -> Decimal | None:
    """Responses per pitch in percent, two places; None where there is nothing to divide by."""
    if not pitches:
        return None
    return (Decimal(100) * responses / pitches).quantize(Decimal("0.01"))


ANSWERED = Q(answered_at__isnull=False)


def _share(pitches: int, responses: int) -> dict[str, Any]:
    return {
        "pitches": pitches,
        "responses": responses,
        "response_rate": rate(responses, pitches),
    }


# Status


def status(*, now: datetime) -> dict[str, Any]:
    """How it stands at ``now`` (H003-08, S003-057), in a constant number of queries.

    In a period count the pitches and messages that went out in it, and the responses that were
    received in it; its rate is the one over the other.
    """
    mode = situations.mode()
    since = {"totals": None, "last_24_hours": now - DAY, "last_week": now - WEEK}
    counted = _periods(mode, since)
    return {
        "send_mode": mode.value,
        "at": now,
        **counted,
        "follow_ups_due": follow_ups_due(mode, now=now).count(),
        "responses": counted["totals"]["responses"],
        "response_rate": counted["totals"]["response_rate"],
        "latest": latest(mode),
    }


def _periods(mode: SendMode, since: dict[str, datetime | None]) -> dict[str, dict[str, Any]]:
    of_pitches, of_messages = {}, {}
    for name, moment in since.items():
        began = Q(out_at__gt=moment) if moment else Q()
        answered = Q(answered_at__gt=moment) if moment else ANSWERED
        of_pitches[f"{name}_pitches"] = Count("pk", filter=began & Q(pk__isnull=False))
        of_pitches[f"{name}_responses"] = Count("pk", filter=answered)
        of_messages[f"{name}_messages"] = Count("pk", filter=began & Q(pk__isnull=False))
        of_messages[f"{name}_follow_ups"] = Count("pk", filter=began & Q(number__gt=0))
    found = pitches_out(mode).aggregate(**of_pitches) | messages_out(mode).aggregate(
        **of_messages
    )
    return {
        name: _share(found[f"{name}_pitches"], found[f"{name}_responses"])
        | {"messages": found[f"{name}_messages"], "follow_ups": found[f"{name}_follow_ups"]}
        for name in since
    }


def latest(mode: SendMode) -> list[dict[str, Any]]:
    """The ten messages that went out last, newest first."""
    rows = (
        messages_out(mode)
        .select_related("pitch__lead__organization", "step")
        .prefetch_related("pitch__matches__candidate")
        .order_by("-out_at", "-pk")[:LATEST]
    )
    return [
        {
            "id": row.pk,
            "pitch": row.pitch_id,
            "lead": row.pitch.lead.name,
            "organization": row.pitch.lead.organization and row.pitch.lead.organization.name,
            "candidates": [match.candidate.name for match in row.pitch.matches.all()],
            "step": row.step.name if row.step else "",
            "status": row.status,
            "urgent": row.pitch.urgent,
            "out_at": row.out_at,
            "replied_at": row.replied_at,
        }
        for row in rows
    ]


# Analytics


def analytics(*, now: datetime) -> dict[str, Any]:
    """The same in detail (H003-08, S003-058), in a constant number of queries."""
    mode = situations.mode()
    pitches = pitches_out(mode)
    urgency, types = by_urgency(pitches), by_type(mode)
    return {
        "send_mode": mode.value,
        "at": now,
        "overview": overview(mode),
        "recent": recent(mode, now=now),
        "by_type": types,
        "by_variant": by_variant(mode),
        "response_types": response_types(pitches),
        "urgent": urgency[True],
        "normal": urgency[False],
        "top_leads": top(pitches, "lead"),
        "top_organizations": top(pitches, "lead__organization"),
        "follow_up_effectiveness": [row for row in types if row["number"]],
    }


def overview(mode: SendMode) -> dict[str, Any]:
    """Everything that went out in ``mode``; bounced ones are among the messages."""
    found = _periods(mode, {"all": None})["all"]
    return found | {"bounced": messages_out(mode).filter(bounced_at__isnull=False).count()}


def recent(mode: SendMode, *, now: datetime) -> list[dict[str, Any]]:
    """The last thirty days in UTC, oldest first, days on which nothing happened too."""
    first = now.date() - timedelta(days=RECENT_DAYS - 1)
    rows = {
        first + timedelta(days=number): {"pitches": 0, "messages": 0, "responses": 0}
        for number in range(RECENT_DAYS)
    }
    counted = (
        ("pitches", pitches_out(mode), "out_at"),
        ("messages", messages_out(mode), "out_at"),
        ("responses", pitches_out(mode), "answered_at"),
    )
    for name, found, moment in counted:
        days = found.annotate(day=TruncDate(moment)).filter(day__gte=first).order_by()
        for day, count in days.values("day").annotate(n=Count("pk")).values_list("day", "n"):
            if day in rows:
                rows[day][name] = count
    return [{"date": day, **row} for day, row in rows.items()]


def by_type(mode: SendMode) -> list[dict[str, Any]]:
    """Messages and the responses to them, per number of the step: 0 is the first message.

    A response counts for the message it answers, so the sum is all responses but those that
    answer no known message. The rate is per message.
    """
    out = messages_out(mode).filter(number__isnull=False).order_by()
    messages = dict(out.values("number").annotate(n=Count("pk")).values_list("number", "n"))
    answered = pitches_out(mode).filter(answered_step__isnull=False).order_by()
    responses = dict(
        answered.values("answered_step")
        .annotate(n=Count("pk"))
        .values_list("answered_step", "n")
    )
    return [
        {
            "type": f"follow_up_{number}" if number else "initial",
            "number": number,
            "messages": count,
            "responses": responses.get(number, 0),
            "response_rate": rate(responses.get(number, 0), count),
        }
        for number, count in sorted(messages.items())
    ]


def by_variant(mode: SendMode, *, campaign: int | None = None) -> list[dict[str, Any]]:
    """Pitches and responses per label of the first message's chosen variant (S001-003).

    Every pitch that went out has one chosen variant, so the sums are all pitches and all
    responses. These are counts: which variant is better they do not say.
    """
    label = Variant.objects.filter(
        message__pitch=OuterRef("pk"), message__number=0, is_chosen=True
    ).exclude(message__status=Message.Status.CANCELED)
    pitches = pitches_out(mode)
    if campaign is not None:
        pitches = pitches.filter(campaign=campaign)
    found = (
        pitches.annotate(label=Subquery(label.values("label")[:1]))
        .order_by()
        .values("label")
        .annotate(n=Count("pk"), responses=Count("pk", filter=ANSWERED))
        .order_by("label")
    )
    return [
        {"label": row["label"] or "", **_share(row["n"], row["responses"])} for row in found
    ]


def response_types(pitches: QuerySet[Any]) -> dict[str, int]:
    """Responses per intent (C43), the intents that nobody had too; the sum is all responses.

    What nobody has read yet counts as ``other``.
    """
    counts = dict.fromkeys(IncomingMessage.Intent.values, 0)
    found = pitches.filter(ANSWERED).order_by().values("intent").annotate(n=Count("pk"))
    for intent, count in found.values_list("intent", "n"):
        counts[intent or IncomingMessage.Intent.OTHER.value] += count
    return counts


def by_urgency(pitches: QuerySet[Any]) -> dict[bool, dict[str, Any]]:
    """Urgent pitches and the others; together they are all."""
    found = (
        pitches.order_by()
        .values("urgent")
        .annotate(n=Count("pk"), responses=Count("pk", filter=ANSWERED))
    )
    rows = {row["urgent"]: _share(row["n"], row["responses"]) for row in found}
    return {urgent: rows.get(urgent, _share(0, 0)) for urgent in (True, False)}


def top(pitches: QuerySet[Any], path: str) -> list[dict[str, Any]]:
    """The ten leads or organizations with most responses, then most pitches (S003-065)."""
    found = (
        pitches.filter(**{f"{path}__isnull": False})
        .order_by()
        .values(row=F(path), name=F(f"{path}__name"))
        .annotate(n=Count("pk"), responses=Count("pk", filter=ANSWERED))
        .order_by("-responses", "-n", "name", "row")[:TOP]
    )
    return [
        {"id": row["row"], "name": row["name"], **_share(row["n"], row["responses"])}
        for row in found
    ]
