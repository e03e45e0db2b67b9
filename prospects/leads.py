"""Leads found anywhere, brought into the database: found again or created, a set at a time.

Any identity that is known makes a found lead that lead. The same feed, or the same domain plus
name, is one lead across platforms; roles have no such second name, for one company has many
roles with one title. A found lead whose identities belong to two leads is refused and reported:
only a person merges.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Q
from django.db.models.functions import MD5

from campaigns.models import BaseFact
from config import bulk, provenance
from prospects import names, sites, suppressions
from prospects.models import (
    Contact,
    ContactAddress,
    ContentItem,
    Fact,
    Lead,
    LeadIdentity,
    Organization,
    Suppression,
)

MERGES = 20  # how long a chain of merged leads is followed
_LOCK = 7_316_205  # one writer of identities at a time, whatever machine it runs on
FEED, SITE, POSTING = "feed", "site", "posting"
CREATED, UPDATED, UNCHANGED = "created", "updated", "unchanged"
DUPLICATE, REFUSED = "duplicate", "refused"


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


def identities_of(
    kind: str,
    *,
    platform: str = "",
    platform_id: str = "",
    name: str = "",
    among: str = "",
    beside: str = "",
    website: str = "",
    feed_url: str = "",
    url: str = "",
) -> list[Identity]:
    """The names by which a lead with these values is known, the platform's own first.

    Where there is none, a file at least knows its own rows again: by the name, the company it
    is ``among`` and, for roles, what stands ``beside`` it.
    """
    found = []
    if platform_id:
        found.append(Identity(platform[:40], platform_id[:500], url))
    if feed_url:
        found.append(Identity(FEED, sites.page_key(feed_url), feed_url))
    if kind != Lead.Kind.ROLE and website and name and (key := sites.site_key(website)):
        found.append(Identity(SITE, f"{kind}|{key}|{names.title_key(name)}"[:500], website))
    if not found and kind == Lead.Kind.ROLE and url:
        found.append(Identity(POSTING, sites.page_key(url), url))
    if not found and platform and name:
        key = f"{names.organization_key(among)}|{names.title_key(name)}"
        key += f"|{beside}" if kind == Lead.Kind.ROLE else ""
        found.append(Identity(platform[:40], f"name:{key}"[:500], url))
    return found


def upsert(
    found: Sequence[FoundLead],
    *,
    source: str,
    now: datetime,
    touched: set[int] | None = None,
) -> list[Outcome]:
    """Bring ``found`` into the database, in this transaction; one Outcome for each.

    ``source`` is who says so (at most 80 characters). ``touched`` collects the ids of leads and
    organizations that earlier sets of the same file have brought: what comes later fills their
    gaps and replaces nothing, so that importing a file twice changes nothing. The number of
    queries does not grow with ``found``. Raises what the database raises; the caller holds a
    savepoint.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    return _Set(found, source, now, set() if touched is None else touched).upsert()


def mark_suppressed(*, now: datetime) -> int:
    """Mark every lead of whom nobody may be written to any more; how many there are (LAW-7).

    A lead without any e-mail address is left as it is, unless its company is suppressed. Reads
    all addresses, 2,000 at a time.
    """
    rows = Lead.contacts.through.objects.filter(
        lead__suppressed_at__isnull=True,
        contact__addresses__kind=ContactAddress.Kind.EMAIL,
    ).values_list("lead_id", "contact__addresses__value")
    reasons = suppressions.suppressed({email for _, email in rows})
    if_all: dict[int, bool] = {}
    for lead, email in rows:
        if_all[lead] = if_all.get(lead, True) and email in reasons
    marked = {lead for lead, everybody in if_all.items() if everybody}
    marked |= _leads_of_suppressed_organizations()
    return Lead.objects.filter(pk__in=marked, suppressed_at__isnull=True).update(
        suppressed_at=now
    )


def _leads_of_suppressed_organizations() -> set[int]:
    kinds = suppressions.Kind
    if not Suppression.objects.filter(kind__in=[kinds.ORGANIZATION, kinds.DOMAIN]).exists():
        return set()
    rows = Organization.objects.filter(leads__suppressed_at__isnull=True).values_list(
        "leads", "name", "domain"
    )
    by_name = suppressions.suppressed_values(kinds.ORGANIZATION, {row[1] for row in rows})
    by_domain = suppressions.suppressed_values(kinds.DOMAIN, {row[2] for row in rows if row[2]})
    return {lead for lead, name, domain in rows if name in by_name or domain in by_domain}


@dataclass
class _Group:
    """Found leads that are one lead."""

    lead: Lead | None
    found: list[FoundLead] = field(default_factory=list)
    lead_id: int = 0
    seen: bool = False  # earlier in the same file
    changed: bool = False
    suppressed: str = ""  # why somebody of it may not be written to
    blocked: bool = False  # … and nobody else either
    organization_id: int | None = None
    contact_ids: list[int] = field(default_factory=list)

    def verdict(self) -> str:
        if self.lead is None:
            return CREATED
        return UPDATED if self.changed else UNCHANGED


class _Set:
    """One set of found leads on its way; each method is one table."""

    def __init__(
        self, found: Sequence[FoundLead], source: str, now: datetime, touched: set[Any]
    ) -> None:
        self.found, self.source, self.now, self.touched = found, source[:80], now, touched
        self.outcomes: dict[int, Outcome] = {}  # by the identity of what was found
        self.reasons: dict[int, str] = {}  # why somebody of it may not be written to
        self.groups: list[_Group] = []
        self.changed_facts: set[tuple[str, int, str]] = set()

    def upsert(self) -> list[Outcome]:
        self._group()
        self._suppress()
        organizations = self._organizations()
        contacts = self._contacts(organizations)
        self._leads(organizations)
        self._identities()
        self._link(contacts)
        self._mark()
        self._facts(organizations)
        self._items()
        for group in self.groups:
            for at, each in enumerate(group.found):
                verdict = DUPLICATE if at or group.seen else group.verdict()
                reason = self.reasons.get(id(each), group.suppressed if group.blocked else "")
                self.outcomes[id(each)] = Outcome(each.line, verdict, group.lead_id, "", reason)
        return [self.outcomes[id(each)] for each in self.found]

    # Who is who

    def _group(self) -> None:
        known = self._known_identities()
        leads = Lead.objects.defer("embedding", "tags").in_bulk(set(known.values()))
        groups: dict[int, _Group] = {}
        places: dict[tuple[str, str], _Group] = {}
        for key, lead_id in known.items():
            if lead_id not in groups:
                seen = ("lead", lead_id) in self.touched
                groups[lead_id] = _Group(leads[lead_id], lead_id=lead_id, seen=seen)
            places[key] = groups[lead_id]
        for each in self.found:
            keys = [(name.platform, name.platform_id) for name in each.identities]
            claimed = list(
                {id(places[key]): places[key] for key in keys if key in places}.values()
            )
            if reason := _refusal(each, claimed):
                self.outcomes[id(each)] = Outcome(each.line, REFUSED, None, reason)
                continue
            group = claimed[0] if claimed else _Group(None)
            group.found.append(each)
            places |= dict.fromkeys(keys, group)
            if len(group.found) == 1:
                self.groups.append(group)

    def _known_identities(self) -> dict[tuple[str, str], int]:
        """Lead by (platform, id), where it is known; merged leads are followed."""
        asked: dict[str, set[str]] = defaultdict(set)
        for each in self.found:
            for name in each.identities:
                asked[name.platform].add(name.platform_id)
        condition = Q()
        for platform, ids in asked.items():
            condition |= Q(platform=platform, platform_id__in=ids)
        if not asked:
            return {}
        rows = LeadIdentity.objects.filter(condition).values_list(
            "platform", "platform_id", "lead", "lead__merged_into"
        )
        known = {(p, i): merged or lead for p, i, lead, merged in rows}
        return self._follow_merges(known)

    def _follow_merges(self, known: dict[tuple[str, str], int]) -> dict[tuple[str, str], int]:
        for _ in range(MERGES):
            rows = Lead.objects.filter(pk__in=set(known.values()), merged_into__isnull=False)
            merged = {pk: into for pk, into in rows.values_list("pk", "merged_into") if into}
            if not merged:
                break
            known = {key: merged.get(lead, lead) for key, lead in known.items()}
        return known

    # Whom we may not write

    def _suppress(self) -> None:
        """Note who is suppressed, and forget at once whoever asked to be forgotten."""
        self.suppressed: dict[str, str] = {}  # reason by canonical address
        if not Suppression.objects.exists():
            return
        people = [c for g in self.groups for f in g.found for c in f.contacts]
        by_kind: dict[str, set[str]] = defaultdict(set)
        for person in people:
            for address in person.addresses:
                by_kind[address.kind].add(address.value)
        kinds = ContactAddress.Kind
        reasons = suppressions.suppressed(by_kind[kinds.EMAIL])
        for kind in (kinds.PHONE, kinds.LINKEDIN):
            reasons |= suppressions.suppressed_values(kind, by_kind[kind])
        self.suppressed = reasons
        self._suppress_organizations()
        erased = Suppression.Reason.ERASED
        for group in self.groups:
            for each in group.found:
                each.contacts, forgotten = _without(each.contacts, reasons, erased)
                if forgotten:
                    group.suppressed = self.reasons[id(each)] = erased
        self._forget()

    def _suppress_organizations(self) -> None:
        companies = [f.organization for g in self.groups for f in g.found if f.organization]
        kinds = suppressions.Kind
        by_name = suppressions.suppressed_values(
            kinds.ORGANIZATION, {c.name for c in companies}
        )
        by_domain = suppressions.suppressed_values(
            kinds.DOMAIN, {c.domain for c in companies if c.domain}
        )
        for group in self.groups:
            for each in group.found:
                company = each.organization
                if not company:
                    continue
                reason = by_name.get(company.name) or by_domain.get(company.domain)
                if reason:
                    group.suppressed, group.blocked = reason, True

    def _forget(self) -> None:
        """A creator is a person: one who was erased is not stored again under any name."""
        for group in list(self.groups):
            creator = group.found[0].kind == Lead.Kind.CREATOR
            if group.lead is None and creator and group.suppressed == Suppression.Reason.ERASED:
                self.groups.remove(group)
                for each in group.found:
                    reason = "asked to be erased; nothing of this row is stored"
                    self.outcomes[id(each)] = Outcome(
                        each.line, REFUSED, None, reason, group.suppressed
                    )

    # Organizations

    def _organizations(self) -> dict[tuple[str, str], int]:
        """Organization id by (name key, domain)."""
        wanted: dict[tuple[str, str], FoundOrganization] = {}
        for group in self.groups:
            for each in group.found:
                if each.organization:
                    _fold(wanted, each.organization)
        keys = {key for key, _ in wanted}
        rows = Organization.objects.filter(name_key__in=keys) if keys else []
        present = {(row.name_key, row.domain): row for row in rows}
        self._update_organizations(present, wanted)
        new = [key for key in wanted if key not in present]
        ids = dict(zip(new, bulk.new_ids(Organization, len(new)), strict=True))
        bulk.insert(
            Organization,
            ["id", "name", "name_key", "domain", *ORGANIZATION_VALUES, "attributes"],
            (self._organization_row(ids[key], key, wanted[key]) for key in new),
        )
        ids |= {key: row.pk for key, row in present.items()}
        self.touched |= {("organization", ids[key]) for key in wanted}
        return ids

    def _organization_row(
        self, pk: int, key: tuple[str, str], found: FoundOrganization
    ) -> list[Any]:
        values = [found.values.get(name, blank) for name, blank in ORGANIZATION_VALUES.items()]
        attributes = provenance.brought(self.source, found.values)
        return [pk, found.name, *key, *values, attributes]

    def _update_organizations(
        self,
        present: dict[tuple[str, str], Organization],
        wanted: dict[tuple[str, str], FoundOrganization],
    ) -> None:
        rows = [row for key, row in present.items() if key in wanted]
        manual = _manual_kinds("organization", [row.pk for row in rows])
        changed = []
        for row in rows:
            found = wanted[row.name_key, row.domain]
            changes = provenance.changes(
                row,
                found.values,
                source=self.source,
                fill_only=("organization", row.pk) in self.touched,
                manual=manual[row.pk],
            )
            if changes:
                self.changed_facts |= {("organization", row.pk, name) for name in changes}
                row.updated_at = self.now
                _set(row, changes)
                changed.append(row)
        if changed:
            fields = [*ORGANIZATION_VALUES, "attributes", "updated_at"]
            Organization.objects.bulk_update(changed, fields, batch_size=500)

    # People

    def _contacts(self, organizations: dict[tuple[str, str], int]) -> dict[str, int]:
        """Contact id by ``kind|canonical``."""
        people = [
            (each, person)
            for group in self.groups
            for each in group.found
            for person in each.contacts
        ]
        owners = self._owners([person for _, person in people])
        new: list[tuple[FoundContact, int | None]] = []
        new_addresses: list[tuple[Any, FoundAddress]] = []
        fill: dict[int, tuple[FoundContact, int | None]] = {}
        for each, person in people:
            place = organizations[each.organization.key] if each.organization else None
            known = [owners[k] for k in map(_key, person.addresses) if k in owners]
            owner = known[0] if known else f"new {len(new)}"
            if not known:
                new.append((person, place))
            elif isinstance(owner, int):
                fill.setdefault(owner, (person, place))
            for address in person.addresses:
                if _key(address) not in owners:
                    owners[_key(address)] = owner
                    new_addresses.append((owner, address))
        ids = dict(
            zip(
                (f"new {at}" for at in range(len(new))),
                bulk.new_ids(Contact, len(new)),
                strict=True,
            )
        )
        self._insert_contacts(list(ids.values()), new, new_addresses, ids)
        self._fill_contacts(fill)
        return {key: ids.get(owner, owner) for key, owner in owners.items()}

    def _owners(self, people: list[FoundContact]) -> dict[str, Any]:
        """Contact id by ``kind|canonical``, for the addresses that are known."""
        asked: dict[str, set[str]] = defaultdict(set)
        for person in people:
            for address in person.addresses:
                asked[address.kind].add(address.canonical)
        condition = Q()
        for kind, values in asked.items():
            condition |= Q(kind=kind, canonical__in=values)
        if not asked:
            return {}
        rows = ContactAddress.objects.filter(condition)
        return {
            f"{kind}|{canonical}": contact
            for kind, canonical, contact in rows.values_list("kind", "canonical", "contact")
        }

    def _insert_contacts(
        self,
        ids: list[int],
        new: list[tuple[FoundContact, int | None]],
        new_addresses: list[tuple[Any, FoundAddress]],
        id_of: dict[str, int],
    ) -> None:
        bulk.insert(
            Contact,
            ["id", "name", "role", "title", "organization"],
            (
                (pk, person.name, person.role, person.title, place)
                for pk, (person, place) in zip(ids, new, strict=True)
            ),
        )
        bulk.insert(
            ContactAddress,
            ["id", "contact", "kind", "value", "canonical"],
            (
                (pk, id_of.get(owner, owner), *address)
                for pk, (owner, address) in zip(
                    bulk.new_ids(ContactAddress, len(new_addresses)), new_addresses, strict=True
                )
            ),
        )

    def _fill_contacts(self, fill: dict[int, tuple[FoundContact, int | None]]) -> None:
        """A person who is known keeps name, title and organization; gaps are filled."""
        changed = []
        for row in Contact.objects.filter(pk__in=fill) if fill else ():
            person, place = fill[row.pk]
            before = row.name, row.title, row.organization_id
            row.name, row.title = row.name or person.name, row.title or person.title
            row.organization_id = row.organization_id or place
            if before != (row.name, row.title, row.organization_id):
                row.updated_at = self.now
                changed.append(row)
        if changed:
            fields = ["name", "title", "organization", "updated_at"]
            Contact.objects.bulk_update(changed, fields, batch_size=500)

    # Leads

    def _leads(self, organizations: dict[tuple[str, str], int]) -> None:
        new = [group for group in self.groups if group.lead is None]
        for group, pk in zip(new, bulk.new_ids(Lead, len(new)), strict=True):
            group.lead_id = pk
        for group in self.groups:
            companies = (each.organization for each in group.found if each.organization)
            company = next(companies, None)
            group.organization_id = organizations[company.key] if company else None
        columns = ["id", "kind", "organization", *LEAD_VALUES, "closed_at", "attributes"]
        bulk.insert(
            Lead,
            [*columns, "first_seen_at", "last_seen_at"],
            (self._lead_row(group) for group in new),
        )
        self._update_leads([group for group in self.groups if group.lead is not None])
        self.touched |= {("lead", group.lead_id) for group in self.groups}

    def _lead_row(self, group: _Group) -> list[Any]:
        values = _folded(group.found)
        closed = group.found[0].closed_at or None
        brought = values | {"closed_at": closed}
        if group.organization_id:
            brought["organization_id"] = group.organization_id
        return [
            group.lead_id,
            group.found[0].kind,
            group.organization_id,
            *(values.get(name, blank) for name, blank in LEAD_VALUES.items()),
            closed,
            provenance.brought(self.source, brought),
            self.now,
            self.now,
        ]

    def _update_leads(self, groups: list[_Group]) -> None:
        manual = _manual_kinds("lead", [group.lead_id for group in groups])
        changed, embed_again = [], []
        for group in groups:
            lead = group.lead
            assert lead is not None
            values = _folded(group.found)
            if group.organization_id:
                values["organization_id"] = group.organization_id
            changes = provenance.changes(
                lead,
                values,
                source=self.source,
                fill_only=("lead", lead.pk) in self.touched,
                manual=manual[lead.pk],
            )
            changes |= self._closing(lead, group.found[0].closed_at, changes, manual[lead.pk])
            if changes:
                group.changed = True
                self.changed_facts |= {("lead", lead.pk, name) for name in changes}
                if changes.keys() & EMBEDDED:
                    embed_again.append(lead.pk)
                _set(lead, changes)
                changed.append(lead)
        if changed:
            fields = [*LEAD_VALUES, "organization", "closed_at", "attributes"]
            Lead.objects.bulk_update(changed, fields, batch_size=200)
            again = Lead.objects.filter(pk__in=embed_again)
            again.update(embedding=None, embedding_model="")
        Lead.objects.filter(pk__in=[g.lead_id for g in groups]).update(last_seen_at=self.now)

    def _closing(
        self,
        lead: Lead,
        closed_at: datetime | bool | None,
        changes: dict[str, Any],
        manual: Collection[str],
    ) -> dict[str, Any]:
        """A source closes a lead once, and opens again only what it closed itself."""
        if closed_at is None or "closed_at" in manual or ("lead", lead.pk) in self.touched:
            return {}
        attributes = changes.get("attributes", lead.attributes)
        imported = attributes.get(provenance.KEY, {})
        sums = imported.get(self.source, {})
        if closed_at and lead.closed_at is None and "closed_at" not in sums:
            sums = sums | {"closed_at": provenance.checksum(closed_at)}
        elif (
            closed_at is False
            and lead.closed_at is not None
            and sums.get("closed_at") == provenance.checksum(lead.closed_at)
        ):
            sums = {name: value for name, value in sums.items() if name != "closed_at"}
        else:
            return {}
        attributes = attributes | {provenance.KEY: imported | {self.source: sums}}
        return {"closed_at": closed_at or None, "attributes": attributes}

    def _identities(self) -> None:
        wanted: dict[tuple[str, str], tuple[int, str]] = {}
        for group in self.groups:
            for each in group.found:
                for name in each.identities:
                    wanted.setdefault(
                        (name.platform, name.platform_id), (group.lead_id, name.url)
                    )
        known = self._known_identities()
        new = [(*key, *value) for key, value in wanted.items() if key not in known]
        ids = bulk.new_ids(LeadIdentity, len(new))
        bulk.insert(
            LeadIdentity,
            ["id", "platform", "platform_id", "lead", "url"],
            ((pk, *row) for pk, row in zip(ids, new, strict=True)),
        )
        added = {row[2] for row in new}
        for group in self.groups:
            group.changed |= group.lead_id in added

    def _link(self, contacts: dict[str, int]) -> None:
        """Leads and the people behind them."""
        for group in self.groups:
            people = (person for each in group.found for person in each.contacts)
            ids = (contacts[_key(person.addresses[0])] for person in people)
            group.contact_ids = list(dict.fromkeys(ids))
        through = Lead.contacts.through
        old = [group.lead_id for group in self.groups if group.lead is not None]
        rows = through.objects.filter(lead__in=old).values_list("lead_id", "contact_id")
        present = set(rows) if old else set()
        new = [
            (group.lead_id, contact)
            for group in self.groups
            for contact in group.contact_ids
            if (group.lead_id, contact) not in present
        ]
        keys = bulk.new_ids(through, len(new))
        bulk.insert(
            through,
            ["id", "lead", "contact"],
            ((pk, *pair) for pk, pair in zip(keys, new, strict=True)),
        )
        added = {lead for lead, _ in new}
        for group in self.groups:
            group.changed |= group.lead_id in added

    def _mark(self) -> None:
        """Mark leads of whom nobody may be written to (LAW-7)."""
        stopped = set(self.suppressed)
        for group in self.groups:
            for each in group.found:
                for person in each.contacts:
                    if reason := _reason(person, self.suppressed):
                        group.suppressed = group.suppressed or reason
                        self.reasons.setdefault(id(each), reason)
                        stopped |= {address.value for address in person.addresses}
        marked = [group for group in self.groups if group.suppressed]
        if not marked:
            return
        emails = self._emails_of(marked)
        stopped |= suppressions.suppressed({e for each in emails.values() for e in each}).keys()
        nobody = [
            group.lead_id
            for group in marked
            if group.blocked or stopped.issuperset(emails[group.lead_id])
        ]
        Lead.objects.filter(pk__in=nobody, suppressed_at__isnull=True).update(
            suppressed_at=self.now
        )

    def _emails_of(self, groups: list[_Group]) -> dict[int, list[str]]:
        emails: dict[int, list[str]] = defaultdict(list)
        rows = Lead.contacts.through.objects.filter(
            lead__in=[group.lead_id for group in groups],
            contact__addresses__kind=ContactAddress.Kind.EMAIL,
        )
        for lead, email in rows.values_list("lead_id", "contact__addresses__value"):
            emails[lead].append(email)
        return emails

    # What is known

    def _facts(self, organizations: dict[tuple[str, str], int]) -> None:
        wanted: dict[tuple[str, int, str, str], FoundFact] = {}
        for group in self.groups:
            for each in group.found:
                self._collect(wanted, "lead", group.lead_id, each.facts)
                if each.organization:
                    owner = organizations[each.organization.key]
                    self._collect(wanted, "organization", owner, each.organization.facts)
        present = self._present_facts(wanted)
        new = [(key, fact) for key, fact in wanted.items() if key not in present]
        ids = bulk.new_ids(Fact, len(new))
        bulk.insert(
            Fact,
            [
                "id",
                "lead",
                "organization",
                "kind",
                "value",
                "source",
                "source_url",
                "observed_at",
            ],
            (
                (
                    pk,
                    owner if about == "lead" else None,
                    owner if about == "organization" else None,
                    fact.kind,
                    fact.value,
                    self.source,
                    fact.url,
                    self.now,
                )
                for pk, ((about, owner, _, _), fact) in zip(ids, new, strict=True)
            ),
        )
        self._observe_again(present)

    def _collect(
        self,
        wanted: dict[tuple[str, int, str, str], FoundFact],
        about: str,
        owner: int,
        facts: Iterable[FoundFact],
    ) -> None:
        for fact in facts:
            wanted.setdefault((about, owner, fact.kind, bulk.md5(fact.value)), fact)

    def _present_facts(
        self, wanted: dict[tuple[str, int, str, str], FoundFact]
    ) -> dict[tuple[str, int, str, str], int]:
        leads = {group.lead_id for group in self.groups if group.lead is not None}
        companies = {owner for about, owner, _, _ in wanted if about == "organization"}
        present: dict[tuple[str, int, str, str], int] = {}
        for about, owners in (("lead", leads), ("organization", companies)):
            if not owners:
                continue
            rows = (
                Fact.objects.filter(**{f"{about}__in": owners}, source=self.source)
                .annotate(digest=MD5("value"))
                .values_list(f"{about}_id", "kind", "digest", "pk")
            )
            present |= {(about, owner, kind, digest): pk for owner, kind, digest, pk in rows}
        return {key: pk for key, pk in present.items() if key in wanted}

    def _observe_again(self, present: dict[tuple[str, int, str, str], int]) -> None:
        """A value that came back is the newest again."""
        again = [
            pk
            for (about, owner, kind, _), pk in present.items()
            if (about, owner, FACT_FIELDS.get(kind, kind)) in self.changed_facts
        ]
        if again:
            Fact.objects.filter(pk__in=again).update(observed_at=self.now)

    def _items(self) -> None:
        wanted: dict[tuple[int, str], FoundItem] = {}
        for group in self.groups:
            for each in group.found:
                for item in each.items:
                    wanted.setdefault((group.lead_id, item.guid), item)
        if not wanted:
            return
        rows = ContentItem.objects.filter(lead__in={lead for lead, _ in wanted}).defer(
            "transcript", "summary"
        )
        present = {(row.lead_id, row.guid): row for row in rows}
        new = [key for key in wanted if key not in present]
        ids = bulk.new_ids(ContentItem, len(new))
        bulk.insert(
            ContentItem,
            ["id", "lead", "guid", *ITEM_VALUES],
            (
                [pk, *key, *(getattr(wanted[key], name) for name in ITEM_VALUES)]
                for pk, key in zip(ids, new, strict=True)
            ),
        )
        changed = [
            row for key, row in present.items() if key in wanted and _edit(row, wanted[key])
        ]
        if changed:
            ContentItem.objects.bulk_update(
                changed, [*ITEM_TEXT, "embedding", "embedding_model"], batch_size=200
            )
        touched = {lead for lead, _ in new} | {row.lead_id for row in changed}
        for group in self.groups:
            group.changed |= group.lead_id in touched


# The columns that a source may fill, and what they hold while nobody has.
LEAD_VALUES: dict[str, Any] = {
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
ORGANIZATION_VALUES: dict[str, Any] = {
    "industry": "",
    "employees": None,
    "country": "",
    "time_zone": "",
}
ITEM_TEXT = ("title", "url", "text")
ITEM_VALUES = ("kind", *ITEM_TEXT, "published_at", "seconds", "keywords")
# What matching reads: a change asks for a new embedding.
EMBEDDED = {"name", "text", "keywords", "industries"}
# Kinds of fact that are called otherwise than the field they stand in.
FACT_FIELDS = {"title": "name", "description": "text"}


def _refusal(found: FoundLead, claimed: list[_Group]) -> str:
    if not found.identities:
        return (
            "nothing tells this lead from others: it needs an id, a feed, a website or a link"
        )
    if len(claimed) > 1:
        whom = " and ".join(_named(group) for group in claimed)
        return f"belongs to two leads, {whom}: nothing was changed; merge them if they are one"
    for group in claimed:
        kind = group.lead.kind if group.lead else group.found[0].kind
        if kind != found.kind:
            return f"is here already as a {kind}, not a {found.kind} ({_named(group)})"
    return ""


def _named(group: _Group) -> str:
    if group.lead is not None:
        return f"#{group.lead.pk} “{group.lead.name}”"
    return f"the one of line {group.found[0].line}"


def _fold(wanted: dict[tuple[str, str], FoundOrganization], found: FoundOrganization) -> None:
    """Of several rows about one organization the first speaks; the others fill its gaps."""
    first = wanted.setdefault(found.key, found)
    if first is not found:
        first.values = found.values | first.values


def _folded(found: list[FoundLead]) -> dict[str, Any]:
    """The values of rows about one lead: the first speaks, the others fill its gaps."""
    values: dict[str, Any] = {}
    for each in found:
        for name, value in each.values.items():
            values.setdefault(name, value)
    return values


def _manual_kinds(about: str, owners: list[int]) -> dict[int, set[str]]:
    """Fields that a person has fixed by a fact, by owner."""
    manual: dict[int, set[str]] = defaultdict(set)
    if owners:
        rows = Fact.objects.filter(**{f"{about}__in": owners}, source=BaseFact.MANUAL)
        for owner, kind in rows.values_list(f"{about}_id", "kind"):
            manual[owner] |= {kind, FACT_FIELDS.get(kind, kind)}
    return manual


def _without(
    people: list[FoundContact], reasons: dict[str, str], reason: str
) -> tuple[list[FoundContact], bool]:
    kept = [person for person in people if _reason(person, reasons) != reason]
    return kept, len(kept) != len(people)


def _reason(person: FoundContact, reasons: dict[str, str]) -> str:
    found = (reasons.get(address.value) for address in person.addresses)
    return next(filter(None, found), "")


def _key(address: FoundAddress) -> str:
    return f"{address.kind}|{address.canonical}"


def _set(row: Any, changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        setattr(row, name, value)


def _edit(row: ContentItem, found: FoundItem) -> bool:
    """Take over another text; True if there is one."""
    changed = {
        name: getattr(found, name)
        for name in ITEM_TEXT
        if getattr(found, name) and getattr(found, name) != getattr(row, name)
    }
    if changed:
        _set(row, changed | {"embedding": None, "embedding_model": ""})
    return bool(changed)
