"""A week of by-hand work: shares, days, slots, and building it again."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from campaigns.models import Campaign, Segment
from pitches import by_hand, weekly
from pitches.models import FollowUpTask, Message, Pitch, ReviewTask, Sender, WeeklyPlan
from prospects.models import ContactAddress, Lead
from tests.clock import MONDAY
from tests.factories import ContactAddressFactory
from tests.pitches.test_by_hand import DAY, approved, hands  # noqa: F401  a fixture

WEEK = MONDAY.date()
EARLY = MONDAY.replace(hour=6)


def prospects(desk, number, segment=None) -> list[Lead]:
    """Leads with a profile and an approved match; nothing is drafted yet."""
    found = []
    for _ in range(number):
        lead = desk.lead(segment=segment)
        ContactAddressFactory(
            contact=lead.contacts.get(),
            kind=ContactAddress.Kind.LINKEDIN,
            value=f"linkedin.com/in/paula-{lead.pk}",
        )
        desk.match(lead=lead, candidate=desk.people)
        found.append(lead)
    return found


@pytest.fixture
def desk_of_40(hands, ada):  # noqa: F811
    """Enough leads in each segment for forty requests at 50, 50 and 5."""
    hands.people = hands.candidate()
    Campaign.objects.update(max_active_pitches=1000)
    Lead.objects.update(segment=None)
    for key, number in (("referral-network", 22), ("thought-leadership", 22)):
        prospects(hands, number, Segment.objects.get(key=key))
    prospects(hands, 4, Segment.objects.get(key="stealth-founder"))
    hands.campaign.refresh_from_db()
    return hands


# -- shares ----------------------------------------------------------------------------------


@pytest.mark.req("C01", "S004-042", "F-13")
@pytest.mark.parametrize(
    ("total", "parts"), [(40, [19, 19, 2]), (20, [10, 9, 1]), (50, [24, 24, 2])]
)
def test_a_week_is_shared_out_by_largest_remainder(total, parts):
    plenty = dict.fromkeys((1, 2, 3), 1000)
    shared = weekly.shares(total, {1: 50, 2: 50, 3: 5}, plenty)
    assert [shared[key] for key in (1, 2, 3)] == parts


@pytest.mark.req("C01")
def test_what_an_empty_segment_leaves_goes_to_the_others():
    assert weekly.shares(40, {1: 50, 2: 50, 3: 5}, {1: 100, 2: 0, 3: 100}) == {1: 36, 3: 4}
    assert weekly.shares(40, {1: 50, 2: 5}, {1: 10, 2: 100}) == {1: 10, 2: 30}
    assert weekly.shares(40, {1: 0, 2: 0}, {1: 100, 2: 100}) == {1: 20, 2: 20}


@given(
    st.integers(0, 100),
    st.dictionaries(st.integers(1, 6), st.integers(0, 90), min_size=1),
    st.dictionaries(st.integers(1, 6), st.integers(0, 60)),
)
def test_shares_are_met_exactly_where_there_is_enough(total, weights, available):
    shared = weekly.shares(total, weights, available)
    room = sum(available.get(key, 0) for key in weights)
    assert shared.total() == min(total, room)
    assert all(shared[key] <= available.get(key, 0) for key in shared)


# -- the week --------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.req(
    "S004-005", "S004-040", "S004-042", "S004-043", "S004-044", "S004-045", "S004-048", "F-13",
    "H004-06",
)  # fmt: skip
def test_forty_requests_lie_on_five_days_at_two_slots(desk_of_40, ada):
    Sender.objects.update(time_zone="Europe/Berlin")
    segments = Counter(Lead.objects.values_list("segment__key", flat=True))
    week = weekly.build(desk_of_40.campaign, ada, now=EARLY)
    assert len(week.of("request")) == 40
    assert Counter(Lead.objects.values_list("segment__key", flat=True)) == segments
    assert sorted(week.by_segment.values()) == [2, 19, 19]
    days = Counter(entry.slot.day.isoweekday() for entry in week.entries)
    assert days == {1: 8, 2: 8, 3: 8, 4: 8, 5: 8}
    assert {entry.slot.clock.hour for entry in week.entries} == {9, 14}
    times = {entry["at"][10:] for entry in week.printed()["entries"]}
    assert times == {"T09:00:00+02:00", "T14:00:00+02:00"}
    assert week.warnings == ["0 of 30 follow-ups: there are no more for this week."]


@pytest.mark.django_db
@pytest.mark.req("S004-049", "F-13", "H004-08")
def test_every_date_lies_in_the_week_and_has_its_day_name(desk_of_40, ada):
    printed = weekly.build(desk_of_40.campaign, ada, now=EARLY).printed()
    for entry in printed["entries"]:
        day = date.fromisoformat(entry["date"])
        assert WEEK <= day <= WEEK + timedelta(days=4)
        assert f"{day:%A}" == entry["day"]


@pytest.mark.django_db
@pytest.mark.req("S004-050", "F-13")
def test_building_it_again_keeps_what_is_done_and_doubles_nothing(desk_of_40, ada):
    first = weekly.build(desk_of_40.campaign, ada, now=EARLY)
    desk_of_40.approve_all(EARLY)
    for entry in by_hand.today(ada, now=EARLY).entries[:3]:
        by_hand.record_sent(entry.message, by=ada, now=EARLY)
    before = {e["message_id"]: e["at"] for e in first.printed()["entries"]}
    again = weekly.build(desk_of_40.campaign, ada, now=EARLY + timedelta(hours=1))
    after = {e["message_id"]: e["at"] for e in again.printed()["entries"]}
    requests = {e.message.pk for e in again.of("request")}
    assert {pk: at for pk, at in after.items() if pk in requests} == before
    assert len(again.of("follow_up")) == 3  # of the three that were sent
    assert sum(entry.is_done for entry in again.entries) == 3
    assert WeeklyPlan.objects.count() == 1
    assert Pitch.objects.count() == 40


@pytest.mark.django_db
@pytest.mark.req("S004-050")
def test_a_smaller_target_lets_go_of_what_is_not_done(desk_of_40, ada):
    weekly.build(desk_of_40.campaign, ada, now=EARLY)
    week = weekly.build(desk_of_40.campaign, ada, now=EARLY, requests=10)
    assert len(week.of("request")) == 10
    assert Message.objects.filter(weekly_plan__isnull=False).count() == 10
    assert week.warnings[0].startswith("10 connection requests a week: 30 to 50 are usual")


@pytest.mark.django_db
def test_what_lies_on_a_day_that_is_over_moves_to_one_that_comes(desk_of_40, ada):
    weekly.build(desk_of_40.campaign, ada, now=EARLY)
    week = weekly.build(desk_of_40.campaign, ada, now=EARLY + 3 * DAY)
    assert {entry.slot.day.isoweekday() for entry in week.entries} == {4, 5}
    assert len(week.entries) == 32  # never more than twice a day's share


@pytest.mark.django_db
def test_black_outs_and_holidays_of_the_recipient_are_left_free(desk_of_40, ada):
    desk_of_40.campaign.blackouts.create(starts_on=WEEK, ends_on=WEEK, reason="move")
    Campaign.objects.update(observe_holidays=True)
    desk_of_40.campaign.refresh_from_db()
    some = list(Lead.objects.order_by("pk")[:30])
    Lead.objects.filter(pk__in=[lead.pk for lead in some]).update(country="PT")
    week = weekly.build(desk_of_40.campaign, ada, now=EARLY)  # 4 June 2026: Corpus Christi
    assert len(week.entries) == 40
    assert not any(entry.slot.day == WEEK for entry in week.entries)
    portuguese = {lead.pk for lead in some}
    thursday = [e for e in week.entries if e.slot.day.isoweekday() == 4]
    assert thursday
    assert not any(entry.lead.pk in portuguese for entry in thursday)


@pytest.mark.django_db
@pytest.mark.req("S004-041", "S004-046", "S004-047", "S004-048")
def test_follow_ups_come_tuesday_to_thursday_three_days_after_the_message_before(
    desk_of_40, ada
):
    weekly.build(desk_of_40.campaign, ada, now=EARLY)
    desk_of_40.approve_all(EARLY)
    Sender.objects.update(daily_limit=1000)
    for message in Message.objects.filter(number=0):
        by_hand.record_past(message, by=ada, note="test", now=EARLY)
    per_lead: Counter[int] = Counter()
    last = dict.fromkeys(Lead.objects.values_list("pk", flat=True), EARLY)
    for number in range(1, 5):
        at = EARLY + number * 7 * DAY
        week = weekly.build(desk_of_40.campaign, ada, now=at, requests=10, follow_ups=30)
        again = week.of("follow_up")
        if number < 4:
            assert len(again) == 30
        for entry in again:
            assert entry.slot.day.isoweekday() in (2, 3, 4)
            gap = entry.slot.at - last[entry.lead.pk]
            assert gap >= 2 * DAY
            if entry.message.number > 1:
                assert gap >= 3 * DAY
            per_lead[entry.lead.pk] += 1
            last[entry.lead.pk] = entry.slot.at
            by_hand.record_past(entry.message, by=ada, note="test", now=entry.slot.at)
    assert max(per_lead.values()) == 3
    assert min(per_lead.values()) >= 2


@pytest.mark.django_db
def test_the_week_sets_the_day_on_which_a_row_is_in_the_list(desk_of_40, ada):
    week = weekly.build(desk_of_40.campaign, ada, now=EARLY)
    desk_of_40.approve_all(EARLY)
    for n in range(5):
        day = by_hand.today(ada, now=EARLY + n * DAY)
        wanted = {e.message.pk for e in week.entries if e.slot.day <= WEEK + timedelta(days=n)}
        assert {entry.message.pk for entry in day.entries} == wanted


@pytest.mark.django_db
def test_drafts_of_the_week_are_read_before_they_are_used(desk_of_40, ada):
    weekly.build(desk_of_40.campaign, ada, now=EARLY)
    assert ReviewTask.objects.filter(kind="message", status="open").count() == 40
    assert by_hand.today(ada, now=EARLY).entries == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"requests": 9}, "10 to 100 connection requests"),
        ({"requests": 101}, "10 to 100 connection requests"),
        ({"follow_ups": 4}, "5 to 100 follow-ups"),
        ({"monday": WEEK + timedelta(days=1)}, "begins on a Monday"),
        ({"monday": WEEK - timedelta(days=7)}, "is over"),
    ],
)
def test_a_week_that_cannot_be_is_refused(hands, ada, asked, told):  # noqa: F811
    with pytest.raises(weekly.BadWeek, match=told):
        weekly.plan(hands.campaign, ada, now=EARLY, **asked)


@pytest.mark.django_db
def test_somebody_without_a_sender_has_no_week(hands, clara):  # noqa: F811
    with pytest.raises(weekly.BadWeek, match="has no sender"):
        weekly.plan(hands.campaign, clara, now=EARLY)


def test_on_a_weekend_the_week_is_the_next_one():
    berlin = ZoneInfo("Europe/Berlin")
    sunday = datetime(2026, 6, 7, 21, tzinfo=UTC)
    assert weekly.monday_of(sunday, zone=berlin) == date(2026, 6, 8)
    assert weekly.monday_of(sunday + 2 * DAY, zone=berlin) == date(2026, 6, 8)


@pytest.mark.django_db
def test_the_hour_stays_the_owners_over_a_clock_change(desk_of_40, ada):
    Sender.objects.update(time_zone="Europe/Berlin")
    before = datetime(2026, 10, 18, 6, tzinfo=UTC)
    week = weekly.plan(desk_of_40.campaign, ada, now=before, monday=date(2026, 10, 26))
    assert {f"{entry.slot.at:%H %z}" for entry in week.entries} == {"09 +0100", "14 +0100"}


# -- the command -----------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.req("S004-039")
def test_the_dry_run_shows_the_week_that_the_real_run_builds(desk_of_40, ada, capsys):
    options = {"campaign": desk_of_40.campaign.slug, "owner": "ada", "now": EARLY}
    call_command("weekly", dry_run=True, json=True, **options)
    dry = json.loads(capsys.readouterr().out)
    assert Pitch.objects.count() == 0
    assert WeeklyPlan.objects.count() == 0
    call_command("build_cadence", json=True, **options)
    real = json.loads(capsys.readouterr().out)

    def told(report):
        return [(e["prospect_id"], e["at"], e["kind"]) for e in report["entries"]]

    assert told(dry) == told(real)
    call_command("weekly", **options)
    out = capsys.readouterr().out
    assert "40 connection requests" in out
    assert "Monday" in out


@pytest.mark.django_db
def test_a_week_that_cannot_be_built_ends_with_code_2(desk_of_40):
    with pytest.raises(CommandError, match="10 to 100") as refused:
        call_command(
            "weekly",
            campaign=desk_of_40.campaign.slug,
            owner="ada",
            requests=5,
            now=EARLY,
        )
    assert refused.value.returncode == 2
    with pytest.raises(CommandError, match="Nobody is called"):
        call_command("weekly", campaign=desk_of_40.campaign.slug, owner="eve", now=EARLY)


@pytest.mark.django_db
def test_a_week_takes_as_many_queries_for_many_rows_as_for_few(hands, ada):  # noqa: F811
    for _ in range(2):
        approved(hands)
    with CaptureQueriesContext(connection) as few:
        weekly.plan(hands.campaign, ada, now=EARLY)
    for _ in range(4):
        approved(hands)
    with CaptureQueriesContext(connection) as many:
        assert len(weekly.plan(hands.campaign, ada, now=EARLY).entries) == 6
    assert len(few) == len(many)
    assert FollowUpTask.objects.count() == 0
