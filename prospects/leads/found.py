"""What a source says of leads, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from prospects import names
from prospects.models import Contact, ContentItem

CREATED, UPDATED, UNCHANGED = "created", "updated", "unchanged"
DUPLICATE, REFUSED = "duplicate", "refused"
# How those are counted that are not refused.
VERDICTS = (CREATED, UPDATED, UNCHANGED, DUPLICATE)

# What earlier sets of the same file have brought: ("lead" or "organization", id).
Touched = set[tuple[str, int]]


class Identity(NamedTuple):
    """A name by which some platform knows a lead."""

    platform: str
    platform_id: str
    url: str = ""


class FoundFact(NamedTuple):
    """One thing a source says."""

    kind: str
    value: str
    url: str = ""


class FoundAddress(NamedTuple):
    """An address and its one spelling."""

    kind: str
    value: str
    canonical: str

    @property
    def key(self) -> tuple[str, str]:
        """What it is known by."""
        return self.kind, self.canonical


@dataclass(slots=True)
class FoundContact:
    """A person behind a lead; without an address nobody can be told from another."""

    addresses: list[FoundAddress]
    name: str = ""
    role: str = Contact.Role.OTHER
    title: str = ""


@dataclass(slots=True)
class FoundOrganization:
    """Known by its name together with its domain, either of which may stand for several."""

    name: str
    domain: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    facts: list[FoundFact] = field(default_factory=list)

    @property
    def key(self) -> tuple[str, str]:
        """What it is known by."""
        return names.organization_key(self.name), self.domain


@dataclass(slots=True)
class FoundItem:
    """An episode, post or article."""

    guid: str
    title: str
    kind: str = ContentItem.Kind.EPISODE
    url: str = ""
    text: str = ""
    published_at: datetime | None = None
    seconds: int | None = None
    keywords: list[str] = field(default_factory=list)


@dataclass(slots=True)
class FoundLead:
    """What a source says of one lead. ``identities`` are tried in their order.

    ``closed_at`` is None where the source does not say, False where it says that it is open.
    """

    line: int
    kind: str
    values: dict[str, Any]
    identities: list[Identity]
    organization: FoundOrganization | None = None
    contacts: list[FoundContact] = field(default_factory=list)
    facts: list[FoundFact] = field(default_factory=list)
    items: list[FoundItem] = field(default_factory=list)
    closed_at: datetime | bool | None = None


class Outcome(NamedTuple):
    """What became of one found lead; a duplicate joined one that the same file had brought.

    ``suppressed`` gives the reason where somebody of it may not be written to.
    """

    line: int
    verdict: str
    lead_id: int | None = None
    reason: str = ""
    suppressed: str = ""
