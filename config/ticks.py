"""Jobs: short runs that work through what is due and stop by themselves.

    @tick("send")
    def send(deadline: Deadline) -> dict[str, int]:
        for message in due:
            if deadline.passed:
                break

The queue calls `send()` without arguments. It may call twice, late or never: one run per kind
works at a time, and what is due is decided by rows, never by the call.
"""

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import wraps
from pathlib import Path
from typing import Any
from zlib import crc32

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection
from django.db.models.functions import Now
from django_q.models import Task
from knox.models import AuthToken

from . import beats
from .models import Beat, TickRun

logger = logging.getLogger(__name__)

# The first half of the advisory lock's key; the second half is the kind.
LOCKS = 0x0F0E
# run_worker creates this file when it wants its workers to come to an end.
STOP_FILE = "OVERTURE_STOP_FILE"
BEAT_EVERY = 5.0
KEEP_RESULTS = timedelta(days=30)


class Deadline(float):
    """The moment, on the monotonic clock, from which a job takes no new work."""

    _beaten = 0.0
    name = ""

    @property
    def passed(self) -> bool:
        """Whether to stop: time is up, or the worker was asked to end.

        Asked after every row, it is also the job's sign of life.
        """
        now = time.monotonic()
        if now - self._beaten >= BEAT_EVERY and not connection.in_atomic_block:
            beats.beat(self.name)
            self._beaten = now
        return now >= self or is_stopping()


class AlreadyRunning(Exception):
    """Another process is working on the same kind of job."""


def is_stopping() -> bool:
    """Whether the worker this process belongs to is being stopped."""
    path = os.environ.get(STOP_FILE)
    return path is not None and Path(path).exists()


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Hold the kind's lock over all processes and hosts; raises AlreadyRunning.

    It is the session's, so it ends with the process even when that is killed.
    """
    key = [LOCKS, crc32(name.encode()) - 2**31]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", key)
        if not cursor.fetchone()[0]:
            raise AlreadyRunning(name)
    try:
        yield
    finally:
        if connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", key)


def run(name: str, work: Callable[[Deadline], Any]) -> Any:
    """Do `work` alone, for at most TICK_SECONDS; return its result.

    Records the run. Raises AlreadyRunning, and what `work` raises.
    """
    deadline = Deadline(time.monotonic() + settings.TICK_SECONDS)
    deadline.name = name
    with alone(name):
        beats.beat(name)
        _record(name, started_at=Now(), ended_at=None)
        try:
            result = work(deadline)
        except Exception as e:
            _record(name, error=f"{type(e).__name__}: {e}"[:2000], failed_at=Now())
            raise
        _record(name, ended_at=Now(), result=result, error="")
    return result


def _record(name: str, **fields: Any) -> None:
    if connection.is_usable():
        TickRun.objects.update_or_create(
            name=name, defaults=fields, create_defaults={"started_at": Now()} | fields
        )


def tick(name: str) -> Callable[[Callable[[Deadline], Any]], Callable[[], Any]]:
    """Make `work(deadline)` a job of the queue: without arguments, and it never raises.

    What went wrong is logged and stands in its TickRun. `job.run()` is the same run for a
    command: it raises.
    """

    def decorate(work: Callable[[Deadline], Any]) -> Callable[[], Any]:
        @wraps(work)
        def job() -> Any:
            try:
                result = run(name, work)
            except AlreadyRunning:
                return None
            except Exception:
                # The schedule starts it again in time; the queue would do so at once.
                logger.exception("%s failed", name)
                return None
            if result:
                logger.info("%s: %s", name, result)
            return result

        job.run = lambda: run(name, work)  # type: ignore[attr-defined]
        return job

    return decorate


def idle() -> None:
    """The watchdog's question; a worker that has nothing else to do answers it."""
    beats.beat("idle")


@tick("prune")
def prune(deadline: Deadline) -> dict[str, int]:
    """Delete what only the machinery needed: old results, beats, sessions and tokens."""
    outdated = {
        "results": Task.objects.filter(stopped__lt=Now() - KEEP_RESULTS),
        "beats": Beat.objects.filter(beaten_at__lt=Now() - timedelta(days=1)),
        "sessions": Session.objects.filter(expire_date__lt=Now()),
        "tokens": AuthToken.objects.filter(expiry__lt=Now()),
    }
    return {what: rows.delete()[0] for what, rows in outdated.items()}
