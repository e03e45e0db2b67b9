import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.postgres.server import DB_NAME, DB_USER, Server, ServerError


def embedded() -> Server | None:
    """The embedded server of the settings; None if DATABASE_URL names another."""
    database = settings.DATABASES["default"]
    if "DATA_DIR" not in database:
        return None
    return Server(database["DATA_DIR"], database["SERVER_OPTIONS"])


class Command(BaseCommand):
    help = "Start, stop, look at or talk to the embedded PostgreSQL server."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["start", "stop", "status", "psql"])

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        server = embedded()
        if server is None:
            raise CommandError("DATABASE_URL is set: the embedded server is not used.")
        try:
            getattr(self, action)(server)
        except ServerError as e:
            raise CommandError(str(e)) from e

    def start(self, server: Server) -> None:
        server.ensure_running()
        self.status(server)

    def stop(self, server: Server) -> None:
        self.stdout.write("Stopped." if server.stop() else "It was not running.")

    def status(self, server: Server) -> None:
        if not server.is_ready():
            raise CommandError(f"Not running. Data folder: {server.data}")
        self.stdout.write(f"Running, process {server.pid()}. Data folder: {server.data}")

    def psql(self, server: Server) -> None:
        server.ensure_running()
        psql = server.binary("psql")
        where = ["--host", str(server.socket_dir), "--username", DB_USER, "--dbname", DB_NAME]
        os.execv(psql, [psql, *where])
