from typing import Any

import psutil
from django.core.management.base import BaseCommand, CommandError

from config.management.commands.db import embedded
from config.management.commands.up import WEB_GRACE, WORKER_GRACE, up_pid_file
from config.postgres.server import STOP_SECONDS, ServerError

# Whatever `up` waits for, and then for the database.
UP_SECONDS = 2 * WORKER_GRACE + WEB_GRACE + STOP_SECONDS


class Command(BaseCommand):
    help = "End a running `up` gracefully, then stop the embedded database."
    # It has to work when the settings do not.
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        server = embedded()
        had_database = server is not None and server.pid() is not None
        had_up = self.end_up()
        try:
            if server:
                server.stop()  # whoever is connected: `up` leaves it running for others
        except ServerError as e:
            raise CommandError(str(e)) from e
        if had_database:
            self.stdout.write("The database is stopped.")
        elif not had_up:
            self.stdout.write("Nothing was running.")

    def end_up(self) -> bool:
        """Ask the running `up` to end and wait for it; False if there is none."""
        process = up_pid_file().running()
        if process is None:
            return False
        self.stdout.write(
            f"Ending web and workers (process {process.pid}); a message in hand is finished."
        )
        self.stdout.flush()
        try:
            process.terminate()
            process.wait(UP_SECONDS)
        except psutil.NoSuchProcess:
            pass
        except psutil.AccessDenied as e:
            raise CommandError(f"Process {process.pid} belongs to another user.") from e
        except psutil.TimeoutExpired as e:
            raise CommandError(f"Process {process.pid} did not end.") from e
        self.stdout.write("Web and workers have ended.")
        return True
