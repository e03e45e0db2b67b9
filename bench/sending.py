"""Gated messages a second, from claim to settled, by one, four and eight workers.

Beside it a plain loop over smtplib, which asks nobody and remembers nothing; and the query by
which a worker claims the next message, over a table of a million.
"""

from __future__ import annotations

import os
import smtplib
import tempfile
import time
from pathlib import Path

from django.db import connection

from bench.harness import Results, queries
from config.db import database_now
from pitches import sending
from pitches.models import Message
from tests.faults import rig as rigs
from tests.faults import seeding
from tests.faults.servers import own_server

MESSAGES = 400
ROWS = 1_000_000
CLAIMS = 400
FLOOR, SLOWEST = 50.0, 0.005


def run(results: Results) -> None:
    """Paired, in one run, with the fsyncs of a desk."""
    results.note("each worker is a process; server and history are on this machine")
    nursery = rigs.Nursery()
    try:
        with tempfile.TemporaryDirectory() as name:
            os.chmod(name, 0o711)  # the server's account has to pass
            with own_server(Path(name)):
                _throughput(results, nursery, Path(name))
                _claims(results)
    finally:
        nursery.close()


def _throughput(results: Results, nursery: rigs.Nursery, folder: Path) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('fsync')")
        results.fact("fsync of the database", cursor.fetchone()[0])
    for workers in (1, 4, 8):
        with rigs.rigged(
            [nursery], folder / str(workers), CLAIM_LEASE=120, HANDING_LEASE=900
        ) as rig:
            rig.database["SERVER_OPTIONS"] = connection.settings_dict["SERVER_OPTIONS"]
            seeding.sow(MESSAGES, ports=[rig.port] * 8, prefix=f"bench{workers}")
            for number in range(workers):
                rig.spawn(f"worker {number}")
            began = time.perf_counter()
            before = len(rig.sink.counts())
            rig.wait_settled(seconds=600)
            rate = (MESSAGES - before) / (time.perf_counter() - began)
            rig.end_all()
            what = f"gated messages a second, {workers} workers"
            if workers == 4:
                results.check(what, rate >= FLOOR, rate, f"at least {FLOOR:g}")
                results.fact("a loop over smtplib, messages a second", _plain(rig.port))
                results.fact("queries for one message", _queries_of_one(rig.port))
            else:
                results.fact(what, rate)


def _plain(port: int) -> float:
    began = time.perf_counter()
    with smtplib.SMTP("127.0.0.1", port) as server:
        for number in range(MESSAGES):
            text = f"Message-ID: <plain.{number}@example.com>\r\nSubject: Hello\r\n\r\nHello"
            server.sendmail("sam@example.com", ["paula@example.com"], text)
    return MESSAGES / (time.perf_counter() - began)


def _queries_of_one(port: int) -> int:
    seeding.sow(1, ports=[port], prefix="counted")
    count, report = queries(lambda: sending.send_due(now=database_now()))
    assert report.sent == 1
    return count


COPY = """
INSERT INTO pitches_message ({columns})
SELECT {values} FROM pitches_message m, generate_series(1, %s) AS n WHERE m.id = %s
"""


def _claims(results: Results) -> None:
    """Nearly all were sent long ago; a few thousand wait, some of them due."""
    now = database_now()
    Message.objects.filter(status=Message.Status.QUEUED).delete()
    like = Message.objects.filter(status=Message.Status.SENT).first()
    assert like is not None
    own = {
        "message_id": "'copy ' || n || '@example.com'",
        "number": "NULL",
        "status": "CASE WHEN n % 200 = 0 THEN 'queued' ELSE 'sent' END",
        "send_at": "now() + make_interval(mins => (n % 5000) - 2500)",
    }
    names = [f.column for f in Message._meta.concrete_fields if f.column != "id"]
    with connection.cursor() as cursor:
        sql = COPY.format(
            columns=", ".join(names), values=", ".join(own.get(n, f"m.{n}") for n in names)
        )
        cursor.execute(sql, [ROWS, like.pk])
        cursor.execute("ANALYZE pitches_message")
        wanted = {
            "owner": "11111111-1111-4111-8111-111111111111",
            "lease": 120,
            "now": now,
            "seen": [],
            "only": None,
        }
        cursor.execute(f"EXPLAIN {sending.CLAIM}", wanted)
        plan = "\n".join(row[0] for row in cursor.fetchall())
        times = []
        for _ in range(CLAIMS):
            began = time.perf_counter()
            cursor.execute(sending.CLAIM, wanted)
            assert cursor.fetchone() is not None
            times.append(time.perf_counter() - began)
    slow = sorted(times)[int(CLAIMS * 0.95)]
    results.check(
        f"claim at {ROWS:,} rows, 95 % are done within, ms",
        slow <= SLOWEST,
        slow * 1000,
        "5 ms",
    )
    results.check("it goes by the index of what is due", "message_due" in plan, "yes", "yes")
