"""A nursery of workers: one process that has everything loaded and forks workers from it.

It obeys lines of JSON on its input and tells on its output what became of its children. A
worker that was killed is replaced at once. When the input ends, so does everything.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import select
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.db import Error, connection

SIGNALS = {
    "kill": signal.SIGKILL,
    "halt": signal.SIGSTOP,
    "go": signal.SIGCONT,
    "end": signal.SIGTERM,
}
IDLE = 0.05
# linux/prctl.h
PR_SET_PDEATHSIG = 1


@dataclass
class Slot:
    """One worker's place: who stands there, and what the next one is told."""

    name: str
    orders: dict[str, Any]
    pid: int = 0
    deaths: int = 0
    retired: bool = False
    asked: list[str] = field(default_factory=list)


class Nursery:
    def __init__(self) -> None:
        self.slots: dict[str, Slot] = {}

    def watch(self) -> None:
        poll, rest = select.poll(), b""
        poll.register(sys.stdin.fileno(), select.POLLIN | select.POLLHUP)
        while True:
            if poll.poll(20):
                raw = os.read(sys.stdin.fileno(), 1 << 16)
                if not raw:
                    return
                *lines, rest = (rest + raw).split(b"\n")
                for line in lines:
                    self.obey(json.loads(line))
            self.bury()

    def obey(self, order: dict[str, Any]) -> None:
        name = order["slot"]
        if order["do"] == "spawn":
            self.slots[name] = Slot(name, order)
            self.spawn(self.slots[name])
            return
        slot = self.slots[name]
        if order["do"] == "end":
            slot.retired = True
        if slot.pid:
            os.kill(slot.pid, SIGNALS[order["do"]])
        if order["do"] in ("kill", "end") and slot.pid:
            os.kill(slot.pid, signal.SIGCONT)  # who is halted hears nothing but a kill

    def spawn(self, slot: Slot) -> None:
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                die_with_the_nursery()
                work(slot)
                code = 0
            except BaseException as e:
                sys.stderr.write(f"{slot.name}: {e!r}\n")
            finally:
                os._exit(code)
        slot.pid = pid
        self.tell(slot, "spawned")

    def bury(self) -> None:
        for slot in self.slots.values():
            if not slot.pid:
                continue
            pid, status = os.waitpid(slot.pid, os.WNOHANG)
            if not pid:
                continue
            slot.pid = 0
            slot.deaths += 1
            self.tell(slot, "died", by=os.waitstatus_to_exitcode(status))
            if not slot.retired:
                self.spawn(slot)

    def tell(self, slot: Slot, what: str, **more: Any) -> None:
        line = {"what": what, "slot": slot.name, "pid": slot.pid, "at": time.time(), **more}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()

    def end(self) -> None:
        for slot in self.slots.values():
            if slot.pid:
                with suppress(ProcessLookupError):
                    os.kill(slot.pid, signal.SIGKILL)


def die_with_the_nursery() -> None:
    """Where the system can do that: a nursery that is killed takes its children along."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def work(slot: Slot) -> None:
    """One worker's life: send what is due, put in order what the dead left, until asked."""
    from config import db, faults
    from pitches import breakers, reaping, sending
    from tests.faults import mutants

    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *args: stopping.set())
    orders = slot.orders
    for name, value in orders.get("settings", {}).items():
        setattr(settings, name, Path(value) if name.endswith("_DIR") else value)
    connection.settings_dict.update(orders["database"])
    if slot.deaths < orders.get("most_deaths", 1_000_000):
        faults.arm(orders.get("faults", ""))
    # A desk would stop by itself long before; here it is to be broken further.
    breakers.judge = breakers.note_failure = lambda *args, **kwargs: None
    if orders.get("mutant"):
        mutants.become(orders["mutant"])
    if orders.get("stderr"):
        os.dup2(os.open(orders["stderr"], os.O_WRONLY), sys.stderr.fileno())
        logging.getLogger().setLevel(logging.DEBUG)
    ahead = timedelta(seconds=orders.get("ahead", 0))
    while not stopping.is_set():
        try:
            sending.send_due(now=db.database_now() + ahead, seconds=5, stop=stopping.is_set)
            if orders.get("reaps", True):
                reaping.reap(now=db.database_now() + ahead)
        except Error:  # the database is away; whoever works knows no better than to try again
            with suppress(Error):
                connection.close()
        select.select([], [], [], IDLE)  # sleeping goes by a clock that a faked one confuses


def main() -> None:
    django.setup()
    from pitches import reaping, sending  # noqa: F401 (loaded once, for all that are forked)
    from tests.faults import mutants  # noqa: F401

    sys.stdout.write('{"what": "ready"}\n')
    sys.stdout.flush()
    nursery = Nursery()
    try:
        nursery.watch()
    finally:
        nursery.end()


if __name__ == "__main__":
    main()
