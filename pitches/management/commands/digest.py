from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from config.db import database_now
from pitches import digest


class Command(BaseCommand):
    help = (
        "Prints the digest of the day and hands it to the alerts, once a day, which tell it by "
        "mail and chat. With --dry-run it is only printed. Exit code 0."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="print it, tell nobody")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        now = database_now()
        made = digest.digest(now=now) if options["dry_run"] else digest.write(now=now)
        if options["json"]:
            self.stdout.write(json.dumps(made.as_dict(), ensure_ascii=False))
            return
        self.stdout.write(made.title)
        self.stdout.write(made.text)
