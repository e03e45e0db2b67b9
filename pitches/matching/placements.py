"""What earlier placements say of organizations and roles."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date

from pitches.models import Placement

CONFIRMED = (Placement.Status.CONFIRMED, Placement.Status.STARTED)


@dataclass
class Known:
    """Internships that are under way or over; by organization, but for `lost`: by lead.

    `endings` are last days of those taken, `interns` first and last days of confirmed ones.
    """

    interviews: Counter[int] = field(default_factory=Counter)
    endings: dict[int, list[date]] = field(default_factory=lambda: defaultdict(list))
    interns: dict[int, list[tuple[date | None, date | None]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    lost: Counter[int] = field(default_factory=Counter)


def read() -> Known:
    """All internships there are. One query."""
    known = Known()
    rows = Placement.objects.filter(kind=Placement.Kind.INTERNSHIP).values_list(
        "status", "lead", "lead__organization", "starts_on", "ends_on", "lead__ends_on"
    )
    for status, lead, organization, starts_on, ends_on, lead_ends_on in rows:
        if status in Placement.LOST:
            known.lost[lead] += 1
        if organization is None:
            continue
        last = ends_on or lead_ends_on
        if status == Placement.Status.INTERVIEW:
            known.interviews[organization] += 1
        if status in Placement.TAKEN and last:
            known.endings[organization].append(last)
        if status in CONFIRMED:
            known.interns[organization].append((starts_on, last))
    return known
