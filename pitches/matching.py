"""Which candidate for which lead: hard filters first, each with its reason, then the score.

Set-based: a handful of queries whatever the number of pairs, the pairs themselves in arrays.
`plan` only reads; `suggest` plans and writes the rows. PRESETS says what each preset looks for.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from django.db import connection, models, transaction
from django.db.models import Case, CharField, Count, F, Q, QuerySet, Value, When, Window
from django.db.models.functions import Coalesce, Left, NullIf, RowNumber
from numpy.typing import NDArray

from campaigns.ai import embeddings
from campaigns.models import Campaign, Candidate
from config import bulk
from pitches import likeness, match_scores
from pitches.likeness import Mask
from pitches.match_scores import Part, points
from pitches.models import Match, Placement, ReviewTask
from pitches.urgency import urgency
from prospects.models import ContentItem, Lead

Preset = Campaign.Preset
Taken = (Placement.Status.CONFIRMED, Placement.Status.STARTED)

# Items of a lead that are looked at, newest first (H000-01 says 5 to 10).
LATEST_ITEMS = 10
# Characters of a text in which keywords are looked for.
TEXT_SEARCHED = 4_000
# A score is written again only if it moved by more (H000-02).
MOVED = Decimal("0.01")
# Confirmed interns per employee at one organization (H003-02: more than 1 in 4 is too many).
EMPLOYEES_PER_INTERN = 4
# Interviews that may be open at one organization (H003-02).
OPEN_INTERVIEWS = 3
# Pairs looked at together: bounds the memory to some tens of megabytes at any size.
PAIRS_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class _Preset:
    """What a kind of campaign looks for, and how many suggestions are of use to anybody."""

    lead_kind: str
    candidate_kinds: tuple[str, ...]
    # Matches below are not even kept; None: the threshold itself.
    keep_above: Decimal | None
    # What a match needs to be pitched; None: what suits the embedding model.
    threshold: Decimal | None
    leads_per_candidate: int
    candidates_per_lead: int


PRESETS = {
    # A guest's campaign may look at 200 quality matches a week (H000-15).
    Preset.PODCAST: _Preset(Lead.Kind.PODCAST, (Candidate.Kind.GUEST,), None, None, 200, 25),
    # Three roles are tried for a candidate at a time (S003-052): 30 are ten rounds. A popular
    # role is wanted by hundreds who score the same, and each of them may be in three pitches
    # only (C31): 60 still find three who are free. Kept above 10, pitched from 20 (H003-01).
    Preset.PLACEMENT: _Preset(
        Lead.Kind.ROLE, (Candidate.Kind.INTERN,), Decimal(10), Decimal(20), 30, 60
    ),
    Preset.CREATOR: _Preset(
        Lead.Kind.CREATOR,
        (Candidate.Kind.PRODUCT, Candidate.Kind.GUEST),
        None,
        Decimal(20),
        200,
        25,
    ),
    Preset.PRODUCT: _Preset(
        Lead.Kind.BUYER, (Candidate.Kind.PRODUCT,), None, Decimal(20), 200, 25
    ),
}

# What each preset pitches to.
LEAD_KIND = {preset: looked_for.lead_kind for preset, looked_for in PRESETS.items()}

# Why a pair is not suggested, in the order in which it is asked. The first that applies counts.
REASONS = {
    # of the lead
    "merged": "The lead was merged into another one.",
    "closed": "The lead is closed: filled, withdrawn or no longer published.",
    "suppressed": "Nobody of the lead may be written to.",
    "demo_mixed": "Invented demo leads meet only demo campaigns, and real ones only real.",
    "do_not_contact": "The organization does not want to be contacted.",
    "follow_up_date": "The organization asked to be left alone until a later day.",
    "below_min_score": "The lead's score is below what the campaign asks for.",
    "industry_not_targeted": "The lead is in none of the campaign's target industries.",
    "size_not_targeted": "The organization is not of a size that the campaign targets.",
    "interviews_full": "More than 3 interviews are open at the organization.",
    # of the candidate
    "wrong_candidate_kind": "The candidate is not of the kind that this campaign pitches.",
    "placed": "The candidate has a confirmed placement.",
    "not_active": "The candidate is not active.",
    "start_passed": "The candidate's start date is past: staff must look at it.",
    # of the pair
    "declined_before": "The pair was declined in this campaign.",
    "already_matched": "The pair is already a match of this campaign.",
    "already_pitched": "The candidate was already pitched to this lead.",
    "remote_only": "The candidate works only remotely and the role is not remote.",
    "location_mismatch": "The role is not where the candidate is.",
    "visa_mismatch": "The candidate needs a visa and the role sponsors none.",
    "interns_full": "There is more than 1 confirmed intern for 4 employees at the start.",
    "no_industry_match": "No industry of the candidate fits the role.",
    # after scoring
    "below_mark": "The score is too low to keep.",
    "beyond_best": "The candidate or the lead has enough better matches.",
    "beyond_most": "Only the best were asked for (--most).",
}

OPEN = (Match.Status.SUGGESTED, Match.Status.FIT_CHECK, Match.Status.TO_REVIEW)


class CampaignOver(Exception):
    """A campaign that has ended was asked for new matches."""

    def __init__(self, campaign: Campaign) -> None:
        super().__init__(f"{campaign} is {campaign.status}: it gets no new matches.")


class Filtered(NamedTuple):
    """How many pairs a reason took out."""

    reason: str
    sentence: str
    pairs: int


@dataclass(frozen=True)
class Suggestion:
    """A match to make, or to score again (`match` is then its id)."""

    candidate: int
    lead: int
    score: Decimal
    parts: dict[str, str]
    reasoning: str
    urgent: bool
    match: int | None = None


@dataclass
class Suggested:
    """What suggesting came to. `pairs` = the filtered ones + `created`.

    `rescored` of the already matched pairs are open; of those `updated` moved.
    """

    campaign: str
    leads: int = 0
    candidates: int = 0
    pairs: int = 0
    filtered: list[Filtered] = field(default_factory=list)
    scored: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    to_review: int = 0
    not_pitchable: list[tuple[str, str]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For --json: plain numbers and texts."""
        told = asdict(self)
        told["filtered"] = [row._asdict() for row in self.filtered]
        return told


@dataclass
class Plan:
    """What `suggest` would do."""

    outcome: Suggested
    new: list[Suggestion]
    moved: list[Suggestion]
    urgent: frozenset[int]


@dataclass(frozen=True)
class Explanation:
    """One pair: every filter that holds it, and its score part by part."""

    candidate: str
    lead: str
    filters: list[tuple[str, str]]
    score: Decimal
    threshold: Decimal
    parts: dict[str, str]
    reasoning: str
    urgent: bool
    urgency: str


def threshold(campaign: Campaign) -> Decimal:
    """The score a match of this campaign needs to be pitched (H000-02, H003-01).

    The campaign's own, else its preset's; for guests it depends on the embedding model, since
    each model's likeness has a scale of its own.
    """
    if campaign.match_threshold is not None:
        return Decimal(campaign.match_threshold)
    preset = PRESETS[Preset(campaign.preset)]
    if preset.threshold is not None:
        return preset.threshold
    return embeddings.embedder().match_threshold


def suggest(campaign: Campaign, *, now: datetime, most: int | None = None) -> Suggested:
    """Make the matches that `plan` finds and hand them to review (S000-039, S000-048).

    At most `most` new ones, the best. Scores of open matches are renewed where they moved
    (H000-02), urgency everywhere. Raises CampaignOver. One transaction; two runs at once wait
    for each other.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(hashtext('matching'), %s)", [campaign.pk]
            )
        _embed(campaign)
        planned = plan(campaign, now=now, most=most)
        _write(campaign, planned, now=now)
    return planned.outcome


def plan(campaign: Campaign, *, now: datetime, most: int | None = None) -> Plan:
    """What `suggest` would do now; reads only. Raises CampaignOver."""
    if campaign.status in (Campaign.Status.COMPLETED, Campaign.Status.CANCELED):
        raise CampaignOver(campaign)
    pool = _Pool(campaign, today=_today(campaign, now))
    return _choose(campaign, pool, most=most)


def explain(
    candidate: Candidate, lead: Lead, campaign: Campaign, *, now: datetime
) -> Explanation:
    """All filters that hold this pair, and its score as if none did."""
    today = _today(campaign, now)
    pool = _Pool(campaign, today=today, candidate=candidate, lead=lead)
    parts = pool.scores.parts(0, 0)
    return Explanation(
        candidate=candidate.name,
        lead=lead.name,
        filters=[(reason, REASONS[reason]) for reason in pool.reasons_of_one_pair()],
        score=points(sum(part.hundredths for part in parts)),
        threshold=threshold(campaign),
        parts=_told(parts),
        reasoning=_sentence(parts),
        urgent=urgency(candidate, today=today).urgent,
        urgency=urgency(candidate, today=today).reason,
    )


def pool_of(campaign: Campaign, *, now: datetime) -> _Pool:
    """Everything that is read for all pairs of a campaign, with their scores; for measuring."""
    return _Pool(campaign, today=_today(campaign, now))


def _today(campaign: Campaign, now: datetime) -> date:
    return now.astimezone(ZoneInfo(campaign.time_zone)).date()


def _sentence(parts: Sequence[Part]) -> str:
    """The parts that speak, in one sentence that staff can read at a glance."""
    said = [part.because for part in parts if part.because and part.hundredths]
    silent = [part.because for part in parts if part.because and not part.hundredths]
    told = "; ".join(said or silent) or "nothing speaks for it"
    return f"{told[0].upper()}{told[1:]}."


def _told(parts: Sequence[Part]) -> dict[str, str]:
    return {part.key: str(points(part.hundredths)) for part in parts}


# Texts that are embedded


def campaign_text(campaign: Campaign) -> str:
    """What a campaign is about."""
    words = ", ".join(campaign.questionnaire_keywords)
    return "\n".join(filter(None, [campaign.text(), words]))


def candidate_text(candidate: Candidate) -> str:
    """What a candidate offers."""
    lists = (candidate.skills, candidate.keywords, candidate.industries)
    return "\n".join([candidate.headline, candidate.bio_to_use, *map(", ".join, lists)])


def lead_text(lead: Lead) -> str:
    """What a lead says of itself."""
    return "\n".join(
        [lead.name, lead.text, ", ".join(lead.keywords), ", ".join(lead.industries)]
    )


def item_text(item: ContentItem) -> str:
    """What an episode, post or article is about: its summary if there is one."""
    return "\n".join([item.title, item.summary or item.text, ", ".join(item.keywords)])


def _embed(campaign: Campaign) -> None:
    """Store the vectors this campaign's scores need and the database lacks."""
    if campaign.preset == Preset.PLACEMENT:
        return  # its formula compares words
    ours = embeddings.embedder()
    leads = _leads(campaign).filter(
        closed_at=None, suppressed_at=None, merged_into=None, is_demo=campaign.is_demo
    )
    rows: list[tuple[QuerySet, Any]] = [
        (Campaign.objects.filter(pk=campaign.pk), campaign_text),
        (campaign.candidates.all(), candidate_text),
        (leads, lead_text),
    ]
    if campaign.preset == Preset.PODCAST:
        rows.append((_latest_items(leads), item_text))
    for queryset, text in rows:
        embeddings.embed_missing(queryset, text=text, with_model=ours)
    Campaign.objects.filter(pk=campaign.pk, embedding__isnull=False).update(
        embedding_status=Campaign.EmbeddingStatus.COMPLETED
    )


def _leads(campaign: Campaign) -> QuerySet[Lead]:
    return Lead.objects.filter(kind=PRESETS[Preset(campaign.preset)].lead_kind)


def _latest_items(leads: QuerySet[Lead]) -> QuerySet[ContentItem]:
    numbered = ContentItem.objects.filter(lead__in=leads).annotate(
        nth=Window(
            RowNumber(),
            partition_by="lead_id",
            order_by=[F("published_at").desc(nulls_last=True), F("pk").desc()],
        )
    )
    return numbered.filter(nth__lte=LATEST_ITEMS)


# Reading


class _CandidateRow(NamedTuple):
    pk: int
    reference: str
    name: str
    skills: list[str]
    keywords: list[str]
    industries: list[str]
    starts_on: date | None
    visa: str
    location: str
    remote_only: bool
    reason: str


class _LeadRow(NamedTuple):
    pk: int
    name: str
    keywords: list[str]
    industries: list[str]
    location: str
    is_remote: bool
    visa_sponsorship: str
    organization: int | None
    industry: str | None
    employees: int | None
    reason: str


class _Pool:
    """Everything that is read, once, for all pairs of a campaign (or for one)."""

    def __init__(
        self,
        campaign: Campaign,
        *,
        today: date,
        candidate: Candidate | None = None,
        lead: Lead | None = None,
    ) -> None:
        self.campaign, self.today = campaign, today
        self.preset = PRESETS[Preset(campaign.preset)]
        self.is_placement = campaign.preset == Preset.PLACEMENT
        self.all = candidate is None
        self.placements = self._placements()
        self._read_candidates(candidate)
        self._read_leads(lead)
        self.candidate_ids = np.array([row.pk for row in self.candidates], np.int64)
        self.lead_ids = np.array([row.pk for row in self.leads], np.int64)
        self._read_pairs()
        self.scores = self._scores()
        self.urgent = frozenset(
            row.pk for row in self.candidates if urgency(row, today=today).urgent
        )

    # Candidates

    def _candidate_conditions(self) -> list[tuple[str, Q]]:
        placed = Q(status=Candidate.Status.PLACED)
        placed |= Q(pk__in=Placement.objects.filter(status__in=Taken).values("candidate"))
        conditions = [
            ("wrong_candidate_kind", ~Q(kind__in=self.preset.candidate_kinds)),
            ("placed", placed),
            ("not_active", ~Q(status=Candidate.Status.ACTIVE)),
        ]
        if self.is_placement:  # a guest's date says only from when on
            conditions.append(("start_passed", Q(starts_on__lt=self.today)))
        return conditions

    def _read_candidates(self, one: Candidate | None) -> None:
        rows = self.campaign.candidates.all() if one is None else _only(Candidate, one.pk)
        asked = rows.annotate(reason=_first_reason(self._candidate_conditions()))
        found = [
            _CandidateRow(*row)
            for row in asked.order_by("pk").values_list(*_CandidateRow._fields)
        ]
        self.candidates_in_all = len(found)
        self.candidates = [row for row in found if not row.reason or one is not None]
        self.candidates_out = Counter(row.reason for row in found if row.reason)
        self.not_pitchable = [
            (row.reference, urgency(row, today=self.today).reason)
            for row in found
            if row.reason == "start_passed"
        ]

    # Leads

    def _lead_conditions(self) -> list[tuple[str, Q]]:
        conditions = [
            ("merged", Q(merged_into__isnull=False)),
            ("closed", Q(closed_at__isnull=False)),
            ("suppressed", Q(suppressed_at__isnull=False)),
            ("demo_mixed", ~Q(is_demo=self.campaign.is_demo)),
            ("do_not_contact", Q(organization__do_not_contact=True)),
            ("follow_up_date", Q(organization__follow_up_date__gt=self.today)),
        ]
        least = self._targeted("min_score")
        if isinstance(least, (int, float, str, Decimal)):
            mark = Decimal(str(least))
            conditions.append(("below_min_score", Q(score__lt=mark) | Q(score=None)))
        busy = [
            organization
            for organization, count in self.interviews.items()
            if count > OPEN_INTERVIEWS
        ]
        if busy:
            conditions.append(("interviews_full", Q(organization__in=busy)))
        return conditions

    def _targeted(self, key: str) -> Any:
        targeting = self.campaign.targeting
        return targeting.get(key) if isinstance(targeting, dict) else None

    def _read_leads(self, one: Lead | None) -> None:
        rows = _leads(self.campaign) if one is None else _only(Lead, one.pk)
        asked = rows.annotate(
            reason=_first_reason(self._lead_conditions()),
            industry=F("organization__industry"),
            employees=F("organization__employees"),
        )
        if one is None:
            counted = asked.order_by().values_list("reason").annotate(Count("pk"))
            self.leads_out = Counter({reason: count for reason, count in counted if reason})
            asked = asked.filter(reason="")
        else:
            self.leads_out = Counter()
        found = [_LeadRow(*row) for row in asked.order_by("pk").values_list(*_LeadRow._fields)]
        targeted = self._industries_targeted(found), self._sizes_targeted(found)
        self.leads = []
        for row, in_industry, in_size in zip(found, *targeted, strict=True):
            reason = (
                "industry_not_targeted"
                if not in_industry
                else "size_not_targeted" if not in_size else ""
            )  # fmt: skip
            if reason:
                self.leads_out[reason] += 1
            if not reason or one is not None:
                self.leads.append(row)
        self.leads_in_all = len(self.leads) + (
            sum(self.leads_out.values()) if one is None else 0
        )

    def _industries_targeted(self, rows: Sequence[_LeadRow]) -> Sequence[bool]:
        wanted = self._targeted("industries")
        if not wanted or not isinstance(wanted, list):
            return [True] * len(rows)
        texts = [_industries(row) for row in rows]
        names = sorted({text for told in texts for text in told})
        fits = list(np.any(likeness.alike([str(name) for name in wanted], names), axis=0))
        good = {name for name, fit in zip(names, fits, strict=True) if fit}
        return [bool(good.intersection(told)) for told in texts]

    def _sizes_targeted(self, rows: Sequence[_LeadRow]) -> Sequence[bool]:
        spans = [span for size in _listed(self._targeted("sizes")) if (span := _span(size))]
        if not spans:
            return [True] * len(rows)
        # An unknown size is not a wrong one.
        return [
            row.employees is None or any(low <= row.employees <= high for low, high in spans)
            for row in rows
        ]

    # Placements

    def _placements(self) -> list[tuple[Any, ...]]:
        self.interviews: Counter[int] = Counter()
        self.endings: dict[int, list[date]] = defaultdict(list)
        self.interns: dict[int, list[tuple[date | None, date | None]]] = defaultdict(list)
        self.lost: Counter[int] = Counter()
        if not self.is_placement:
            return []
        rows = Placement.objects.filter(kind=Placement.Kind.INTERNSHIP).values_list(
            "status", "lead", "lead__organization", "starts_on", "ends_on", "lead__ends_on"
        )
        found = list(rows)
        for status, lead, organization, starts_on, ends_on, lead_ends_on in found:
            if status in Placement.LOST:
                self.lost[lead] += 1
            if organization is None:
                continue
            last = ends_on or lead_ends_on
            if status == Placement.Status.INTERVIEW:
                self.interviews[organization] += 1
            if status in Placement.TAKEN and last:
                self.endings[organization].append(last)
            if status in Taken:
                self.interns[organization].append((starts_on, last))
        return found

    # Pairs

    def _read_pairs(self) -> None:
        ours = Match.objects.filter(campaign=self.campaign)
        pitched = Match.objects.filter(pitch__isnull=False, lead__kind=self.preset.lead_kind)
        if self.all:
            pitched = pitched.filter(candidate__in=self.campaign.candidates.all())
        else:
            one = {"candidate": self.candidates[0].pk, "lead": self.leads[0].pk}
            ours, pitched = ours.filter(**one), pitched.filter(**one)
        matches = list(ours.values_list("pk", "candidate", "lead", "status", "score", "cycle"))
        self.known = _Pairs(
            self, [(candidate, lead) for _, candidate, lead, *_ in matches], matches
        )
        self.pitched = _Pairs(self, list(pitched.values_list("candidate", "lead")))

    # Scores

    def _scores(self) -> match_scores.Scores:
        if self.is_placement:
            return self._placement_scores()
        own = match_scores.keyword_set(
            [*self.campaign.keywords, *self.campaign.questionnaire_keywords]
        )
        vectors = self._vectors(
            Candidate.objects.filter(pk__in=self.candidate_ids.tolist()), candidate_text
        )
        if self.campaign.preset == Preset.PODCAST:
            (vector,) = self._vectors(
                Campaign.objects.filter(pk=self.campaign.pk), campaign_text
            ).values() or [None]
            if vector is not None:
                wishes = [match_scores.Wish(vector, own)]
                wish_of = np.zeros(len(self.candidates), np.int64)
            else:
                wishes = [
                    match_scores.Wish(
                        vectors.get(row.pk),
                        own or match_scores.keyword_set([*row.keywords, *row.skills]),
                    )
                    for row in self.candidates
                ]
                wish_of = np.arange(len(self.candidates))
            names = frozenset().union(*(wish.keywords for wish in wishes))
            return match_scores.GuestScores(wishes, wish_of, self._items(names))
        wishes = [
            match_scores.Wish(
                vectors.get(row.pk),
                own | match_scores.keyword_set([*row.keywords, *row.skills, *row.industries]),
            )
            for row in self.candidates
        ]
        texts = dict(
            Lead.objects.filter(pk__in=self.lead_ids.tolist()).values_list("pk", "text")
        )
        spoken = [
            "\n".join([row.name, texts.get(row.pk, ""), *row.keywords, *row.industries])
            for row in self.leads
        ]
        return match_scores.ProductScores(wishes, self._leads_told(), spoken)

    def _vectors(self, rows: QuerySet, text: Any) -> dict[int, embeddings.Vector]:
        ids, vectors = embeddings.matrix(rows, text=text)
        return dict(zip(ids.tolist(), vectors, strict=True))

    def _leads_told(
        self, names: Iterable[str] = (), *, without: Iterable[int] = ()
    ) -> match_scores.Told:
        """The leads' own texts, but for those `without`.

        A lead that has no keywords has those of `names` that its text contains: without them
        the score would rest on vectors alone.
        """
        skipped = set(without)
        wanted = [pk for pk in self.lead_ids.tolist() if pk not in skipped]
        leads = Lead.objects.filter(pk__in=wanted)
        ids, vectors = embeddings.matrix(leads, text=lead_text)
        columns = np.searchsorted(self.lead_ids, ids)
        order = np.argsort(columns, kind="stable")
        rows = [self.leads[column] for column in columns[order]]
        silent = leads.filter(keywords=[]).values_list("pk", "name", _beginning("text"))
        found = _said(names, silent)
        return match_scores.Told(
            vectors=vectors[order],
            lead=columns[order],
            keywords=[
                found.get(row.pk, frozenset())
                | match_scores.keyword_set([*row.keywords, *row.industries])
                for row in rows
            ],
            titles=[row.name for row in rows],
            leads=len(self.leads),
        )

    def _items(self, names: Iterable[str]) -> match_scores.Told:
        """The latest items of each lead; the lead's own text where it has none."""
        names = list(names)
        items = _latest_items(Lead.objects.filter(pk__in=self.lead_ids.tolist()))
        told = {
            pk: (lead, title, keywords)
            for pk, lead, title, keywords in items.values_list(
                "pk", "lead_id", "title", "keywords"
            )
        }
        shows = {row.pk: row for row in self.leads}
        silent = items.filter(keywords=[], lead__keywords=[])
        summary = Coalesce(NullIf("summary", Value("")), "text")
        found = _said(names, silent.values_list("pk", "title", _beginning(summary)))
        ids, vectors = embeddings.matrix(items, text=item_text)
        leads_of = np.array([told[pk][0] for pk in ids.tolist()], np.int64)
        rest = self._leads_told(names, without=leads_of.tolist())
        columns = np.concatenate([np.searchsorted(self.lead_ids, leads_of), rest.lead])
        order = np.argsort(columns, kind="stable")
        keywords = [
            found[pk]
            if pk in found
            else match_scores.keyword_set(told[pk][2] or shows[told[pk][0]].keywords)
            for pk in ids.tolist()
        ] + list(rest.keywords)
        titles = [told[pk][1] for pk in ids.tolist()] + list(rest.titles)
        return match_scores.Told(
            vectors=np.concatenate([vectors, rest.vectors])[order],
            lead=columns[order].astype(np.int64),
            keywords=[keywords[number] for number in order],
            titles=[titles[number] for number in order],
            leads=len(self.leads),
        )

    def _placement_scores(self) -> match_scores.Scores:
        texts = dict(
            Lead.objects.filter(pk__in=self.lead_ids.tolist()).values_list("pk", "text")
        )
        seekers = [
            match_scores.Seeker(_distinct(row.industries), row.skills, row.starts_on)
            for row in self.candidates
        ]
        roles = [
            match_scores.Role(
                industries=_industries(row),
                names=[row.name, *row.keywords],
                text=texts.get(row.pk, ""),
                endings=self.endings.get(row.organization or 0, ()),
                lost_deals=self.lost[row.pk],
            )
            for row in self.leads
        ]
        return match_scores.PlacementScores(seekers, roles)

    # Masks of a block of leads, one after the other

    def masks(self, leads: slice) -> Iterable[tuple[str, Mask]]:
        """Each pair filter with the pairs it holds: a row for each candidate."""
        yield "declined_before", self.known.mask(leads, declined=True)
        yield "already_matched", self.known.mask(leads)
        yield "already_pitched", self.pitched.mask(leads)
        if not self.is_placement:
            return
        rows = self.leads[leads]
        is_remote = np.array([row.is_remote for row in rows], np.bool_)
        only_remote = np.array([row.remote_only for row in self.candidates], np.bool_)
        yield "remote_only", only_remote[:, None] & ~is_remote[None, :]
        yield "location_mismatch", self._elsewhere(rows) & ~is_remote[None, :]
        needs = np.array([row.visa == Candidate.Visa.YES for row in self.candidates], np.bool_)
        refuses = np.array([row.visa_sponsorship == Lead.Visa.NO for row in rows], np.bool_)
        yield "visa_mismatch", needs[:, None] & refuses[None, :]
        yield "interns_full", self._interns_full(rows)
        excluded = self.scores.excluded(leads)
        if excluded is not None:
            yield "no_industry_match", excluded

    def _elsewhere(self, rows: Sequence[_LeadRow]) -> Mask:
        wanted = _numbered(row.location for row in self.candidates)
        offered = _numbered(row.location for row in rows)
        apart = np.array(
            [[not likeness.places_meet(one, other) for other in offered] for one in wanted],
            np.bool_,
        ).reshape(len(wanted), len(offered))
        here = [wanted[row.location] for row in self.candidates]
        there = [offered[row.location] for row in rows]
        found: Mask = apart[here][:, there]
        return found

    def _interns_full(self, rows: Sequence[_LeadRow]) -> Mask:
        full = np.zeros((len(self.candidates), len(rows)), np.bool_)
        columns = defaultdict(list)
        for column, row in enumerate(rows):
            if row.organization in self.interns and row.employees is not None:
                columns[row.organization, row.employees].append(column)
        for (organization, employees), there in columns.items():
            for number, candidate in enumerate(self.candidates):
                day = candidate.starts_on or self.today
                busy = sum(
                    (first is None or first <= day) and (last is None or last >= day)
                    for first, last in self.interns[organization]
                )
                full[number, there] = busy * EMPLOYEES_PER_INTERN > employees
        return full

    def reasons_of_one_pair(self) -> list[str]:
        """For `explain`: every filter that holds the one pair of this pool."""
        reasons = []
        for conditions, rows in (
            (self._lead_conditions(), _only(Lead, self.leads[0].pk)),
            (self._candidate_conditions(), _only(Candidate, self.candidates[0].pk)),
        ):
            flags = {f"is_{reason}": _yes(condition) for reason, condition in conditions}
            told = rows.annotate(**flags).values(*flags).get()
            reasons += [flag.removeprefix("is_") for flag, value in told.items() if value]
        reasons += self.leads_out
        reasons += [reason for reason, mask in self.masks(slice(0, 1)) if mask[0, 0]]
        return reasons


class _Pairs:
    """Pairs of ids as places in the arrays; pairs that are not in the pool are left out."""

    def __init__(
        self, pool: _Pool, pairs: Sequence[tuple[int, int]], matches: Sequence[Any] = ()
    ) -> None:
        ids = np.array(pairs, np.int64).reshape(-1, 2)
        rows, in_rows = _places(pool.candidate_ids, ids[:, 0])
        columns, in_columns = _places(pool.lead_ids, ids[:, 1])
        kept = np.flatnonzero(in_rows & in_columns)
        kept = kept[np.argsort(columns[kept], kind="stable")]
        self.rows, self.columns = rows[kept], columns[kept]
        self.matches = [matches[number] for number in kept.tolist()] if matches else []
        self.declined = np.array(
            [match[3] == Match.Status.DECLINED for match in self.matches], np.bool_
        )
        waiting = {*OPEN, Match.Status.APPROVED}
        self.waits = np.array([match[3] in waiting for match in self.matches], np.bool_)
        self.height = len(pool.candidates)

    def waiting(self, leads: slice) -> tuple[NDArray, NDArray]:
        """Places of the matches of a block that are suggested or approved and not pitched."""
        inside = self.within(leads)
        chosen = self.waits[inside]
        return self.rows[inside][chosen], self.columns[inside][chosen] - leads.start

    def within(self, leads: slice) -> slice:
        """Which of these pairs lie in a block of leads."""
        first, last = np.searchsorted(self.columns, [leads.start, leads.stop])
        return slice(int(first), int(last))

    def mask(self, leads: slice, *, declined: bool = False) -> Mask:
        found = np.zeros((self.height, leads.stop - leads.start), np.bool_)
        inside = self.within(leads)
        rows, columns = self.rows[inside], self.columns[inside] - leads.start
        if declined:
            chosen = self.declined[inside]
            rows, columns = rows[chosen], columns[chosen]
        found[rows, columns] = True
        return found


def _places(ids: NDArray[np.int64], wanted: NDArray[np.int64]) -> tuple[NDArray, Mask]:
    if not len(ids):
        return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), np.bool_)
    places = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    return places, ids[places] == wanted


def _only(model: type[models.Model], pk: int) -> QuerySet:
    return model._default_manager.filter(pk=pk)


def _first_reason(conditions: Sequence[tuple[str, Q]]) -> Case:
    return Case(
        *(When(condition, then=Value(reason)) for reason, condition in conditions),
        default=Value(""),
        output_field=CharField(),
    )


def _yes(condition: Q) -> Case:
    return Case(When(condition, then=Value(True)), default=Value(False))


def _beginning(text: Any) -> Left:
    """What is searched for keywords of a text."""
    return Left(text, TEXT_SEARCHED)


def _said(
    names: Iterable[str], texts: Iterable[tuple[int, str, str]]
) -> dict[int, frozenset[str]]:
    """Which of the names occur in each title or text, by id."""
    names, rows = list(names), list(texts)
    if not names:
        return {}
    found = match_scores.spoken(names, [f"{title}\n{text}" for _, title, text in rows])
    return {
        row[0]: frozenset(name for name, is_said in zip(names, said, strict=True) if is_said)
        for row, said in zip(rows, found.T, strict=True)
    }


def _industries(row: _LeadRow) -> list[str]:
    """The role's own, else its organization's, else its title (H003-07)."""
    return row.industries or ([row.industry] if row.industry else [row.name])


def _distinct(names: Iterable[str]) -> list[str]:
    return list({likeness.plain(name): name for name in reversed(list(names))}.values())[::-1]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value else []


def _span(size: Any) -> tuple[int, float] | None:
    """ "11-50", "1000+", 30 or [11, 50] as the least and the most employees."""
    if isinstance(size, (list, tuple)):
        told = [str(number) for number in size]
    else:
        told = str(size).replace("\u2013", "-").split("-")
    numbers = [
        int(digits) for part in told if (digits := part.strip(" +").replace(",", "")).isdigit()
    ]
    if not numbers:
        return None
    if len(numbers) > 1:
        return numbers[0], numbers[1]
    is_open = str(size).strip().endswith("+")
    return numbers[0], float("inf") if is_open else numbers[0]


def _numbered(names: Iterable[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(dict.fromkeys(names))}


# Choosing


def _choose(campaign: Campaign, pool: _Pool, *, most: int | None) -> Plan:
    mark = threshold(campaign)
    least = int(mark * 100)
    if pool.preset.keep_above is not None:
        least = min(least, int(pool.preset.keep_above * 100) + 1)
    height, width = len(pool.candidates), len(pool.leads)
    out: Counter[str] = Counter()
    for reason, leads in pool.leads_out.items():
        out[reason] = leads * pool.candidates_in_all
    for reason, candidates in pool.candidates_out.items():
        out[reason] = candidates * width
    scored = 0
    found = [_Found.none()]
    renewed: list[tuple[int, int, int]] = []
    at_once = max(1, PAIRS_AT_ONCE // max(height, 1))
    for start in range(0, width if height else 0, at_once):
        block = slice(start, min(start + at_once, width))
        alive = np.ones((height, block.stop - block.start), np.bool_)
        left = alive.size
        for reason, mask in pool.masks(block):
            alive &= ~mask
            still = int(np.count_nonzero(alive))
            out[reason] += left - still
            left = still
        scores = pool.scores.block(block)
        scored += left
        rows, columns = np.nonzero(alive & (scores >= least))
        out["below_mark"] += left - len(rows)
        waiting = pool.known.waiting(block)
        both = _Found(
            np.concatenate([rows, waiting[0]]),
            np.concatenate([columns, waiting[1]]) + start,
            np.concatenate([scores[rows, columns], scores[waiting]]),
            np.arange(len(rows) + len(waiting[0])) < len(rows),
        )
        best = both.best(pool, of_each="lead", most=pool.preset.candidates_per_lead)
        out["beyond_best"] += len(rows) - int(np.count_nonzero(best.is_new))
        found.append(best)
        renewed += _renewed(pool, block, scores)
    whole = _Found(*(np.concatenate([part[n] for part in found]) for n in range(4)))
    best = whole.best(pool, of_each="candidate", most=pool.preset.leads_per_candidate)
    out["beyond_best"] += int(np.count_nonzero(whole.is_new) - np.count_nonzero(best.is_new))
    new = best.only(best.is_new)
    order = np.lexsort(
        (pool.candidate_ids[new.rows], pool.lead_ids[new.columns], -new.values.astype(np.int64))
    )
    if most is not None and len(order) > most:
        out["beyond_most"] += len(order) - most
        order = order[:most]
    suggestions = [
        _suggestion(pool, row, column)
        for row, column in zip(
            new.rows[order].tolist(), new.columns[order].tolist(), strict=True
        )
    ]
    moved = [_suggestion(pool, row, column, match) for row, column, match in renewed]
    known = len(pool.known.matches)
    outcome = Suggested(
        campaign=campaign.slug,
        leads=pool.leads_in_all,
        candidates=pool.candidates_in_all,
        pairs=pool.leads_in_all * pool.candidates_in_all,
        filtered=[
            Filtered(reason, sentence, out[reason])
            for reason, sentence in REASONS.items()
            if out[reason]
        ],
        scored=scored,
        created=len(suggestions),
        updated=len(moved),
        unchanged=known - len(moved),
        to_review=sum(suggestion.score >= mark for suggestion in suggestions),
        not_pitchable=pool.not_pitchable,
    )
    return Plan(outcome, suggestions, moved, pool.urgent)


class _Found(NamedTuple):
    """Pairs worth keeping, by their places; those that are no match yet are new."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    values: NDArray[np.int16]
    is_new: Mask

    @classmethod
    def none(cls) -> _Found:
        nowhere = np.zeros(0, np.int64)
        return cls(nowhere, nowhere, np.zeros(0, np.int16), np.zeros(0, np.bool_))

    def only(self, chosen: NDArray) -> _Found:
        return _Found(*(part[chosen] for part in self))

    def best(self, pool: _Pool, *, of_each: str, most: int) -> _Found:
        """The `most` highest of each lead or candidate, and all that are matches already.

        Those that wait for a decision count: a second run does not suggest the next best, but
        what is better than what waits still comes through.
        """
        group = self.columns if of_each == "lead" else self.rows
        if not len(group):
            return self
        # Sorted whole instead of a partition per group, which crawls where many values tie.
        spread = _spread(pool, self.rows, self.columns)
        order = np.lexsort((spread, self.is_new, -self.values.astype(np.int64), group))
        in_order = group[order]
        starts = np.flatnonzero(np.diff(in_order, prepend=in_order[0] - 1))
        sizes = np.diff(np.append(starts, len(order)))
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order)) - np.repeat(starts, sizes)
        return self.only((rank < most) | ~self.is_new)


def _spread(pool: _Pool, rows: NDArray, columns: NDArray) -> NDArray[np.uint64]:
    """A fixed number for each pair, by which ties are broken.

    Placement scores tie by the thousand; taking the lowest id would suggest the same few leads
    to everybody.
    """
    mixed = pool.candidate_ids[rows].astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= pool.lead_ids[columns].astype(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F)
    mixed ^= mixed >> np.uint64(31)
    mixed *= np.uint64(0xD6E8FEB86659FD93)
    spread: NDArray[np.uint64] = mixed >> np.uint64(32)
    return spread


def _renewed(pool: _Pool, block: slice, scores: NDArray) -> list[tuple[int, int, int]]:
    """Open matches of this block whose score moved: row, column, id."""
    found = []
    inside = pool.known.within(block)
    for place in range(inside.start, inside.stop):
        pk, _, _, status, score, _ = pool.known.matches[place]
        row, column = int(pool.known.rows[place]), int(pool.known.columns[place])
        if status in OPEN and abs(points(scores[row, column - block.start]) - score) > MOVED:
            found.append((row, column, pk))
    return found


def _suggestion(pool: _Pool, row: int, column: int, match: int | None = None) -> Suggestion:
    parts = pool.scores.parts(row, column)
    candidate = int(pool.candidate_ids[row])
    return Suggestion(
        candidate=candidate,
        lead=int(pool.lead_ids[column]),
        score=points(sum(part.hundredths for part in parts)),
        parts=_told(parts),
        reasoning=_sentence(parts),
        urgent=candidate in pool.urgent,
        match=match,
    )


# Writing


def _write(campaign: Campaign, planned: Plan, *, now: datetime) -> None:
    planned.outcome.created = bulk.insert_new(
        Match,
        [
            "campaign",
            "candidate",
            "lead",
            "score",
            "parts",
            "reasoning",
            "urgent",
            "suggested_at",
        ],
        (
            (
                campaign.pk,
                new.candidate,
                new.lead,
                new.score,
                new.parts,
                new.reasoning,
                new.urgent,
                now,
            )
            for new in planned.new
        ),
    )
    planned.outcome.updated = _score_again(planned.moved)
    refresh_urgency(campaign, urgent=planned.urgent)
    planned.outcome.to_review = hand_to_review(campaign)


def _score_again(moved: Sequence[Suggestion]) -> int:
    if not moved:
        return 0
    table = connection.ops.quote_name(Match._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET score = told.score, parts = told.parts, "
            "reasoning = told.reasoning "
            "FROM unnest(%s::bigint[], %s::numeric[], %s::jsonb[], %s::text[]) "
            "AS told(id, score, parts, reasoning) "
            f"WHERE {table}.id = told.id AND status = ANY(%s)",
            [
                [suggestion.match for suggestion in moved],
                [suggestion.score for suggestion in moved],
                [json.dumps(suggestion.parts) for suggestion in moved],
                [suggestion.reasoning for suggestion in moved],
                [str(status) for status in OPEN],
            ],
        )
        return int(cursor.rowcount)


def refresh_urgency(campaign: Campaign, *, urgent: Iterable[int]) -> int:
    """Mark the undecided and approved matches of these candidates urgent, and no others.

    Answers how many changed. Urgency comes with the days, so it is renewed with each run.
    """
    waiting = Match.objects.filter(campaign=campaign, status__in=[*OPEN, Match.Status.APPROVED])
    chosen = list(urgent)
    return waiting.filter(candidate__in=chosen, urgent=False).update(
        urgent=True
    ) + waiting.exclude(candidate__in=chosen).filter(urgent=True).update(urgent=False)


def hand_to_review(campaign: Campaign) -> int:
    """Open one decision for each suggested match that may be pitched; answer how many.

    The step between score and people: a check of fit by a model sits here, between `suggested`
    and `to_review`, and where there is no model every match goes on to a person (S000-040).
    Matches below the threshold stay suggested: nobody is asked about what may not be pitched.
    """
    ready = Match.objects.filter(
        campaign=campaign, status=Match.Status.SUGGESTED, score__gte=threshold(campaign)
    )
    rows = list(ready.select_for_update().values_list("pk", "urgent"))
    if not rows:
        return 0
    Match.objects.filter(pk__in=[pk for pk, _ in rows]).move(Match.Status.TO_REVIEW)
    bulk.insert_new(
        ReviewTask,
        ["kind", "campaign", "match", "risk"],
        (
            (ReviewTask.Kind.MATCH.value, campaign.pk, pk, int(is_urgent))
            for pk, is_urgent in rows
        ),
    )
    return len(rows)
