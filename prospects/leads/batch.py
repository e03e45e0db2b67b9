"""One set of found leads on its way into the database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from prospects.leads.found import (
    CREATED,
    DUPLICATE,
    REFUSED,
    UNCHANGED,
    UPDATED,
    FoundLead,
    Outcome,
    Touched,
)
from prospects.models import Lead


@dataclass(eq=False)
class Group:
    """Found leads that are one lead, which is None while it is new."""

    lead: Lead | None
    found: list[FoundLead] = field(default_factory=list)
    lead_id: int = 0
    seen: bool = False  # earlier in the same file
    changed: bool = False
    suppressed: str = ""  # why somebody of it may not be written to
    blocked: bool = False  # … and nobody else either
    organization_id: int | None = None

    def verdict(self) -> str:
        if self.lead is None:
            return CREATED
        return UPDATED if self.changed else UNCHANGED


@dataclass
class Batch:
    """A set of found leads, who they turned out to be, and what became of them."""

    found: Sequence[FoundLead]
    source: str
    now: datetime
    touched: Touched
    groups: list[Group] = field(default_factory=list)
    names: set[tuple[str, str]] = field(default_factory=set)  # identities that are known
    suppressed: dict[str, str] = field(default_factory=dict)  # reason by address
    changed_facts: set[tuple[str, int, str]] = field(default_factory=set)
    brought: Touched = field(default_factory=set)
    # By the identity of what was found: two rows may say the same.
    refused: dict[int, Outcome] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)  # why not to write to its people

    def members(self) -> Iterator[tuple[Group, FoundLead]]:
        """Each found lead that is not refused, with its group."""
        return ((group, each) for group in self.groups for each in group.found)

    def known(self) -> list[Group]:
        """Groups whose lead was here before."""
        return [group for group in self.groups if group.lead is not None]

    def new(self) -> list[Group]:
        """Groups that make a lead."""
        return [group for group in self.groups if group.lead is None]

    def mark_changed(self, lead_ids: set[int]) -> None:
        """These leads are not what they were."""
        for group in self.groups:
            group.changed |= group.lead_id in lead_ids

    def refuse(self, each: FoundLead, reason: str, *, suppressed: str = "") -> None:
        """Leave a found lead out."""
        self.refused[id(each)] = Outcome(each.line, REFUSED, None, reason, suppressed)

    def outcomes(self) -> list[Outcome]:
        """What became of each, in the order in which they were found."""
        outcomes = dict(self.refused)
        for group in self.groups:
            for at, each in enumerate(group.found):
                verdict = DUPLICATE if at or group.seen else group.verdict()
                reason = self.reasons.get(id(each), group.suppressed if group.blocked else "")
                outcomes[id(each)] = Outcome(each.line, verdict, group.lead_id, "", reason)
        return [outcomes[id(each)] for each in self.found]
