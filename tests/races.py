"""Races that are made to happen: both sides stand where the test wants them."""

from __future__ import annotations

import threading

import pytest
from django.db import connection

PATIENCE = 20  # seconds until a test gives up; nothing waits that long when all is well


class Aside:
    """Work in a thread with a connection of its own; its result or its error."""

    def __init__(self, work):
        self.result, self.error = None, None
        self._thread = threading.Thread(target=self._run, args=[work])
        self._thread.start()

    def _run(self, work):
        try:
            self.result = work()
        except BaseException as e:
            self.error = e
        finally:
            connection.close()

    def done(self):
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "it never came to an end"
        if self.error:
            raise self.error
        return self.result


class Halt:
    """A place in the work where a thread stands until it is waved on."""

    def __init__(self):
        self._arrived = threading.Semaphore(0)
        self._go = threading.Event()

    def here(self):
        self._arrived.release()
        assert self._go.wait(PATIENCE)

    def wait(self):
        assert self._arrived.acquire(timeout=PATIENCE)

    def go(self):
        self._go.set()


def await_lock_wait(number: int = 1) -> None:
    """Come back once so many sessions of this database wait for a lock."""
    pause = threading.Event()
    for _ in range(PATIENCE * 100):
        with connection.cursor() as cursor:
            # inside a transaction the view would answer what it first saw
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
                "AND datname = current_database()"
            )
            if cursor.fetchone()[0] >= number:
                return
        pause.wait(0.01)
    pytest.fail("nobody waits for a lock")
