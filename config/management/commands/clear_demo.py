from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.management import demo


class Command(BaseCommand):
    help = "Remove the demo, its logins and its captured mail, and nothing else."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            removed = demo.clear()
        except demo.NotPossible as e:
            raise CommandError(str(e)) from e
        if not removed:
            self.stdout.write("There is no demo.")
            return
        self.stdout.write(f"The demo is gone: {sum(removed.values())} rows.")
