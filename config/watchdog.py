"""The queue's cluster under observation.

django-q2's workers share one lock for reading the queue. A worker that is killed while it waits
for work keeps that lock, and from then on the cluster looks alive, does nothing and ignores
SIGTERM. So somebody listens for signs of life and replaces a cluster that gives none.
"""

import logging
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from django.db import DatabaseError, connection
from django.utils import timezone
from django_q.models import OrmQ
from django_q.tasks import async_task

from . import beats
from .processes import Child, Stop
from .ticks import STOP_FILE

logger = logging.getLogger(__name__)

PROBE = "config.ticks.idle"


@dataclass(frozen=True)
class Patience:
    """In seconds: between two probes, until silence is death, and for a cluster to end."""

    probe: float = 20
    silence: float = 90
    grace: float = 90


class Watchdog:
    """One cluster, started again whenever it dies or falls silent."""

    def __init__(self, command: list[str], patience: Patience) -> None:
        self.command = command
        self.patience = patience
        self.stop_file = Path(tempfile.mkdtemp(prefix="overture-worker-")) / "stop"

    def watch(self, stop: Stop | Callable[[], bool]) -> None:
        """Keep the cluster running until `stop` is true, then end it."""
        self._start()
        probed = time.monotonic()
        while not (stop() if callable(stop) else stop):
            time.sleep(0.2)
            if self.child.has_ended:
                logger.error("The cluster ended; starting it again.")
                self._replace()
            elif time.monotonic() - probed >= self.patience.probe:
                probed = time.monotonic()
                self._look_after()
        self._end()

    def _start(self) -> None:
        self.child = Child(
            self.command, grace=int(self.patience.grace), env={STOP_FILE: str(self.stop_file)}
        )
        self.born = time.monotonic()

    def _replace(self) -> None:
        self.child.end()
        time.sleep(1)  # a cluster that cannot start must not keep the machine busy
        self._start()

    def _look_after(self) -> None:
        try:
            silence = beats.silence()
            ask_idle_worker()
        except DatabaseError as e:
            # Nobody can beat without a database, and a new cluster would not cure that.
            logger.warning("The database does not answer: %s", e)
            connection.close()
            self.born = time.monotonic()
            return
        age = time.monotonic() - self.born
        if age > self.patience.silence and (silence is None or silence > self.patience.silence):
            logger.error("No worker gave a sign of life; replacing the cluster.")
            self._replace()

    def _end(self) -> None:
        """No new work from now on. Who is handing a message over may finish."""
        self.stop_file.touch()
        self.child.ask_to_end()
        asked = time.monotonic()
        while not self.child.has_ended:
            time.sleep(0.1)
            if time.monotonic() - asked > self.patience.grace and not _somebody_is_quiet():
                logger.warning("The cluster did not end by itself; killing it.")
                break
        self.child.end()
        self.stop_file.unlink()
        self.stop_file.parent.rmdir()


def ask_idle_worker() -> None:
    """Queue the probe, unless one is waiting. A taken one may lie in a dead worker's hands."""
    waiting = OrmQ.objects.filter(lock__lte=timezone.now())
    if not any(row.func() == PROBE for row in waiting):
        async_task(PROBE, q_options={"save": False, "task_name": "idle"})


def _somebody_is_quiet() -> bool:
    with suppress(DatabaseError):
        silence = beats.silence()
        return silence is not None and silence < 0
    return False


def cluster_command() -> list[str]:
    """The program that runs the queue's workers."""
    manage = Path(__file__).resolve().parent.parent / "manage.py"
    return [sys.executable, str(manage), "qcluster"]
