"""Which candidates cannot wait. Pure: no query, no clock of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Protocol

# Days before the start below which a candidate is urgent (S003-010, S003-011): a visa takes
# months, so who needs one is urgent earlier. Strictly below.
URGENT_DAYS_WITH_VISA = 120
URGENT_DAYS_WITHOUT_VISA = 60


def timing_remarks(
    *,
    role_starts: date | None,
    role_ends: date | None,
    free_from: date | None,
    today: date,
) -> list[str]:
    """What a reviewer should notice about the dates of a role and a candidate.

    Remarks, not filters: published dates of roles are often stale, and a person can ask.
    """
    remarks = []
    if role_ends and role_ends < today:
        remarks.append(f"The role's term ended on {role_ends}.")
    elif role_starts and role_starts < today:
        remarks.append(f"The role's term began on {role_starts}.")
    if role_ends and free_from and free_from > role_ends:
        remarks.append(f"The candidate is free from {free_from}, after the role's term.")
    return remarks


class HasStart(Protocol):
    """What urgency looks at: `visa` is "yes", "no" or "unknown"."""

    @property
    def visa(self) -> str: ...

    @property
    def starts_on(self) -> date | None: ...


@dataclass(frozen=True, slots=True)
class Urgency:
    """`pitchable` is False where the start is already past (C34)."""

    urgent: bool
    reason: str
    pitchable: bool = True


def urgency(candidate: HasStart, *, today: date) -> Urgency:
    """Whether `candidate` is urgent on `today`, and why (words to go into a sentence).

    Visa required and fewer than 120 days to the start, or no visa and fewer than 60: urgent
    (S003-010, S003-011). Visa unknown or no start: not urgent (S003-013). A start in the past
    is not urgency but an error for staff to look at (C34).
    """
    if candidate.starts_on is None:
        return Urgency(False, "no start date is known")
    days = (candidate.starts_on - today).days
    if days < 0:
        return Urgency(
            False,
            f"the start date {candidate.starts_on} is past",
            pitchable=False,
        )
    if candidate.visa == "yes":
        below, need = URGENT_DAYS_WITH_VISA, "with a visa to get"
    elif candidate.visa == "no":
        below, need = URGENT_DAYS_WITHOUT_VISA, "without a visa to get"
    else:
        return Urgency(False, "it is unknown whether a visa is required")
    if days < below:
        return Urgency(True, f"starts in {days} days, {need}, fewer than {below}")
    return Urgency(False, f"starts in {days} days, {need}, not fewer than {below}")


def is_pitchable(candidate: HasStart, *, today: date) -> bool:
    """Whether the start is still to come, or unknown (C34)."""
    return candidate.starts_on is None or candidate.starts_on >= today
