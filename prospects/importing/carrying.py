"""Carrying an import of leads out: a table, a feed or many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from django.db import transaction

from campaigns import intake
from campaigns.models import Campaign
from config import tables
from config.bulk import batches
from config.imports import Report, bring_in_parts
from config.tables import Table, UnreadableFile
from prospects import feeds, leads
from prospects.importing import feed_files
from prospects.importing.columns import columns_of
from prospects.importing.job import KIND_OF_PRESET, Job
from prospects.importing.rows import read_rows
from prospects.leads import FoundLead
from prospects.models import Lead

BATCH = 1_000
COUNTED = (*leads.VERDICTS, "suppressed")


def check_campaign(slug: str, kind: str) -> Campaign:
    """The campaign these leads are for. Raises UnreadableFile where it does not fit."""
    campaign = intake.find_campaign(slug)
    wanted = KIND_OF_PRESET[Campaign.Preset(campaign.preset)]
    if wanted != kind:
        raise UnreadableFile(
            f"The campaign {slug} pitches to leads of the kind {wanted}, not {kind}."
        )
    return campaign


def carry_out(
    table: Table, job: Job, *, chosen: Mapping[str, str] | None = None, dry_run: bool = False
) -> Report:
    """Bring the rows of ``table`` in. A dry run does all of it and takes everything back.

    One transaction for the file: it is in or it is not. A bad row is reported with its line
    and reason and leaves the others alone. Raises UnreadableFile.
    """
    columns = columns_of(table, job.kind, chosen)
    report = Report.of(table, columns, *COUNTED)
    _bring(read_rows(table.rows, columns, job, report), job, report, dry_run=dry_run)
    return report


def carry_out_file(
    content: bytes,
    name: str,
    job: Job,
    *,
    chosen: Mapping[str, str] | None = None,
    dry_run: bool = False,
) -> Report:
    """Bring in a file, whether it is a table, a feed or a list of feeds.

    Raises UnreadableFile.
    """
    tables.check_size(name, len(content))
    if not feeds.is_markup(content):
        return carry_out(tables.read(content, name), job, chosen=chosen, dry_run=dry_run)
    if chosen:
        raise UnreadableFile(f"{name} is a feed; it has no columns to map.")
    report = carry_out_feeds([feeds.File(name, content)], job, dry_run=dry_run)
    if report.unreadable:
        raise report.unreadable[0]
    return report


def carry_out_feeds(files: Sequence[feeds.File], job: Job, *, dry_run: bool = False) -> Report:
    """Bring in feeds with their episodes. One that cannot be read is reported by its name.

    One transaction for all of them. Raises UnreadableFile for leads that have no feeds.
    """
    if job.kind not in (Lead.Kind.PODCAST, Lead.Kind.CREATOR):
        raise UnreadableFile(f"A feed is a podcast or a creator, not a {job.kind}.")
    report = Report(files[0].name if len(files) == 1 else f"{len(files)} feeds")
    report.counts |= dict.fromkeys(["rows", *COUNTED], 0)
    _bring(feed_files.read(files, job, report), job, report, dry_run=dry_run)
    return report


def _bring(found: Iterable[FoundLead], job: Job, report: Report, *, dry_run: bool) -> None:
    """Bring found leads in, a set at a time; one that fails is tried one by one."""
    touched: leads.Touched = set()

    def bring(some: Sequence[FoundLead]) -> None:
        outcomes = leads.upsert(some, source=job.platform, now=job.now, touched=touched)
        for outcome in outcomes:
            if outcome.verdict == leads.REFUSED:
                report.refuse(outcome.line, outcome.reason)
            else:
                report.counts[outcome.verdict] += 1
            if outcome.suppressed:
                report.counts["suppressed"] += 1
                report.suppressed.append((outcome.line, outcome.suppressed))

    with transaction.atomic():
        for some in batches(found, BATCH):
            bring_in_parts(some, bring, report)
        transaction.set_rollback(dry_run)
