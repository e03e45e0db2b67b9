from __future__ import annotations

from datetime import datetime

from campaigns.models import Campaign
from pitches import outreach
from pitches.management.runs import RunCommand
from pitches.outreach import Plan


class Command(RunCommand):
    help = (
        "Sends the follow-ups that are due and moves on from pitches that met silence. "
        "Exit codes as run_outreach_automation."
    )

    def make_plan(self, *, campaign: Campaign | None, now: datetime, most: int | None) -> Plan:
        return outreach.plan_follow_ups(campaign=campaign, now=now, most=most)
