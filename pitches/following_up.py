"""After the first message: what is due, and moving on when nobody answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.db.models import Case, F, IntegerField, Value, When

from campaigns.models import Campaign, Candidate, Step
from pitches import outbox, stopping
from pitches.decisions import Decision
from pitches.models import FollowUpTask, Match, Pitch, ReviewTask

# How many leads are tried next for a candidate whose pitch met silence (S003-039).
NEXT_LEADS = 3


def plan(
    *, campaign: Campaign | None = None, now: datetime, until: datetime | None = None
) -> list[Decision]:
    """One decision per follow-up that is due within a day (or by ``until``)."""
    until = until or now + outbox.HORIZON
    return outbox.plan(outbox.follow_ups(campaign, until=until), now=now, until=until)


@dataclass(frozen=True, slots=True)
class NextLeads:
    """What comes after silence for one candidate.

    The leads that are next, or that none is left.
    """

    candidate: str
    leads: tuple[str, ...]

    @property
    def sentence(self) -> str:
        if not self.leads:
            return f"{self.candidate}: no further lead is matched; find or match new ones."
        return f"{self.candidate}: next are {', '.join(self.leads)}."


@dataclass(slots=True)
class MovedOn:
    """Pitches that ended in silence, and what is next for their candidates."""

    pitches: list[str] = field(default_factory=list)
    next_leads: list[NextLeads] = field(default_factory=list)


def due_to_move_on(*, campaign: Campaign | None = None, now: datetime) -> list[FollowUpTask]:
    """Open move-on tasks whose time has come."""
    tasks = FollowUpTask.objects.filter(
        FollowUpTask.is_open(),
        step__action=Step.Action.MOVE_ON,
        due_at__lte=now,
        pitch__status=Pitch.Status.ACTIVE,
    )
    if campaign is not None:
        tasks = tasks.filter(pitch__campaign=campaign)
    return list(tasks.select_related("pitch__lead").order_by("due_at", "pk"))


def move_on(tasks: list[FollowUpTask], *, now: datetime) -> MovedOn:
    """End silent pitches and raise the next leads of their candidates (S003-035,
    S003-039..043).

    A task runs once, whoever else is at it. Follow-ups that are still waiting for a decision
    hold their pitch back until they are sent or canceled.
    """
    result = MovedOn()
    for task in tasks:
        with transaction.atomic():
            if not _claim(task, now=now):
                continue
            pitch = (
                Pitch.objects.select_for_update(of=("self",))
                .select_related("lead")
                .get(pk=task.pitch_id)
            )
            if pitch.status != Pitch.Status.ACTIVE:
                continue
            matches = list(pitch.matches.select_related("candidate"))
            pitch.move(
                Pitch.Status.MOVED,
                status_reason="nobody answered",
                outcome=Pitch.Outcome.NO_RESPONSE,
                ended_at=now,
            )
            stopping.cancel_messages(pitch.messages.all(), reason="moved on")
            stopping.close_matches([pitch.pk])
            result.pitches.append(pitch.lead.name)
            result.next_leads += [_raise_next(match, now=now) for match in matches]
    return result


def _claim(task: FollowUpTask, *, now: datetime) -> bool:
    """Mark the task done, if it is open and no earlier step of its pitch is."""
    earlier = FollowUpTask.objects.filter(
        FollowUpTask.is_open(), pitch=task.pitch_id, step__number__lt=task.step.number
    )
    if earlier.exists():
        return False
    open_task = FollowUpTask.objects.filter(FollowUpTask.is_open(), pk=task.pk)
    return bool(open_task.update(done_at=now, reason="moved on"))


def _raise_next(match: Match, *, now: datetime) -> NextLeads:
    """Put the candidate's next best leads first in line.

    Tried ones have a pitch and are left out (S003-040).
    """
    candidate = match.candidate
    if candidate.status != Candidate.Status.ACTIVE:
        return NextLeads(candidate.name, ())
    waiting = Match.objects.filter(
        campaign=match.campaign_id,
        candidate=candidate,
        pitch__isnull=True,
        status__in=[Match.Status.APPROVED, Match.Status.TO_REVIEW, Match.Status.SUGGESTED],
        lead__closed_at__isnull=True,
        lead__suppressed_at__isnull=True,
        lead__merged_into__isnull=True,
    )
    tried = Match.objects.filter(candidate=candidate, pitch__isnull=False).values("lead")
    decided_first = Case(
        When(status=Match.Status.APPROVED, then=Value(0)),
        default=Value(1),
        output_field=IntegerField(),
    )
    best = list(
        waiting.exclude(lead__in=tried)
        .select_related("lead")
        .order_by(decided_first, "-score", "pk")[:NEXT_LEADS]
    )
    ids = [row.pk for row in best]
    Match.objects.filter(pk__in=ids).update(raised_at=now)
    ReviewTask.objects.filter(match__in=ids, status=ReviewTask.Status.OPEN, risk__lt=5).update(
        risk=F("risk") + 5
    )
    return NextLeads(candidate.name, tuple(row.lead.name for row in best))
