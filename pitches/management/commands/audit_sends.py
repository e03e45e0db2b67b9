from __future__ import annotations

import json
from argparse import ArgumentParser, ArgumentTypeError
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_date

from pitches import auditing
from pitches.journal import JournalUnavailable

VIOLATED, UNUSABLE = 1, 2
DEFAULT_DAYS = 30


class Command(BaseCommand):
    help = (
        "Checks the six invariants of sending: nothing accepted twice, nothing stuck, every "
        "fate true to the journal, no limit exceeded, nothing after a stop, no words but those "
        "approved. Reads only. Exit codes: 0 all kept, 1 something is broken, 2 the "
        "journal cannot be read."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--since",
            type=_day,
            metavar="YYYY-MM-DD",
            help=f"what was handed over from this day on (default: {DEFAULT_DAYS} days)",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        since = options["since"] or timezone.now() - timedelta(days=DEFAULT_DAYS)
        if isinstance(since, str):
            since = _day(since)
        try:
            found = auditing.audit(since=since)
        except JournalUnavailable as e:
            raise CommandError(
                f"The send journal is unavailable: {e}", returncode=UNUSABLE
            ) from e
        self._show(found, since, options["json"])
        if found.violations:
            raise CommandError(f"{len(found.violations)} violations.", returncode=VIOLATED)

    def _show(self, found: auditing.Audit, since: datetime, as_json: bool) -> None:
        listed = found.violations[: auditing.MOST_LISTED]
        if as_json:
            told = {
                "since": since.isoformat(),
                "messages": found.messages,
                "journal_lines": found.journal_lines,
                "counts": found.counts,
                "violations": [asdict(violation) for violation in listed],
            }
            self.stdout.write(json.dumps(told))
            return
        self.stdout.write(
            f"{found.messages} messages and {found.journal_lines} journal lines since "
            f"{since:%Y-%m-%d}: {len(found.violations)} violations."
        )
        for violation in listed:
            self.stdout.write(
                f"{violation.invariant}  {violation.subject}: {violation.sentence}"
            )


def _day(text: str) -> datetime:
    day = parse_date(text)
    if day is None:
        raise ArgumentTypeError(f"“{text}” is no day; write 2026-06-01.")
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
