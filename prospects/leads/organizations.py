"""The companies behind leads, known by name and domain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from config import bulk, provenance
from prospects.leads.batch import Batch
from prospects.leads.facts import fixed_fields
from prospects.leads.found import FoundOrganization
from prospects.models import Organization

Key = tuple[str, str]

# The columns that a source may fill, and what they hold while nobody has.
VALUES: dict[str, Any] = {
    "industry": "",
    "employees": None,
    "country": "",
    "time_zone": "",
}


def bring(batch: Batch) -> dict[Key, int]:
    """Find or make the organizations of a batch; their ids by key."""
    wanted = _wanted(batch)
    names = {name for name, _ in wanted}
    rows = Organization.objects.filter(name_key__in=names) if names else []
    present = {(row.name_key, row.domain): row for row in rows}
    _update(batch, {key: row for key, row in present.items() if key in wanted}, wanted)
    new = [key for key in wanted if key not in present]
    ids = dict(zip(new, bulk.new_ids(Organization, len(new)), strict=True))
    bulk.insert(
        Organization,
        ["id", "name", "name_key", "domain", *VALUES, "attributes"],
        (_row(ids[key], wanted[key], batch.source) for key in new),
    )
    ids |= {key: row.pk for key, row in present.items()}
    batch.brought |= {("organization", ids[key]) for key in wanted}
    return ids


def _wanted(batch: Batch) -> dict[Key, FoundOrganization]:
    """Of several rows about one organization the first speaks; the others fill its gaps."""
    wanted: dict[Key, FoundOrganization] = {}
    for _, each in batch.members():
        if each.organization:
            first = wanted.setdefault(each.organization.key, each.organization)
            first.values = each.organization.values | first.values
    return wanted


def _row(pk: int, found: FoundOrganization, source: str) -> list[Any]:
    values = [found.values.get(name, blank) for name, blank in VALUES.items()]
    return [pk, found.name, *found.key, *values, provenance.brought(source, found.values)]


def _update(
    batch: Batch, rows: Mapping[Key, Organization], wanted: Mapping[Key, FoundOrganization]
) -> None:
    fixed = fixed_fields("organization", [row.pk for row in rows.values()])
    changed = []
    for key, row in rows.items():
        changes = provenance.changes(
            row,
            wanted[key].values,
            source=batch.source,
            fill_only=("organization", row.pk) in batch.touched,
            manual=fixed[row.pk],
        )
        for name, value in changes.items():
            setattr(row, name, value)
            batch.changed_facts.add(("organization", row.pk, name))
        if changes:
            row.updated_at = batch.now
            changed.append(row)
    if changed:
        fields = [*VALUES, "attributes", "updated_at"]
        Organization.objects.bulk_update(changed, fields, batch_size=500)
