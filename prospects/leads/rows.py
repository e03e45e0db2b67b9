"""The rows of the leads themselves."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from config import bulk, provenance
from prospects.leads.batch import Batch, Group
from prospects.leads.facts import fixed_fields
from prospects.leads.found import FoundLead
from prospects.models import Lead

# The columns that a source may fill, and what they hold while nobody has.
VALUES: dict[str, Any] = {
    "name": "",
    "text": "",
    "url": "",
    "website": "",
    "feed_url": "",
    "language": "",
    "location": "",
    "is_remote": False,
    "country": "",
    "time_zone": "",
    "keywords": [],
    "industries": [],
    "visa_sponsorship": Lead.Visa.UNKNOWN.value,
    "starts_on": None,
    "ends_on": None,
    "posted_on": None,
    "audience": None,
}
# What matching reads: where one of these changes, the database forgets the vector.
EMBEDDED = {"name", "text", "keywords", "industries"}


def bring(batch: Batch, organizations: Mapping[tuple[str, str], int]) -> None:
    """Make new leads, and bring those up to date that are here."""
    for group in batch.groups:
        companies = (each.organization for each in group.found if each.organization)
        company = next(companies, None)
        group.organization_id = organizations[company.key] if company else None
    _insert(batch, batch.new())
    _update(batch, batch.known())
    batch.brought |= {("lead", group.lead_id) for group in batch.groups}


def _insert(batch: Batch, groups: list[Group]) -> None:
    for group, pk in zip(groups, bulk.new_ids(Lead, len(groups)), strict=True):
        group.lead_id = pk
    columns = ["id", "kind", "organization", *VALUES, "closed_at", "attributes"]
    bulk.insert(
        Lead,
        [*columns, "first_seen_at", "last_seen_at"],
        ([*_row(group, batch.source), batch.now, batch.now] for group in groups),
    )


def _row(group: Group, source: str) -> list[Any]:
    values, first = _values(group.found), group.found[0]
    closed = first.closed_at or None
    brought = values | {"closed_at": closed}
    if group.organization_id:
        brought["organization_id"] = group.organization_id
    return [
        group.lead_id,
        first.kind,
        group.organization_id,
        *(values.get(name, blank) for name, blank in VALUES.items()),
        closed,
        provenance.brought(source, brought),
    ]


def _values(found: list[FoundLead]) -> dict[str, Any]:
    """The values of rows about one lead: the first speaks, the others fill its gaps."""
    values: dict[str, Any] = {}
    for each in found:
        values = each.values | values
    return values


def _update(batch: Batch, groups: list[Group]) -> None:
    fixed = fixed_fields("lead", [group.lead_id for group in groups])
    changed = []
    for group in groups:
        lead = group.lead
        assert lead is not None
        changes = _changes(batch, lead, group, fixed[lead.pk])
        for name, value in changes.items():
            setattr(lead, name, value)
            batch.changed_facts.add(("lead", lead.pk, name))
        if changes.keys() & EMBEDDED:
            lead.embedding_model = ""
        if changes:
            group.changed = True
            changed.append(lead)
    if changed:
        fields = [*VALUES, "organization", "closed_at", "attributes", "embedding_model"]
        Lead.objects.bulk_update(changed, fields, batch_size=200)
    Lead.objects.filter(pk__in=[g.lead_id for g in groups]).update(last_seen_at=batch.now)


def _changes(batch: Batch, lead: Lead, group: Group, fixed: Collection[str]) -> dict[str, Any]:
    values = _values(group.found)
    if group.organization_id:
        values["organization_id"] = group.organization_id
    is_touched = ("lead", lead.pk) in batch.touched
    changes = provenance.changes(
        lead, values, source=batch.source, fill_only=is_touched, manual=fixed
    )
    closed_at = group.found[0].closed_at
    if closed_at is None or "closed_at" in fixed or is_touched:
        return changes
    return changes | _closing(lead, closed_at, changes.get("attributes"), batch.source)


def _closing(
    lead: Lead, closed_at: datetime | bool, attributes: dict[str, Any] | None, source: str
) -> dict[str, Any]:
    """A source closes a lead once, and opens again only what it closed itself.

    ``attributes`` are those that are about to be stored, if others than the lead has.
    """
    attributes = lead.attributes if attributes is None else attributes
    imported = attributes.get(provenance.KEY, {})
    sums = imported.get(source, {})
    if closed_at:
        if lead.closed_at is not None or "closed_at" in sums:
            return {}
        sums = sums | {"closed_at": provenance.checksum(closed_at)}
    else:
        was_ours = sums.get("closed_at") == provenance.checksum(lead.closed_at)
        if lead.closed_at is None or not was_ours:
            return {}
        sums = {name: value for name, value in sums.items() if name != "closed_at"}
    attributes = attributes | {provenance.KEY: imported | {source: sums}}
    return {"closed_at": closed_at or None, "attributes": attributes}
