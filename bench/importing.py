"""Importing 2,000 podcasts, against a loop of update_or_create that stores the same."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from random import Random

from django.db import transaction

from bench import _real
from bench.harness import Results, queries, timed
from config import tables
from config.imports import Report
from prospects import importing, names
from prospects.importing import Job, carrying
from prospects.leads import FoundLead
from prospects.models import Contact, ContactAddress, Fact, Lead, LeadIdentity, Organization

NOW = datetime(2026, 6, 1, 9, tzinfo=UTC)
ROWS = 2_000
MODELS = (Lead, LeadIdentity, Organization, Contact, ContactAddress, Fact)


def run(results: Results) -> None:
    content = _content(results)
    job = Job.of(Lead.Kind.PODCAST, "podcasts.csv", now=NOW)

    looped, _ = timed(lambda: _loop(content, job))
    there = _counts()
    _empty()
    ours, report = timed(lambda: importing.carry_out_file(content, "podcasts.csv", job))
    results.fact("rows", report.counts["rows"])
    for model, count in _counts().items():
        results.fact(f"  {model}", f"{count:,}")
    results.check(
        "tables in which loop and import count differently",
        not (differ := [name for name, count in _counts().items() if count != there[name]]),
        len(differ),
        "none",
    )
    results.fact("import, rows a second", f"{ROWS / ours:,.0f}")
    results.fact("loop, rows a second", f"{ROWS / looped:,.0f}")
    results.pair("import against the loop", ours=ours, theirs=looped, at_least=10)

    again, report = timed(lambda: importing.carry_out_file(content, "podcasts.csv", job))
    results.fact("the same file again, rows a second", f"{ROWS / again:,.0f}")
    changed = report.counts["created"] + report.counts["updated"]
    results.check("leads that a second import makes or changes", not changed, changed, "none")
    _queries_do_not_grow(content, job, results)


def _queries_do_not_grow(content: bytes, job: Job, results: Results) -> None:
    table = tables.read(content, "podcasts.csv")
    few = tables.Table(table.name, table.columns, table.rows[:10])
    many = tables.Table(table.name, table.columns, table.rows[: carrying.BATCH])
    counted = []
    for each in (few, many):
        _empty()
        counted.append(queries(lambda each=each: importing.carry_out(each, job))[0])
    results.check(
        f"queries for 10 and for {carrying.BATCH:,} rows",
        counted[0] == counted[1],
        f"{counted[0]}, {counted[1]}",
        "equal",
    )


def _content(results: Results) -> bytes:
    folder = _real.folder("podcasts", results)
    if folder is not None:
        return (folder / "podcasts_2000.csv").read_bytes()
    results.note("invented podcasts instead of recorded ones")
    luck = Random(1)
    words = ["a", "show", "about", "work", "law", "music", "and", "cities"]
    lines = ["id,title,publisher,description,feed_url,website,owner_email"]
    for n in range(ROWS):
        text = " ".join(luck.choices(words, k=60))
        site = f"https://show{n}.example.com"
        lines.append(
            f"p{n},Show {n},Publisher {n // 2},{text},{site}/feed,{site},"
            f"owner{n // 2}@show.example.com"
        )
    return "\n".join(lines).encode()


def _counts() -> dict[str, int]:
    return {model.__name__: model.objects.count() for model in MODELS}


def _empty() -> None:
    for model in (Fact, LeadIdentity, Lead, ContactAddress, Contact, Organization):
        model.objects.all().delete()


def _loop(content: bytes, job: Job) -> None:
    """The same rows, read by the same code, stored one by one."""
    table = tables.read(content, "podcasts.csv")
    columns = importing.columns_of(table, job.kind)
    found = importing.read_rows(table.rows, columns, job, Report.of(table, columns))
    with transaction.atomic():
        _store(found, job)


def _store(found: Iterable[FoundLead], job: Job) -> None:
    for each in found:
        organization = None
        if each.organization:
            organization, _ = Organization.objects.update_or_create(
                name_key=names.organization_key(each.organization.name),
                domain=each.organization.domain,
                defaults={"name": each.organization.name},
            )
        lead = _known(each)
        values = each.values | {"organization": organization, "last_seen_at": job.now}
        lead, _ = Lead.objects.update_or_create(
            pk=lead.pk if lead else None,
            defaults=values,
            create_defaults=values | {"kind": each.kind, "first_seen_at": job.now},
        )
        for identity in each.identities:
            LeadIdentity.objects.update_or_create(
                platform=identity.platform,
                platform_id=identity.platform_id,
                defaults={"lead": lead, "url": identity.url},
            )
        _store_people(each, lead, organization)
        for fact in each.facts:
            Fact.objects.update_or_create(
                lead=lead,
                kind=fact.kind,
                source=job.platform,
                value=fact.value,
                defaults={"source_url": fact.url, "observed_at": job.now},
            )


def _known(each: FoundLead) -> Lead | None:
    for identity in each.identities:
        known = LeadIdentity.objects.filter(
            platform=identity.platform, platform_id=identity.platform_id
        )
        if row := known.select_related("lead").first():
            return row.lead
    return None


def _store_people(each: FoundLead, lead: Lead, organization: Organization | None) -> None:
    for person in each.contacts:
        for address in person.addresses:
            row = ContactAddress.objects.filter(
                kind=address.kind, canonical=address.canonical
            ).first()
            contact = (
                row.contact
                if row
                else Contact.objects.create(
                    organization=organization, name=person.name, role=person.role
                )
            )
            ContactAddress.objects.update_or_create(
                kind=address.kind,
                canonical=address.canonical,
                defaults={"contact": contact, "value": address.value},
            )
            lead.contacts.add(contact)
