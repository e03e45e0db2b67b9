"""Approved matches become pitches: planned lead by lead, then made with all their messages."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import IntegrityError, transaction
from django.db.models import Count, Exists, F, Max, OuterRef, Q

from campaigns.models import Campaign, Candidate, Channel, Sequence, Step
from pitches import fingerprints, matching, recipients, rules, situations, urgency, writing
from pitches.decisions import Decision, Field, Outcome, Verdict
from pitches.models import EmailLimit, Match, Message, Pitch, ReviewTask, Sender, SendMode
from pitches.recipients import Senders
from pitches.rules import Situation
from pitches.situations import Target
from prospects.models import ContactAddress, Lead, LeadIdentity

# Pitches made in one transaction: large enough to write in sets, small enough to lose little.
BATCH = 50


# -- planning ------------------------------------------------------------------------------


def campaigns_to_plan(campaign: Campaign | None) -> list[Campaign]:
    """The one that was asked for, whatever its status, or all active ones."""
    if campaign is not None:
        return [campaign]
    return list(Campaign.objects.filter(status=Campaign.Status.ACTIVE).select_related("client"))


def field_of(campaigns: Iterable[Campaign]) -> Field:
    """How many leads, candidates, approved matches and open pitches the plan looked over."""
    campaigns = list(campaigns)
    kinds = {
        matching.PRESETS[Campaign.Preset(campaign.preset)].lead_kind for campaign in campaigns
    }
    candidates = Candidate.objects.filter(
        campaigns__in=campaigns, status=Candidate.Status.ACTIVE
    )
    return Field(
        leads=Lead.objects.filter(kind__in=kinds, merged_into__isnull=True).count(),
        candidates=candidates.distinct().count(),
        matches=_open_matches(campaigns).count(),
        pitches=Pitch.objects.open().filter(campaign__in=campaigns).count(),
    )


def _open_matches(campaigns: Iterable[Campaign]) -> Any:
    return Match.objects.filter(
        campaign__in=campaigns, status=Match.Status.APPROVED, pitch__isnull=True
    )


def plan(
    *,
    campaign: Campaign | None = None,
    now: datetime,
    most: int | None = None,
    again: frozenset[int] = frozenset(),
    lead: Lead | None = None,
) -> list[Decision]:
    """One decision per lead with approved matches: a draft would be made, or why not and from
    when.

    Urgent leads first, then those raised after a silent pitch, then the best score (S003-012).
    With ``most`` it ends after that many pitches. ``again`` names leads whose rejected draft
    somebody wants written anew, ``lead`` the only one to look at. Changes nothing; the number
    of queries does not depend on the number of rows.
    """
    campaigns = campaigns_to_plan(campaign)
    groups = _groups(campaigns, lead)
    desk = _Desk(campaigns, groups, now=now, again=again)
    decisions: list[Decision] = []
    for group in groups:
        decisions.append(desk.decide(group))
        if most is not None and desk.pitched >= most:
            break
    return decisions


def foresee(match: Match, *, now: datetime) -> Decision:
    """What the planner would say of this match alone, were it approved.

    For whoever decides on it: there is no point in approving what would be held for ever.
    """
    elsewhere = Match.objects.filter(
        candidate=match.candidate_id, lead=match.lead_id, cycle=match.cycle, pitch__isnull=False
    )
    row = Approved(
        match.pk,
        match.candidate,
        match.score,
        match.urgent,
        match.raised_at,
        elsewhere.exists(),
    )
    group = Group(match.campaign, match.lead, [row])
    return _Desk([match.campaign], [group], now=now).decide(group)


class Approved(NamedTuple):
    """An approved match as planning sees it: a row instead of an object, there are many."""

    pk: int
    candidate: Candidate
    score: Decimal
    urgent: bool
    raised_at: datetime | None
    pitched_elsewhere: bool


@dataclass(slots=True)
class Group:
    """The approved matches of one lead in one campaign: urgent, raised, best first."""

    campaign: Campaign
    lead: Lead
    matches: list[Approved]

    @property
    def urgent(self) -> bool:
        return any(match.urgent for match in self.matches)

    @property
    def rank(self) -> tuple[Any, ...]:
        raised = any(match.raised_at for match in self.matches)
        best = max(match.score for match in self.matches)
        return (not self.urgent, not raised, -best, self.lead.pk, self.campaign.pk)


def _groups(campaigns: list[Campaign], lead: Lead | None) -> list[Group]:
    rows = _approved_rows(campaigns, lead)
    candidates = Candidate.objects.only(
        "name", "status", "starts_on", "visa", "responsible_id"
    ).in_bulk({row["candidate_id"] for row in rows})
    leads = (
        Lead.objects.select_related("organization")
        .defer("text", "attributes", "tags", "embedding")
        .in_bulk({row["lead_id"] for row in rows})
    )
    by_id = {campaign.pk: campaign for campaign in campaigns}
    groups: dict[tuple[int, int], Group] = {}
    for row in rows:
        key = (row["campaign_id"], row["lead_id"])
        if key not in groups:
            groups[key] = Group(by_id[row["campaign_id"]], leads[row["lead_id"]], [])
        groups[key].matches.append(
            Approved(
                row["pk"],
                candidates[row["candidate_id"]],
                row["score"],
                row["urgent"],
                row["raised_at"],
                row["pitched_elsewhere"],
            )
        )
    return sorted(groups.values(), key=lambda group: group.rank)


def _approved_rows(campaigns: list[Campaign], lead: Lead | None) -> list[dict[str, Any]]:
    elsewhere = Match.objects.filter(
        candidate=OuterRef("candidate"),
        lead=OuterRef("lead"),
        cycle=OuterRef("cycle"),
        pitch__isnull=False,
    )
    return list(
        _open_matches(campaigns)
        .filter(Q() if lead is None else Q(lead=lead))
        .annotate(pitched_elsewhere=Exists(elsewhere))
        .order_by("-urgent", F("raised_at").asc(nulls_last=True), "-score", "pk")
        .values(
            "pk",
            "campaign_id",
            "lead_id",
            "candidate_id",
            "score",
            "urgent",
            "raised_at",
            "pitched_elsewhere",
        )
    )


class _Desk:
    """What planning reads once and counts as it goes."""

    def __init__(
        self,
        campaigns: list[Campaign],
        groups: list[Group],
        *,
        now: datetime,
        again: frozenset[int] = frozenset(),
    ) -> None:
        self.now = now
        self.again = again
        self.pitched = 0
        self.channels = recipients.first_channels(campaigns)
        self.addresses = self._addresses(groups)
        candidates = [match.candidate for group in groups for match in group.matches]
        self.senders = Senders(campaigns, candidates)
        self.open_pitches = _open_pitches({candidate.pk for candidate in candidates})
        self.taken = set(
            Pitch.objects.open()
            .filter(campaign__in=campaigns)
            .values_list("campaign_id", "lead_id")
        )
        self.rejected = _rejected_drafts(campaigns)
        self.enrolled = Counter(
            dict(
                Pitch.objects.filter(campaign__in=campaigns)
                .exclude(status=Pitch.Status.REJECTED)
                .values_list("campaign")
                .annotate(n=Count("pk"))
            )
        )
        self.around = situations.survey([self._target(group, []) for group in groups], now=now)
        self._count_drafts(groups)

    def _count_drafts(self, groups: list[Group]) -> None:
        """First messages still on this side of the gate will want their slots.

        Count them already.
        """
        organizations = {group.lead.organization_id for group in groups}
        addresses = [each for found in self.addresses.values() for each in found.values()]
        organizations |= {each.contact.organization_id for each in addresses}
        organizations -= {None}
        contacts = {address.contact_id for address in addresses}
        waiting = Pitch.objects.open().filter(first_sent_at__isnull=True)
        rows = waiting.filter(
            Q(lead__organization__in=organizations)
            | Q(address__contact__organization__in=organizations)
            | Q(address__contact__in=contacts)
        )
        scope, initial = EmailLimit.Scope, EmailLimit.Counts.INITIAL.value
        paths = ("lead__organization", "address__contact__organization", "address__contact")
        for of_lead, of_person, contact in rows.values_list(*paths):
            for each in {of_lead, of_person} - {None}:
                self.around.ledger.add((scope.ORGANIZATION.value, each, initial), self.now)
            self.around.ledger.add((scope.CONTACT.value, contact, initial), self.now)

    def channel_of(self, campaign: Campaign) -> str:
        """By which way the campaign's first message goes."""
        return self.channels.get(campaign.sequence_id or 0, Channel.EMAIL.value)

    def _addresses(self, groups: list[Group]) -> dict[str, dict[int, ContactAddress]]:
        """By channel and lead: two queries for each channel that is in use."""
        leads: dict[str, list[Lead]] = defaultdict(list)
        for group in groups:
            leads[self.channel_of(group.campaign)].append(group.lead)
        return {
            channel: recipients.of_leads(some, channel=channel)
            for channel, some in leads.items()
        }

    def _target(self, group: Group, matches: list[Approved]) -> Target:
        channel = self.channel_of(group.campaign)
        address = self.addresses[channel].get(group.lead.pk)
        candidates = [match.candidate for match in matches]
        return Target(
            campaign=group.campaign,
            lead=group.lead,
            organization=group.lead.organization
            or (address.contact.organization if address else None),
            contact=address.contact if address else None,
            address=address,
            sender=self.senders.of_pitch(group.campaign, candidates),
            candidates=candidates,
            urgent=any(match.urgent for match in matches),
            channel=channel,
        )

    def decide(self, group: Group) -> Decision:
        """The decision on one lead, with everything decided so far counted in."""
        matches, left_out = self._pitchable(group)
        target = self._target(group, matches)
        target.extra = {
            "lead_is_taken": (group.campaign.pk, group.lead.pk) in self.taken,
            "draft_rejected": self._rejection(group),
            "candidates_left_out": left_out,
            "pitched_so_far": self.enrolled[group.campaign.pk],
            "urgency": _urgency_of(matches, today=self.now.date()),
        }
        situation = situations.situation(target, self.around)
        ruling = rules.decide(situation)
        if ruling.may:
            self._take(group, matches, situation)
        return _decision(group, matches, situation, ruling)

    def _rejection(self, group: Group) -> str:
        if group.lead.pk in self.again:
            return ""
        return self.rejected.get((group.campaign.pk, group.lead.pk), "")

    def _pitchable(self, group: Group) -> tuple[list[Approved], tuple[str, ...]]:
        """The matches this pitch would carry, and why the others do not come along."""
        campaign, causes = group.campaign, []
        chosen: list[Approved] = []
        for match in group.matches:
            if len(chosen) == campaign.candidates_per_pitch:
                break
            if cause := self._cause_against(match, campaign):
                causes.append(f"{match.candidate.name} {cause}")
            else:
                chosen.append(match)
        return sorted(chosen, key=lambda match: (-match.score, match.pk)), tuple(causes[:5])

    def _cause_against(self, match: Approved, campaign: Campaign) -> str:
        candidate = match.candidate
        if candidate.status != Candidate.Status.ACTIVE:
            return f"is {candidate.get_status_display()}"
        if not urgency.urgency(candidate, today=self.now.date()).pitchable:
            return "was to start before today"
        if match.score < (threshold := matching.threshold(campaign)):
            return f"scores {match.score}, below {threshold}"
        if match.pitched_elsewhere:
            return "was pitched to this lead before"
        most = 1 if match.urgent else campaign.most_open_pitches()
        if most is not None and self.open_pitches[candidate.pk] >= most:
            return f"is in {self.open_pitches[candidate.pk]} open pitches already"
        return ""

    def _take(self, group: Group, matches: list[Approved], situation: Situation) -> None:
        self.pitched += 1
        self.enrolled[group.campaign.pk] += 1
        self.open_pitches.update(match.candidate.pk for match in matches)
        situations.take_slots(situation, self.now)


def _rejected_drafts(campaigns: list[Campaign]) -> dict[tuple[int, int], str]:
    """The reason, for every lead whose latest pitch was rejected by a reviewer."""
    latest = (
        Pitch.objects.filter(campaign__in=campaigns)
        .order_by("campaign_id", "lead_id", "-round")
        .distinct("campaign_id", "lead_id")
        .values_list("campaign", "lead", "status", "status_reason")
    )
    return {
        (campaign, lead): reason or "no reason given"
        for campaign, lead, status, reason in latest
        if status == Pitch.Status.REJECTED
    }


def _open_pitches(candidates: set[int]) -> Counter[int]:
    rows = Match.objects.filter(candidate__in=candidates, pitch__status__in=Pitch.OPEN)
    return Counter(dict(rows.values_list("candidate").annotate(n=Count("pk"))))


def _urgency_of(matches: list[Approved], *, today: Any) -> str:
    urgent = [match.candidate for match in matches if match.urgent]
    return urgency.urgency(urgent[0], today=today).reason if urgent else ""


def _scored(matches: list[Approved]) -> str:
    """The candidates with their scores, as a plan names them (S003-050)."""
    return ", ".join(f"{match.candidate.name} ({match.score})" for match in matches)


def _decision(
    group: Group, matches: list[Approved], situation: Situation, ruling: rules.Ruling
) -> Decision:
    address, sender = situation.address, situation.sender
    return Decision(
        key=f"pitch:{group.campaign.slug}:{group.lead.pk}",
        kind="pitch",
        verdict=Verdict.PITCH if ruling.may else Verdict.HOLD,
        reason=ruling.reason,
        numbers=ruling.numbers | {"candidates": _scored(matches)},
        not_before=None if ruling.may else ruling.at,
        lead=group.lead.name,
        organization=situation.organization.name if situation.organization else "",
        candidates=tuple(match.candidate.name for match in matches),
        contact=address.value if address else "",
        sender=sender.address if sender else "",
        channel=situation.channel,
        step="initial",
        urgent=situation.urgent,
        ids={
            "campaign": group.campaign.pk,
            "lead": group.lead.pk,
            "sequence": group.campaign.sequence_id,
            "matches": [match.pk for match in matches],
            "address": address.pk if address else None,
            "sender": sender.pk if sender else None,
        },
    )


# -- carrying out --------------------------------------------------------------------------


def carry_out(decisions: Iterable[Decision], *, now: datetime) -> Outcome:
    """Make the drafts that were decided on, each with its messages, variants and ReviewTask.

    What changed since the plan is left alone and told; one lead's trouble stops no other.
    """
    outcome = Outcome()
    wanted = [decision for decision in decisions if decision.verdict == Verdict.PITCH]
    # Two runs at once take the leads in one order, so that they never wait for each other.
    in_order = sorted(wanted, key=lambda decision: decision.ids["lead"])
    for start in range(0, len(in_order), BATCH):
        _carry_out_batch(in_order[start : start + BATCH], outcome, now=now)
    done = set(outcome.done)
    outcome.done = [decision.key for decision in wanted if decision.key in done]
    return outcome


def _carry_out_batch(decisions: list[Decision], outcome: Outcome, *, now: datetime) -> None:
    stock = _Stock(decisions)
    messages: list[Message] = []
    with transaction.atomic():
        for decision in decisions:
            pitch = stock.pitch(decision)
            if pitch is None:
                outcome.changed[decision.key] = "something it needs was deleted"
                continue
            cause = _claim(pitch, decision.ids["matches"])
            if cause:
                outcome.changed[decision.key] = cause
                continue
            outcome.done.append(decision.key)
            messages += drafts(
                pitch, stock.steps[pitch.sequence_id], stock.identity(pitch.lead)
            )
        Message.objects.bulk_create(messages)
        writing.write(messages, now=now)
        ask_for_review(messages)


class _Stock:
    """What a batch of pitches is made of, read once."""

    def __init__(self, decisions: list[Decision]) -> None:
        def ids(name: str) -> set[int]:
            return {decision.ids[name] for decision in decisions}

        self.campaigns = Campaign.objects.select_related("client", "sequence").in_bulk(
            ids("campaign")
        )
        self.leads = Lead.objects.in_bulk(ids("lead"))
        self.senders = Sender.objects.in_bulk(ids("sender"))
        self.addresses = ContactAddress.objects.in_bulk(ids("address"))
        self.rounds = _last_rounds(ids("lead"))
        self.identities = first_identities(ids("lead"))
        self.sequences = Sequence.objects.in_bulk(ids("sequence"))
        self.steps = message_steps(self.sequences)

    def pitch(self, decision: Decision) -> Pitch | None:
        """The pitch a decision asks for, not yet saved; None where a part of it is gone."""
        campaign = self.campaigns.get(decision.ids["campaign"])
        lead = self.leads.get(decision.ids["lead"])
        sender = self.senders.get(decision.ids["sender"])
        address = self.addresses.get(decision.ids["address"])
        sequence = self.sequences.get(decision.ids["sequence"])
        if not (campaign and lead and sender and address and sequence):
            return None
        return Pitch(
            campaign=campaign,
            lead=lead,
            address=address,
            sender=sender,
            sequence=sequence,
            round=self.rounds[campaign.pk, lead.pk] + 1,
            send_mode=situations.mode(),
            urgent=decision.urgent,
        )

    def identity(self, lead: Lead) -> str:
        return self.identities.get(lead.pk, f"lead:{lead.pk}")


def _claim(pitch: Pitch, match_ids: list[int]) -> str:
    """Save the pitch and take its matches; the reason, where somebody else was quicker."""
    try:
        with transaction.atomic():
            pitch.save()
            free = Match.objects.filter(pk__in=match_ids, pitch__isnull=True)
            taken = free.move(Match.Status.PITCHED, pitch=pitch)
            if taken < len(match_ids):
                lost = len(match_ids) - taken
                raise _Drifted(f"{lost} of its matches are no longer approved")
    except _Drifted as drift:
        return str(drift)
    except IntegrityError as e:
        return _in_words(e)
    return ""


class _Drifted(Exception):
    pass


def _in_words(error: IntegrityError) -> str:
    constraint = getattr(getattr(error.__cause__, "diag", None), "constraint_name", "") or ""
    if constraint == "candidate_pitched_to_lead_once":
        return "a candidate was pitched to this lead elsewhere"
    if constraint in {"pitch_one_open_per_lead", "pitch_round_once"}:
        return "a pitch to this lead was opened meanwhile"
    raise error


def _last_rounds(leads: set[int]) -> Counter[tuple[int, int]]:
    rows = Pitch.objects.filter(lead__in=leads).values_list("campaign", "lead")
    return Counter({(campaign, lead): n for campaign, lead, n in rows.annotate(n=Max("round"))})


def first_identities(leads: set[int]) -> dict[int, str]:
    """``platform:id`` of each lead's first identity, by lead id."""
    rows = LeadIdentity.objects.filter(lead__in=leads).order_by("lead_id", "pk")
    rows = rows.distinct("lead_id")
    return {row.lead_id: f"{row.platform}:{row.platform_id}" for row in rows}


def message_steps(sequences: Iterable[int]) -> dict[int | None, list[Step]]:
    """The steps that write something, in order, by sequence id."""
    steps: dict[int | None, list[Step]] = defaultdict(list)
    rows = Step.objects.filter(sequence__in=set(sequences), action=Step.Action.MESSAGE)
    for step in rows.order_by("number"):
        steps[step.sequence_id].append(step)
    return steps


def drafts(
    pitch: Pitch,
    steps: Iterable[Step],
    identity: str,
    *,
    revisions: Mapping[int, int] | None = None,
) -> list[Message]:
    """An empty draft per step, named for good; ``revisions`` counts a step's canceled ones."""
    made = []
    for step in steps:
        revision = (revisions or {}).get(step.number, 0) + 1
        name = fingerprints.message_id(
            pitch,
            identity=identity,
            number=step.number,
            channel=step.channel,
            revision=revision,
        )
        made.append(
            Message(
                pitch=pitch,
                step=step,
                number=step.number,
                channel=step.channel,
                send_mode=SendMode(pitch.send_mode),
                sender=pitch.sender,
                to_address=pitch.address.value,
                message_id=name,
                revision=revision,
            )
        )
    return made


def ask_for_review(messages: list[Message]) -> None:
    """One task per pitch: the first message and its follow-ups are read together."""
    pitches = {message.pitch_id: message.pitch for message in messages}
    ReviewTask.objects.bulk_create(
        ReviewTask(
            kind=ReviewTask.Kind.MESSAGE,
            campaign_id=pitch.campaign_id,
            pitch=pitch,
            risk=10 if pitch.urgent else 0,
        )
        for pitch in pitches.values()
    )
