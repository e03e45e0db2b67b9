"""What prospects show on the first screen."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.urls import reverse

from config.cards import Card, figure
from prospects.models import Lead, PipelineRun


def cards(user: Any, now: datetime) -> list[Card]:
    """The leads, and runs that need somebody."""
    if not user.has_perm("prospects.view_lead"):
        return []
    still_open = {"closed_at__isnull": True, "suppressed_at__isnull": True}
    figures = [
        figure("open leads", Lead, still_open),
        figure("closed", Lead, {"closed_at__isnull": False}),
        figure("not to be written to", Lead, {"suppressed_at__isnull": False}),
        figure("runs that failed", PipelineRun, {"status": "failed"}, tone="bad"),
    ]
    hint = "No leads yet: import a file of podcasts, roles, creators or buyers."
    return [Card("Leads", figures, hint=hint, links=_links(user))]


def _links(user: Any) -> list[tuple[str, str]]:
    may_import = user.has_perm("prospects.add_lead")
    return [("Import", reverse("admin:prospects_lead_import"))] if may_import else []
