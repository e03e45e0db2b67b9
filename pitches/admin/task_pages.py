"""What a decision is shown with: a match with its score, or a pitch with all its words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Prefetch, Q

from campaigns import resumes
from campaigns.channels import Problem
from campaigns.models import BaseFact, Candidate, CandidateFact
from pitches import attachments, matching, pitching, recipients, review, urgency, writing
from pitches.admin import past
from pitches.decisions import Decision, Verdict
from pitches.models import Match, Message, Pitch, ReviewTask, Variant
from prospects.models import ContentItem, Fact, Lead

MOST_FACTS = 40
LATEST_ITEMS = 5


def of_task(task: ReviewTask, *, now: datetime, chosen: Iterable[str] = ()) -> dict[str, Any]:
    """The page's context; which part of it is filled depends on the kind of task.

    ``chosen`` are ids of drafts somebody has just chosen or edited.
    """
    if task.match_id:
        return {"about_match": of_match(task.match_id, now=now)}
    if task.pitch_id:
        # Before the words are read: an edit in between is then noticed at the decision.
        shown = review.shown(task)
        page = of_pitch(task.pitch_id, now=now, message_id=task.message_id)
        page.seen = shown
        for step in page.steps:
            step.choose(set(chosen))
        page.carry_subject()
        return {"about_pitch": page}
    return {}


# A match


@dataclass(frozen=True, slots=True)
class Part:
    """One line of the score's addition; ``width`` is its share of the bar, 0 to 100."""

    label: str
    points: Decimal
    width: int


@dataclass(frozen=True, slots=True)
class MatchPage:
    match: Match
    parts: list[Part]
    threshold: Decimal
    held_by: list[str]
    foreseen: Decision | None
    urgency: str
    dates: list[str]
    address: Any
    candidate_facts: list[BaseFact]
    lead_facts: list[BaseFact]
    items: list[ContentItem]
    before: list[Pitch]
    elsewhere: list[Match]

    @property
    def is_above(self) -> bool:
        return self.match.score >= self.threshold


def of_match(pk: int, *, now: datetime) -> MatchPage:
    """Everything to decide a match by. The number of queries does not depend on the rows."""
    match = (
        Match.objects.select_related(
            "candidate__client",
            "candidate__responsible",
            "lead__organization",
            "lead__segment",
            "campaign__client",
        )
        .prefetch_related("candidate__angles")
        .defer("candidate__embedding", "lead__embedding", "campaign__embedding")
        .get(pk=pk)
    )
    lead, candidate, campaign = match.lead, match.candidate, match.campaign
    address = recipients.of_leads([lead]).get(lead.pk)
    today = now.date()
    return MatchPage(
        match=match,
        parts=parts_of(match),
        threshold=matching.threshold(campaign),
        held_by=holds(match, now=now),
        foreseen=hold_of(match, now=now),
        urgency=urgency.urgency(candidate, today=today).reason if match.urgent else "",
        dates=urgency.timing_remarks(
            role_starts=lead.starts_on,
            role_ends=lead.ends_on,
            free_from=candidate.starts_on,
            today=today,
        ),
        address=address,
        candidate_facts=list(
            CandidateFact.objects.filter(candidate=candidate).current(now=now)[:MOST_FACTS]
        ),
        lead_facts=facts_of_lead(lead, address.contact_id if address else None, now=now),
        items=latest_items(lead),
        before=list(past.pitches_to(lead, address)),
        elsewhere=list(past.matches_of(candidate.pk, besides=match.pk)),
    )


def parts_of(match: Match) -> list[Part]:
    """The parts of a score, the largest first. They add up to it; a last line says what
    nothing explains.
    """
    found = [(name, _number(value)) for name, value in match.parts.items()]
    found.sort(key=lambda part: (-part[1], part[0]))
    rest = match.score - sum((points for _, points in found), Decimal(0))
    if rest:
        found.append(("not_explained", rest))
    return [Part(name, points, min(100, max(0, round(points)))) for name, points in found]


def _number(value: Any) -> Decimal:
    try:
        return Decimal(str(value))
    except ArithmeticError:
        return Decimal(0)


def holds(match: Match, *, now: datetime) -> list[str]:
    """What would keep the pair from being suggested today, in sentences."""
    told = matching.explain(match.candidate, match.lead, match.campaign, now=now)
    ours = {"already_matched", "beyond_best", "beyond_most"}  # it is a match already
    return [sentence for reason, sentence in told.filters if reason not in ours]


def hold_of(match: Match, *, now: datetime) -> Decision | None:
    """What would hold the match after its approval; None if nothing would, or it is decided."""
    if match.status != Match.Status.TO_REVIEW:
        return None
    foreseen = pitching.foresee(match, now=now)
    return foreseen if foreseen.verdict == Verdict.HOLD else None


def facts_of_lead(lead: Lead, contact: int | None, *, now: datetime) -> list[BaseFact]:
    """What is known of the lead, its organization and the person, in one query."""
    about = Q(lead=lead)
    if lead.organization_id:
        about |= Q(organization=lead.organization_id)
    if contact:
        about |= Q(contact=contact)
    return list(Fact.objects.filter(about).current(now=now)[:MOST_FACTS])


def latest_items(lead: Lead) -> list[ContentItem]:
    rows = ContentItem.objects.filter(lead=lead).defer("text", "transcript", "embedding")
    return list(rows.order_by("-published_at", "-pk")[:LATEST_ITEMS])


# A pitch and its words


@dataclass(slots=True)
class Draft:
    """One variant as it would leave, and what stands against it."""

    variant: Variant
    words: writing.Words
    blocks: list[Problem]
    warns: list[Problem]
    is_choice: bool = False
    follows: bool = False

    @property
    def thread(self) -> str:
        """The subject that the answers in its thread take over."""
        return self.variant.subject


@dataclass(frozen=True, slots=True)
class Attached:
    """A file that goes with a message: its name, its size in words, and where staff open it."""

    name: str
    size: str
    url: str


def attached(rows: Iterable[dict[str, Any]]) -> list[Attached]:
    """The rows of ``Message.attachments``, for a page."""
    return [
        Attached(row["name"], resumes.megabytes(row["size"] or 0), attachments.address(row))
        for row in rows
    ]


@dataclass(slots=True)
class StepPage:
    message: Message
    drafts: list[Draft]
    when: str
    files: list[Attached] = field(default_factory=list)
    without_file: list[Candidate] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """Whether its words are still to be decided on."""
        return self.message.status == Message.Status.DRAFT

    def choose(self, wanted: set[str]) -> None:
        """Choose the draft that is among ``wanted``, if one is."""
        if any(str(draft.variant.pk) in wanted for draft in self.drafts):
            for draft in self.drafts:
                draft.is_choice = str(draft.variant.pk) in wanted

    @property
    def choice(self) -> Draft | None:
        return next((draft for draft in self.drafts if draft.is_choice), None)


@dataclass(slots=True)
class PitchPage:
    pitch: Pitch
    steps: list[StepPage]
    candidate_facts: list[BaseFact]
    lead_facts: list[BaseFact]
    items: list[ContentItem]
    before: list[Pitch]
    seen: str

    def carry_subject(self) -> None:
        """Give the follow-ups in the thread the subject of the first draft that is chosen.

        As approval will: a choice that is only on the page is in no row yet.
        """
        first = next((step for step in self.steps if not step.message.number), None)
        if first is None or not first.is_open:
            return
        if first.choice is None or not first.choice.thread:
            return
        for step in self.steps:
            for draft in step.drafts:
                if step.is_open and writing.takes_subject(step.message, draft.variant):
                    draft.follows = True
                    subject = f"Re: {first.choice.thread}"
                    draft.words = draft.words._replace(subject=subject)

    @property
    def blocked(self) -> bool:
        """Whether a chosen draft cannot be approved."""
        to_decide = [step for step in self.steps if step.is_open]
        return any(step.choice is None or step.choice.blocks for step in to_decide)


def of_pitch(pk: int, *, now: datetime, message_id: int | None = None) -> PitchPage:
    """A pitch with every step and draft; ``message_id`` narrows it to one message."""
    pitch = read_pitch(pk)
    messages = [m for m in pitch.messages.all() if m.status != Message.Status.CANCELED]
    if message_id:
        messages = [m for m in messages if m.pk == message_id]
    candidates = [match.candidate_id for match in pitch.matches.all()]
    contact = pitch.address.contact_id
    return PitchPage(
        pitch=pitch,
        steps=[_step(message) for message in messages],
        candidate_facts=list(
            CandidateFact.objects.filter(candidate__in=candidates).current(now=now)[:MOST_FACTS]
        ),
        lead_facts=facts_of_lead(pitch.lead, contact, now=now),
        items=latest_items(pitch.lead),
        before=list(past.pitches_to(pitch.lead, pitch.address, besides=pitch.pk)),
        seen="",
    )


def read_pitch(pk: int) -> Pitch:
    """The pitch with everything its words are made of."""
    return (
        Pitch.objects.select_related(
            "campaign__client",
            "lead__organization",
            "lead__segment",
            "address__contact__organization",
            "sender",
            "sequence",
        )
        .defer("lead__embedding", "campaign__embedding")
        .prefetch_related(
            Prefetch(
                "matches", Match.objects.select_related("candidate").order_by("-score", "pk")
            ),
            Prefetch(
                "messages",
                Message.objects.order_by("number", "pk").select_related("step", "sender"),
            ),
            Prefetch(
                "messages__variants",
                Variant.objects.order_by("number").select_related("edited_by"),
            ),
        )
        .get(pk=pk)
    )


def _step(message: Message) -> StepPage:
    variants = list(message.variants.all())
    for variant in variants:
        variant.message = message
    drafts = [_draft(message, variant) for variant in variants]
    choice = next((d for d in drafts if d.variant.is_chosen), None)
    choice = (
        choice or next((d for d in drafts if not d.blocks), None) or next(iter(drafts), None)
    )
    if choice:
        choice.is_choice = True
    is_open = message.status == Message.Status.DRAFT
    files = attachments.planned(message) if is_open else message.attachments
    without = attachments.without(message) if is_open else []
    return StepPage(message, drafts, _when(message), attached(files), without)


def _draft(message: Message, variant: Variant) -> Draft:
    found = writing.of_variant(variant)
    blocks = writing.blocking(found)
    return Draft(
        variant=variant,
        words=writing.words(message, variant),
        blocks=blocks,
        warns=[problem for problem in found if problem not in blocks],
    )


def _when(message: Message) -> str:
    if not message.number:
        return "once approved, in the recipient's working hours"
    hours = message.step.delay_hours if message.step else 0
    days, rest = divmod(hours, 24)
    told = f"{days} day{'s' * (days != 1)}" if not rest else f"{hours} hours"
    return f"{told} after the first, unless they answer"
