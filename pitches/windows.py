"""When a message may arrive: days and hours of the recipient, holidays, black-outs.

Only ever later, never earlier: every function answers a time at or after the one it was given.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from campaigns.zones import zone

UTC = ZoneInfo("UTC")
# Far enough to step over any holiday season; beyond it something is set up wrongly.
HORIZON_DAYS = 400


class Period(NamedTuple):
    """Whole days on which nothing is sent."""

    starts_on: date
    ends_on: date
    reason: str


@dataclass(frozen=True, slots=True)
class Window:
    """The hours of a week in which this recipient may be written to."""

    zone_name: str
    opens: time
    closes: time
    days: frozenset[int]
    slots: tuple[time, ...] = ()
    country: str = ""
    observe_holidays: bool = True
    blackouts: tuple[Period, ...] = field(default=())

    def earliest(self, moment: datetime) -> datetime | None:
        """The first allowed instant at or after ``moment`` (UTC).

        None if there is none in a year.
        """
        tz = zone(self.zone_name)
        for day in _days_from(moment.astimezone(tz).date()):
            if self.closed_because(day):
                continue
            for begins, ends in self._spans(day, tz):
                if moment < ends:
                    return max(moment, begins)
        return None

    def _spans(self, day: date, tz: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
        """The open spans of a day, as instants: a clock change inside it is counted in.

        Where a clock change makes a time happen twice or not at all the span is the shorter
        one, so that the clock on the recipient's wall never shows a closed hour.
        """
        closes = min(_instants(day, self.closes, tz))
        for start in sorted(self.slots) or [self.opens]:
            begins = max(_instants(day, max(start, self.opens), tz))
            if begins < closes:
                yield begins, closes

    def closed_because(self, day: date) -> tuple[str, str] | None:
        """Why the whole day is closed, as (reason code, what it is); None for an open day."""
        for period in self.blackouts:
            if period.starts_on <= day <= period.ends_on:
                return ("blackout", period.reason or "black-out")
        if day.isoweekday() not in self.days:
            return ("outside_window", f"{day:%A}")
        if self.observe_holidays and (name := holiday(self.country, day)):
            return ("holiday", name)
        return None


# When a telephone may ring: 08:00 to 21:00 where its owner is (47 CFR 64.1200(c)(1)). Where
# nobody knows where that is: when it is allowed from one coast of America to the other.
FOR_TEXTS = (time(8), time(21))
SOMEWHERE = "America/New_York"
FOR_TEXTS_SOMEWHERE = (time(12), time(20))


def for_texts(zone_name: str) -> Window:
    """The hours in which somebody may be texted; ``zone_name`` is empty where it is unknown."""
    opens, closes = FOR_TEXTS if zone_name else FOR_TEXTS_SOMEWHERE
    return Window(
        zone_name=zone_name or SOMEWHERE,
        opens=opens,
        closes=closes,
        days=frozenset(range(1, 8)),
        observe_holidays=False,
    )


def _days_from(first: date) -> Iterator[date]:
    return (first + timedelta(days=n) for n in range(HORIZON_DAYS))


def _instants(day: date, clock: time, tz: ZoneInfo) -> list[datetime]:
    """The instants at which the wall clock shows this: two, and as a rule the same one.

    A time that a clock change skips is read once by the old clock and once by the new.
    """
    local = datetime.combine(day, clock, tzinfo=tz)
    return [local.replace(fold=fold).astimezone(UTC) for fold in (0, 1)]


@lru_cache(4096)
def holiday(country: str, day: date) -> str:
    """The public holiday's name in that country (ISO 3166, two letters), or an empty string."""
    if not country:
        return ""
    calendar = _calendar(country, day.year)
    return calendar.get(day, "") if calendar is not None else ""


@lru_cache(256)
def _calendar(country: str, year: int) -> dict[date, str] | None:
    import holidays  # half a second to import: only when somebody's country is known

    try:
        return dict(holidays.country_holidays(country, years=year))
    except NotImplementedError:
        return None
