"""Who is who: the names by which leads are known."""

from __future__ import annotations

from collections import defaultdict

from django.db.models import Q

from config import bulk
from prospects import names, sites
from prospects.leads.batch import Batch, Group
from prospects.leads.found import FoundLead, Identity
from prospects.models import Lead, LeadIdentity

MERGES = 20  # how long a chain of merged leads is followed
FEED, SITE, POSTING = "feed", "site", "posting"


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


def recognise(batch: Batch) -> None:
    """Group what is one lead, and find the leads that are here; refuse what is unclear."""
    known = _known(batch)
    batch.names = set(known)
    leads = Lead.objects.defer("embedding", "tags").in_bulk(set(known.values()))
    groups: dict[int, Group] = {}
    places: dict[tuple[str, str], Group] = {}
    for key, lead_id in known.items():
        if lead_id not in groups:
            seen = ("lead", lead_id) in batch.touched
            groups[lead_id] = Group(leads[lead_id], lead_id=lead_id, seen=seen)
        places[key] = groups[lead_id]
    for each in batch.found:
        keys = [(name.platform, name.platform_id) for name in each.identities]
        claimed = list(dict.fromkeys(places[key] for key in keys if key in places))
        if reason := _refusal(each, claimed):
            batch.refuse(each, reason)
            continue
        group = claimed[0] if claimed else Group(None)
        group.found.append(each)
        places |= dict.fromkeys(keys, group)
        if len(group.found) == 1:
            batch.groups.append(group)


def bring(batch: Batch) -> None:
    """Store the names that were not known yet."""
    new: dict[tuple[str, str], tuple[int, str]] = {}
    for group, each in batch.members():
        for name in each.identities:
            if name[:2] not in batch.names:
                new.setdefault(name[:2], (group.lead_id, name.url))
    bulk.insert(
        LeadIdentity,
        ["platform", "platform_id", "lead", "url"],
        ((*key, *value) for key, value in new.items()),
    )
    batch.mark_changed({lead for lead, _ in new.values()})


def _known(batch: Batch) -> dict[tuple[str, str], int]:
    """Lead by (platform, id), where it is known; merged leads are followed."""
    asked: dict[str, set[str]] = defaultdict(set)
    for each in batch.found:
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
    return _follow_merges(known)


def _follow_merges(known: dict[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    for _ in range(MERGES):
        rows = Lead.objects.filter(pk__in=set(known.values()), merged_into__isnull=False)
        merged = {pk: into for pk, into in rows.values_list("pk", "merged_into") if into}
        if not merged:
            break
        known = {key: merged.get(lead, lead) for key, lead in known.items()}
    return known


def _refusal(found: FoundLead, claimed: list[Group]) -> str:
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


def _named(group: Group) -> str:
    if group.lead is not None:
        return f"#{group.lead.pk} “{group.lead.name}”"
    return f"the one of line {group.found[0].line}"
