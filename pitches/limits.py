"""How often we may write, counted over rolling windows in the ledger of messages.

A limit is a question about times: would one more at this instant put more than ``maximum``
into any window of that length? Planned times count like sent ones, so a plan never
promises what the gate will refuse.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from pitches.models import EmailLimit, Sender

Key = tuple[str, Hashable, str]


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``maximum`` of what ``counts`` says in any ``hours``, for one target."""

    scope: str
    target: Hashable
    counts: str
    maximum: int
    hours: int
    label: str = ""

    @property
    def window(self) -> timedelta:
        return timedelta(hours=self.hours)

    @property
    def key(self) -> Key:
        return (self.scope, self.target, self.counts)


@dataclass(slots=True)
class Ledger:
    """The times that occupy slots: what went out, and what this plan has laid down so far."""

    times: dict[Key, list[datetime]] = field(default_factory=lambda: defaultdict(list))

    def add(self, key: Key, moment: datetime) -> None:
        insort(self.times[key], moment)

    def used(self, limit: Limit, moment: datetime) -> int:
        """How many slots of the window that ends at ``moment`` are taken."""
        taken = self.times[limit.key]
        return bisect_right(taken, moment) - bisect_right(taken, moment - limit.window)

    def earliest(self, limit: Limit, moment: datetime) -> datetime | None:
        """The first instant at or after ``moment`` with a free slot.

        None for a limit of nothing.
        """
        if limit.maximum < 1:
            return None
        taken = self.times[limit.key]
        while (blocker := _blocker(taken, limit, moment)) is not None:
            moment = blocker + limit.window
        return moment


def _blocker(taken: list[datetime], limit: Limit, moment: datetime) -> datetime | None:
    """The time whose leaving the window would free a slot for ``moment``, or None if one is
    free.
    """
    near = taken[
        bisect_right(taken, moment - limit.window) : bisect_left(taken, moment + limit.window)
    ]
    if len(near) < limit.maximum:
        return None
    row = sorted([*near, moment])
    for first, last in zip(row, row[limit.maximum :], strict=False):
        if first <= moment <= last and last - first < limit.window:
            return first
    return None


# What holds where no row says otherwise. A domain's limit counts people, not mails: a new
# conversation is a person, a follow-up is none.
DEFAULTS: dict[str, tuple[int, str, int]] = {
    EmailLimit.Scope.ORGANIZATION: (1, EmailLimit.Counts.INITIAL, 168),
    EmailLimit.Scope.CONTACT: (1, EmailLimit.Counts.INITIAL, 720),
    EmailLimit.Scope.DOMAIN: (2, EmailLimit.Counts.INITIAL, 24),
}


class Limits:
    """The limits in force.

    A row with a target beats the row of its scope, that one beats the default.
    """

    def __init__(self, rows: Iterable[EmailLimit]) -> None:
        self._general: dict[str, list[EmailLimit]] = defaultdict(list)
        self._special: dict[tuple[str, Hashable], list[EmailLimit]] = defaultdict(list)
        for row in rows:
            target = _target(row)
            if target in (None, ""):
                self._general[row.scope].append(row)
            else:
                self._special[row.scope, target].append(row)

    @classmethod
    def read(cls) -> Limits:
        """All rows in one query; there are as many as people have written exceptions."""
        return cls(EmailLimit.objects.all())

    def longest(self) -> timedelta:
        """How far back the ledger has to be read."""
        rows = [
            row for rows in (*self._general.values(), *self._special.values()) for row in rows
        ]
        return timedelta(
            hours=max([24, *(row.hours for row in rows), *(d[2] for d in DEFAULTS.values())])
        )

    def reaching(self, scope: str) -> timedelta:
        """How far back the ledger of one scope has to be read; nothing where no limit holds."""
        special = [rows for (name, _), rows in self._special.items() if name == scope]
        rows = [row for group in (*special, self._general.get(scope, [])) for row in group]
        default = [DEFAULTS[EmailLimit.Scope(scope)][2]] if scope in DEFAULTS else []
        return timedelta(hours=max([0, *(row.hours for row in rows), *default]))

    def of_domain(self, domain: str, *, is_shared: bool, by_default: bool) -> list[Limit]:
        """The limits of a recipient domain.

        ``is_shared``: its mailboxes are given to anybody (free mail), so only a row that names
        it holds. ``by_default``: whether the built-in limit holds where there is no row.
        """
        scope = EmailLimit.Scope.DOMAIN.value
        named = (scope, domain) in self._special
        if not named and (is_shared or not (by_default or self._general.get(scope))):
            return []
        return self.of(scope, domain, label=domain)

    def of(self, scope: str, target: Hashable, *, label: str = "") -> list[Limit]:
        """The limits that hold for one target."""
        rows = self._special.get((scope, target)) or self._general.get(scope)
        if rows:
            return [
                Limit(scope, target, row.counts, row.maximum, row.hours, label) for row in rows
            ]
        if scope in DEFAULTS:
            maximum, counts, hours = DEFAULTS[EmailLimit.Scope(scope)]
            return [Limit(scope, target, counts, maximum, hours, label)]
        return []


def _target(row: EmailLimit) -> Hashable:
    return (
        row.organization_id
        or row.contact_id
        or row.sender_id
        or row.campaign_id
        or row.domain.lower()
    )


# A mailbox whose domain does not vouch for it sends no more to real people in a day (LAW-5).
UNVOUCHED = 100


def of_sender(
    sender: Sender, *, on: date, is_careful: bool = False, is_live: bool = False
) -> list[Limit]:
    """A mailbox's own limits on a day: its cap, reached by the ramp, and its hourly cap.

    ``is_careful``: too much of its mail comes back at present, so it sends half as much.
    ``is_live``: it writes to real people, and 100 at most unless SPF, DKIM and DMARC are right.
    """
    label = sender.address
    scope, counts = EmailLimit.Scope.SENDER.value, EmailLimit.Counts.ALL.value
    cap = ramped(sender, on=on)
    if is_careful:
        cap = (cap + 1) // 2
    if is_live and cap > UNVOUCHED and not sender.is_vouched_for:
        cap, label = UNVOUCHED, f"{label} (its domain does not vouch for its mail)"
    limits = [Limit(scope, sender.pk, counts, cap, 24, label)]
    if sender.hourly_limit is not None:
        limits.append(Limit(scope, sender.pk, counts, sender.hourly_limit, 1, label))
    return limits


def ramped(sender: Sender, *, on: date) -> int:
    """Messages this mailbox may send on a day.

    ``ramp_start`` on the first, ``ramp_step`` more each day.
    """
    if sender.ramp_began_on is None:
        return sender.daily_limit
    days = max(0, (on - sender.ramp_began_on).days)
    return min(sender.daily_limit, sender.ramp_start + days * sender.ramp_step)
