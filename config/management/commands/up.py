import socket
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from psycopg.conninfo import make_conninfo

from config.management.commands.db import embedded
from config.postgres.server import DB_NAME, DB_USER, Server, ServerError
from config.processes import Child, PidFile, Stop, end_all

MANAGE = Path(__file__).resolve().parents[3] / "manage.py"
ANSWER_SECONDS = 60
WEB_GRACE = 30
# Longer than the 660 s a worker may wait for a mail server's last word.
WORKER_GRACE = 690
# A backend notices only after a moment that its client was killed.
LINGER_SECONDS = 3
OTHERS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


class Command(BaseCommand):
    help = "Run the web and the workers together; Ctrl-C ends both and the embedded database."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("bind", nargs="?", default="127.0.0.1:8000", help="address:port")

    def handle(self, *args: Any, bind: str, **options: Any) -> None:
        host, port = parse(bind)
        check_free(host, port)
        stop = Stop()
        server = embedded()
        pid_file = up_pid_file()
        if running := pid_file.running():
            raise CommandError(
                f"Overture runs already (process {running.pid}). `make stop` ends it."
            )
        pid_file.write()
        try:
            crashed = self.run(host, port, bind, stop)
        finally:
            try:
                left = stop_unless_used(server) if server else ""
            except ServerError as e:
                left = str(e)
            pid_file.remove()
        if left:
            self.say(left)
        if crashed and not stop:
            raise CommandError("The web or the workers ended by themselves; the log says why.")

    def run(self, host: str, port: int, bind: str, stop: Stop) -> bool:
        """Until told to `stop`, or one of the two ends, which is what it tells."""
        web = [sys.executable, "-m", "gunicorn", "--bind", bind, "--no-control-socket"]
        web += ["--threads", "8", "--log-level", "warning", "config.wsgi"]
        children = [
            Child(web, grace=WEB_GRACE),
            Child([sys.executable, str(MANAGE), "run_worker"], grace=WORKER_GRACE),
        ]
        try:
            if wait_for_answer(host, port, unless=lambda: bool(stop) or ended(children)):
                self.say(f"Overture is at http://{host}:{port}/ (Ctrl-C ends it)")
            while not stop and not ended(children):
                time.sleep(0.2)
        finally:
            crashed = ended(children)
            end_all(children, wait=wait_for_end)
        return crashed

    def say(self, sentence: str) -> None:
        with suppress(OSError):  # the terminal may be gone, which is why we end
            self.stdout.write(sentence)
            self.stdout.flush()


def up_pid_file() -> PidFile:
    """Where `up` says that it runs, for `down`."""
    return PidFile(settings.STATE_DIR / "up.pid", manage=MANAGE, command="up")


def stop_unless_used(server: Server) -> str:
    """Stop the embedded server, unless somebody else is connected: then a sentence about it.

    Raises ServerError if it does not stop.
    """
    if server.pid() is None:
        return ""
    if is_used(server):
        return "The database goes on: other programs are connected. `make stop` stops it."
    server.stop()
    return ""


def is_used(server: Server) -> bool:
    """Whether anybody but us is connected, and stays so for LINGER_SECONDS."""
    if not server.is_ready():  # it is starting or ending
        return False
    where = make_conninfo(host=str(server.socket_dir), user=DB_USER, dbname=DB_NAME)
    deadline = time.monotonic() + LINGER_SECONDS
    try:
        # Within one transaction the answer would never change.
        with psycopg.connect(where, autocommit=True) as connection:
            while connection.execute(OTHERS).fetchone() != (0,):
                if time.monotonic() > deadline:
                    return True
                time.sleep(0.05)
    except psycopg.OperationalError:  # every place is taken, or it was stopped just now
        return server.is_ready()
    return False


def parse(bind: str) -> tuple[str, int]:
    """`"127.0.0.1:8000"` as host and port. Raises CommandError."""
    host, _, port = bind.rpartition(":")
    if not port.isdigit():
        raise CommandError(f"{bind!r} is not of the form address:port")
    return host or "127.0.0.1", int(port)


def check_free(host: str, port: int) -> None:
    """Raises CommandError, with the way out, if the port cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
        except OSError as e:
            raise CommandError(
                f"Port {port} of {host} cannot be used ({e.strerror}). "
                f"Is Overture running already? Another port: make run PORT={port + 1}"
            ) from e


def wait_for_answer(host: str, port: int, *, unless: Any) -> bool:
    """Wait until the web answers anything at all; False if it does not."""
    reachable = "127.0.0.1" if host == "0.0.0.0" else host
    deadline = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < deadline and not unless():
        try:
            urllib.request.urlopen(f"http://{reachable}:{port}/healthz", timeout=5).close()
        except urllib.error.HTTPError:
            return True
        except OSError:
            time.sleep(0.1)
        else:
            return True
    return False


def ended(children: list[Child]) -> bool:
    return any(child.has_ended for child in children)


def wait_for_end(child: Child) -> None:
    deadline = time.monotonic() + WORKER_GRACE
    while not child.has_ended and time.monotonic() < deadline:
        time.sleep(0.1)
