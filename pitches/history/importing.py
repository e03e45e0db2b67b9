"""Carrying an import of the past out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import transaction

from campaigns.models import Campaign, Candidate
from config.bulk import batches
from config.imports import Report, bring_in_parts, map_columns, need
from config.tables import Table
from pitches.history import answers, matches, messages, rows
from pitches.history.past import BATCH, Past
from pitches.history.recognising import recognise
from pitches.history.rows import FIELDS, PLATFORM, Told
from pitches.models import Sender, SenderCampaign
from prospects import leads
from prospects.importing import KIND_OF_PRESET
from prospects.models import ContactAddress


def import_history(
    table: Table,
    campaign: Campaign,
    *,
    chosen: Mapping[str, str] | None = None,
    dry_run: bool = False,
    now: datetime,
) -> Report:
    """Record messages that went out before, again and again without counting one twice.

    The same row has the same Message-ID: a second import finds it there. Rows in the future, or
    without a date, an address or a sender, are refused. One transaction for the file. Raises
    UnreadableFile.
    """
    columns = map_columns(table, FIELDS, chosen)
    need(columns, table, "email")
    need(columns, table, "sent_at")
    report = Report.of(table, columns, "created", "unchanged", "matches")
    past = Past(campaign, table.name, now, report)
    senders = SenderCampaign.objects.filter(campaign=campaign, is_default=True)
    told = rows.read(
        table.rows,
        columns,
        report,
        kind=KIND_OF_PRESET[Campaign.Preset(campaign.preset)],
        sender=senders.values_list("sender__address", flat=True).first() or "",
        now=now,
    )
    with transaction.atomic():
        # One at a time: rounds are counted on.
        Campaign.objects.select_for_update().get(pk=campaign.pk)
        bring_in_parts(list(told), _Bringing(past), report, parts=_by_person)
        transaction.set_rollback(dry_run)
    return report


def _by_person(told: Sequence[Told]) -> list[list[Told]]:
    people: dict[str, list[Told]] = defaultdict(list)
    for each in told:
        people[each.email].append(each)
    return list(people.values())


class _Bringing:
    """Brings rows in, and remembers which leads earlier ones have brought."""

    def __init__(self, past: Past) -> None:
        self.past, self.touched = past, leads.Touched()

    def __call__(self, told: Sequence[Told]) -> None:
        past, touched = self.past, set(self.touched)
        recognise(told, KIND_OF_PRESET[Campaign.Preset(past.campaign.preset)])
        told = _addresses(past, _leads(past, told, touched))
        senders = _senders(past, {each.sender for each in told})
        _candidates(past, told)
        messages.name(past.campaign, told)
        known = messages.stored(each.message_id for each in told)
        new: dict[str, Told] = {}
        for each in told:
            if each.message_id not in known:
                new.setdefault(each.message_id, each)
        pitches = {key: message.pitch for key, message in known.items()}
        pitches |= messages.write(past, new.values(), senders)
        answers.record(past, told, known)
        matches.record(past, told, pitches)
        past.report.counts["created"] += len(new)
        past.report.counts["unchanged"] += len(told) - len(new)
        self.touched = touched


def _leads(past: Past, told: Sequence[Told], touched: leads.Touched) -> list[Told]:
    """Find or make the leads and the people behind them."""
    kept = []
    for some in batches(told, BATCH):
        found = [each.lead for each in some]
        outcomes = leads.upsert(found, source=PLATFORM, now=past.now, touched=touched)
        for each, outcome in zip(some, outcomes, strict=True):
            if outcome.lead_id is None:
                past.report.refuse(each.line, outcome.reason)
            else:
                each.lead_id = outcome.lead_id
                kept.append(each)
    return kept


def _addresses(past: Past, told: Sequence[Told]) -> list[Told]:
    """Set to whom each went; leave out whoever asked to be forgotten."""
    known: dict[str, ContactAddress] = {}
    for some in batches({each.canonical for each in told}, BATCH):
        rows = ContactAddress.objects.filter(kind=ContactAddress.Kind.EMAIL, canonical__in=some)
        known |= {row.canonical: row for row in rows}
    kept = []
    for each in told:
        each.address = known.get(each.canonical)
        if each.address is None:
            reason = "asked to be erased; nothing of this row is stored"
            past.report.refuse(each.line, reason)
        else:
            kept.append(each)
    return kept


def _senders(past: Past, wanted: set[str]) -> dict[str, Sender]:
    """Senders by address; one who is unknown here is kept, paused."""
    known = {row.address.lower(): row for row in Sender.objects.all()}
    new = [
        Sender(
            name=address.partition("@")[0],
            address=address,
            transport=Sender.Transport.BY_HAND,
            status=Sender.Status.PAUSED,
            status_reason=f"known from {past.file} only",
        )
        for address in sorted(wanted - known.keys())
    ]
    made = Sender.objects.bulk_create(new)
    if made:
        told = ", ".join(row.address for row in made)
        past.report.notes.append(f"New senders, paused: {told}.")
    return known | {row.address: row for row in made}


def _candidates(past: Past, told: Sequence[Told]) -> None:
    """Set the candidate whom each names by reference, name or address."""
    if not any(each.candidate for each in told):
        return
    by_word: dict[str, set[int]] = defaultdict(set)
    rows = Candidate.objects.filter(client=past.campaign.client_id)
    for pk, reference, name, attributes in rows.values_list(
        "pk", "reference", "name", "attributes"
    ):
        for word in (reference, name, attributes.get("email", "")):
            by_word[word.casefold()].add(pk)
    for each in told:
        found = by_word.get(each.candidate.casefold(), set()) if each.candidate else set()
        if len(found) == 1:
            each.candidate_id = next(iter(found))
        elif each.candidate:
            which = "more than one here" if found else "unknown"
            past.report.warn(
                each.line,
                f"candidate “{each.candidate}” is {which}: the message counts in limits, "
                "but not for the candidate; import candidates, then this file again",
            )
