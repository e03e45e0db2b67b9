"""What each preset looks for, and the score its matches need to be pitched."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from campaigns.ai import embeddings
from campaigns.models import Campaign, Candidate
from prospects.models import Lead

Preset = Campaign.Preset


@dataclass(frozen=True)
class LookedFor:
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
    Preset.PODCAST: LookedFor(Lead.Kind.PODCAST, (Candidate.Kind.GUEST,), None, None, 200, 25),
    # Three roles are tried for a candidate at a time (S003-052): 30 are ten rounds. A popular
    # role is wanted by hundreds who score the same, and each of them may be in three pitches
    # only (C31): 60 still find three who are free. Kept above 10, pitched from 20 (H003-01).
    Preset.PLACEMENT: LookedFor(
        Lead.Kind.ROLE, (Candidate.Kind.INTERN,), Decimal(10), Decimal(20), 30, 60
    ),
    Preset.CREATOR: LookedFor(
        Lead.Kind.CREATOR,
        (Candidate.Kind.PRODUCT, Candidate.Kind.GUEST),
        None,
        Decimal(20),
        200,
        25,
    ),
    Preset.PRODUCT: LookedFor(
        Lead.Kind.BUYER, (Candidate.Kind.PRODUCT,), None, Decimal(20), 200, 25
    ),
}


def looked_for(campaign: Campaign) -> LookedFor:
    """What this campaign looks for."""
    return PRESETS[Preset(campaign.preset)]


def threshold(campaign: Campaign) -> Decimal:
    """The score, from 0 to 100, that a match of this campaign needs to be pitched (H000-02,
    H003-01).

    The campaign's own, else its preset's; for guests it depends on the embedding model, since
    each model's likeness has a scale of its own.
    """
    if campaign.match_threshold is not None:
        return Decimal(campaign.match_threshold)
    of_preset = looked_for(campaign).threshold
    return embeddings.embedder().match_threshold if of_preset is None else of_preset
