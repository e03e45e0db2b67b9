"""The plan is the run: 10,000 planned messages over days leave byte for byte and in time."""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from django.test import override_settings

from bench.harness import Results, timed
from pitches import outbox
from pitches.decisions import Verdict
from tests import promised_plan

NOW = datetime(2026, 6, 1, 9, tzinfo=UTC)
ROWS = int(os.environ.get("BENCH_ROWS", "10000"))
PER_MAILBOX = 125


def run(results: Results) -> None:
    with tempfile.TemporaryDirectory(prefix="overture-bench-") as folder:
        state = Path(folder)
        with override_settings(
            SEND_MODE="capture", STATE_DIR=state, JOURNAL_DIR=state / "journal"
        ):
            _measure(results)


def _measure(results: Results) -> None:
    senders = max(1, ROWS // PER_MAILBOX)
    promised_plan.sow(ROWS, senders=senders, now=NOW, ramp_began_on=NOW.date())
    results.fact("mailboxes", senders)
    low, high = promised_plan.SPACING
    results.fact("spacing, seconds", f"{low} to {high}")
    first, more, cap = promised_plan.RAMP_START, promised_plan.RAMP_STEP, promised_plan.DAILY
    results.fact("ramp and cap, messages a day", f"from {first} by {more} to {cap}")
    duration, decisions = timed(lambda: promised_plan.plan(NOW))
    results.fact("one plan over everything, seconds", duration)
    sends = [row for row in decisions if row.verdict == Verdict.SEND]
    results.check("rows planned", len(sends) == ROWS, f"{len(sends):,}", f"{ROWS:,}")
    planned = promised_plan.promises(decisions)
    days = {promise.at.date() for promise in planned.values()}
    results.check("over days", len(days) >= 3, len(days), "several")
    outbox.carry_out(decisions, now=NOW)
    duration, jumps = timed(promised_plan.run)
    results.fact("the run, seconds", duration)
    results.fact("jumps of the clock", f"{jumps:,}")
    found = promised_plan.compare(planned)
    results.check("sent as planned", found.kept == ROWS, f"{found.kept:,}", f"{ROWS:,}")
    for cause, count in found.causes.most_common(10):
        results.note(f"{count:,} differ: {cause}")
    results.check("differences", not found.differences, len(found.differences), "none")
