"""Suggesting matches for 2,003 candidates and 1,096 roles, against a loop over the pairs."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np

from bench import _roles
from bench.harness import Results, queries, timed
from campaigns.models import Campaign, Candidate
from pitches import matching
from pitches.matching import likeness, locations, placement_scores, scores
from pitches.models import Match, Placement
from prospects.models import Lead

SAMPLE = 1_000


def run(results: Results) -> None:
    campaign = _roles.fill(results)
    part = _part(campaign)
    first, few = queries(lambda: matching.suggest(part, now=_roles.NOW))
    duration, told = timed(lambda: matching.suggest(campaign, now=_roles.NOW))
    results.fact("pairs", f"{told.pairs:,}")
    for row in told.filtered:
        results.fact(f"  {row.reason}", f"{row.pairs:,}")
    results.fact("matches made, with their reviews", f"{told.created:,}")
    results.check("suggest, with rows written, seconds", duration <= 5, duration, "at most 5 s")
    again, same = timed(lambda: matching.suggest(campaign, now=_roles.NOW))
    results.fact("the same again, seconds", again)
    results.check(
        "matches that a second run makes or changes",
        not same.created + same.updated,
        same.created + same.updated,
        "none",
    )

    per_pair, pairs = _loop(campaign)
    looped = per_pair * told.pairs
    results.note(
        f"The loop ran over {len(pairs)} pairs drawn by lot, {per_pair * 1000:.2f} ms each; "
        f"its time for all {told.pairs:,} is that, multiplied."
    )
    results.pair("suggest against the loop", ours=duration, theirs=looped, at_least=300)
    results.check(
        "pairs on which loop and arrays score differently",
        not (wrong := _differences(campaign, pairs)),
        len(wrong),
        "none",
    )

    Match.objects.all().delete()
    second, _ = queries(lambda: matching.suggest(campaign, now=_roles.NOW))
    results.check(
        f"queries for {few.pairs:,} and for {told.pairs:,} pairs",
        first == second,
        f"{first}, {second}",
        "equal",
    )
    _scoring(campaign, results)


def _part(campaign: Campaign) -> Campaign:
    """A campaign of the same client with the first hundred candidates."""
    part = Campaign.objects.create(
        client=campaign.client, name="Part", slug="part", preset=campaign.preset
    )
    part.candidates.set(campaign.candidates.order_by("pk")[:100])
    return part


def _loop(campaign: Campaign) -> tuple[float, list[tuple[int, int, Any]]]:
    """Seconds per pair when each is looked at by itself, as the earlier system did."""
    luck = Random(1)
    candidates = list(campaign.candidates.values_list("pk", flat=True))
    leads = list(Lead.objects.values_list("pk", flat=True))
    drawn = [(luck.choice(candidates), luck.choice(leads)) for _ in range(SAMPLE)]

    def work() -> list[tuple[int, int, Any]]:
        return [(one, other, _score(campaign, one, other)) for one, other in drawn]

    duration, pairs = timed(work)
    return duration / SAMPLE, pairs


def _score(campaign: Campaign, candidate_id: int, lead_id: int) -> Any:
    candidate = Candidate.objects.get(pk=candidate_id)
    lead = Lead.objects.select_related("organization").get(pk=lead_id)
    Match.objects.filter(campaign=campaign, candidate=candidate, lead=lead).exists()
    Match.objects.filter(candidate=candidate, lead=lead, pitch__isnull=False).exists()
    there = Placement.objects.filter(lead__organization=lead.organization_id)
    there.filter(status=Placement.Status.INTERVIEW).count()
    endings = [row.ends_on for row in there.filter(status__in=Placement.TAKEN) if row.ends_on]
    lost = Placement.objects.filter(lead=lead, status__in=Placement.LOST).count()
    locations.meet(candidate.location, lead.location)
    organization = lead.organization
    industry = organization.industry if organization else ""
    texts = lead.industries or [industry or lead.name]
    score = 0
    for place, weight in ((0, placement_scores.INDUSTRY_1), (1, placement_scores.INDUSTRY_2)):
        if place < len(candidate.industries):
            found = likeness.alike([candidate.industries[place]], texts)
            score += weight * bool(found.any())
    names = [lead.name, *lead.keywords, *([lead.text] if lead.text else [])]
    found = [likeness.alike([skill], names).any() for skill in candidate.skills]
    score += round(placement_scores.SKILLS * min(sum(found), 3) / 3)
    fits = [
        day
        for day in endings
        if candidate.starts_on and 0 <= (day - candidate.starts_on).days <= 14
    ]
    score += placement_scores.START_FITS if fits else 0
    score += placement_scores.LOST_DEALS if lost >= placement_scores.TOO_MANY_LOST else 0
    return scores.points(min(max(score, 0), scores.FULL))


def _differences(campaign: Campaign, pairs: list[tuple[int, int, Any]]) -> list[Any]:
    pool = matching.pool_of(campaign, now=_roles.NOW)
    rows = {pk: n for n, pk in enumerate(pool.candidate_ids.tolist())}
    columns = {pk: n for n, pk in enumerate(pool.lead_ids.tolist())}
    whole = pool.scores.block(slice(0, len(columns)))
    return [
        (one, other)
        for one, other, score in pairs
        if one in rows
        and other in columns
        and scores.points(whole[rows[one], columns[other]]) != score
    ]


def _scoring(campaign: Campaign, results: Results) -> None:
    pool = matching.pool_of(campaign, now=_roles.NOW)
    everything = slice(0, len(pool.leads))
    scoring, _ = timed(lambda: pool.scores.block(everything), rounds=9)
    one = np.random.default_rng(1).random((len(pool.candidates), 256), np.float32)
    other = np.random.default_rng(2).random((256, len(pool.leads)), np.float32)
    product, _ = timed(lambda: one @ other, rounds=9)
    results.pair(
        "scoring all pairs against 3 products of matrices with 256 numbers",
        ours=scoring,
        theirs=3 * product,
        at_least=1,
    )
