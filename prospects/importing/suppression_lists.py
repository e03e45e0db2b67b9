"""Whom we may not write to, from lists of other systems."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from itertools import chain

from django.db import transaction

from config import values
from config.imports import Cells, Field, Report, map_columns, need, read_each
from config.tables import Table
from config.values import ValueUnclear
from prospects import leads, suppressions
from prospects.models import Suppression

VALUE = 1_000
WORDS = 100  # characters of a reason
FIELDS = [
    Field("value", "whom", ("email", "e mail", "address", "email address", "contact email")),
    Field("domain", "a whole domain", ("website",)),
    Field("phone", "a telephone number", ("telephone", "mobile")),
    Field("linkedin", "a LinkedIn page", ("linkedin url",)),
    Field("organization", "a company by name", ("company", "company name")),
    Field("kind", "email, domain, phone, linkedin or organization", ("type",)),
    Field("reason", "why", ("status",)),
    Field("since", "since when", ("date", "unsubscribed at", "created at", "created")),
]
# What other systems write where we have a closed list.
REASONS = {
    "unsubscribe": Suppression.Reason.UNSUBSCRIBED,
    "opted out": Suppression.Reason.UNSUBSCRIBED,
    "opt out": Suppression.Reason.UNSUBSCRIBED,
    "spam": Suppression.Reason.COMPLAINED,
    "complain": Suppression.Reason.COMPLAINED,
    "bounce": Suppression.Reason.BOUNCED,
    "do not contact": Suppression.Reason.DO_NOT_CONTACT,
    "dnc": Suppression.Reason.DO_NOT_CONTACT,
    "eras": Suppression.Reason.ERASED,
    "delet": Suppression.Reason.ERASED,
}


def import_suppressions(
    table: Table,
    *,
    kind: str = "",
    reason: str = Suppression.Reason.IMPORTED,
    chosen: Mapping[str, str] | None = None,
    dry_run: bool = False,
    now: datetime,
) -> Report:
    """Add whom we may not write to, and mark the leads of whom nobody is left.

    Each row may hold several values of different kinds. ``kind`` and ``reason`` hold where no
    column says otherwise. Raises UnreadableFile.
    """
    columns = map_columns(table, FIELDS, chosen)
    need(columns, table, "value", "domain", "phone", "linkedin", "organization")
    report = Report.of(table, columns)

    def read(cells: Cells) -> list[Suppression]:
        return _suppressions(cells, kind, reason, table.name, now)

    rows = list(chain.from_iterable(read_each(table.rows, columns, report, read)))
    with transaction.atomic():
        report.counts["created"] = suppressions.add_many(rows)
        report.counts["known"] = len(rows) - report.counts["created"]
        report.counts["leads marked"] = leads.mark_suppressed(now=now)
        transaction.set_rollback(dry_run)
    return report


def _suppressions(
    cells: Cells, kind: str, reason: str, source: str, now: datetime
) -> list[Suppression]:
    """What one row says; raises ValueUnclear."""
    kinds = Suppression.Kind
    given = cells.text("kind").casefold() or kind
    if given and given not in kinds.values:
        raise ValueUnclear(f"kind “{given}” is none of {', '.join(kinds.values)}")
    # The words stay readable; an address among them may not (LAW-6).
    said = re.sub(r"\S*@\S*", "…", cells.text("reason", WORDS))
    why = _reason_of(said)
    if said and not why:
        source = f"{said} ({source})"
    since = values.moment(cells.text("since")) or now
    value = cells.text("value", VALUE)
    wanted = [(given or _kind_of(value), value)]
    wanted += [(name, cells.text(name, VALUE)) for name in kinds.values]
    found = [
        suppressions.row(each, text, reason=why or reason, source=source, now=min(since, now))
        for each, text in wanted
        if text
    ]
    if not found:
        raise ValueUnclear("there is nothing to suppress")
    if said and not why:
        cells.warn(
            f"reason “{said}” is none of ours: kept in its words, on the list as “{reason}”"
        )
    return found


def _reason_of(said: str) -> str:
    """The reason of our list that these words mean; "" where they mean none of them."""
    said = said.casefold()
    if said in Suppression.Reason.values:
        return said
    return next((reason for words, reason in REASONS.items() if words in said), "")


def _kind_of(value: str) -> str:
    kinds = Suppression.Kind
    if "linkedin.com/" in value.lower():
        return kinds.LINKEDIN
    if value.startswith("@") or ("@" not in value and "." in value and " " not in value):
        return kinds.DOMAIN
    return kinds.PHONE if re.fullmatch(r"\+[\d ().-]{6,}", value) else kinds.EMAIL
