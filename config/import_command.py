"""What the import_* commands share: their options, their report, their exit codes."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from config import tables, values
from config.imports import Report, parse_choices
from config.tables import Table, UnreadableFile
from config.values import ValueUnclear

EXIT_CODES = """
Exit codes: 0 the file is in (rows that were refused are listed), 1 every row was refused,
2 the file or an option cannot be used and nothing was changed.
"""


class ImportCommand(BaseCommand):
    """Reads FILE and calls ``bring``; a subclass says what that means."""

    only_column = ""  # of a bare list without a header

    def create_parser(self, *args: Any, **kwargs: Any) -> CommandParser:
        return super().create_parser(*args, epilog=EXIT_CODES, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="CSV, XLSX, JSON or JSON lines")
        parser.add_argument(
            "--map",
            action="append",
            default=[],
            metavar="FIELD=COLUMN",
            help="which column holds a field, where the guess is wrong; repeatable",
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would happen")
        parser.add_argument("--json", action="store_true", help="one JSON object")
        parser.add_argument("--verbose", action="store_true", help="list every refused row")
        parser.add_argument(
            "--now", metavar="ISO", help="another time, for rehearsals (SEND_MODE=capture)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            chosen = parse_choices(options["map"])
            report = self.bring(options, chosen, now=self._now(options["now"]))
        except UnreadableFile as e:
            raise CommandError(str(e), returncode=2) from None
        self._show(report, options)
        taken = report.counts["rows"] > len(report.problems)
        if report.problems and not taken:
            sys.exit(1)

    def bring(
        self, options: dict[str, Any], chosen: dict[str, str], *, now: datetime
    ) -> Report:
        """Import; raises UnreadableFile."""
        raise NotImplementedError

    def read(self, options: dict[str, Any]) -> Table:
        """The table of FILE."""
        file = options["file"]
        return tables.read(tables.load(file), file, only_column=self.only_column)

    def _now(self, text: str | None) -> datetime:
        if text is None:
            return timezone.now()
        if settings.SEND_MODE != "capture":
            raise UnreadableFile("--now is for rehearsals, when SEND_MODE is capture.")
        try:
            now = values.moment(text)
        except ValueUnclear as e:
            raise UnreadableFile(f"--now: {e}.") from None
        return now or timezone.now()

    def _show(self, report: Report, options: dict[str, Any]) -> None:
        if options["json"]:
            answer = report.as_dict() | {"dry_run": options["dry_run"]}
            self.stdout.write(json.dumps(answer, indent=2, ensure_ascii=False))
            return
        for line in report.sentences(everything=options["verbose"]):
            self.stdout.write(line)
        if options["dry_run"]:
            self.stdout.write("Dry run: nothing was changed.")
