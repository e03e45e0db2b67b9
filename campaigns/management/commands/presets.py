from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction

from campaigns import presets


class Command(BaseCommand):
    help = "Install the shipped sequences, templates and segments; rows that exist stay."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="change nothing, only count")

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            added = presets.install()
            transaction.set_rollback(options["dry_run"])
        if not any(added) and options["verbosity"] < 2:
            return
        verb = "Would add" if options["dry_run"] else "Added"
        self.stdout.write(
            f"{verb} {added.templates} templates, {added.sequences} sequences and "
            f"{added.segments} segments."
        )
