"""What campaigns show on the first screen."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.urls import reverse

from campaigns.models import Campaign, Candidate
from config.cards import Card, figure


def cards(user: Any, now: datetime) -> list[Card]:
    """The campaigns by what can be done with them."""
    if not user.has_perm("campaigns.view_campaign"):
        return []
    status = Campaign.Status
    figures = [
        figure("active", Campaign, {"status": status.ACTIVE}, tone="good"),
        figure("paused", Campaign, {"status": status.PAUSED}, tone="wait"),
        figure("still a draft", Campaign, {"status": status.DRAFT}),
        figure("candidates to pitch", Candidate, {"status": Candidate.Status.ACTIVE}),
    ]
    add = reverse("admin:campaigns_campaign_add")
    hint = "Begin with a client and a campaign; then import its candidates."
    return [Card("Campaigns", figures, hint=hint, links=[("New campaign", add)])]
