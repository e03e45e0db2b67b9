"""119 and 120 days, 59 and 60: who cannot wait."""

from datetime import date, timedelta
from types import SimpleNamespace

import pytest

from pitches.urgency import timing_remarks, urgency

TODAY = date(2026, 6, 1)


def starting(days: int | None, *, visa: str) -> SimpleNamespace:
    starts_on = None if days is None else TODAY + timedelta(days=days)
    return SimpleNamespace(visa=visa, starts_on=starts_on)


@pytest.mark.req("S003-010")
@pytest.mark.parametrize(("days", "expected"), [(0, True), (119, True), (120, False)])
def test_who_needs_a_visa_is_urgent_below_120_days(days, expected):
    assert urgency(starting(days, visa="yes"), today=TODAY).urgent is expected


@pytest.mark.req("S003-011")
@pytest.mark.parametrize(("days", "expected"), [(0, True), (59, True), (60, False)])
def test_who_needs_no_visa_is_urgent_below_60_days(days, expected):
    assert urgency(starting(days, visa="no"), today=TODAY).urgent is expected


@pytest.mark.req("S003-013")
@pytest.mark.parametrize(
    ("days", "visa"), [(10, "unknown"), (None, "yes"), (None, "no"), (None, "unknown")]
)
def test_what_is_unknown_is_not_urgent(days, visa):
    told = urgency(starting(days, visa=visa), today=TODAY)
    assert not told.urgent
    assert told.pitchable


@pytest.mark.req("C34")
@pytest.mark.parametrize("visa", ["yes", "no", "unknown"])
def test_a_start_in_the_past_is_for_staff_and_not_urgent(visa):
    told = urgency(starting(-1, visa=visa), today=TODAY)
    assert not told.urgent
    assert not told.pitchable
    assert "past" in told.reason


def test_the_reason_names_the_days_and_the_mark():
    assert urgency(starting(119, visa="yes"), today=TODAY).reason == (
        "starts in 119 days, with a visa to get, fewer than 120"
    )


def test_a_reviewer_is_told_of_a_term_that_is_over_and_of_a_candidate_who_comes_too_late():
    def remarks(**dates):
        known = {"role_starts": None, "role_ends": None, "free_from": None, "today": TODAY}
        return timing_remarks(**(known | dates))

    day = timedelta(days=1)
    assert remarks() == []
    assert remarks(role_starts=TODAY, role_ends=TODAY, free_from=TODAY) == []
    assert remarks(role_starts=TODAY - day) == [f"The role's term began on {TODAY - day}."]
    assert remarks(role_starts=TODAY - day, role_ends=TODAY - day) == [
        f"The role's term ended on {TODAY - day}."
    ]
    late = remarks(role_ends=TODAY, free_from=TODAY + day)
    assert late == [f"The candidate is free from {TODAY + day}, after the role's term."]
