from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config import encrypted


class Command(BaseCommand):
    help = "Write all stored secrets with the first key of CREDENTIALS_KEY."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            count = encrypted.reencrypt()
        except encrypted.WrongKey as e:
            raise CommandError(str(e)) from e
        self.stdout.write(f"{count} secrets are written with the first key; drop the others.")
