"""What is wrong with the set-up of senders, for `check --database default` and `doctor`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.db import DatabaseError, transaction

from config import doctor
from pitches import continuity, deliveries
from pitches.journal import JournalUnavailable


@register(Tags.database)
def webhook_secrets(
    app_configs: Any, databases: Any = None, **kwargs: Any
) -> Iterator[CheckMessage]:
    """A provider that cannot prove itself is not believed: its route answers 503 (SEC-13)."""
    if not databases:
        return
    try:
        with transaction.atomic():
            missing = deliveries.unproven()
    except DatabaseError:  # not migrated yet
        return
    for sender, option in missing:
        yield Error(
            f"The reports about {sender.address} are refused: its options lack {option}.",
            hint="Enter it on the sender's page; the same page shows the address to enter "
            "at the provider.",
            id="pitches.E001",
        )


@doctor.examiner
def webhooks() -> Iterator[doctor.Finding]:
    """Whether every provider can report, and what could not be understood."""
    for sender, option in deliveries.unproven():
        about = f"{sender.address}: its options lack {option}, so its provider is not believed."
        yield doctor.Finding("webhooks", "broken", about)
    if count := deliveries.quarantined().count():
        about = f"{count} deliveries have an event that could not be understood."
        yield doctor.Finding("webhooks", "broken", f"{about} See Webhook deliveries.")


@doctor.examiner
def send_journal() -> Iterator[doctor.Finding]:
    """Whether it is the one with which this database was sending."""
    try:
        cause = continuity.gap()
    except JournalUnavailable as e:
        yield doctor.Finding("journal", "broken", f"Nothing goes out: {e}.")
        return
    if cause is None:
        yield doctor.Finding("journal", "ok", "It knows what went out last.")
        return
    about = f"Nothing goes out: {cause}. See Backups in docs/operations.md."
    yield doctor.Finding("journal", "broken", about)
