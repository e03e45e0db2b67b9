"""What is read of each candidate and each lead."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple


class CandidateRow(NamedTuple):
    """A candidate, with the filter that holds it or ""."""

    pk: int
    reference: str
    name: str
    skills: list[str]
    keywords: list[str]
    industries: list[str]
    starts_on: date | None
    visa: str
    location: str
    remote_only: bool
    reason: str


class LeadRow(NamedTuple):
    """A lead with its organization's industry and size, and the filter that holds it or ""."""

    pk: int
    name: str
    keywords: list[str]
    industries: list[str]
    location: str
    is_remote: bool
    visa_sponsorship: str
    organization: int | None
    industry: str | None
    employees: int | None
    reason: str

    def trades(self) -> list[str]:
        """Its own industries, else its organization's, else its title (H003-07)."""
        return self.industries or ([self.industry] if self.industry else [self.name])
