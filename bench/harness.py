"""What every benchmark uses: a clock, a counter of queries, a table that is printed."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext


@dataclass
class Results:
    """Lines of a table; `failed` names the goals that were missed."""

    name: str
    failed: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """A sentence about how it was measured."""
        self._write(f"  {text}")

    def fact(self, what: str, value: Any) -> None:
        """A figure without a goal."""
        told = f"{value:,.3f}" if isinstance(value, float) else f"{value}"
        self._write(f"  {what:<62} {told:>12}")

    def pair(self, what: str, *, ours: float, theirs: float, at_least: float) -> None:
        """Two durations in seconds of one run: ours must be so many times faster."""
        ratio = theirs / ours
        self.check(
            f"{what}: {_seconds(ours)} against {_seconds(theirs)}",
            ratio >= at_least,
            f"{ratio:,.1f}x",
            f"at least {at_least:g}x",
        )

    def check(self, what: str, is_met: bool, value: Any, goal: str) -> None:
        """A figure with its goal."""
        told = f"{value:,.3f}" if isinstance(value, float) else f"{value}"
        self._write(f"  {what:<62} {told:>12}  {'met' if is_met else 'MISSED'}: {goal}")
        if not is_met:
            self.failed.append(f"{self.name}: {what}")

    def _write(self, line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


def _seconds(duration: float) -> str:
    return f"{duration:,.2f} s" if duration >= 0.1 else f"{duration * 1000:,.1f} ms"


def timed(work: Callable[[], Any], *, rounds: int = 1) -> tuple[float, Any]:
    """The median duration in seconds, and what the last round answered."""
    durations, answer = [], None
    for _ in range(rounds):
        gc.collect()
        began = time.perf_counter()
        answer = work()
        durations.append(time.perf_counter() - began)
    return sorted(durations)[len(durations) // 2], answer


def queries(work: Callable[[], Any]) -> tuple[int, Any]:
    """How many queries it takes, and its answer."""
    with CaptureQueriesContext(connection) as captured:
        answer = work()
    return len(captured), answer
