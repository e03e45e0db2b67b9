"""Bringing a set of found leads into the database, table by table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import connection

from prospects.leads import (
    contacts,
    facts,
    identities,
    items,
    organizations,
    rows,
    suppressing,
)
from prospects.leads.batch import Batch
from prospects.leads.found import FoundLead, Outcome, Touched

_LOCK = 7_316_205  # one writer of identities at a time, whatever machine it runs on


def upsert(
    found: Sequence[FoundLead],
    *,
    source: str,
    now: datetime,
    touched: Touched | None = None,
) -> list[Outcome]:
    """Bring ``found`` into the database, in this transaction; one Outcome for each.

    ``source`` is who says so (at most 80 characters). ``touched`` collects the ids of leads and
    organizations that earlier sets of the same file have brought: what comes later fills their
    gaps and replaces nothing, so that importing a file twice changes nothing. The number of
    queries does not grow with ``found``. Raises what the database raises, with ``touched`` as
    it was; the caller holds a savepoint.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    touched = set() if touched is None else touched
    batch = Batch(found, source[:80], now, touched)
    identities.recognise(batch)
    suppressing.look_up(batch)
    organization_ids = organizations.bring(batch)
    contact_ids = contacts.bring(batch, organization_ids)
    rows.bring(batch, organization_ids)
    identities.bring(batch)
    contacts.link(batch, contact_ids)
    suppressing.mark(batch)
    facts.bring(batch, organization_ids)
    items.bring(batch)
    touched |= batch.brought
    return batch.outcomes()
