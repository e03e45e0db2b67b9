from __future__ import annotations

from datetime import datetime

from campaigns.models import Campaign
from pitches import outreach
from pitches.management.runs import RunCommand
from pitches.outreach import Plan


class Command(RunCommand):
    help = (
        "Groups approved matches into pitches, drafts them for review, and sends first "
        "messages that were approved. Exit codes: 0 done, 1 something failed, 2 cannot be "
        "done as asked, 3 planned rows had changed."
    )

    def make_plan(self, *, campaign: Campaign | None, now: datetime, most: int | None) -> Plan:
        return outreach.plan(campaign=campaign, now=now, most=most)
