"""It worked: placements, and the stages they move through.

The history is written by a trigger of the database, so that plain SQL leaves its trace too
(S000-068); here it is told who acts.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import connection, transaction

from campaigns.models import Campaign, Candidate
from config.db import WrongStatus
from pitches import leaving
from pitches.models import Pitch, Placement
from pitches.signals import placement_changed
from prospects.models import Lead

KINDS = {
    Campaign.Preset.PODCAST: Placement.Kind.PODCAST,
    Campaign.Preset.PLACEMENT: Placement.Kind.INTERNSHIP,
    Campaign.Preset.CREATOR: Placement.Kind.DEAL,
    Campaign.Preset.PRODUCT: Placement.Kind.DEAL,
}


@transaction.atomic
def place(
    *,
    campaign: Campaign,
    candidate: Candidate,
    lead: Lead,
    by: User | None,
    now: datetime,
    pitch: Pitch | None = None,
    status: str = Placement.Status.PENDING,
    **fields: Any,
) -> Placement:
    """Record that ``candidate`` comes into question for ``lead`` (S000-067).

    The kind follows from the campaign's preset. Raises ValidationError if the stage is none of
    that kind, or if candidate, lead and pitch do not belong together; IntegrityError if the two
    have an open placement already.
    """
    placement = Placement(
        kind=KINDS[Campaign.Preset(campaign.preset)],
        campaign=campaign,
        candidate=candidate,
        lead=lead,
        pitch=pitch,
        status=status,
        **fields,
    )
    check_belongs(placement)
    _check_stage(placement, status)
    _act_as(by)
    placement.save(force_insert=True)
    _tell(placement, now=now)
    return placement


@transaction.atomic
def change(
    placement: Placement,
    *,
    by: User | None,
    now: datetime,
    to: str = "",
    reason: str = "",
    **fields: Any,
) -> Placement:
    """Change what is recorded, and ``move`` to the stage ``to`` if one is given.

    Raises what ``move`` raises, and ValidationError if the parts do not belong together.
    """
    for name, value in fields.items():
        setattr(placement, name, value)
    check_belongs(placement)
    if fields:
        placement.save(update_fields=[*fields, "updated_at"])
    return move(placement, to or placement.status, by=by, now=now, reason=reason)


@transaction.atomic
def move(
    placement: Placement, to: str, *, by: User | None, now: datetime, reason: str = ""
) -> Placement:
    """Move to the stage ``to``; to the present one changes nothing.

    Going back a stage, and reopening what was rejected or canceled, needs a reason, which is
    kept with the notes. Raises ValidationError without one and for a stage of another kind,
    WrongStatus if somebody else moved it meanwhile.
    """
    _check_stage(placement, to)
    if to == placement.status:
        return placement
    if is_step_back(placement, to):
        if not reason.strip():
            raise ValidationError({"reason": f"Say why it goes back to {to}."})
        placement.notes = f"{placement.notes}\n{_note(placement, to, by, now, reason)}".strip()
    _act_as(by)
    moved = Placement.objects.filter(pk=placement.pk, status=placement.status).update(
        status=to, notes=placement.notes, updated_at=now
    )
    if not moved:
        placement.refresh_from_db(fields=["status"])
        raise WrongStatus(placement, to, placement.status)
    placement.status = to
    _tell(placement, now=now)
    return placement


def is_step_back(placement: Placement, to: str) -> bool:
    """Whether ``to`` lies before the present stage; out of a lost one everything does."""
    if to in Placement.LOST:
        return False
    if placement.status in Placement.LOST:
        return True
    stages = Placement.STAGES[Placement.Kind(placement.kind)]
    return stages.index(Placement.Status(to)) < stages.index(Placement.Status(placement.status))


def check_belongs(placement: Placement) -> None:
    """Raises ValidationError if candidate, lead, pitch and campaign do not belong together."""
    if placement.candidate.client_id != placement.campaign.client_id:
        raise ValidationError({"candidate": "The candidate belongs to another client."})
    pitch = placement.pitch
    if pitch and (pitch.campaign_id, pitch.lead_id) != (
        placement.campaign_id,
        placement.lead_id,
    ):
        raise ValidationError({"pitch": "The pitch has another lead or campaign."})


def _check_stage(placement: Placement, status: str) -> None:
    stages = (*Placement.STAGES[Placement.Kind(placement.kind)], *Placement.LOST)
    if status not in stages:
        known = ", ".join(stages)
        raise ValidationError(
            {"status": f"“{status}” is no stage of a {placement.kind}: {known}."}
        )


def _act_as(user: User | None) -> None:
    """Tell the trigger, until the end of this transaction, who acts."""
    with connection.cursor() as cursor:
        name = str(user.pk) if user else ""
        cursor.execute("SELECT set_config('overture.user_id', %s, true)", [name])


def _note(placement: Placement, to: str, by: User | None, now: datetime, reason: str) -> str:
    who = by.get_username() if by else "somebody"
    return f"{now:%Y-%m-%d}, {who}: back from {placement.status} to {to}: {reason.strip()}"


def _tell(placement: Placement, *, now: datetime) -> None:
    """What a change of stage brings about, in the transaction that made it true."""
    if placement.status in Placement.TAKEN:
        placed = Candidate.Status.PLACED
        others = Candidate.objects.filter(pk=placement.candidate_id).exclude(status=placed)
        if others.update(status=placed):
            reason = f"placed: {placement.lead}"
            leaving.candidate_left(placement.candidate, reason=reason, now=now)
    placement_changed.send(sender=Placement, placement=placement)
