"""Planning matches, making them, and handing them to review."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import connection, transaction

from campaigns.models import Campaign
from config import bulk
from pitches.matching import choosing, texts
from pitches.matching.choosing import Plan, Suggested, Suggestion
from pitches.matching.pairs import OPEN, WAITING
from pitches.matching.pool import pool_of
from pitches.matching.presets import threshold
from pitches.models import Match, ReviewTask


class CampaignOver(Exception):
    """A campaign that has ended was asked for new matches."""

    def __init__(self, campaign: Campaign) -> None:
        super().__init__(f"{campaign} is {campaign.status}: it gets no new matches.")


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
        texts.embed(campaign)
        planned = plan(campaign, now=now, most=most)
        outcome = planned.outcome
        outcome.created = _make(campaign, planned.new, now=now)
        outcome.updated = _score_again(planned.moved)
        _renew_urgency(campaign, urgent=planned.urgent)
        outcome.to_review = _hand_to_review(campaign)
    return outcome


def plan(campaign: Campaign, *, now: datetime, most: int | None = None) -> Plan:
    """What `suggest` would do now; reads only. Raises CampaignOver."""
    if campaign.status in (Campaign.Status.COMPLETED, Campaign.Status.CANCELED):
        raise CampaignOver(campaign)
    return choosing.choose(pool_of(campaign, now=now), most=most)


def _make(campaign: Campaign, new: Iterable[Suggestion], *, now: datetime) -> int:
    fields = ("candidate", "lead", "score", "parts", "reasoning", "urgent")
    return bulk.insert_new(
        Match,
        ["campaign", *fields, "suggested_at"],
        ((campaign.pk, *(getattr(each, name) for name in fields), now) for each in new),
    )


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


def _renew_urgency(campaign: Campaign, *, urgent: frozenset[int]) -> None:
    """Mark the waiting matches of these candidates urgent, and no others.

    Urgency comes with the days, so it is renewed with each run.
    """
    waiting = Match.objects.filter(campaign=campaign, status__in=WAITING)
    waiting.filter(candidate__in=urgent, urgent=False).update(urgent=True)
    waiting.exclude(candidate__in=urgent).filter(urgent=True).update(urgent=False)


def _hand_to_review(campaign: Campaign) -> int:
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
