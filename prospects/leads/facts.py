"""What sources say of leads and their organizations, each with its source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db.models.functions import MD5

from config import bulk
from prospects.leads.batch import Batch
from prospects.leads.found import FoundFact
from prospects.models import Fact

# What a fact is about ("lead" or "organization", id), its kind and the digest of its value.
Key = tuple[str, int, str, str]

# Kinds of fact that are called otherwise than the field they stand in.
FIELDS = {"title": "name", "description": "text"}


def fixed_fields(about: str, owners: Sequence[int]) -> dict[int, set[str]]:
    """Fields that a person has fixed by a fact, by owner."""
    fixed = Fact.objects.entered_by_people(about, owners)
    for kinds in fixed.values():
        kinds |= {FIELDS[kind] for kind in kinds & FIELDS.keys()}
    return fixed


def bring(batch: Batch, organizations: Mapping[tuple[str, str], int]) -> None:
    """Store what is new; what says anew what has changed is observed again."""
    wanted = _wanted(batch, organizations)
    present = _present(batch, wanted)
    fields = ["lead", "organization", "kind", "value", "source", "source_url", "observed_at"]
    bulk.insert(
        Fact,
        fields,
        (
            (
                owner if about == "lead" else None,
                owner if about == "organization" else None,
                fact.kind,
                fact.value,
                batch.source,
                fact.url,
                batch.now,
            )
            for (about, owner, kind, digest), fact in wanted.items()
            if (about, owner, kind, digest) not in present
        ),
    )
    again = [
        pk
        for (about, owner, kind, _), pk in present.items()
        if (about, owner, FIELDS.get(kind, kind)) in batch.changed_facts
    ]
    if again:
        Fact.objects.filter(pk__in=again).update(observed_at=batch.now)


def _wanted(batch: Batch, organizations: Mapping[tuple[str, str], int]) -> dict[Key, FoundFact]:
    wanted: dict[Key, FoundFact] = {}
    for group, each in batch.members():
        said = [("lead", group.lead_id, fact) for fact in each.facts]
        if each.organization:
            owner = organizations[each.organization.key]
            said += [("organization", owner, fact) for fact in each.organization.facts]
        for about, owner, fact in said:
            wanted.setdefault((about, owner, fact.kind, bulk.md5(fact.value)), fact)
    return wanted


def _present(batch: Batch, wanted: Mapping[Key, FoundFact]) -> dict[Key, int]:
    """The ids of those that this source has said before."""
    leads = {group.lead_id for group in batch.known()}
    companies = {owner for about, owner, _, _ in wanted if about == "organization"}
    present: dict[Key, int] = {}
    for about, owners in (("lead", leads), ("organization", companies)):
        if owners:
            rows = Fact.objects.filter(**{f"{about}__in": owners}, source=batch.source)
            told = rows.annotate(digest=MD5("value"))
            present |= {
                (about, owner, kind, digest): pk
                for owner, kind, digest, pk in told.values_list(
                    f"{about}_id", "kind", "digest", "pk"
                )
            }
    return {key: pk for key, pk in present.items() if key in wanted}
