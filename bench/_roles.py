"""1,096 roles to match with: the recorded ones, or as many invented ones."""

from __future__ import annotations

from datetime import datetime
from io import StringIO
from random import Random

from django.core.management import call_command
from django.utils.dateparse import parse_datetime

from bench import _real
from bench.harness import Results, timed
from campaigns.models import Campaign
from pitches import inventing
from prospects.models import Lead, Organization

# The recorded roles are of that season.
NOW: datetime = parse_datetime("2025-01-13T15:00:00+00:00")  # type: ignore[assignment]
ROLES, ORGANIZATIONS, CANDIDATES, SHARE = 1096, 497, 2003, 0.8


def fill(results: Results, *, candidates: int = CANDIDATES) -> Campaign:
    """Roles, invented candidates and partner contacts, and the campaign that has them."""
    folder = _real.folder("roles", results)
    if folder is not None:
        duration, _ = timed(
            lambda: call_command(
                "import_leads", str(folder / "roles_1096.csv"), kind="role", stdout=StringIO()
            )
        )
        results.fact("import_leads roles_1096.csv, seconds", duration)
    else:
        _invent_roles()
        results.note("invented roles instead of recorded ones")
    campaign = inventing.campaign_for("bench")
    duration, invented = timed(
        lambda: inventing.invent(
            campaign, candidates=candidates, share=SHARE, seed=1, today=NOW.date()
        )
    )
    results.fact("invent_people, seconds", duration)
    results.fact("invented candidates", invented.candidates)
    results.fact("invented partner contacts", invented.contacts)
    return campaign


def _invent_roles() -> None:
    luck = Random(1)
    organizations = Organization.objects.bulk_create(
        Organization(name=f"Invented {n}", name_key=f"invented {n}", domain=f"o{n}.example.com")
        for n in range(ORGANIZATIONS)
    )
    Lead.objects.bulk_create(
        Lead(
            kind=Lead.Kind.ROLE,
            organization=luck.choice(organizations),
            name=f"{luck.choice(inventing.INDUSTRIES)} Intern, {luck.choice(inventing.SKILLS)}",
            location=luck.choice(inventing.LOCATIONS),
            first_seen_at=NOW,
            last_seen_at=NOW,
        )
        for _ in range(ROLES)
    )
