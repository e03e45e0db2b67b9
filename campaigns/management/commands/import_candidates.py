from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser
from django.db import transaction

from campaigns import intake
from campaigns.models import Candidate
from config.import_command import ImportCommand
from config.imports import Report


class Command(ImportCommand):
    help = (
        "Import a client's candidates: found again by reference, else by e-mail address, else "
        "by name."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--client", required=True, metavar="NAME", help="name or slug")
        parser.add_argument(
            "--new-client", action="store_true", help="make the client if there is none"
        )
        parser.add_argument("--campaign", metavar="SLUG", help="put them into this campaign")
        parser.add_argument("--kind", choices=Candidate.Kind.values, default="")

    def bring(
        self, options: dict[str, Any], chosen: dict[str, str], *, now: datetime
    ) -> Report:
        table = self.read(options)
        # A client that was made for a file which then turns out unusable goes with it.
        with transaction.atomic():
            client = intake.find_client(options["client"], create=options["new_client"])
            campaign = None
            if options["campaign"]:
                campaign = intake.find_campaign(options["campaign"], client)
            report = intake.import_candidates(
                table,
                client,
                campaign=campaign,
                kind=options["kind"],
                chosen=chosen,
                dry_run=options["dry_run"],
                now=now,
            )
            transaction.set_rollback(options["dry_run"])
        return report
