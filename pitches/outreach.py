"""The whole run, for every door: plan it, show it, carry it out.

``run_outreach_automation``, ``run_follow_up_workflow``, the API's triggers, the plan page and
the ticks all come through here, so they cannot differ in what they do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import accumulate
from typing import Any, TypeVar

from django.db import connection, transaction

from campaigns.models import Campaign
from pitches import decisions, following_up, leaving, outbox, pitching, review, sending
from pitches.decisions import Decision, Field, Outcome, Verdict
from pitches.following_up import MovedOn
from pitches.models import Pitch

Made = TypeVar("Made")
TITLES = {"outreach": "New pitches and first messages", "follow_up": "Follow-ups"}


@dataclass(frozen=True, slots=True)
class Plan:
    """What would happen, at which moment it was asked, and on which ground."""

    kind: str
    now: datetime
    decisions: list[Decision]
    ground: Field
    # Pitches that end in silence: the lead's name by the id of the task that says so.
    moves: dict[int, str] = field(default_factory=dict)
    # What it was asked for: one campaign (by slug) or all, and after how many leads to end.
    campaign: str = ""
    most: int | None = None

    @property
    def title(self) -> str:
        return TITLES[self.kind]

    def report(self) -> dict[str, Any]:
        """The object that ``--json`` prints and the API answers."""
        return decisions.report(self.decisions, ground=self.ground)


@dataclass(slots=True)
class Carried:
    """What a run did, for the report after it."""

    pitched: Outcome = field(default_factory=Outcome)
    queued: Outcome = field(default_factory=Outcome)
    approved_by_policy: int = 0
    sending: sending.Sent = field(default_factory=sending.Sent)
    moved_on: MovedOn = field(default_factory=MovedOn)

    @property
    def changed(self) -> dict[str, str]:
        """Planned rows that were left alone, with what had changed."""
        return self.pitched.changed | self.queued.changed


def plan(
    *,
    campaign: Campaign | None = None,
    now: datetime,
    most: int | None = None,
    again: frozenset[int] = frozenset(),
) -> Plan:
    """New pitches and first messages: what would happen at ``now``."""
    campaigns = pitching.campaigns_to_plan(campaign)
    messages = outbox.first_messages(campaign)
    rows = [
        *pitching.plan(campaign=campaign, now=now, most=most, again=again),
        *_up_to(most, outbox.plan(messages, now=now)),
    ]
    ground = replace(pitching.field_of(campaigns), messages=len(messages))
    slug = campaign.slug if campaign else ""
    return Plan("outreach", now, rows, ground, campaign=slug, most=most)


def _up_to(most: int | None, rows: list[Decision]) -> list[Decision]:
    """The rows until so many are sent; those held on the way are shown."""
    if most is None:
        return rows
    sends = accumulate(row.verdict == Verdict.SEND for row in rows)
    return [
        row
        for row, sent in zip(rows, sends, strict=True)
        if sent < most or (sent == most and row.verdict == Verdict.SEND)
    ]


def plan_follow_ups(
    *, campaign: Campaign | None = None, now: datetime, most: int | None = None
) -> Plan:
    """Follow-ups that fall due within a day, and the pitches that would be moved on."""
    campaigns = pitching.campaigns_to_plan(campaign)
    rows = following_up.plan(campaign=campaign, now=now)
    ground = replace(pitching.field_of(campaigns), messages=len(rows))
    due = following_up.due_to_move_on(campaign=campaign, now=now)
    moves = {task.pk: task.pitch.lead.name for task in due}
    slug = campaign.slug if campaign else ""
    return Plan("follow_up", now, _up_to(most, rows), ground, moves, campaign=slug, most=most)


def dry(make: Callable[[], Made]) -> Made:
    """Make a plan in a transaction that cannot write.

    A dry run that changes something is an error (REL-28).
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
        return make()


def carry_out(planned: Plan, *, now: datetime | None = None, send: bool = True) -> Carried:
    """Do what the plan says.

    Drafts, what a policy lets out unread, queue what may go, send what is due. Without ``send``
    the worker sends it: a web process must not wait for mail servers.
    """
    moment = now or planned.now
    done = Carried()
    leaving.let_go(now=moment)
    done.pitched = pitching.carry_out(planned.decisions, now=moment)
    done.queued = outbox.carry_out(planned.decisions, now=moment)
    _let_out_by_policy(planned, done, now=moment)
    if planned.kind == "follow_up":
        due = following_up.due_to_move_on(now=moment)
        tasks = [task for task in due if task.pk in planned.moves]
        done.moved_on = following_up.move_on(tasks, now=moment)
    if send:
        done.sending = sending.send_due(now=moment, only=done.queued.messages, planned=True)
    return done


def _let_out_by_policy(planned: Plan, done: Carried, *, now: datetime) -> None:
    made = [
        row
        for row in planned.decisions
        if row.verdict == Verdict.PITCH and row.key in done.pitched.done
    ]
    if not made:
        return
    pitches = Pitch.objects.open().filter(
        campaign__in={row.ids["campaign"] for row in made},
        lead__in={row.ids["lead"] for row in made},
    )
    done.approved_by_policy = review.approve_by_policy(pitches, now=now)
    if done.approved_by_policy:
        fresh = [m for m in outbox.first_messages(None) if m.approved_policy]
        queued = outbox.carry_out(outbox.plan(fresh, now=now), now=now)
        done.queued.done += queued.done
        done.queued.messages += queued.messages
        done.queued.changed |= queued.changed
