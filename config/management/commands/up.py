import socket
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.processes import Child, Stop, end_all

MANAGE = str(Path(__file__).resolve().parents[3] / "manage.py")
ANSWER_SECONDS = 60
WEB_GRACE = 30
# Longer than the 660 s a worker may wait for a mail server's last word.
WORKER_GRACE = 690


class Command(BaseCommand):
    help = "Run the web and the workers together; Ctrl-C ends both."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("bind", nargs="?", default="127.0.0.1:8000", help="address:port")

    def handle(self, *args: Any, bind: str, **options: Any) -> None:
        host, port = parse(bind)
        check_free(host, port)
        stop = Stop()
        web = [sys.executable, "-m", "gunicorn", "--bind", bind, "--no-control-socket"]
        web += ["--threads", "8", "--log-level", "warning", "config.wsgi"]
        children = [
            Child(web, grace=WEB_GRACE),
            Child([sys.executable, MANAGE, "run_worker"], grace=WORKER_GRACE),
        ]
        try:
            if wait_for_answer(host, port, unless=lambda: bool(stop) or ended(children)):
                self.stdout.write(f"Overture is at http://{host}:{port}/ (Ctrl-C ends it)")
                self.stdout.flush()
            while not stop and not ended(children):
                time.sleep(0.2)
        finally:
            crashed = ended(children)
            end_all(children, wait=wait_for_end)
        if crashed and not stop:
            raise CommandError("The web or the workers ended by themselves; the log says why.")


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
