"""One pair: every filter that holds it, and how its score came about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from campaigns.models import Campaign, Candidate
from pitches.matching import filters, pair_filters
from pitches.matching.pool import Pool, today_of
from pitches.matching.presets import threshold
from pitches.matching.reasons import REASONS
from pitches.matching.scores import points, sentence, told
from pitches.urgency import urgency
from prospects.models import Lead


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


def explain(
    candidate: Candidate, lead: Lead, campaign: Campaign, *, now: datetime
) -> Explanation:
    """All filters that hold this pair, and its score as if none did."""
    today = today_of(campaign, now)
    pool = Pool(campaign, today=today, candidate=candidate, lead=lead)
    parts = pool.scores.parts(0, 0)
    how_urgent = urgency(candidate, today=today)
    return Explanation(
        candidate=candidate.name,
        lead=lead.name,
        filters=[(reason, REASONS[reason]) for reason in _holding(pool, candidate, lead)],
        score=points(sum(part.hundredths for part in parts)),
        threshold=threshold(campaign),
        parts=told(parts),
        reasoning=sentence(parts),
        urgent=how_urgent.urgent,
        urgency=how_urgent.reason,
    )


def _holding(pool: Pool, candidate: Candidate, lead: Lead) -> list[str]:
    """The reasons that hold the one pair of this pool."""
    of_leads = filters.of_leads(pool.campaign, pool.placements, today=pool.today)
    of_candidates = filters.of_candidates(pool.campaign, today=pool.today)
    of_pair = pair_filters.masks(pool, slice(0, 1))
    return [
        *filters.holding(lead, of_leads),
        *filters.holding(candidate, of_candidates),
        *pool.leads_out,
        *(reason for reason, mask in of_pair if mask[0, 0]),
    ]
