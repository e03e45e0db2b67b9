"""Rolling windows: a plan that keeps every limit, whatever it is laid between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pitches import limits
from pitches.limits import Ledger, Limit, Limits
from pitches.models import EmailLimit, Sender
from tests.clock import MONDAY

HOUR = timedelta(hours=1)
START = datetime(2026, 3, 28, tzinfo=UTC)

minutes = st.integers(0, 60 * 24 * 10)


def limit(maximum: int, hours: int, **fields) -> Limit:
    fields = {"scope": "organization", "target": 1, "counts": "initial"} | fields
    return Limit(maximum=maximum, hours=hours, **fields)


def worst(times: list[datetime], window: timedelta) -> int:
    """The most that any window of this length holds, counted the plainest way."""
    return max((sum(begin <= t < begin + window for t in times) for begin in times), default=0)


@pytest.mark.req("REL-13")
@hypothesis_settings(max_examples=300, deadline=None)
@given(
    maximum=st.integers(1, 4),
    hours=st.sampled_from([1, 24, 168]),
    wishes=st.lists(minutes, min_size=1, max_size=25),
)
def test_no_window_ever_holds_more_than_the_limit_however_the_wishes_come(
    maximum, hours, wishes
):
    """Wishes come out of order, as urgent rows and later windows make them."""
    rule, ledger, laid = limit(maximum, hours), Ledger(), []
    for wish in wishes:
        wished = START + timedelta(minutes=wish)
        moment = ledger.earliest(rule, wished)
        assert moment >= wished
        ledger.add(rule.key, moment)
        laid.append(moment)
    assert worst(laid, rule.window) <= maximum


@hypothesis_settings(max_examples=200, deadline=None)
@given(
    maximum=st.integers(1, 3),
    hours=st.integers(1, 30),
    taken=st.lists(st.integers(0, 100), max_size=12),
    wish=st.integers(0, 100),
)
def test_the_answer_is_the_first_free_hour(maximum, hours, taken, wish):
    """What is taken may lie after the wish too; every hour before the answer is truly full."""
    rule, ledger = limit(maximum, hours), Ledger()
    for at in taken:
        moment = ledger.earliest(rule, START + at * HOUR)
        ledger.add(rule.key, moment)
    times = ledger.times[rule.key]
    answer = ledger.earliest(rule, START + wish * HOUR)
    free = (
        START + n * HOUR
        for n in range(wish, 1000)
        if worst([*times, START + n * HOUR], rule.window) <= maximum
    )
    assert answer == next(free)


def test_a_slot_is_free_again_to_the_second_after_the_window():
    rule, ledger = limit(1, 168), Ledger()
    ledger.add(rule.key, MONDAY)
    assert ledger.earliest(rule, MONDAY + 168 * HOUR) == MONDAY + 168 * HOUR
    just_before = MONDAY + 168 * HOUR - timedelta(microseconds=1)
    assert ledger.earliest(rule, just_before) == MONDAY + 168 * HOUR
    assert (ledger.used(rule, just_before), ledger.used(rule, MONDAY + 168 * HOUR)) == (1, 0)


def test_a_limit_of_nothing_never_frees_a_slot():
    assert Ledger().earliest(limit(0, 24), MONDAY) is None


@pytest.mark.req("F-15")
def test_a_week_is_a_hundred_and_sixty_eight_hours_across_a_change_of_clocks():
    """Berlin turns its clocks on 2026-03-29: the week ends at 11:00 there, not at 10:00."""
    rule, ledger = limit(1, 168), Ledger()
    before = datetime(2026, 3, 27, 9, tzinfo=UTC)
    ledger.add(rule.key, before)
    assert ledger.earliest(rule, before + HOUR) - before == timedelta(seconds=168 * 3600)


# -- which limit holds ------------------------------------------------------------------------


def row(maximum: int, **fields) -> EmailLimit:
    fields.setdefault("scope", "organization")
    return EmailLimit(maximum=maximum, **fields)


@pytest.mark.req("S003-028")
def test_without_a_word_an_organization_gets_one_new_pitch_a_week():
    (rule,) = Limits([]).of("organization", 7, label="Seven")
    assert (rule.maximum, rule.hours, rule.counts, rule.label) == (1, 168, "initial", "Seven")
    assert Limits([]).of("campaign", 7) == []


@pytest.mark.req("S003-029")
def test_a_row_with_a_target_beats_the_scope_and_that_beats_the_default():
    rules = Limits([row(5), row(2, organization_id=7), row(9, organization_id=8, hours=24)])
    assert [r.maximum for r in rules.of("organization", 7)] == [2]
    assert [(r.maximum, r.hours) for r in rules.of("organization", 8)] == [(9, 24)]
    assert [r.maximum for r in rules.of("organization", 9)] == [5]


def test_several_rows_of_one_target_hold_together():
    rules = Limits([row(1, organization_id=7, hours=24), row(3, organization_id=7, hours=720)])
    assert {(r.maximum, r.hours) for r in rules.of("organization", 7)} == {(1, 24), (3, 720)}
    assert rules.longest() == timedelta(hours=720)


def test_the_ledger_is_read_back_as_far_as_the_longest_limit_reaches():
    assert Limits([]).longest() == timedelta(hours=720)
    assert Limits([row(1, scope="all", hours=2000)]).longest() == timedelta(hours=2000)


# -- a mailbox -----------------------------------------------------------------------------


@pytest.mark.req("LAW-17")
def test_a_new_mailbox_grows_day_by_day_to_its_limit():
    sender = Sender(
        daily_limit=30, ramp_start=5, ramp_step=10, ramp_began_on=MONDAY.date(), address="a@b.c"
    )
    days = [MONDAY.date() + timedelta(days=n) for n in (-1, 0, 1, 2, 3, 400)]
    assert [limits.ramped(sender, on=day) for day in days] == [5, 5, 15, 25, 30, 30]
    sender.ramp_began_on = None
    assert limits.ramped(sender, on=MONDAY.date()) == 30


def test_a_mailbox_has_a_day_and_if_it_says_so_an_hour():
    sender = Sender(pk=3, daily_limit=30, address="a@b.c")
    assert [(r.maximum, r.hours) for r in limits.of_sender(sender, on=MONDAY.date())] == [
        (30, 24)
    ]
    sender.hourly_limit = 4
    rules = limits.of_sender(sender, on=MONDAY.date())
    assert [(r.maximum, r.hours, r.counts) for r in rules] == [(30, 24, "all"), (4, 1, "all")]


@pytest.mark.req("LAW-17")
@hypothesis_settings(max_examples=150, deadline=None)
@given(
    start=st.integers(1, 10),
    step=st.integers(0, 10),
    most=st.integers(1, 30),
    is_careful=st.booleans(),
    wishes=st.lists(minutes, max_size=80),
)
def test_no_day_of_a_new_mailbox_holds_more_than_its_ramp_allows(
    start, step, most, is_careful, wishes
):
    """Whenever the wishes come, the day that ends with a mail is within that day's number."""
    sender = Sender(
        pk=1,
        address="a@b.c",
        daily_limit=most,
        ramp_start=start,
        ramp_step=step,
        ramp_began_on=START.date(),
    )
    ledger, laid = Ledger(), []
    for wish in sorted(wishes):
        moment = START + timedelta(minutes=wish)
        (rule,) = limits.of_sender(sender, on=moment.date(), is_careful=is_careful)
        if ledger.earliest(rule, moment) == moment:
            ledger.add(rule.key, moment)
            laid.append(moment)
            day = sum(moment - 24 * HOUR < t <= moment for t in laid)
            whole = min(most, start + step * (moment.date() - START.date()).days)
            assert day <= (-(-whole // 2) if is_careful else whole)
