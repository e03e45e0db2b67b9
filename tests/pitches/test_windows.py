"""When a message may arrive: zones, clock changes, weekends, holidays, black-outs."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitches.windows import Period, Window, holiday

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "Africa/Casablanca",
    "Antarctica/Troll",
    "Africa/Cairo",
    "America/St_Johns",
    "Asia/Tehran",
    "Pacific/Chatham",
    "America/Santiago",
]
COUNTRIES = ["", "DE", "US", "AU", "NP", "WS", "MA", "JP", "ZZ"]
WEEKDAYS = frozenset({1, 2, 3, 4, 5})


def offset(zone: str, moment: datetime) -> timedelta:
    return moment.astimezone(ZoneInfo(zone)).utcoffset()


def _clock_changes() -> list[datetime]:
    days = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=n) for n in range(3 * 365)]
    return [
        day
        for day in days
        if any(offset(zone, day) != offset(zone, day + timedelta(days=1)) for zone in ZONES)
    ]


# Any time in three years, and as often one around a night in which some clock changes.
moments = st.one_of(
    st.builds(
        lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes),
        st.integers(0, 3 * 365 * 24 * 60),
    ),
    st.builds(
        lambda day, minutes: day + timedelta(minutes=minutes),
        st.sampled_from(_clock_changes()),
        st.integers(-600, 1800),
    ),
)


def window(zone="UTC", opens=time(9), closes=time(17), **fields) -> Window:
    fields.setdefault("days", WEEKDAYS)
    fields.setdefault("observe_holidays", False)
    return Window(zone_name=zone, opens=opens, closes=closes, **fields)


def is_open(of: Window, moment: datetime) -> bool:
    """The plain words of the rule, said by the wall clock alone."""
    local = moment.astimezone(ZoneInfo(of.zone_name))
    if any(p.starts_on <= local.date() <= p.ends_on for p in of.blackouts):
        return False
    if local.isoweekday() not in of.days:
        return False
    if of.observe_holidays and holiday(of.country, local.date()):
        return False
    return of.opens <= local.time() < of.closes


@st.composite
def hours(draw):
    opens = draw(st.one_of(st.integers(0, 4 * 4), st.integers(0, 23 * 4)))
    closes = draw(st.integers(opens + 1, 24 * 4 - 1))
    return time(opens // 4, opens % 4 * 15), time(closes // 4, closes % 4 * 15)


@pytest.mark.req("REL-24")
@settings(max_examples=300, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    country=st.sampled_from(COUNTRIES),
    days=st.sets(st.integers(1, 7), min_size=1),
    between=hours(),
    moment=moments,
)
def test_the_answer_lies_in_the_window_and_never_before_what_was_asked(
    zone, country, days, between, moment
):
    open_hours = window(
        zone, *between, days=frozenset(days), country=country, observe_holidays=True
    )
    answer = open_hours.earliest(moment)
    assert answer is not None
    assert answer >= moment
    assert is_open(open_hours, answer)
    assert open_hours.earliest(answer) == answer


@pytest.mark.req("REL-24")
@settings(max_examples=60, deadline=None)
@given(zone=st.sampled_from(ZONES), between=hours(), moment=moments)
def test_no_open_minute_before_the_answer_is_skipped(zone, between, moment):
    """Looked at minute by minute; only the hour around a clock change may be given away."""
    moment = moment.replace(second=0, microsecond=0)
    open_hours = window(zone, *between, days=frozenset(range(1, 8)))
    answer = open_hours.earliest(moment)
    minutes = int((answer - moment) / MINUTE)
    skipped = sum(is_open(open_hours, moment + n * MINUTE) for n in range(minutes))
    changes = offset(zone, moment - HOUR) != offset(zone, answer + HOUR)
    assert skipped <= (120 if changes else 0)


@pytest.mark.req("REL-24")
@settings(max_examples=200, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    country=st.sampled_from(["", "DE", "US", "AU", "MA"]),
    moment=moments,
)
def test_weekends_and_single_holidays_cost_four_days_at_most(zone, country, moment):
    """Easter, from Thursday evening to Tuesday morning, is the longest of these years."""
    open_hours = window(zone, time(9), time(17), country=country, observe_holidays=True)
    assert open_hours.earliest(moment) - moment <= timedelta(days=4, hours=17)


def test_a_window_that_opens_in_the_skipped_hour_opens_after_it():
    """2026-03-29 02:30 does not exist in Berlin: 02:00 becomes 03:00 (case 110)."""
    sunday = window("Europe/Berlin", time(2, 30), time(6), days=frozenset({7}))
    opens = sunday.earliest(datetime(2026, 3, 28, 12, tzinfo=UTC))
    assert opens == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert opens.astimezone(ZoneInfo("Europe/Berlin")).time() == time(3, 30)


def test_a_window_that_closes_in_the_skipped_hour_is_closed_when_it_is_over():
    night = window("Europe/Berlin", time(1), time(2, 30), days=frozenset({7}))
    after_the_change = datetime(2026, 3, 29, 1, 10, tzinfo=UTC)
    assert after_the_change.astimezone(ZoneInfo("Europe/Berlin")).time() == time(3, 10)
    assert night.earliest(after_the_change) == datetime(2026, 4, 4, 23, tzinfo=UTC)


def test_a_window_that_opens_in_the_doubled_hour_opens_once():
    """2026-10-25 02:30 happens twice in Berlin; between the two the clock says 02:00 again."""
    sunday = window("Europe/Berlin", time(2, 30), time(6), days=frozenset({7}))
    opens = sunday.earliest(datetime(2026, 10, 24, 12, tzinfo=UTC))
    assert opens == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert opens.astimezone(ZoneInfo("Europe/Berlin")).fold == 1


def test_a_day_off_is_kept_in_its_own_country_only():
    """4 July 2028 is a Tuesday."""
    noon = datetime(2028, 7, 4, 12, tzinfo=UTC)
    american = window(country="US", observe_holidays=True)
    assert american.earliest(noon) == datetime(2028, 7, 5, 9, tzinfo=UTC)
    assert american.closed_because(noon.date()) == ("holiday", "Independence Day")
    assert window(country="DE", observe_holidays=True).earliest(noon) == noon
    assert window(country="", observe_holidays=True).earliest(noon) == noon
    assert window(country="US").earliest(noon) == noon


def test_a_country_nobody_keeps_a_calendar_of_has_no_holidays():
    assert holiday("ZZ", date(2026, 12, 25)) == ""
    assert holiday("DE", date(2026, 12, 25)) != ""


def test_black_outs_close_whole_days_and_may_touch_weekends():
    """From Christmas Eve, a Thursday, to the Sunday after New Year."""
    shut = window(blackouts=(Period(date(2026, 12, 24), date(2027, 1, 3), "winter break"),))
    assert shut.earliest(datetime(2026, 12, 23, 18, tzinfo=UTC)) == datetime(
        2027, 1, 4, 9, tzinfo=UTC
    )
    assert shut.closed_because(date(2027, 1, 3)) == ("blackout", "winter break")


def test_a_window_that_never_opens_says_so():
    assert window(days=frozenset()).earliest(datetime(2026, 1, 1, tzinfo=UTC)) is None
    backwards = window(opens=time(17), closes=time(9))
    assert backwards.earliest(datetime(2026, 1, 1, tzinfo=UTC)) is None


def test_a_slot_is_when_the_sending_of_a_day_begins():
    slotted = window(slots=(time(14), time(10, 30), time(7)))
    monday = datetime(2026, 6, 1, tzinfo=UTC)
    assert slotted.earliest(monday) == monday + 9 * HOUR  # seven is before the window opens
    late = window(slots=(time(14),))
    assert late.earliest(monday + 10 * HOUR) == monday + 14 * HOUR
    assert late.earliest(monday + 17 * HOUR) == monday + timedelta(days=1, hours=14)


@pytest.mark.req("REL-24")
@settings(max_examples=300, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    between=hours(),
    days=st.sets(st.integers(1, 7), min_size=5),
    first=moments,
)
def test_steps_two_days_apart_never_come_closer_and_none_waits_longer_than_three(
    zone, between, days, first
):
    """Four steps, each 48 hours (172,800 s) after the one before, over changes of clocks."""
    open_hours = window(zone, *between, days=frozenset(days))
    left = open_hours.earliest(first)
    for _ in range(3):
        due = left + timedelta(seconds=172_800)
        goes = open_hours.earliest(due)
        assert is_open(open_hours, goes)
        assert goes - left >= timedelta(hours=48)
        # two closed days and the closed hours around them; a clock change adds its hour
        assert goes - due <= timedelta(days=3, hours=1)
        left = goes
