from datetime import datetime
from typing import Any

from campaigns import intake
from config.import_command import ImportCommand
from config.imports import Report


class Command(ImportCommand):
    help = (
        "Import clients and their campaigns, one campaign a row. What is here already keeps "
        "its values; only its gaps are filled."
    )

    def bring(
        self, options: dict[str, Any], chosen: dict[str, str], *, now: datetime
    ) -> Report:
        return intake.import_clients(
            self.read(options), chosen=chosen, dry_run=options["dry_run"]
        )
