from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from pitches import connections
from pitches.models import Sender

FAILED, UNUSABLE = 1, 2


class Command(BaseCommand):
    help = (
        "Tries the servers of a sender: connects and logs in, sends nothing, reads nothing. "
        "Exit codes: 0 all work, 1 one does not, 2 there is no such sender."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("address", help="the sender's address")
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument(
            "--dry-run", action="store_true", help="say what would be tried, connect nowhere"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        sender = Sender.objects.filter(address__iexact=options["address"]).first()
        if sender is None:
            raise CommandError(f"There is no sender {options['address']}.", returncode=UNUSABLE)
        if options["dry_run"]:
            servers = [host for host in (sender.smtp_host, sender.imap_host) if host]
            self.stdout.write(f"Would try: {', '.join(servers) or 'nothing is set'}.")
            return
        checked = connections.check(sender, now=timezone.now())
        if options["json"]:
            tried = [
                {"name": each.name, "works": each.works, "sentence": each.sentence}
                for each in checked.tried
            ]
            self.stdout.write(json.dumps({"works": checked.works, "tried": tried}))
        else:
            for each in checked.tried:
                self.stdout.write(
                    f"{'works ' if each.works else 'FAILS '} {each.name}: {each.sentence}"
                )
        if not checked.works:
            raise CommandError("Not every connection works.", returncode=FAILED)
