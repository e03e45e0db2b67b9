from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser

from campaigns import intake
from config.import_command import ImportCommand
from config.imports import Report
from pitches import history


class Command(ImportCommand):
    help = (
        "Import what was written before: it counts in every limit, and nobody is pitched to "
        "the same lead again. Do it before anything goes live."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--campaign",
            required=True,
            metavar="SLUG",
            help="the campaign for which it was written; import its candidates before",
        )

    def bring(
        self, options: dict[str, Any], chosen: dict[str, str], *, now: datetime
    ) -> Report:
        return history.import_history(
            self.read(options),
            intake.find_campaign(options["campaign"]),
            chosen=chosen,
            dry_run=options["dry_run"],
            now=now,
        )
