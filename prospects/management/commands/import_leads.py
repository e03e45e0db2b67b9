from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from config import tables
from config.import_command import ImportCommand
from config.imports import Report
from prospects import feeds, importing
from prospects.importing import Job
from prospects.models import Lead


class Command(ImportCommand):
    help = (
        "Import leads: new ones are made, known ones brought up to date, none made twice. For "
        "podcasts FILE may also be a show's RSS feed that was saved, or a folder of such feeds."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--kind", required=True, help=", ".join(Lead.Kind.values))
        parser.add_argument(
            "--platform",
            default="",
            metavar="NAME",
            help="where the ids in the file come from; without it the file's name is taken",
        )
        parser.add_argument(
            "--campaign", metavar="SLUG", help="check that this campaign pitches to such leads"
        )

    def bring(
        self, options: dict[str, Any], chosen: dict[str, str], *, now: datetime
    ) -> Report:
        path = Path(options["file"])
        job = Job.of(options["kind"], path.name, platform=options["platform"], now=now)
        if options["campaign"]:
            importing.check_campaign(options["campaign"], job.kind)
        dry_run = options["dry_run"]
        if path.is_dir():
            report = importing.carry_out_feeds(feeds.files_in(path), job, dry_run=dry_run)
        else:
            content = tables.load(path)
            report = importing.carry_out_file(
                content, path.name, job, chosen=chosen, dry_run=dry_run
            )
        if options["campaign"] and not dry_run:
            report.notes.append(
                f"Match them with: manage.py match_campaign {options['campaign']}"
            )
        return report
