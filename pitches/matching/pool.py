"""Everything that is read, once, for all pairs of a campaign (or for one)."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
from django.db.models import Count, F, QuerySet

from campaigns.models import Campaign, Candidate
from pitches.matching import filters, placements, scoring
from pitches.matching.pairs import Matches, MatchRow, Pairs
from pitches.matching.presets import Preset, looked_for
from pitches.matching.rows import CandidateRow, LeadRow
from pitches.models import Match
from pitches.urgency import urgency
from prospects.models import Lead


def pool_of(campaign: Campaign, *, now: datetime) -> Pool:
    """All candidates and leads of a campaign, with their scores."""
    return Pool(campaign, today=today_of(campaign, now))


def today_of(campaign: Campaign, now: datetime) -> date:
    """The day it is where the campaign is."""
    return now.astimezone(ZoneInfo(campaign.time_zone)).date()


class Pool:
    """The candidates and leads that no filter holds, and how many each filter does.

    With `candidate` and `lead` the pool is this one pair, held or not. A handful of queries.
    """

    def __init__(
        self,
        campaign: Campaign,
        *,
        today: date,
        candidate: Candidate | None = None,
        lead: Lead | None = None,
    ) -> None:
        self.campaign, self.today = campaign, today
        self.preset = looked_for(campaign)
        is_placement = campaign.preset == Preset.PLACEMENT
        self.placements = placements.read() if is_placement else placements.Known()
        self._read_candidates(candidate)
        self._read_leads(lead)
        self.candidate_ids = np.array([row.pk for row in self.candidates], np.int64)
        self.lead_ids = np.array([row.pk for row in self.leads], np.int64)
        self._read_pairs(is_one=candidate is not None)
        self.scores = scoring.scores(campaign, self.candidates, self.leads, self.placements)
        self.urgent = frozenset(
            row.pk for row in self.candidates if urgency(row, today=today).urgent
        )

    def _read_candidates(self, one: Candidate | None) -> None:
        rows = self.campaign.candidates.all()
        if one is not None:
            rows = Candidate.objects.filter(pk=one.pk)
        conditions = filters.of_candidates(self.campaign, today=self.today)
        asked = rows.annotate(reason=filters.first_reason(conditions)).order_by("pk")
        found = [CandidateRow(*row) for row in asked.values_list(*CandidateRow._fields)]
        self.candidates_in_all = len(found)
        self.candidates = [row for row in found if not row.reason or one is not None]
        self.candidates_out = Counter(row.reason for row in found if row.reason)
        self.not_pitchable = [
            (row.reference, urgency(row, today=self.today).reason)
            for row in found
            if row.reason == "start_passed"
        ]

    def _read_leads(self, one: Lead | None) -> None:
        rows = Lead.objects.filter(kind=self.preset.lead_kind)
        if one is not None:
            rows = Lead.objects.filter(pk=one.pk)
        conditions = filters.of_leads(self.campaign, self.placements, today=self.today)
        asked = rows.annotate(
            reason=filters.first_reason(conditions),
            industry=F("organization__industry"),
            employees=F("organization__employees"),
        )
        self.leads_out: Counter[str] = Counter()
        if one is None:
            self.leads_out += _counted(asked)
            asked = asked.filter(reason="")
        found = [LeadRow(*row) for row in asked.order_by("pk").values_list(*LeadRow._fields)]
        reasons = filters.off_target(self.campaign, found)
        self.leads_out.update(reason for reason in reasons if reason)
        self.leads = [
            row
            for row, reason in zip(found, reasons, strict=True)
            if not reason or one is not None
        ]
        held = self.leads_out.total() if one is None else 0
        self.leads_in_all = len(self.leads) + held

    def _read_pairs(self, *, is_one: bool) -> None:
        ours = Match.objects.filter(campaign=self.campaign)
        pitched = Match.objects.filter(pitch__isnull=False, lead__kind=self.preset.lead_kind)
        if is_one:
            pair = {"candidate": self.candidates[0].pk, "lead": self.leads[0].pk}
            ours, pitched = ours.filter(**pair), pitched.filter(**pair)
        else:
            pitched = pitched.filter(candidate__in=self.campaign.candidates.all())
        places = self.candidate_ids, self.lead_ids
        matches = [MatchRow(*row) for row in ours.values_list(*MatchRow._fields)]
        self.matches = Matches(matches, *places)
        self.pitched = Pairs(list(pitched.values_list("candidate", "lead")), *places)


def _counted(leads: QuerySet) -> Counter[str]:
    """How many leads each reason holds."""
    rows = leads.order_by().values_list("reason").annotate(Count("pk"))
    return Counter({reason: count for reason, count in rows if reason})
