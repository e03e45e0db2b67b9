"""Where sending is warned of and where it pauses: exact to the event."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pitches import thresholds
from tests.clock import MONDAY

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def level(verdict):
    return verdict.level if verdict else None


def times(number, *, every=MINUTE, until=MONDAY):
    return [until - n * every for n in range(number)]


@pytest.mark.req("LAW-14")
@pytest.mark.parametrize(
    ("delivered", "hits", "expected"),
    [
        (1000, 0, None),
        (1000, 1, "warning"),  # 0.10 %
        (10, 1, "warning"),  # one alone never pauses
        (666, 2, "pause"),  # 0.3003 %
        (667, 2, "warning"),  # 0.2999 %
        (1000, 3, "pause"),  # 0.30 %
        (3, 2, "pause"),
    ],
)
def test_complaints_pause_at_three_in_a_thousand_and_two_at_least(delivered, hits, expected):
    """Two days apart, so that the line of a day is not what trips."""
    complained = [MONDAY - n * 2 * DAY for n in range(hits)]
    found = thresholds.complaints(
        times(delivered, every=6 * DAY / delivered), complained, now=MONDAY
    )
    assert level(found) == expected


@pytest.mark.req("LAW-14")
def test_of_many_only_the_last_thousand_delivered_count():
    """Five thousand in six days: the last thousand are little more than one day's."""
    delivered = times(5000, every=6 * DAY / 5000)
    near, far = [MONDAY, MONDAY - 25 * HOUR], [MONDAY, MONDAY - 2 * DAY, MONDAY - 4 * DAY]
    assert level(thresholds.complaints(delivered, near, now=MONDAY)) == "warning"
    found = thresholds.complaints(delivered, far, now=MONDAY)
    assert (level(found), found.numbers["complaints"]) == ("warning", 1)


@pytest.mark.req("LAW-14")
def test_three_complaints_in_a_day_pause_whatever_the_volume():
    delivered = times(1000, every=timedelta(seconds=1))
    three = [MONDAY, MONDAY - HOUR, MONDAY - 23 * HOUR]
    assert level(thresholds.complaints(delivered, three, now=MONDAY)) == "pause"
    found = thresholds.complaints([], [*three[:2], MONDAY - 25 * HOUR], now=MONDAY)
    assert found.numbers["today"] == 2


@pytest.mark.req("LAW-15")
@pytest.mark.parametrize(
    ("scope", "sent", "hits", "expected"),
    [
        ("campaign", 51, 1, None),  # 1.96 %
        ("campaign", 50, 1, "warning"),  # 2 %
        ("campaign", 40, 2, "warning"),  # 5 %, and two are too few
        ("campaign", 39, 3, "warning"),  # three, and 39 are too few
        ("campaign", 40, 3, "pause"),
        ("campaign", 60, 3, "pause"),  # 5 %
        ("campaign", 61, 3, "warning"),  # 4.92 %
        ("mailbox", 60, 3, "warning"),
        ("mailbox", 30, 3, "pause"),  # 10 %
        ("mailbox", 31, 3, "warning"),
        ("sending_domain", 30, 3, "pause"),
        ("sending_domain", 200, 20, "pause"),
        ("sending_domain", 200, 19, "warning"),
    ],
)
def test_hard_bounces_warn_and_pause_at_their_shares(scope, sent, hits, expected):
    out, back = times(sent), times(hits)
    found = thresholds.hard_bounces(scope, out, back, of_first=0, now=MONDAY)
    assert level(found) == expected


@pytest.mark.req("LAW-15")
def test_three_of_the_first_twenty_pause_a_mailbox_and_no_campaign():
    out, back = times(7), times(3)
    for scope, expected in [("mailbox", "pause"), ("campaign", "warning")]:
        found = thresholds.hard_bounces(scope, out, back, of_first=3, now=MONDAY)
        assert level(found) == expected
    two = thresholds.hard_bounces("mailbox", out, times(2), of_first=2, now=MONDAY)
    assert level(two) == "warning"


def test_what_lies_before_a_closing_or_the_window_is_not_counted():
    out, back = times(40), times(4)
    later = MONDAY + HOUR
    for now, since in [(later, MONDAY), (MONDAY + 8 * DAY, None)]:
        found = thresholds.hard_bounces("campaign", out, back, of_first=0, now=now, since=since)
        assert found is None
        assert thresholds.complaints(out, back, now=now, since=since) is None


def test_a_verdict_says_its_numbers_and_the_line():
    found = thresholds.hard_bounces("campaign", times(77), times(4), of_first=0, now=MONDAY)
    assert found.reason == "5.2 % hard bounces (4 of 77 in 7 days), limit 5 %"


@pytest.mark.req("LAW-16")
@hypothesis_settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 60), max_size=12))
def test_three_unknown_within_ten_minutes_pause_in_whatever_order_they_are_found(minutes):
    row = [MONDAY + n * MINUTE for n in minutes]
    crowded = any(sum(m <= other <= m + 10 for other in minutes) >= 3 for m in minutes)
    assert (thresholds.unknown(row) is not None) == crowded


@pytest.mark.req("LAW-16")
def test_five_put_offs_rest_an_hour_and_each_further_one_twice_as_long_up_to_a_day():
    assert thresholds.deferrals(4, rested=0) is None
    hours = [thresholds.deferrals(5 + n, rested=n).lasts / HOUR for n in range(7)]
    assert hours == [1, 2, 4, 8, 16, 24, 24]


@pytest.mark.req("LAW-16")
def test_ten_errors_in_a_row_pause_and_nine_do_not():
    assert (thresholds.errors(9), level(thresholds.errors(10))) == (None, "pause")


@pytest.mark.req("LAW-17")
def test_four_thousand_a_day_to_one_provider_warn():
    assert (thresholds.volume(3999), level(thresholds.volume(4000))) == (None, "warning")


events = st.lists(
    st.tuples(
        st.sampled_from(["sent", "sent", "sent", "bounce", "complaint"]), st.integers(0, 40)
    ),
    max_size=120,
)


@pytest.mark.req("LAW-14", "LAW-15")
@hypothesis_settings(max_examples=150, deadline=None)
@given(stream=events)
def test_after_the_nth_event_of_any_stream_the_state_is_what_plain_counting_says(stream):
    """Counted a second time, the plainest way, over a week in which nothing is forgotten."""
    now, sent, bounced, complained = MONDAY, [], [], []
    for kind, minutes in stream:
        now += minutes * MINUTE
        {"sent": sent, "bounce": bounced, "complaint": complained}[kind].append(now)
        n, hits = max(len(sent), len(bounced)), len(bounced)
        pauses = hits >= 3 and n >= 40 and hits / n >= 0.05
        warns = hits > 0 and hits / n >= 0.02
        found = thresholds.hard_bounces("campaign", sent, bounced, of_first=0, now=now)
        assert level(found) == ("pause" if pauses else "warning" if warns else None)
        told = len(complained)
        in_a_day = sum(t > now - DAY for t in complained)
        share = told / max(len(sent), told, 1)
        pauses = in_a_day >= 3 or (told >= 2 and share >= 0.003)
        found = thresholds.complaints(sent, complained, now=now)
        assert level(found) == ("pause" if pauses else "warning" if told else None)
