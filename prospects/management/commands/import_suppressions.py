from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser

from config.import_command import ImportCommand
from config.imports import Report
from prospects import importing
from prospects.models import Suppression


class Command(ImportCommand):
    help = (
        "Import whom we may not write to. A bare list of addresses will do; domains, telephone "
        "numbers, LinkedIn pages and organizations need a column that says so, or --kind."
    )
    only_column = "value"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--kind", choices=Suppression.Kind.values, default="")
        parser.add_argument(
            "--reason",
            choices=Suppression.Reason.values,
            default=Suppression.Reason.IMPORTED,
            help="where no column says it",
        )

    def bring(
        self, options: dict[str, Any], chosen: dict[str, str], *, now: datetime
    ) -> Report:
        return importing.import_suppressions(
            self.read(options),
            kind=options["kind"],
            reason=options["reason"],
            chosen=chosen,
            dry_run=options["dry_run"],
            now=now,
        )
