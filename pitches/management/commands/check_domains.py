from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from pitches import deliverability
from pitches.deliverability import GOOD, UNKNOWN, Report
from pitches.models import Sender

FAILED, UNUSABLE = 1, 2
WORDS = {GOOD: "good   ", UNKNOWN: "unknown"}


class Command(BaseCommand):
    help = (
        "Asks DNS whether the domains of senders vouch for their mail: SPF, DKIM, DMARC, MX, "
        "PTR and TLS. Exit codes: 0 all in order, 1 something is not, 2 no such sender."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "address", nargs="?", help="one sender's address (default: all active ones)"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument("--dry-run", action="store_true", help="ask, and keep nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        reports = [(sender, self._report(sender, options)) for sender in _asked_for(options)]
        if options["json"]:
            found = {sender.address: report.stored() for sender, report in reports}
            self.stdout.write(json.dumps(found, ensure_ascii=False))
        else:
            for sender, report in reports:
                self._tell(sender, report)
        if not all(report.is_good for _, report in reports):
            raise CommandError("Not every domain is in order.", returncode=FAILED)

    def _report(self, sender: Sender, options: dict[str, Any]) -> Report:
        if options["dry_run"]:
            return deliverability.look(sender)
        return deliverability.check(sender, now=timezone.now())

    def _tell(self, sender: Sender, report: Report) -> None:
        self.stdout.write(sender.address)
        for each in report.findings:
            word = WORDS.get(each.state, "WRONG  ")
            self.stdout.write(f"  {word} {each.name:<5} {each.sentence}")


def _asked_for(options: dict[str, Any]) -> list[Sender]:
    rows = deliverability.senders()
    if not options["address"]:
        return list(rows.filter(status=Sender.Status.ACTIVE))
    found = list(rows.filter(address__iexact=options["address"]))
    if not found:
        told = f"There is no sender {options['address']} that writes mail."
        raise CommandError(told, returncode=UNUSABLE)
    return found
