"""Where sending goes badly enough to warn, and where to pause: numbers in, a verdict out.

The lines are those at which mailbox providers themselves act: Gmail and Yahoo at 0.10 and
0.30 % complaints, Amazon SES at 5 and 10 % bounces (LAW-14, LAW-15). Nothing here knows the
clock or the database; times lie in any order and are counted in windows that end at ``now``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pitches.models import Breaker

DAY, WEEK = timedelta(days=1), timedelta(days=7)

# Complaints: shares of the last 1,000 delivered of seven days, in tenths of a percent.
LAST_DELIVERED = 1_000
COMPLAINTS_PAUSE = 3
FEWEST_COMPLAINTS = 2
COMPLAINTS_A_DAY = 3
# Hard bounces: shares of what was sent in seven days, in percent.
BOUNCES_WARN = 2
BOUNCES_PAUSE_CAMPAIGN = 5
BOUNCES_PAUSE_MAILBOX = 10
FEWEST_BOUNCES = 3
FEWEST_SENT_OF_CAMPAIGN = 40
FIRST_MESSAGES = 20
# Others.
SOFT_BOUNCES, SOFT_WINDOW, SOFT_REST = 5, timedelta(days=30), timedelta(days=90)
UNKNOWN, UNKNOWN_WINDOW = 3, timedelta(minutes=10)
DEFERRALS = 5
ERRORS = 10
# Gmail and Outlook call whoever once sends them 5,000 a day a bulk sender for ever (LAW-17).
VOLUME_A_DAY = 4_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """``reason`` is a sentence's end with the numbers and the line that was crossed."""

    level: str
    reason: str
    numbers: dict[str, Any] = field(default_factory=dict)
    lasts: timedelta | None = None

    @property
    def pauses(self) -> bool:
        return self.level == Breaker.Level.PAUSE


def complaints(
    delivered: Iterable[datetime],
    complained: Iterable[datetime],
    *,
    now: datetime,
    since: datetime | None = None,
) -> Verdict | None:
    """Of a domain, a mailbox or a campaign: what was delivered when, and complained of when.

    Only what lies after ``since`` counts. One complaint warns; a pause takes two that are
    0.30 % of the last 1,000 delivered of seven days, or three in a day (LAW-14).
    """
    delivered, complained = list(delivered), list(complained)
    begin = _later(now - WEEK, since)
    recent = sorted(_within(delivered, begin, now))[-LAST_DELIVERED:]
    if len(recent) == LAST_DELIVERED:
        begin = max(begin, recent[0])
    hits = len(_within(complained, begin, now))
    today = len(_within(complained, _later(now - DAY, since), now))
    base = max(len(recent), hits)
    numbers = {"complaints": hits, "delivered": len(recent), "today": today}
    if today >= COMPLAINTS_A_DAY:
        reason = f"{today} complaints in 24 hours, limit {COMPLAINTS_A_DAY}"
        return Verdict(Breaker.Level.PAUSE, reason, numbers)
    if hits >= FEWEST_COMPLAINTS and hits * 1_000 >= COMPLAINTS_PAUSE * base:
        reason = f"{_share(hits, base, 2)} complaints ({hits} of {base}), limit 0.30 %"
        return Verdict(Breaker.Level.PAUSE, reason, numbers)
    if hits:
        reason = f"{_share(hits, base, 2)} complaints ({hits} of {base}), warning at 0.10 %"
        return Verdict(Breaker.Level.WARNING, reason, numbers)
    return None


def hard_bounces(
    scope: str,
    sent: Iterable[datetime],
    bounced: Iterable[datetime],
    *,
    of_first: int,
    now: datetime,
    since: datetime | None = None,
) -> Verdict | None:
    """What was sent when, and what came back for good when; ``of_first`` of the first twenty
    that it ever sent came back.

    Warns at 2 %. Pauses a campaign at 5 % (3 bounces and 40 sent at least), a mailbox or a
    sending domain at 10 % (3 bounces and 20 sent) or at 3 of the first 20 (LAW-15).
    """
    begin = _later(now - WEEK, since)
    n, hits = len(_within(sent, begin, now)), len(_within(bounced, begin, now))
    n = max(n, hits)
    is_campaign = scope == Breaker.Scope.CAMPAIGN
    line = BOUNCES_PAUSE_CAMPAIGN if is_campaign else BOUNCES_PAUSE_MAILBOX
    fewest = FEWEST_SENT_OF_CAMPAIGN if is_campaign else FIRST_MESSAGES
    numbers = {"bounces": hits, "sent": n, "of_first": of_first}
    told = f"{_share(hits, n, 1)} hard bounces ({hits} of {n} in 7 days)" if n else ""
    if hits >= FEWEST_BOUNCES and n >= fewest and hits * 100 >= line * n:
        return Verdict(Breaker.Level.PAUSE, f"{told}, limit {line} %", numbers)
    if not is_campaign and of_first >= FEWEST_BOUNCES:
        reason = f"{of_first} of the first {FIRST_MESSAGES} messages bounced, limit 3"
        return Verdict(Breaker.Level.PAUSE, reason, numbers)
    if hits and hits * 100 >= BOUNCES_WARN * n:
        reason = f"{told}, warning at {BOUNCES_WARN} %"
        return Verdict(Breaker.Level.WARNING, reason, numbers)
    return None


def unknown(times: Iterable[datetime], *, since: datetime | None = None) -> Verdict | None:
    """When a mailbox's messages of unknown fate were handed over.

    Three within ten minutes pause it (LAW-16), however late that was found out.
    """
    row = sorted(t for t in times if since is None or t > since)
    for first, last in zip(row, row[UNKNOWN - 1 :], strict=False):
        if last - first <= UNKNOWN_WINDOW:
            reason = f"{UNKNOWN} messages of unknown fate within ten minutes"
            return Verdict(Breaker.Level.PAUSE, reason, {"unknown": len(row)})
    return None


def deferrals(in_a_row: int, *, rested: int) -> Verdict | None:
    """Answers 4.7.x from one recipient domain, one after the other.

    Five let it rest for an hour. ``rested``: how often it has rested in this very row; each
    further answer after a rest doubles it, up to a day (LAW-16).
    """
    if in_a_row < DEFERRALS:
        return None
    hours = min(24, 2**rested)
    reason = f"put off {in_a_row} times in a row (4.7.x), rests {hours} h"
    lasts = timedelta(hours=hours)
    return Verdict(Breaker.Level.PAUSE, reason, {"in_a_row": in_a_row, "hours": hours}, lasts)


def errors(in_a_row: int) -> Verdict | None:
    """Messages of a campaign that failed one after the other: ten pause it (LAW-16)."""
    if in_a_row < ERRORS:
        return None
    reason = f"{in_a_row} messages in a row failed, limit {ERRORS}"
    return Verdict(Breaker.Level.PAUSE, reason, {"in_a_row": in_a_row})


def volume(in_a_day: int) -> Verdict | None:
    """Messages of a sending domain to personal addresses of one provider in 24 hours."""
    if in_a_day < VOLUME_A_DAY:
        return None
    reason = (
        f"{in_a_day:,} messages in 24 hours to personal addresses of one provider: at 5,000 it "
        "counts the domain as a bulk sender for ever"
    )
    return Verdict(Breaker.Level.WARNING, reason, {"in_a_day": in_a_day})


def _within(times: Iterable[datetime], begin: datetime, now: datetime) -> list[datetime]:
    return [t for t in times if begin < t <= now]


def _later(moment: datetime, since: datetime | None) -> datetime:
    return moment if since is None else max(moment, since)


def _share(hits: int, of: int, digits: int) -> str:
    return f"{100 * hits / of:.{digits}f} %"
