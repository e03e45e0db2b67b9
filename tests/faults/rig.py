"""Real workers, a real server to send to, and somebody who kills them."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import Error, connection
from django.db.models import Q
from django.db.models.functions import Now

from config.db import database_now
from pitches import journal
from pitches.models import Message
from tests.config.environment import BASE_DIR, outside

FULL = os.environ.get("OVERTURE_SOAK") == "1"
# A bound, not a measure: it ends what will never end, on however busy a machine.
PATIENCE = 1800 if FULL else 600
TICK = 0.1


def sized(short: int, full: int) -> int:
    """How many, in `make test` and in `make soak`."""
    return full if FULL else short


def slowness() -> float:
    """How much longer than alone a process takes here at present, 1 to 5.

    What a test has is seconds where a desk has minutes, and on a busy machine a lease of two
    seconds would run out before anybody did anything.
    """
    return min(5.0, max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)))


class Stuck(AssertionError):
    """Nothing more happens, and it is not over."""


def wait_for(is_so: Callable[[], Any], what: str, *, seconds: float = PATIENCE) -> Any:
    """Come back with the answer once it is true. A database that is away has none."""
    pause, ends = threading.Event(), time.monotonic() + seconds

    def asked() -> Any:
        try:
            return is_so()
        except Error:
            connection.close()
            return None

    while not (answer := asked()):
        if time.monotonic() > ends:
            raise Stuck(f"after {seconds:.0f} s still not: {what}")
        pause.wait(TICK)
    return answer


class Sink:
    """The mail server, its ports by script, and what it accepted."""

    def __init__(self, folder: Path, scripts: dict[str, str]) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.sink", str(folder), json.dumps(scripts)],
            cwd=BASE_DIR,
            stdin=subprocess.PIPE,
        )
        found = folder / "ports.json"
        wait_for(found.exists, "the sink listens")
        self.ports: dict[str, int] = json.loads(found.read_text())

    def accepted(self) -> list[dict[str, Any]]:
        path = self.folder / "accepted.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()]

    def counts(self) -> Counter:
        return Counter(line["message_id"] for line in self.accepted())

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(20)


class Nursery:
    """The process that forks workers, and what it told of them."""

    def __init__(self, **env: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.worker"],
            cwd=BASE_DIR,
            env=outside(
                DJANGO_SETTINGS_MODULE="config.settings",
                SEND_MODE="allowlist",
                SEND_ALLOWLIST="@example.com",
                # everybody's address is there, and a domain of one owner has a limit
                FREEMAIL_DOMAINS="example.com",
                POSTAL_ADDRESS="1 Example Street, Exampleton",
                EMBEDDED_PG_DIR=os.environ["EMBEDDED_PG_DIR"],
                LOG_LEVEL="CRITICAL",
                **env,
            ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.told: queue.Queue = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self.told.put(json.loads(line))

    def order(self, **words: Any) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()

    def close(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


@dataclass
class Rig:
    """One experiment: a database, a sink, workers; and its line of the table."""

    sink: Sink
    nurseries: list[Nursery]
    journal: Path
    settings: dict[str, Any]
    database: dict[str, str]
    living: dict[str, int] = field(default_factory=dict)
    deaths: Counter = field(default_factory=Counter)
    kills: Counter = field(default_factory=Counter)
    pauses: int = 0
    crashes: list[dict[str, Any]] = field(default_factory=list)
    expects_crashes: bool = False
    began: float = field(default_factory=time.monotonic)
    _home: dict[str, Nursery] = field(default_factory=dict)

    @property
    def port(self) -> int:
        return self.sink.ports[""]

    # -- workers -----------------------------------------------------------------------------

    def spawn(self, name: str, *, nursery: int = 0, **orders: Any) -> None:
        """A worker under this name, replaced whenever it dies."""
        home = self.nurseries[nursery]
        self._home[name] = home
        home.order(
            do="spawn",
            slot=name,
            settings=self.settings | orders.pop("settings", {}),
            database=self.database,
            **orders,
        )
        wait_for(lambda: self.listen() or self.living.get(name), f"{name} lives")

    def spawn_many(self, count: int, **orders: Any) -> list[str]:
        names = [f"worker {n}" for n in range(count)]
        for name in names:
            self.spawn(name, **orders)
        return names

    def tell(self, name: str, what: str) -> None:
        self._home[name].order(do=what, slot=name)

    def kill(self, name: str) -> None:
        self.tell(name, "kill")

    def listen(self) -> None:
        """Note what became of the workers."""
        for nursery in self.nurseries:
            with suppress(queue.Empty):
                while True:
                    self._note(nursery.told.get_nowait())

    def _note(self, news: dict[str, Any]) -> None:
        if news["what"] == "spawned":
            self.living[news["slot"]] = news["pid"]
        elif news["what"] == "died":
            self.living.pop(news["slot"], None)
            self.deaths[news["slot"]] += 1
            if news["by"] == -9:
                self.kills[news["slot"]] += 1
            elif news["by"]:
                self.crashes.append(news)

    def end_all(self, *, seconds: float = PATIENCE) -> None:
        """Ask every worker to end, and wait until all have."""
        self.listen()
        for name in list(self.living):
            self.tell(name, "end")
        wait_for(lambda: self.listen() or not self.living, "the workers ended", seconds=seconds)

    # -- the state of things -----------------------------------------------------------------

    def settled(self, messages: Any = None) -> bool:
        """Nothing is in hand, and nothing that is due is left."""
        self.listen()
        if self.crashes and not self.expects_crashes:
            raise Stuck(f"a worker failed by itself: {self.crashes[0]}")
        return not open_rows().exists()

    def wait_settled(self, *, seconds: float = PATIENCE) -> float:
        """Until everything is where it will stay; the seconds it took."""
        began = time.monotonic()
        wait_for(self.settled, "everything is settled", seconds=seconds)
        return time.monotonic() - began

    def nemesis(
        self, names: list[str], *, every: float, pause: float = 0, until: Callable[[], bool]
    ) -> None:
        """Kill one worker after the other; every third time halt the next for ``pause`` s."""
        clock, turn, halted = threading.Event(), 0, {}
        while not until():
            clock.wait(every)
            for name in [n for n, ends in halted.items() if time.monotonic() >= ends]:
                del halted[name]
                self.tell(name, "go")
            name = names[turn % len(names)]
            turn += 1
            if name in halted:
                continue
            if pause and (turn + turn // len(names)) % 2:  # each in turn
                self.tell(name, "halt")
                self.pauses += 1
                halted[name] = time.monotonic() + pause
            else:
                self.kill(name)
            self.listen()
        for name in halted:
            self.tell(name, "go")

    def line(self, **more: Any) -> dict[str, Any]:
        """What the table says of this experiment."""
        counts = self.sink.counts()
        statuses = Counter(Message.objects.values_list("status", flat=True))
        return {
            "messages": sum(statuses.values()),
            "kills": sum(self.kills.values()),
            "pauses": self.pauses,
            "accepted": len(counts),
            "twice": sum(times - 1 for times in counts.values()),
            "unknown": statuses["unknown"],
            "seconds": round(time.monotonic() - self.began, 1),
            **more,
        }


def standing() -> Counter:
    """How many messages stand where, and why."""
    return Counter(Message.objects.values_list("status", "hold_reason"))


def open_rows() -> Any:
    """In hand, or due and neither settled nor held back."""
    status = Message.Status
    return Message.objects.filter(
        Q(status__in=[status.CLAIMED, status.HANDING])
        | Q(status=status.QUEUED, send_at__lte=Now())
    )


@contextmanager
def rigged(
    nurseries: list[Nursery],
    folder: Path,
    *,
    scripts: dict[str, str] | None = None,
    **changed: Any,
) -> Iterator[Rig]:
    """An experiment in the test's own database; ends with no worker left."""
    place = folder / "journal"
    lease = round(2 * slowness())
    quick = {
        "JOURNAL_DIR": str(place),
        "CLAIM_LEASE": lease,
        "HANDING_LEASE": lease + 1,
        "EMAIL_CONNECT_TIMEOUT": 5,
        "EMAIL_COMMAND_TIMEOUT": 5,
        "EMAIL_DATA_TIMEOUT": 5,
    }
    database = {
        key: str(connection.settings_dict[key])
        for key in ("NAME", "DATA_DIR")
        if key in connection.settings_dict
    }
    # The test looks at rows and journal with the eyes of its workers.
    settings.JOURNAL_DIR = place
    settings.SEND_MODE = "allowlist"
    settings.SEND_ALLOWLIST = ["@example.com"]
    settings.FREEMAIL_DOMAINS = ["example.com"]
    settings.POSTAL_ADDRESS = "1 Example Street, Exampleton"
    # what was sown as sent long ago is in no journal
    began = database_now()
    journal.record_beginning(by="the rig", reason="an experiment", at=began)
    sink = Sink(folder / "sink", scripts or {})
    rig = Rig(sink, nurseries, place, quick | changed, database)
    try:
        yield rig
    finally:
        try:
            rig.listen()
            for name in list(rig.living):
                rig.tell(name, "end")
                rig.tell(name, "kill")
            with suppress(Stuck):
                wait_for(lambda: rig.listen() or not rig.living, "all are gone", seconds=30)
        finally:
            sink.close()


def skip_unless_embedded() -> None:
    """Only our own server may be broken."""
    if "DATA_DIR" not in connection.settings_dict:
        pytest.skip("DATABASE_URL names a server that is not ours to break")
