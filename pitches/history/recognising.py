"""Which lead a message was to, where the file does not say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from django.db.models.functions import Lower

from pitches.history.rows import PLATFORM, Told
from prospects import names
from prospects.leads import Identity
from prospects.models import ContactAddress, Lead, LeadIdentity


def recognise(told: Sequence[Told], kind: str) -> None:
    """Rows that do not say which lead they mean get the only one they can mean.

    That is a lead of the person written to, else one of this title at this organization. Where
    several would do, the row stands by itself. ``kind`` is the one of all leads.
    """
    unnamed = [each for each in told if not _is_named(each)]
    by_email = _by_email({each.canonical for each in unnamed}, kind)
    by_title = _by_title({each.title for each in unnamed}, kind)
    chosen: dict[int, list[Told]] = defaultdict(list)
    for each in unnamed:
        theirs = by_email.get(each.canonical, {})
        title = names.title_key(each.title) if each.title else ""
        of_title = {pk for pk, key in theirs.items() if not title or key == title}
        found = of_title or by_title.get((title, _company(each)), set())
        if len(found) == 1:
            chosen[next(iter(found))].append(each)
        elif not title:
            _stand_in(each, kind)
    _use_identities(chosen)


def _is_named(each: Told) -> bool:
    return any(not name.platform_id.startswith("name:") for name in each.lead.identities)


def _company(each: Told) -> str:
    company = each.lead.organization
    return names.organization_key(company.name) if company else ""


def _by_email(canonical: set[str], kind: str) -> dict[str, dict[int, str]]:
    """Leads by the address of somebody behind them: the key of the title by id."""
    found: dict[str, dict[int, str]] = defaultdict(dict)
    rows = Lead.objects.filter(
        kind=kind,
        merged_into__isnull=True,
        contacts__addresses__kind=ContactAddress.Kind.EMAIL,
        contacts__addresses__canonical__in=canonical,
    ).values_list("contacts__addresses__canonical", "pk", "name")
    for address, pk, name in rows:
        found[address][pk] = names.title_key(name)
    return found


def _by_title(titles: set[str], kind: str) -> dict[tuple[str, str], set[int]]:
    """Leads by title and company; all but roles by title alone too."""
    found: dict[tuple[str, str], set[int]] = defaultdict(set)
    wanted = {title.lower() for title in titles if title}
    rows = Lead.objects.filter(kind=kind, merged_into__isnull=True)
    rows = rows.annotate(lower=Lower("name")).filter(lower__in=wanted)
    for pk, name, company in rows.values_list("pk", "name", "organization__name_key"):
        keys = {company or ""} if kind == Lead.Kind.ROLE else {company or "", ""}
        for key in keys:
            found[names.title_key(name), key].add(pk)
    return found


def _stand_in(each: Told, kind: str) -> None:
    """Nobody knows which lead it was: one that is closed stands for it, and limits hold."""
    company = each.lead.organization
    each.lead.values["name"] = company.name if company else each.email.rpartition("@")[2]
    each.lead.closed_at = each.sent_at
    each.lead.identities = [Identity(PLATFORM, f"unnamed:{kind}|{each.canonical}"[:500])]


def _use_identities(chosen: Mapping[int, list[Told]]) -> None:
    """Name the chosen leads by an identity of theirs, so that importing finds them."""
    known: dict[int, Identity] = {}
    rows = LeadIdentity.objects.filter(lead__in=chosen).order_by("pk")
    for lead, platform, platform_id in rows.values_list("lead", "platform", "platform_id"):
        known.setdefault(lead, Identity(platform, platform_id))
    without = [lead for lead in chosen if lead not in known]
    LeadIdentity.objects.bulk_create(
        LeadIdentity(lead_id=lead, platform=PLATFORM, platform_id=f"lead:{lead}")
        for lead in without
    )
    known |= {lead: Identity(PLATFORM, f"lead:{lead}") for lead in without}
    for lead, rows_of_lead in chosen.items():
        for each in rows_of_lead:
            each.lead.identities = [known[lead]]
            each.lead.organization = None  # it has its own
