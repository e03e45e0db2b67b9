"""Plans of messages: written for one lead, looked at beforehand, and changed by versions.

A pitch stays on the version it began with; a changed plan is the next version, and publishing
it says whom that touches.
"""

from __future__ import annotations

from collections.abc import Sequence as Rows
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, Max, Q, QuerySet

from campaigns import presets
from campaigns.channels import Problem
from campaigns.models import Campaign, Sequence, Step
from config.db import WrongStatus
from pitches import pitching, recipients, situations, writing
from pitches.decisions import Verdict
from pitches.models import Match, Message, Pitch, Variant
from pitches.writing import Words
from prospects.models import Lead


class NotWritten(Exception):
    """No sequence can be written for this lead now; the message says why."""


# -- for one lead ----------------------------------------------------------------------------


def generate(
    lead: Lead, *, now: datetime, key: str = "", campaign: Campaign | None = None
) -> Pitch:
    """Draft a whole sequence for a lead, to be reviewed as one (S004-011).

    ``key`` names the plan (default: the campaign's own). Goes through the same rules as every
    pitch. Raises NotWritten, MissingSequence.
    """
    campaign = campaign or _campaign_of(lead)
    if key:
        campaign.sequence = presets.sequence(key)
    rows = pitching.plan(campaign=campaign, now=now, lead=lead)
    if not rows:
        raise NotWritten(
            f"No approved match joins {lead} with the campaign {campaign}: match it, and "
            "approve the match."
        )
    (row,) = rows
    if row.verdict != Verdict.PITCH:
        raise NotWritten(row.sentence)
    outcome = pitching.carry_out(rows, now=now)
    if outcome.changed:
        raise NotWritten(f"Meanwhile {outcome.changed[row.key]}.")
    pitch = of_lead(lead)
    assert pitch is not None
    return pitch


def _campaign_of(lead: Lead) -> Campaign:
    """The only campaign with an approved match for it. Raises NotWritten."""
    waiting = Match.objects.filter(lead=lead, status=Match.Status.APPROVED, pitch__isnull=True)
    found = list(Campaign.objects.filter(matches__in=waiting).distinct()[:2])
    if not found:
        raise NotWritten(
            f"No approved match waits for {lead}: match it, and approve the match."
        )
    if len(found) > 1:
        raise NotWritten(f"Several campaigns have a match for {lead}: say which one.")
    return found[0]


def of_lead(lead: Lead) -> Pitch | None:
    """The newest sequence written for a lead, with its messages and drafts (S004-024)."""
    return (
        Pitch.objects.filter(lead=lead)
        .select_related("campaign", "lead__segment", "sequence", "address__contact", "sender")
        .prefetch_related("messages__variants", "messages__step", "follow_up_tasks")
        .order_by("-created_at", "-pk")
        .first()
    )


def planned_at(pitch: Pitch, message: Message) -> datetime:
    """When a step went out, or will if nothing holds it.

    As long as nothing was sent the days are counted from the draft's making.
    """
    if message.sent_at:
        return message.sent_at
    if message.weekly_plan_id and message.send_at:
        return message.send_at
    due = {task.step_id: task.due_at for task in pitch.follow_up_tasks.all()}
    if message.step_id in due:
        return due[message.step_id]
    began = pitch.first_sent_at or pitch.created_at
    return began + timedelta(hours=message.step.delay_hours if message.step else 0)


# -- looked at beforehand --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Preview:
    """One step as a lead would get it."""

    step: Step
    words: Words
    problems: list[Problem]


class _Seen(Exception):
    """Ends the transaction of a preview: nothing of it stays."""


def preview(
    sequence: Sequence, lead: Lead, *, campaign: Campaign, now: datetime
) -> list[Preview]:
    """Every step as it would go to this lead, by the same writer that writes what is sent.

    The pitch is made, read and taken back in one transaction. Raises NotWritten where nobody
    could be written to.
    """
    found: list[Preview] = []
    try:
        with transaction.atomic():
            found = _written(sequence, lead, campaign, now=now)
            raise _Seen
    except _Seen:
        return found


def _written(
    sequence: Sequence, lead: Lead, campaign: Campaign, *, now: datetime
) -> list[Preview]:
    steps = pitching.message_steps([sequence.pk])[sequence.pk]
    pitch = _made_up(sequence, lead, campaign, steps)
    messages = pitching.drafts(pitch, steps, f"preview:{pitch.pk}")
    Message.objects.bulk_create(messages)
    writing.write(messages, now=now)
    previews = []
    for message in messages:
        variant = _best(message)
        if variant is not None and message.step is not None:
            words, problems = writing.words(message, variant), writing.of_variant(variant)
            previews.append(Preview(message.step, words, problems))
    return previews


def _best(message: Message) -> Variant | None:
    """The draft that would be proposed: the first without a problem, else the first."""
    drafts = list(message.variants.all())
    clean = (draft for draft in drafts if not writing.blocking(writing.of_variant(draft)))
    return next(clean, None) or next(iter(drafts), None)


def _made_up(sequence: Sequence, lead: Lead, campaign: Campaign, steps: Rows[Step]) -> Pitch:
    """A pitch that is over before it began, so that it stands in nobody's way."""
    if not steps:
        raise NotWritten("This version has no message yet.")
    address = recipients.of_leads([lead], channel=steps[0].channel).get(lead.pk)
    matches = Match.objects.filter(campaign=campaign, lead=lead).order_by("-score", "pk")
    best = list(matches.select_related("candidate")[: campaign.candidates_per_pitch])
    candidates = [match.candidate for match in best]
    sender = recipients.Senders([campaign], candidates).of_pitch(campaign, candidates)
    if address is None or sender is None:
        missing = "a sender" if address else "an address for its first message"
        raise NotWritten(f"{lead} cannot be shown: the campaign or the lead lacks {missing}.")
    last = Pitch.objects.filter(campaign=campaign, lead=lead).aggregate(n=Max("round"))["n"]
    pitch = Pitch.objects.create(
        campaign=campaign,
        lead=lead,
        address=address,
        sender=sender,
        sequence=sequence,
        round=(last or 0) + 1,
        send_mode=situations.mode(),
        status=Pitch.Status.REJECTED,
    )
    pairs = Match.objects.filter(lead=lead, candidate__in=candidates, pitch__isnull=False)
    pairs.update(status=Match.Status.APPROVED, pitch=None)
    Match.objects.filter(pk__in=[match.pk for match in best]).update(
        status=Match.Status.PITCHED, pitch=pitch
    )
    return pitch


# -- versions --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Version:
    """A version with how many people are on it, and how many campaigns use it for new ones."""

    sequence: Sequence
    people: int
    pitches: int
    campaigns: int


def versions(key: str) -> list[Version]:
    """Every version of a plan, newest first. Two queries."""
    is_open = Q(pitches__status__in=Pitch.OPEN)
    rows = Sequence.objects.filter(key=key).order_by("-version")
    rows = rows.annotate(
        people=Count("pitches", filter=is_open, distinct=True),
        pitches_total=Count("pitches", distinct=True),
        campaigns_total=Count("campaigns", distinct=True),
    )
    return [Version(row, row.people, row.pitches_total, row.campaigns_total) for row in rows]


def touches(sequence: Sequence) -> str:
    """Whom publishing this version concerns, in one sentence."""
    others = versions(sequence.key)
    on = [f"{v.people} on v{v.sequence.version}" for v in reversed(others) if v.people]
    people = f"People stay on their version: {', '.join(on)}." if on else "Nobody is under way."
    number = _moving(sequence).count()
    campaigns = "campaign" if number == 1 else "campaigns"
    return f"{people} New pitches of {number} {campaigns} take v{sequence.version}."


def _moving(sequence: Sequence) -> QuerySet[Campaign]:
    return Campaign.objects.filter(
        sequence__key=sequence.key, sequence__version__lt=sequence.version
    )


def publish(sequence: Sequence, *, now: datetime) -> int:
    """From now on new pitches of its campaigns use this version; answers how many campaigns.

    Pitches under way stay where they are. Raises WrongStatus for a version that is published
    already or has no first message.
    """
    with transaction.atomic():
        row = Sequence.objects.select_for_update().get(pk=sequence.pk)
        if row.published_at:
            raise WrongStatus(row, "published", "published already")
        if not row.steps.filter(number=0).exists():
            raise WrongStatus(row, "published", "without a first message")
        Sequence.objects.filter(pk=row.pk).update(published_at=now)
        sequence.published_at = now
        return int(_moving(row).update(sequence=row))
