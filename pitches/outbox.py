"""The outbox: which messages go out when.

``plan`` lays all due messages on a timetable; ``carry_out`` queues them. Taking them out is
``sending``'s work.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Case, DateTimeField, F, QuerySet, Value, When
from django.db.models.functions import Cast

from campaigns.models import Campaign, Step
from pitches import (
    rules,
    situations,
)
from pitches.decisions import Decision, Outcome, Reason, Verdict
from pitches.models import FollowUpTask, Message, Pitch
from pitches.rules import Situation

log = logging.getLogger(__name__)

# A plan reaches up to this time tomorrow; what is free only later is held with its time.
HORIZON = timedelta(hours=24) - timedelta(seconds=1)


def first_messages(campaign: Campaign | None, *, pitch: Pitch | None = None) -> list[Message]:
    """First messages of open pitches that have not been handed over, drafts too."""
    rows = Message.objects.filter(number=0, pitch__status__in=Pitch.OPEN)
    return _planned(rows if pitch is None else rows.filter(pitch=pitch), campaign)


def follow_ups(campaign: Campaign | None, *, until: datetime) -> list[Message]:
    """Follow-ups whose task is open and due by ``until``."""
    due = FollowUpTask.objects.filter(FollowUpTask.is_open(), due_at__lte=until)
    rows = Message.objects.filter(number__gt=0, pitch__status=Pitch.Status.ACTIVE)
    rows = rows.filter(pitch__follow_up_tasks__in=due, step=F("pitch__follow_up_tasks__step"))
    return _planned(rows, campaign)


def _planned(rows: QuerySet[Message], campaign: Campaign | None) -> list[Message]:
    waiting = (Message.Status.DRAFT, Message.Status.APPROVED, Message.Status.QUEUED)
    rows = rows.filter(status__in=waiting)
    if campaign is not None:
        rows = rows.filter(pitch__campaign=campaign)
    ordered = situations.readable(rows).order_by("-pitch__urgent", "approved_at", "pk")
    return list(ordered.defer("pitch__lead__embedding", "pitch__lead__text"))


def plan(
    messages: Sequence[Message],
    *,
    now: datetime,
    until: datetime | None = None,
    by_person: bool = False,
) -> list[Decision]:
    """One decision per message: *send at T*, or *hold* with the reason and the first free
    moment.

    Laid down in the order given, each taking its slots before the next is asked. Changes
    nothing; the number of queries does not depend on the number of messages. ``by_person``:
    somebody takes them by hand.
    """
    until = until or now + HORIZON
    targets = [situations.target_of(message) for message in messages]
    around = situations.survey(targets, now=now)
    situations.lay_down_queued(around, messages)
    decisions = []
    laid: dict[int, tuple[Step, datetime]] = {}
    for message, target in zip(messages, targets, strict=True):
        situation = situations.situation(target, around)
        situation.by_person = by_person
        _follow_what_is_laid(situation, laid.get(message.pitch_id))
        if message.status == Message.Status.QUEUED and message.send_at:
            situation.due_at = max(situation.due_at or message.send_at, message.send_at)
        ruling = rules.decide(situation, by=until)
        if ruling.reason == Reason.BY_HAND or (by_person and ruling.may):
            situations.take_request(around, message)
        if ruling.may and ruling.at is not None:
            situations.take_slots(situation, ruling.at)
            situations.keep_distance(around, message, ruling.at)
            if message.step is not None:
                laid[message.pitch_id] = (message.step, ruling.at)
        decisions.append(_decision(situation, ruling))
    return decisions


def _follow_what_is_laid(situation: Situation, before: tuple[Step, datetime] | None) -> None:
    """The step before stands in this very plan: count it as sent at its time."""
    message = situation.message
    if before is None or message is None or message.step is None:
        return
    step, at = before
    if situation.step_before == step and situation.due_at is not None:
        situation.step_before = None
        gap = timedelta(hours=message.step.delay_hours - step.delay_hours)
        situation.due_at = max(situation.due_at, at + gap)


def _decision(situation: Situation, ruling: rules.Ruling) -> Decision:
    message = situation.message
    assert message is not None
    return Decision(
        key=f"message:{message.message_id}",
        kind="message",
        verdict=Verdict.SEND if ruling.may else Verdict.HOLD,
        reason=ruling.reason,
        numbers=ruling.numbers,
        send_at=ruling.at if ruling.may else None,
        not_before=None if ruling.may else ruling.at,
        lead=situation.lead.name,
        organization=situation.organization.name if situation.organization else "",
        candidates=tuple(candidate.name for candidate in situation.candidates),
        contact=message.to_address,
        sender=message.sender.address,
        channel=message.channel,
        step=message.step.name if message.step else "answer",
        subject=message.subject or None,
        body_sha256=message.approved_sha256 or None,
        urgent=situation.urgent,
        ids={
            "message": message.pk,
            "campaign": situation.campaign.pk,
            "lead": situation.lead.pk,
        },
    )


def send_ready(
    campaign: Campaign | None = None, *, pitch: Pitch | None = None, now: datetime
) -> list[Decision]:
    """Queue the first messages of a pitch or a campaign that may go; answers every decision.

    Nothing is sent that nobody approved, and nothing twice: what is queued already stays so
    (S000-062).
    """
    decisions = plan(first_messages(campaign, pitch=pitch), now=now)
    carry_out(decisions, now=now)
    return decisions


def carry_out(decisions: Iterable[Decision], *, now: datetime) -> Outcome:
    """Queue what was decided to be sent, at the planned times; note on the others why they
    wait.

    A message that is no longer what was planned (decided on, edited, stopped) is left and told.
    """
    outcome = Outcome()
    rows = [decision for decision in decisions if decision.kind == "message"]
    wanted = {row.ids["message"]: row for row in rows if row.verdict == Verdict.SEND}
    with transaction.atomic():
        # in one order for everybody, so that two runs of a plan wait instead of deadlocking
        rows_now = Message.objects.select_for_update(no_key=True).order_by("pk")
        found = {message.pk: message for message in rows_now.filter(pk__in=wanted)}
        times = {}
        for pk, row in wanted.items():
            cause = _drift(found.get(pk), row)
            if cause:
                outcome.changed[row.key] = cause
            else:
                times[pk] = row.send_at
                outcome.done.append(row.key)
                outcome.messages.append(pk)
        _queue(times)
        _note_holds([row for row in rows if row.verdict == Verdict.HOLD])
    return outcome


def _drift(message: Message | None, row: Decision) -> str:
    if message is None:
        return "it is gone"
    if message.status not in (Message.Status.APPROVED, Message.Status.QUEUED):
        return f"it is {message.get_status_display()} now"
    if (message.subject, message.approved_sha256) != (row.subject or "", row.body_sha256 or ""):
        return "its words changed"
    return ""


def _queue(times: dict[int, datetime | None]) -> None:
    if not times:
        return
    at = Case(*(When(pk=pk, then=Value(moment)) for pk, moment in times.items()))
    Message.objects.filter(
        pk__in=times, status__in=[Message.Status.APPROVED, Message.Status.QUEUED]
    ).update(status=Message.Status.QUEUED, send_at=at, hold_reason="", hold_until=None)


def _note_holds(rows: list[Decision]) -> None:
    if not rows:
        return
    reasons = Case(*(When(pk=row.ids["message"], then=Value(row.reason.value)) for row in rows))
    moments = (When(pk=row.ids["message"], then=Value(row.not_before)) for row in rows)
    # without the cast a CASE of nothing but NULL would be text
    times = Cast(Case(*moments), DateTimeField())
    Message.objects.filter(
        pk__in=[row.ids["message"] for row in rows], status__in=Message.BEFORE_HANDING
    ).update(hold_reason=reasons, hold_until=times)
