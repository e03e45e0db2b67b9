"""What the rules answer about one row, and what names a message."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from campaigns.models import Campaign
from pitches import fingerprints, outbox, pitching, rules, sending
from pitches.channels import ChannelError, capture
from pitches.models import EmailLimit, FollowUpTask, Message, Pitch, Sender
from prospects.models import Lead
from tests.clock import MONDAY
from tests.factories import EmailLimitFactory, LeadIdentityFactory, SenderFactory

HOUR = timedelta(hours=1)


# -- due times -------------------------------------------------------------------------------

# When clocks are turned: Berlin on 29 March and 25 October 2026, New York on 8 March,
# Lord Howe by half an hour on 5 April; and a Sunday night in Kathmandu, where nothing changes.
CHANGES = [
    ("Europe/Berlin", datetime(2026, 3, 28, 9, tzinfo=UTC)),
    ("Europe/Berlin", datetime(2026, 10, 24, 9, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 3, 7, 15, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 3, 23, tzinfo=UTC)),
    ("Asia/Kathmandu", datetime(2026, 6, 7, 5, tzinfo=UTC)),
]


@pytest.mark.req("F-15", "REL-24", "S003-036")
@pytest.mark.parametrize(("zone", "sent_at"), CHANGES)
@pytest.mark.django_db
def test_follow_ups_are_due_after_elapsed_hours_whatever_the_clocks_do(desk, zone, sent_at):
    """Scar 20: a due time that is not UTC comes early or late."""
    Campaign.objects.update(time_zone=zone)
    desk.campaign.refresh_from_db()
    desk.sent_pitch(sent_at)
    seconds = [(task.due_at - sent_at).total_seconds() for task in FollowUpTask.objects.all()]
    assert seconds == [172_800, 345_600, 518_400, 691_200]


# -- the gap between two messages ------------------------------------------------------------


def test_the_gap_comes_from_the_message_and_stays_the_same():
    sender = Sender(gap_min=540, gap_max=840)
    names = [f"{n}@example.com" for n in range(500)]
    gaps = [rules.gap(sender, name) for name in names]
    assert gaps == [rules.gap(sender, name) for name in names]
    assert min(gaps) >= 540
    assert max(gaps) <= 840
    assert len(set(gaps)) > 200
    sender.gap_max = 540
    assert {rules.gap(sender, name) for name in names} == {540}


@pytest.mark.django_db
def test_the_same_rows_give_the_same_timetable_and_nobody_writes_twice_at_once(desk):
    Sender.objects.update(gap_min=300, gap_max=900)
    desk.sender.refresh_from_db()
    for _ in range(6):
        desk.match()
    desk.run()
    desk.approve_all()

    def timetable():
        rows = outbox.plan(outbox.first_messages(None), now=MONDAY)
        return {row.key: row.send_at for row in rows}

    first = timetable()
    assert timetable() == first
    times = sorted(first.values())
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(times)]
    assert all(300 <= gap <= 900 for gap in gaps)


# -- a plan keeps every limit ----------------------------------------------------------------


@pytest.mark.req("REL-13", "S003-031")
@pytest.mark.django_db
def test_a_plan_lays_no_more_into_any_hour_and_any_day_than_the_limits_allow(desk):
    """A mailbox with an hour and a day, a domain and everything: four limits at once."""
    Sender.objects.update(hourly_limit=3, daily_limit=7)
    EmailLimitFactory(
        scope="domain",
        organization=None,
        domain="example.com",
        counts="all",
        maximum=2,
        hours=1,
    )
    EmailLimitFactory(scope="all", organization=None, counts="initial", maximum=5, hours=6)
    for _ in range(12):
        desk.match()
    desk.run()
    desk.approve_all()
    now = MONDAY
    rows = outbox.plan(outbox.first_messages(None), now=now, until=now + timedelta(days=3))
    times = sorted(row.send_at for row in rows if row.send_at)
    assert len(times) == 12

    def worst(hours):
        return max(sum(t <= other < t + hours * HOUR for other in times) for t in times)

    assert (worst(1), worst(6) <= 5, worst(24) <= 7) == (2, True, True)


@pytest.mark.req("S003-029")
@pytest.mark.parametrize("scope", EmailLimit.Scope.values)
@pytest.mark.django_db
def test_every_scope_of_a_limit_holds_in_the_plan_and_is_named(desk, scope):
    desk.match()
    desk.run()
    desk.approve_all()
    EmailLimitFactory(scope=scope, organization=None, counts="all", maximum=0)
    Campaign.objects.update(preset="podcast")  # people have a limit of their own there
    (row,) = outbox.plan(outbox.first_messages(None), now=MONDAY)
    expected = "total_limit" if scope == "all" else f"{scope}_limit"
    assert (row.verdict, row.reason, row.not_before) == ("hold", expected, None)
    assert "gets 0" in row.sentence or "sends 0" in row.sentence or "0 all mail" in row.sentence


# -- what names a message --------------------------------------------------------------------


def logical(n: int, **fields):
    """A pitch as far as its messages' names are concerned."""
    return SimpleNamespace(
        send_mode=fields.get("send_mode", "live"),
        campaign=SimpleNamespace(slug=fields.get("slug", f"campaign-{n % 7}")),
        address=SimpleNamespace(canonical=f"person{n // 7 % 40}@example.com"),
        round=1 + n // 280 % 6,
        sender=SimpleNamespace(address="sam@agency.example.com"),
    )


@pytest.mark.req("REL-8")
def test_ten_thousand_messages_have_ten_thousand_names():
    names = {
        fingerprints.message_id(
            logical(n), identity=f"tests:{n // 1680}", number=number, channel="email"
        )
        for n in range(2500)
        for number in range(4)
    }
    assert len(names) == 10_000
    assert all(name.endswith("@agency.example.com") and len(name) == 59 for name in names)


@pytest.mark.req("REL-8")
def test_a_rehearsal_never_has_the_name_of_the_real_thing():
    names = {
        fingerprints.message_id(
            logical(1, send_mode=mode), identity="tests:1", number=0, channel="email"
        )
        for mode in ("capture", "allowlist", "live")
    }
    assert len(names) == 3


@hypothesis_settings(max_examples=100, deadline=None)
@given(st.lists(st.text(max_size=8), min_size=2, max_size=2), st.text(max_size=8))
def test_no_two_keys_run_into_each_other(parts, identity):
    """Keys are joined so that no letter can wander from one into the next."""
    first = fingerprints.message_id(
        logical(1, slug=parts[0] + parts[1]), identity=identity, number=0, channel="email"
    )
    second = fingerprints.message_id(
        logical(1, slug=parts[0]), identity=parts[1] + identity, number=0, channel="email"
    )
    assert (first == second) == (parts[1] == "")


@pytest.mark.req("REL-8")
@pytest.mark.django_db
def test_a_lead_that_was_lost_and_imported_again_has_messages_of_the_same_names(desk):
    """The names come from what the lead is called outside, not from our row's number."""

    def names(lead) -> list[str]:
        LeadIdentityFactory(lead=lead, platform="listing", platform_id="4711")
        desk.match(lead, desk.candidate(reference=f"c{lead.pk}"))
        pitching.carry_out(pitching.plan(now=MONDAY), now=MONDAY)
        pitch = Pitch.objects.get(lead=lead)
        return [message.message_id for message in pitch.messages.order_by("number")]

    lead = desk.lead()
    before = names(lead)
    contact = lead.contacts.get()
    lead.matches.update(pitch=None, status="approved")
    Pitch.objects.all().delete()
    lead.matches.all().delete()
    old = lead.pk
    lead.delete()
    again = Lead.objects.create(
        kind="role", name="Intern again", first_seen_at=MONDAY, last_seen_at=MONDAY
    )
    again.contacts.add(contact)
    assert again.pk != old
    assert names(again) == before
    assert len(set(before)) == 4


@pytest.mark.req("REL-8")
@pytest.mark.django_db
def test_a_retry_keeps_the_name(desk, monkeypatch):
    desk.match()
    desk.run()
    desk.approve_all()
    name = Message.objects.get(number=0).message_id

    def refuses(self, letter):
        raise ChannelError("451 later", code=451)

    with monkeypatch.context() as m:
        m.setattr(capture.CaptureChannel, "open", refuses)
        desk.run()
    sending.send_due(now=MONDAY + HOUR)
    (letter,) = capture.sent(desk.sender)
    assert letter.message_id == Message.objects.get(number=0).message_id == name


@pytest.mark.django_db
def test_two_senders_do_not_wait_for_each_other(desk):
    Sender.objects.update(gap_min=600, gap_max=600)
    other = SenderFactory(gap_min=600, gap_max=600)
    for responsible in (desk.sender.user, other.user):
        desk.match(candidate=desk.candidate(responsible=responsible))
    desk.run()
    desk.approve_all()
    rows = outbox.plan(outbox.first_messages(None), now=MONDAY)
    assert [row.send_at for row in rows] == [MONDAY, MONDAY]


@pytest.mark.django_db
def test_a_message_that_must_wait_does_not_hold_up_the_mailbox(desk):
    """Its recipient's window opens in the evening; the next person's is open now."""
    Sender.objects.update(gap_min=600, gap_max=600)
    desk.sender.refresh_from_db()
    west = desk.lead(time_zone="America/Los_Angeles")
    desk.match(west, score=90)
    desk.match(score=50)
    desk.run()
    desk.approve_all()
    rows = {row.lead: row for row in outbox.plan(outbox.first_messages(None), now=MONDAY)}
    first = rows.pop(west.name)
    (second,) = rows.values()
    assert first.send_at > MONDAY + HOUR
    assert second.send_at == MONDAY


@pytest.mark.django_db
def test_what_waits_in_the_queue_has_its_place_in_the_next_plan(desk):
    """First messages and follow-ups are planned one after the other, for the same mailbox."""
    Sender.objects.update(gap_min=600, gap_max=600)
    desk.sender.refresh_from_db()
    desk.sent_pitch()
    due = MONDAY + 48 * HOUR
    desk.match()
    desk.run(due - HOUR)
    desk.approve_all(due - HOUR)
    first = outbox.plan(outbox.first_messages(None), now=due)
    outbox.carry_out(first, now=due)
    follow_ups = outbox.plan(outbox.follow_ups(None, until=due), now=due)
    assert [row.send_at for row in first] == [due]
    assert [row.send_at for row in follow_ups] == [due + timedelta(seconds=600)]
