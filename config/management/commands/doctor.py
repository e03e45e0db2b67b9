import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from config import doctor


class Command(BaseCommand):
    help = "Say what works, what is off and what is broken; exit code 1 if something is broken."
    # The report lists failed checks instead of stopping at them.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = doctor.examine()
        if options["json"]:
            self.stdout.write(json.dumps([f.as_dict() for f in findings], indent=2))
        else:
            for finding in findings:
                self.stdout.write(f"{finding.state:7} {finding.name:16} {finding.about}")
        if any(finding.state == "broken" for finding in findings):
            sys.exit(1)
