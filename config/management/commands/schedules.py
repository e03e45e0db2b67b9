from typing import Any

from django.core.management.base import BaseCommand

from config import schedules


class Command(BaseCommand):
    help = "Install the schedules of the jobs. Run it after every upgrade."

    def handle(self, *args: Any, **options: Any) -> None:
        changed = schedules.install()
        if options["verbosity"] > 1:
            for planned in schedules.PLANNED:
                when = planned.cron or f"every {planned.minutes} min"
                self.stdout.write(f"{planned.name:10} {when:12} {planned.about}")
        if changed:
            self.stdout.write(f"Schedules set: {', '.join(sorted(changed))}.")
