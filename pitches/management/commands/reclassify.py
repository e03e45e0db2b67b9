from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from config.db import database_now
from pitches import classification, reclassifying


class Command(BaseCommand):
    help = (
        "Reads all stored mail again by the rules of this version and lists what they now read "
        "otherwise. Without --apply nothing is changed. What a person decided stays; stops are "
        "added where one was missed, never taken back."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="change nothing (the default)"
        )
        parser.add_argument("--apply", action="store_true", help="write what is different")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        now = database_now()
        is_applied = options["apply"] and not options["dry_run"]
        if is_applied:
            found = reclassifying.reclassify(now=now)
        else:
            found = list(reclassifying.changes(now=now))
        if options["json"]:
            listed = [asdict(change) for change in found]
            told = {"rules": classification.RULES, "applied": is_applied, "changes": listed}
            self.stdout.write(json.dumps(told))
            return
        for change in found:
            more = "; stops more than before" if change.stops_more else ""
            self.stdout.write(
                f"#{change.pk} {change.from_address}: {change.old_kind} {change.old_intent} -> "
                f"{change.new_kind} {change.new_intent}{more}"
            )
        done = "changed" if is_applied else "would change; nothing is written"
        self.stdout.write(f"{len(found)} mails {done} ({classification.RULES}).")
