from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from pitches import rehearsals

UNUSABLE = 2


class Command(BaseCommand):
    help = (
        "Gives captured pitches and their matches back, lifts what rehearsed answers stopped, "
        "and keeps a log: to be done before SEND_MODE leaves capture. Exit codes: 0 done, 2 "
        "cannot be done as asked."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--as", dest="username", metavar="USER", help="who ends it")
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="say what would be given back, change nothing",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        by = _user(options["username"])
        found = (
            rehearsals.plan()
            if options["dry_run"]
            else rehearsals.end(now=timezone.now(), by=by)
        )
        if options["json"]:
            answer = {"dry_run": options["dry_run"], **found.counts(), "log": found.log}
            self.stdout.write(json.dumps(answer))
            return
        for line in found.log:
            self.stdout.write(line)
        verb = "Would give back" if options["dry_run"] else "Given back"
        told = ", ".join(f"{count} {name}" for name, count in found.counts().items())
        self.stdout.write(f"{verb}: {told}.")


def _user(username: str | None) -> Any:
    if not username:
        return None
    user = get_user_model().objects.filter(username=username, is_active=True).first()
    if user is None:
        raise CommandError(f"There is no user “{username}”.", returncode=UNUSABLE)
    return user
