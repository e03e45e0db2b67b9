"""The dry run at the size of a real season: 1,096 open roles and 2,003 invented interns."""

from __future__ import annotations

import json
from collections import Counter
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils.dateparse import parse_datetime

from campaigns import presets
from campaigns.models import Campaign
from pitches import matching
from pitches.models import Match
from tests import digests

NOW = "2025-01-13T15:00:00+00:00"


@pytest.mark.req("S003-049", "S003-052")
@pytest.mark.django_db
def test_the_dry_run_over_real_roles_tells_its_totals_and_changes_nothing(real_data, settings):
    settings.SEND_MODE = "capture"
    presets.install()
    roles = real_data / "roles" / "roles_1096.csv"
    call_command("import_leads", str(roles), kind="role", now=NOW, stdout=StringIO())
    call_command("invent_people", campaign="interns", now=NOW, stdout=StringIO())
    campaign = Campaign.objects.get(slug="interns")
    matching.suggest(campaign, now=parse_datetime(NOW))
    Match.objects.filter(status="to_review").update(status="approved")

    before, told = digests.of_tables(), StringIO()
    call_command(
        "run_outreach_automation", dry_run=True, json=True, now=parse_datetime(NOW), stdout=told
    )
    assert digests.of_tables() == before
    report = json.loads(told.getvalue())
    totals = report["totals"]
    assert (totals["leads"], totals["candidates"]) == (1096, 2003)
    assert totals["matches"] >= 20_000
    verdicts = Counter(row["verdict"] for row in report["decisions"])
    assert verdicts["pitch"] == totals["pitch"] >= 300
    reasons = Counter(row["reason"] for row in report["decisions"] if row["verdict"] == "hold")
    assert reasons["organization_limit"] >= 100
    assert reasons["no_company_contacts"] >= 100
    pitched = [row["organization"] for row in report["decisions"] if row["verdict"] == "pitch"]
    assert len(pitched) == len(set(pitched))
