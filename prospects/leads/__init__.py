"""Leads found anywhere, brought into the database: found again or created, a set at a time.

Any identity that is known makes a found lead that lead. The same feed, or the same domain plus
name, is one lead across platforms; roles have no such second name, for one company has many
roles with one title. A found lead whose identities belong to two leads is refused and reported:
only a person merges.
"""

from prospects.leads.found import (
    CREATED,
    DUPLICATE,
    REFUSED,
    UNCHANGED,
    UPDATED,
    VERDICTS,
    FoundAddress,
    FoundContact,
    FoundFact,
    FoundItem,
    FoundLead,
    FoundOrganization,
    Identity,
    Outcome,
    Touched,
)
from prospects.leads.identities import identities_of
from prospects.leads.suppressing import mark_suppressed
from prospects.leads.upserting import upsert

__all__ = [
    "CREATED",
    "DUPLICATE",
    "REFUSED",
    "UNCHANGED",
    "UPDATED",
    "VERDICTS",
    "FoundAddress",
    "FoundContact",
    "FoundFact",
    "FoundItem",
    "FoundLead",
    "FoundOrganization",
    "Identity",
    "Outcome",
    "Touched",
    "identities_of",
    "mark_suppressed",
    "upsert",
]
