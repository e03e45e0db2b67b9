"""The file whose rows become the past of a campaign."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from campaigns.models import Campaign
from config.imports import Report

BATCH = 1_000


@dataclass(frozen=True)
class Past:
    """What is the same for all rows of a file."""

    campaign: Campaign
    file: str
    now: datetime
    report: Report
