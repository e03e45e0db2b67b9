"""The dry run over 1,096 roles and 2,003 invented candidates: what it says and costs."""

from __future__ import annotations

import json
from collections import Counter
from io import StringIO
from typing import Any

from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bench import _roles
from bench.harness import Results, timed
from campaigns.models import Campaign
from pitches import matching
from pitches.models import Match, ReviewTask
from tests import digests

FIRST_SENTENCES = 10


def run(results: Results) -> None:
    campaign = _roles.fill(results)
    duration, suggested = timed(lambda: matching.suggest(campaign, now=_roles.NOW))
    results.fact("match_campaign, seconds", duration)
    results.fact("matches suggested", f"{suggested.created:,}")
    approved = _approve(campaign)
    results.check("open matches", approved >= 20_000, f"{approved:,}", "at least 20,000")

    few = _some(campaign)
    some_queries, _, _ = _dry_run(few)
    before = digests.of_tables()
    queries, duration, told = _dry_run(campaign)
    duration = sorted([duration, *(_dry_run(campaign)[1] for _ in range(2))])[1]
    after = digests.of_tables()
    results.check("dry run, seconds, the median of three", duration < 5, duration, "under 5 s")
    results.check(
        f"queries with {few.matches.count():,} and with {approved:,} matches",
        some_queries == queries,
        f"{some_queries}, {queries}",
        "equal",
    )
    changed = sorted(name for name in before if before[name] != after.get(name))
    results.check(
        f"tables that changed, of {len(before)}", before == after, len(changed), "none"
    )

    for name, value in told["totals"].items():
        results.fact(f"total: {name}", f"{value:,}")
    decisions = [row for row in told["decisions"] if row["kind"] == "pitch"]
    reasons = Counter((row["verdict"], row["reason"]) for row in decisions)
    for (verdict, reason), count in sorted(reasons.items()):
        results.fact(f"{verdict}, {reason}", f"{count:,}")
    pitched = sum(count for (verdict, _), count in reasons.items() if verdict == "pitch")
    results.check("roles with a pitch", pitched >= 300, pitched, "at least 300")
    held = sum(
        count
        for (verdict, reason), count in reasons.items()
        if verdict == "hold" and reason.startswith("organization")
    )
    results.check("roles held by the organization's limit", held >= 100, held, "at least 100")
    nobody = reasons["hold", "no_company_contacts"]
    expected = _roles_without_contact()
    results.check(
        "roles without anybody to write to", nobody == expected, nobody, f"{expected} have none"
    )
    for row in decisions[:FIRST_SENTENCES]:
        results.note(f"{row['verdict']}: {row['sentence']}")


def _approve(campaign: Campaign) -> int:
    """What a person would do one by one, in three statements."""
    ours = campaign.matches.filter(status=Match.Status.TO_REVIEW)
    ReviewTask.objects.filter(match__in=ours).update(
        status=ReviewTask.Status.COMPLETED,
        decision=ReviewTask.Decision.APPROVED,
        decided_at=_roles.NOW,
    )
    ours.move(Match.Status.APPROVED)
    return campaign.matches.filter(status=Match.Status.APPROVED).count()


def _some(campaign: Campaign) -> Campaign:
    """A second campaign with the first hundred of the candidates and their matches."""
    few = Campaign.objects.get(pk=campaign.pk)
    few.pk, few.slug, few.name = None, "bench-few", "Few"
    few.save()
    for link in campaign.sender_campaigns.all():
        link.pk, link.campaign = None, few
        link.save()
    few.candidates.set(campaign.candidates.order_by("pk")[:100])
    matching.suggest(few, now=_roles.NOW)
    _approve(few)
    return few


def _dry_run(campaign: Campaign) -> tuple[int, float, dict[str, Any]]:
    out = StringIO()
    with CaptureQueriesContext(connection) as captured:
        duration, _ = timed(
            lambda: call_command(
                "run_outreach_automation",
                f"--campaign={campaign.slug}",
                "--dry-run",
                "--json",
                f"--now={_roles.NOW.isoformat()}",
                stdout=out,
            )
        )
    return len(captured), duration, json.loads(out.getvalue())


def _roles_without_contact() -> int:
    """Roles with an approved match whose organization has no partner."""
    matched = Match.objects.filter(status=Match.Status.APPROVED, campaign__slug="bench")
    return (
        matched.exclude(lead__organization__contacts__role="partner")
        .values("lead")
        .distinct()
        .count()
    )
