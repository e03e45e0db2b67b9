from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.module_loading import import_string

from config.schedules import PLANNED
from config.ticks import AlreadyRunning


class Command(BaseCommand):
    help = "Run one job now, as the workers do it. Cron can replace the workers with this."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", choices=[planned.name for planned in PLANNED])

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        job = import_string(next(p.func for p in PLANNED if p.name == name))
        try:
            result = job.run()
        except AlreadyRunning:
            self.stdout.write(f"{name} is running already.")
        except Exception as e:
            raise CommandError(f"{name} failed: {type(e).__name__}: {e}") from e
        else:
            self.stdout.write(f"{name}: {result or 'nothing to do'}")
