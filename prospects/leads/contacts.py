"""The people behind leads, known by their addresses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from django.db.models import Q

from config import bulk
from prospects.leads.batch import Batch
from prospects.leads.found import FoundAddress, FoundContact
from prospects.models import Contact, ContactAddress, Lead

Key = tuple[str, str]
# A person and the organization it belongs to, if any.
Placed = tuple[FoundContact, int | None]


def bring(batch: Batch, organizations: Mapping[Key, int]) -> dict[Key, int]:
    """Find or make the people of a batch; their ids by the key of each address."""
    people = [
        (person, organizations[each.organization.key] if each.organization else None)
        for _, each in batch.members()
        for person in each.contacts
    ]
    owners = _owners([person for person, _ in people])
    new: dict[int, Placed] = {}  # by a number below 0 until they get their ids
    known: dict[int, Placed] = {}
    addresses: list[tuple[int, FoundAddress]] = []
    for person, place in people:
        owner = next((owners[a.key] for a in person.addresses if a.key in owners), None)
        if owner is None:
            owner = -1 - len(new)
            new[owner] = person, place
        elif owner > 0:
            known.setdefault(owner, (person, place))
        for address in person.addresses:
            if address.key not in owners:
                owners[address.key] = owner
                addresses.append((owner, address))
    ids = dict(zip(new, bulk.new_ids(Contact, len(new)), strict=True))
    _insert({ids[number]: placed for number, placed in new.items()})
    _insert_addresses((ids.get(owner, owner), address) for owner, address in addresses)
    _fill_gaps(batch, known)
    return {key: ids.get(owner, owner) for key, owner in owners.items()}


def _owners(people: Sequence[FoundContact]) -> dict[Key, int]:
    """Contact id by address, for the addresses that are known."""
    asked: dict[str, set[str]] = defaultdict(set)
    for person in people:
        for address in person.addresses:
            asked[address.kind].add(address.canonical)
    if not asked:
        return {}
    condition = Q()
    for kind, values in asked.items():
        condition |= Q(kind=kind, canonical__in=values)
    rows = ContactAddress.objects.filter(condition)
    return {
        (kind, canonical): contact
        for kind, canonical, contact in rows.values_list("kind", "canonical", "contact")
    }


def _insert(new: Mapping[int, Placed]) -> None:
    bulk.insert(
        Contact,
        ["id", "name", "role", "title", "organization"],
        (
            (pk, person.name, person.role, person.title, place)
            for pk, (person, place) in new.items()
        ),
    )


def _insert_addresses(new: Iterable[tuple[int, FoundAddress]]) -> None:
    bulk.insert(
        ContactAddress,
        ["contact", "kind", "value", "canonical"],
        ((owner, *address) for owner, address in new),
    )


def _fill_gaps(batch: Batch, known: Mapping[int, Placed]) -> None:
    """A person who is known keeps name, title and organization; gaps are filled."""
    changed = []
    for row in Contact.objects.filter(pk__in=known) if known else ():
        person, place = known[row.pk]
        before = row.name, row.title, row.organization_id
        row.name, row.title = row.name or person.name, row.title or person.title
        row.organization_id = row.organization_id or place
        if before != (row.name, row.title, row.organization_id):
            row.updated_at = batch.now
            changed.append(row)
    if changed:
        fields = ["name", "title", "organization", "updated_at"]
        Contact.objects.bulk_update(changed, fields, batch_size=500)


def link(batch: Batch, contacts: Mapping[Key, int]) -> None:
    """Put the people to their leads."""
    wanted = dict.fromkeys(
        (group.lead_id, contacts[person.addresses[0].key])
        for group, each in batch.members()
        for person in each.contacts
    )
    through = Lead.contacts.through
    old = [group.lead_id for group in batch.known()]
    rows = through.objects.filter(lead__in=old).values_list("lead_id", "contact_id")
    present = set(rows) if old else set()
    new = [pair for pair in wanted if pair not in present]
    bulk.insert(through, ["lead", "contact"], new)
    batch.mark_changed({lead for lead, _ in new})
