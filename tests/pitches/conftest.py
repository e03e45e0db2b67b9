"""A small placement desk with everything a run needs, and the moves a test makes on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from campaigns import presets
from pitches import outreach, review
from pitches.models import Match, Message, Pitch, Sender, SenderCampaign
from prospects.models import Lead
from tests.clock import MONDAY
from tests.factories import (
    CampaignFactory,
    CandidateFactory,
    MatchFactory,
    SenderFactory,
    reachable_lead,
)

# 09:00 UTC on a Monday: the window is open.
HOUR = timedelta(hours=1)


@dataclass
class Desk:
    """One campaign, one sender, and matches as a test asks for them."""

    reviewer: object
    campaign: object
    sender: Sender
    leads: list[Lead] = field(default_factory=list)

    def lead(self, **fields) -> Lead:
        lead = reachable_lead(**fields)
        self.leads.append(lead)
        return lead

    def candidate(self, **fields):
        fields.setdefault("responsible", self.sender.user)
        fields.setdefault("starts_on", (MONDAY + timedelta(days=300)).date())
        return CandidateFactory(client=self.campaign.client, **fields)

    def match(self, lead=None, candidate=None, **fields) -> Match:
        fields.setdefault("campaign", self.campaign)
        return MatchFactory(
            lead=lead or self.lead(), candidate=candidate or self.candidate(), **fields
        )

    def run(self, now: datetime = MONDAY, **options) -> outreach.Carried:
        return outreach.carry_out(outreach.plan(now=now, **options))

    def follow_up(self, now: datetime) -> outreach.Carried:
        return outreach.carry_out(outreach.plan_follow_ups(now=now))

    def approve_all(self, now: datetime = MONDAY) -> None:
        for task in list(review.queue()):
            review.approve(task, by=self.reviewer, now=now)

    def sent_pitch(self, now: datetime = MONDAY, **fields) -> Pitch:
        """A pitch whose first message went out at ``now``."""
        match = self.match(**fields)
        self.run(now)
        self.approve_all(now)
        self.run(now)
        match.refresh_from_db()
        assert match.pitch.messages.get(number=0).status == Message.Status.SENT
        return match.pitch


@pytest.fixture
def desk(ada, settings, state_dir):
    settings.SEND_MODE = "capture"
    settings.PUBLIC_URL = "https://desk.example.com"
    presets.install()
    # no gaps, so that a test sees what it asks about
    sender = SenderFactory(gap_min=0, gap_max=0, daily_limit=1000)
    campaign = CampaignFactory(
        sequence=presets.sequence("placement"),
        time_zone="UTC",
        observe_holidays=False,
        window_days=[1, 2, 3, 4, 5, 6, 7],
    )
    SenderCampaign.objects.create(sender=sender, campaign=campaign, is_default=True)
    return Desk(ada, campaign, sender)
