"""Whom of the leads we may not write to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from prospects import suppressions
from prospects.leads.batch import Batch, Group
from prospects.leads.found import FoundContact
from prospects.models import ContactAddress, Lead, Organization, Suppression


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
    kinds = (suppressions.Kind.ORGANIZATION, suppressions.Kind.DOMAIN)
    if not Suppression.objects.filter(kind__in=kinds).exists():
        return set()
    organizations = Organization.objects.filter(leads__suppressed_at__isnull=True)
    rows = list(organizations.values_list("leads", "name", "domain"))
    reason_of = _reasons_of_organizations((name, domain) for _, name, domain in rows)
    return {lead for lead, name, domain in rows if (name, domain) in reason_of}


def look_up(batch: Batch) -> None:
    """Note who is suppressed, and forget at once whoever asked to be forgotten."""
    if not Suppression.objects.exists():
        return
    batch.suppressed = _reasons(
        person for _, each in batch.members() for person in each.contacts
    )
    _look_up_organizations(batch)
    erased = Suppression.Reason.ERASED
    for group, each in batch.members():
        kept = [p for p in each.contacts if _reason(p, batch.suppressed) != erased]
        if len(kept) < len(each.contacts):
            each.contacts = kept
            group.suppressed = batch.reasons[id(each)] = erased
    _forget_creators(batch)


def _reasons(people: Iterable[FoundContact]) -> dict[str, str]:
    """The reason by address, for those that may not be written to."""
    by_kind: dict[str, set[str]] = defaultdict(set)
    for person in people:
        for address in person.addresses:
            by_kind[address.kind].add(address.value)
    kinds = ContactAddress.Kind
    reasons = suppressions.suppressed(by_kind[kinds.EMAIL])
    for kind in (kinds.PHONE, kinds.LINKEDIN):
        reasons |= suppressions.suppressed_values(kind, by_kind[kind])
    return reasons


def _look_up_organizations(batch: Batch) -> None:
    companies = [each.organization for _, each in batch.members() if each.organization]
    reason_of = _reasons_of_organizations((c.name, c.domain) for c in companies)
    for group, each in batch.members():
        company = each.organization
        if company and (reason := reason_of.get((company.name, company.domain))):
            group.suppressed, group.blocked = reason, True


def _reasons_of_organizations(
    companies: Iterable[tuple[str, str]],
) -> dict[tuple[str, str], str]:
    """The reason by name and domain, for those that may not be written to."""
    kinds, companies = suppressions.Kind, set(companies)
    by_name = suppressions.suppressed_values(kinds.ORGANIZATION, {n for n, _ in companies})
    domains = {domain for _, domain in companies if domain}
    by_domain = suppressions.suppressed_values(kinds.DOMAIN, domains)
    reasons = {key: by_name.get(key[0]) or by_domain.get(key[1], "") for key in companies}
    return {key: reason for key, reason in reasons.items() if reason}


def _forget_creators(batch: Batch) -> None:
    """A creator is a person: one who was erased is not stored again under any name."""
    erased = Suppression.Reason.ERASED
    for group in batch.new():
        if group.found[0].kind == Lead.Kind.CREATOR and group.suppressed == erased:
            batch.groups.remove(group)
            for each in group.found:
                reason = "asked to be erased; nothing of this row is stored"
                batch.refuse(each, reason, suppressed=erased)


def mark(batch: Batch) -> None:
    """Mark leads of whom nobody may be written to (LAW-7)."""
    stopped = set(batch.suppressed)
    for group, each in batch.members():
        for person in each.contacts:
            if reason := _reason(person, batch.suppressed):
                group.suppressed = group.suppressed or reason
                batch.reasons.setdefault(id(each), reason)
                stopped |= {address.value for address in person.addresses}
    marked = [group for group in batch.groups if group.suppressed]
    if not marked:
        return
    emails = _emails_of(marked)
    stopped |= suppressions.suppressed({e for each in emails.values() for e in each}).keys()
    nobody = [
        group.lead_id
        for group in marked
        if group.blocked or stopped.issuperset(emails[group.lead_id])
    ]
    Lead.objects.filter(pk__in=nobody, suppressed_at__isnull=True).update(
        suppressed_at=batch.now
    )


def _emails_of(groups: list[Group]) -> dict[int, list[str]]:
    emails: dict[int, list[str]] = defaultdict(list)
    rows = Lead.contacts.through.objects.filter(
        lead__in=[group.lead_id for group in groups],
        contact__addresses__kind=ContactAddress.Kind.EMAIL,
    )
    for lead, email in rows.values_list("lead_id", "contact__addresses__value"):
        emails[lead].append(email)
    return emails


def _reason(person: FoundContact, reasons: dict[str, str]) -> str:
    found = (reasons.get(address.value) for address in person.addresses)
    return next(filter(None, found), "")
