from typing import Any

from django.core.management.commands import makemigrations
from django.db import connection

from config.postgres.server import Server


class Command(makemigrations.Command):
    """Django's own, which also compares the files with the applied migrations.

    That comparison alone is no reason to start a server, or to create one on a machine that
    only checks the code.
    """

    def handle(self, *app_labels: str, **options: Any) -> None:
        database = connection.settings_dict
        engine = database["ENGINE"]
        if "DATA_DIR" in database:
            server = Server(database["DATA_DIR"], database["SERVER_OPTIONS"])
            if not server.is_ready():
                database["ENGINE"] = "django.db.backends.dummy"  # what skips the comparison
        try:
            super().handle(*app_labels, **options)
        finally:
            database["ENGINE"] = engine
