"""Breakers over real rows: opened on the exact event, passed by nothing, closed by an admin."""

from __future__ import annotations

import io
import itertools
import json
import random
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from rest_framework.test import APIClient

from pitches import breakers, outbox, sending, settling, situations, stopping, thresholds
from pitches.channels import ChannelError
from pitches.channels.capture import CaptureChannel
from pitches.models import Breaker, Message, Sender, Stop
from tests.clock import MONDAY
from tests.factories import BreakerFactory, MessageFactory

pytestmark = pytest.mark.django_db
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
REASON = "the list was cleaned by hand"


@pytest.fixture
def pitch(desk):
    """A pitch out of the desk's campaign; its messages stand for any number of pitches."""
    return desk.sent_pitch(MONDAY - 30 * DAY)


def mail(pitch, number, *, at=MONDAY - HOUR, **fields):
    """So many sent messages at once, a second apart."""
    first = pitch.messages.order_by("-number").first().number + 1
    proto = MessageFactory.build(pitch=pitch, sender=pitch.sender, step=None, status="sent")
    values = {f.attname: getattr(proto, f.attname) for f in Message._meta.concrete_fields}
    values = {k: v for k, v in values.items() if k not in ("id", "message_id", "number")}
    values |= {"sender_id": pitch.sender_id, "pitch_id": pitch.pk, "step_id": None, **fields}
    rows = [
        Message(
            **values | {"counted_at": at + timedelta(seconds=n), "sent_at": at},
            number=first + n,
            message_id=f"<{first + n}.{pitch.pk}@example.com>",
        )
        for n in range(number)
    ]
    return Message.objects.bulk_create(rows)


def note(message, *, now=MONDAY, **facts):
    Message.objects.filter(pk=message.pk).update(**facts)
    breakers.judge([message], now=now)


def bounce(message, *, now=MONDAY, kind="hard"):
    note(message, now=now, bounced_at=now, bounce_kind=kind)


def complain(message, *, now=MONDAY):
    note(message, now=now, complained_at=now)


def in_force(level="pause", now=MONDAY, **fields):
    rows = Breaker.objects.filter(Breaker.in_force(now), level=level, **fields)
    return sorted(rows.values_list("scope", "cause"))


# -- the exact event ---------------------------------------------------------------------------


@pytest.mark.req("LAW-15")
def test_the_third_of_sixty_pauses_the_campaign_and_the_sixth_mailbox_and_domain(pitch):
    rows = mail(pitch, 59)  # with the first message of the desk, which is older than a week
    mail(pitch, 20, at=MONDAY - 20 * DAY)  # so the first twenty are long gone
    for message in rows[:2]:
        bounce(message)
    assert in_force() == []
    assert ("campaign", "hard_bounces") in in_force("warning")
    bounce(rows[2])
    assert in_force() == [("campaign", "hard_bounces")]
    for message in rows[3:5]:
        bounce(message)
    assert in_force() == [("campaign", "hard_bounces")]
    bounce(rows[5])
    paused = ["campaign", "mailbox", "sending_domain"]
    assert in_force() == [(scope, "hard_bounces") for scope in paused]
    assert in_force("warning") == []


@pytest.mark.req("LAW-15")
def test_three_of_the_first_twenty_pause_a_new_mailbox_before_the_share_means_anything(pitch):
    rows = mail(pitch, 19)
    for n, message in enumerate(rows[:3]):
        assert in_force() == [], n
        bounce(message)
    assert ("mailbox", "hard_bounces") in in_force()
    assert Breaker.objects.get(scope="mailbox", level="pause").reason == (
        "3 of the first 20 messages bounced, limit 3"
    )


@pytest.mark.req("LAW-14")
def test_the_second_of_six_hundred_pauses_all_three_and_the_first_warns(pitch):
    rows = mail(pitch, 660, at=MONDAY - 3 * HOUR)
    complain(rows[0])
    scopes = ["campaign", "mailbox", "sending_domain"]
    assert (in_force(), in_force("warning")) == ([], [(s, "complaints") for s in scopes])
    complain(rows[1])
    assert in_force() == [(scope, "complaints") for scope in scopes]


@pytest.mark.req("LAW-16")
def test_three_unknown_in_ten_minutes_pause_their_mailbox_alone(pitch):
    for at in (MONDAY - 15 * MINUTE, MONDAY - 5 * MINUTE, MONDAY - 4 * MINUTE):
        breakers.judge(mail(pitch, 1, at=at, status="unknown"), now=MONDAY)
        assert in_force() == []
    breakers.judge(mail(pitch, 1, at=MONDAY - 2 * MINUTE, status="unknown"), now=MONDAY)
    assert in_force() == [("mailbox", "unknown")]


@pytest.mark.req("LAW-14", "LAW-15")
@pytest.mark.parametrize("seed", range(4))
def test_whatever_comes_the_rows_say_what_the_rules_say_of_the_same_stream(pitch, seed):
    """After each event a pause stands exactly if one of the states so far called for it."""
    chance, sent, bounced, complained = random.Random(seed), [], [], []
    tripped = {"hard_bounces": False, "complaints": False}
    rows = mail(pitch, 60, at=MONDAY - 2 * HOUR)
    sent = [row.counted_at for row in rows]
    now = MONDAY
    for row in chance.sample(rows, 8):
        now += chance.randint(1, 300) * MINUTE
        if chance.random() < 0.7:
            bounce(row, now=now)
            bounced.append(now)
            sent_well = [r.counted_at for r in rows if r.pk != row.pk]
            rows = [r for r in rows if r.pk != row.pk] or rows
        else:
            complain(row, now=now)
            complained.append(now)
            sent_well = [r.counted_at for r in rows]
        verdicts = {
            "hard_bounces": thresholds.hard_bounces(
                "campaign", sent, bounced, of_first=0, now=now
            ),
            "complaints": thresholds.complaints(sent_well, complained, now=now),
        }
        for cause, verdict in verdicts.items():
            tripped[cause] |= bool(verdict and verdict.pauses)
            is_open = ("campaign", cause) in in_force(now=now)
            assert is_open == tripped[cause], (cause, now)


def test_two_mailboxes_of_one_domain_share_its_verdict(pitch, desk):
    other = Sender.objects.create(name="Otto Other", address="otto@example.com")
    mine, theirs = mail(pitch, 15), mail(pitch, 15, sender_id=other.pk)
    bounce(mine[0])
    bounce(theirs[0])
    assert in_force() == []
    bounce(theirs[1])  # 3 of 30 from example.com, and of no mailbox three
    assert in_force() == [("sending_domain", "hard_bounces")]


def test_the_net_finds_what_nobody_judged_and_ends_warnings_that_are_over(pitch):
    rows = mail(pitch, 60)
    Message.objects.filter(pk__in=[r.pk for r in rows[:3]]).update(
        bounced_at=MONDAY, bounce_kind="hard"
    )
    assert breakers.look_again(now=MONDAY) >= 1
    assert ("campaign", "hard_bounces") in in_force()
    complain(rows[5])
    mail(pitch, 1, at=MONDAY + 7 * DAY)
    breakers.look_again(now=MONDAY + 8 * DAY)
    (over,) = Breaker.objects.filter(cause="complaints", scope="mailbox")
    assert "below the line" in over.closing_reason


def test_the_number_of_queries_does_not_grow_with_the_mail(pitch):
    few, many = mail(pitch, 5), mail(pitch, 200)
    with CaptureQueriesContext(connection) as of_few:
        breakers.judge(few, now=MONDAY)
    with CaptureQueriesContext(connection) as of_many:
        breakers.judge(many, now=MONDAY)
    assert len(of_many) == len(of_few)


# -- answers of servers ------------------------------------------------------------------------


def refuse(message, error, *, now, permanent=False):
    Message.objects.filter(pk=message.pk).update(
        status="claimed",
        lease_owner="12345678-1234-5678-1234-567812345678",
        leased_until=now + HOUR,
    )
    message = Message.objects.get(pk=message.pk)
    settling.refused(message, ChannelError(error, permanent=permanent), now=now)


def waiting(desk, number):
    """So many approved and queued first messages, each to somebody of its own."""
    for _ in range(number):
        desk.match()
    desk.run()
    desk.approve_all()
    outbox.carry_out(outbox.plan(outbox.first_messages(None), now=MONDAY), now=MONDAY)
    return list(Message.objects.filter(status="queued", number=0).order_by("send_at", "pk"))


@pytest.mark.req("LAW-16")
def test_five_deferrals_by_policy_let_a_recipient_domain_rest_and_longer_each_time(desk):
    (message,) = waiting(desk, 1)
    domain = message.to_address.rpartition("@")[2]
    now = MONDAY
    for n in range(5):
        assert in_force(now=now) == [], n
        refuse(message, "450 4.7.1 try later", now=now)
        now += MINUTE
    (rest,) = breakers.pausing(now=now)
    assert (rest.domain, rest.until) == (domain, now - MINUTE + HOUR)
    (planned,) = outbox.plan([_readable(message)], now=now)
    assert planned.send_at >= rest.until
    after = rest.until + MINUTE
    assert in_force(now=after) == []
    refuse(message, "450 4.7.1 try later", now=after)
    (rest,) = breakers.pausing(now=after)
    assert rest.until == after + 2 * HOUR


def _readable(message):
    return situations.readable(Message.objects.filter(pk=message.pk)).get()


@pytest.mark.req("LAW-16")
def test_another_answer_or_a_success_in_between_ends_the_row(desk):
    first, _ = waiting(desk, 2)
    for n in range(4):
        refuse(first, "450 4.7.1 try later", now=MONDAY + n * MINUTE)
    refuse(first, "452 4.2.2 mailbox full", now=MONDAY + 5 * MINUTE)
    for n in range(4):
        refuse(first, "450 4.7.1 try later", now=MONDAY + (6 + n) * MINUTE)
    assert in_force() == []


@pytest.mark.req("LAW-16")
def test_the_tenth_failure_in_a_row_pauses_the_campaign_and_a_success_begins_anew(desk):
    rows = waiting(desk, 11)
    for n, message in enumerate(rows[:9]):
        refuse(message, "554 5.7.9 no", permanent=True, now=MONDAY + n * MINUTE)
    assert ("campaign", "errors") not in in_force()
    refuse(rows[9], "554 5.7.9 no", permanent=True, now=MONDAY + HOUR)
    assert ("campaign", "errors") in in_force(now=MONDAY + HOUR)


@pytest.mark.req("LAW-16")
def test_a_refused_login_is_a_breaker_at_the_first_word(desk):
    (message,) = waiting(desk, 1)
    error = ChannelError("535 5.7.8 wrong", permanent=True, of_mailbox=True)
    settling.refused(message, error, now=MONDAY)
    assert in_force() == [("mailbox", "login_or_dns")]


@pytest.mark.req("LAW-15")
def test_the_fifth_soft_bounce_in_thirty_days_lets_a_person_rest_for_ninety(pitch):
    for n, message in enumerate(mail(pitch, 5)):
        assert not Stop.objects.filter(kind="soft_bounce").exists(), n
        bounce(message, kind="soft", now=MONDAY - (4 - n) * 7 * DAY)
    (rest,) = Stop.objects.filter(kind="soft_bounce")
    assert (rest.contact, rest.until) == (pitch.address.contact, MONDAY + 90 * DAY)
    assert in_force() == []


@pytest.mark.req("LAW-17")
def test_a_days_mail_to_one_provider_warns_the_primary_domain(pitch, monkeypatch):
    monkeypatch.setattr(thresholds, "VOLUME_A_DAY", 5)
    pitch.address.canonical, pitch.address.value = "paula@gmail.com", "paula@gmail.com"
    pitch.address.save()
    mail(pitch, 4)
    breakers.look_again(now=MONDAY)
    assert in_force("warning") == []
    mail(pitch, 1)
    breakers.look_again(now=MONDAY)
    assert in_force("warning", domain="example.com") == [("sending_domain", "volume")]


@pytest.mark.parametrize(
    ("domain", "primary"),
    [
        ("example.com", "example.com"),
        ("news.example.com", "example.com"),
        ("mail.example.co.uk", "example.co.uk"),
        ("example.de", "example.de"),
    ],
    ids=["bare", "below", "co.uk", "country"],
)
def test_volume_is_counted_by_the_domain_that_was_registered(domain, primary):
    assert breakers.primary_domain(domain) == primary


# -- nothing passes ----------------------------------------------------------------------------


@pytest.mark.req("LAW-14", "LAW-15", "LAW-16")
@pytest.mark.parametrize("scope", ["mailbox", "campaign", "sending_domain", "recipient_domain"])
def test_after_the_trip_nothing_leaves_through_the_gate(desk, scope):
    rows = waiting(desk, 4)
    assert sending.send_due(now=MONDAY, only=[rows[0].pk]).sent == 1
    names = {"mailbox": {"sender": desk.sender}, "campaign": {"campaign": desk.campaign}}
    place = names.get(scope, {"domain": "example.com"})
    if scope == "recipient_domain":
        place = {"domain": rows[1].to_address.rpartition("@")[2]}
    given = {"sender": None, **place}
    BreakerFactory(scope=scope, reason="5.2 % hard bounces, limit 5 %", **given)
    done = sending.send_due(now=MONDAY)
    assert (done.sent, done.held) == (0, 3)
    held = Message.objects.filter(hold_reason="breaker_open")
    assert held.count() == 3
    (decision, *_) = outbox.plan(outbox.first_messages(None), now=MONDAY)
    assert "5.2 % hard bounces, limit 5 %" in decision.sentence
    assert "until an admin closes it" in decision.sentence


@pytest.mark.req("LAW-15")
def test_a_trip_in_the_middle_of_a_run_stops_the_very_next_message(desk):
    """The third bounce of the first twenty comes in while the queue is being worked through."""
    rows = waiting(desk, 8)
    sent = []

    class Bouncing(CaptureChannel):
        def hand_over(self, letter, *, now):
            sent.append(letter.message_id)
            if len(sent) == 5:
                gone = Message.objects.filter(status="sent").order_by("counted_at")[:3]
                for message in gone:
                    bounce(message, now=now)
            return super().hand_over(letter, now=now)

    sending.send_due(now=MONDAY, channel_of=Bouncing)
    assert len(rows) == 8
    assert len(sent) == 5


def test_a_warning_holds_nothing_and_halves_the_mailboxs_day(desk):
    """What was taken with 250 and came back lowers the cap (the second scar)."""
    Sender.objects.filter(pk=desk.sender.pk).update(daily_limit=6)
    rows = waiting(desk, 6)
    BreakerFactory(sender=desk.sender, level="warning", cause="hard_bounces")
    assert len(rows) == 6
    assert sending.send_due(now=MONDAY).sent == 3
    assert Message.objects.filter(hold_reason="sender_limit").count() == 3


def test_what_a_rehearsal_tripped_does_not_hold_the_real_thing(desk, settings):
    BreakerFactory(sender=desk.sender, numbers={"mode": "capture"})
    assert [row.pk for row in situations._breakers(now=MONDAY)] != []
    settings.SEND_MODE = "live"
    assert situations._breakers(now=MONDAY) == []


# -- going on ----------------------------------------------------------------------------------


def test_after_a_closing_what_was_before_does_not_trip_it_again(pitch, ada):
    rows = mail(pitch, 60)
    for message in rows[:6]:
        bounce(message)
    for row in breakers.pausing(now=MONDAY):
        breakers.close(row, by=ada, reason=REASON, now=MONDAY + MINUTE)
    breakers.look_again(now=MONDAY + 2 * MINUTE)
    assert in_force(now=MONDAY + 2 * MINUTE) == []
    bounce(rows[6], now=MONDAY + 3 * MINUTE)
    assert in_force(now=MONDAY + 3 * MINUTE) == []


def test_a_closing_needs_ten_characters_and_happens_once(ada):
    row = BreakerFactory()
    with pytest.raises(breakers.CannotClose, match="10 characters"):
        breakers.close(row, by=ada, reason="   mended    ", now=MONDAY)
    breakers.close(row, by=ada, reason=REASON, now=MONDAY)
    with pytest.raises(breakers.CannotClose, match="closed already"):
        breakers.close(row, by=ada, reason=REASON, now=MONDAY)


PAUSES = ("breaker", "mailbox", "stop", "campaign")


@pytest.mark.parametrize("what", PAUSES)
def test_a_backlog_leaves_at_the_pace_of_the_gaps_when_a_pause_ends(desk, ada, what):
    """Fifty wait while everything stands still for a day (the eighteenth scar)."""
    rows = waiting(desk, 50)
    Sender.objects.update(gap_min=540, gap_max=840)
    desk.sender.refresh_from_db()
    end = MONDAY + DAY
    if what == "breaker":
        pause = BreakerFactory(sender=desk.sender)
    elif what == "mailbox":
        stopping.pause_sender(desk.sender, reason="a look is wanted")
    elif what == "stop":
        pause = stopping.stop(scope="everything", reason="a look is wanted")
    else:
        desk.campaign.refresh_from_db()
        desk.campaign.pause(reason="a look is wanted")
    desk.run(MONDAY + 12 * HOUR)
    assert not Message.objects.filter(status="sent").exists()
    if what == "breaker":
        breakers.close(pause, by=ada, reason=REASON, now=end)
    elif what == "mailbox":
        stopping.resume_sender(desk.sender)
    elif what == "stop":
        stopping.lift(pause, by=ada)
    else:
        desk.campaign.activate()
    for minute in range(0, 60, 5):
        desk.run(end + minute * MINUTE)
    times = sorted(Message.objects.filter(status="sent").values_list("counted_at", flat=True))
    assert len(rows) == 50
    assert 4 <= len(times) <= 60 * 60 // 540 + 1
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert min(gaps) >= 9 * MINUTE


# -- doors -------------------------------------------------------------------------------------


@pytest.fixture
def boss(db):
    return User.objects.create_user("boss", is_staff=True, is_superuser=True)


def test_staff_see_the_breaker_and_only_an_admin_closes_it(client, ada, boss):
    row = BreakerFactory(reason="5.2 % hard bounces, limit 5 %")
    close = reverse("admin:pitches_close_breaker", args=[row.pk])
    client.force_login(ada)
    listed = client.get(reverse("admin:pitches_breaker_changelist")).content.decode()
    assert "5.2 % hard bounces" in listed
    page = client.get(reverse("admin:pitches_sender_change", args=[row.sender_id]))
    assert "Paused: 5.2 % hard bounces, limit 5 %" in page.content.decode()
    assert client.post(close, {"reason": REASON}).status_code == 403
    client.force_login(boss)
    assert "Paused: 5.2 % hard bounces" in client.get(close).content.decode()
    client.post(close, {"reason": "short"})
    row.refresh_from_db()
    assert row.closed_at is None
    client.post(close, {"reason": REASON})
    row.refresh_from_db()
    assert (row.closed_by, row.closing_reason) == (boss, REASON)


def test_the_campaigns_page_says_its_pause(client, ada, desk):
    BreakerFactory(scope="campaign", campaign=desk.campaign, sender=None, reason="10 in a row")
    client.force_login(ada)
    page = client.get(reverse("admin:campaigns_campaign_change", args=[desk.campaign.pk]))
    assert "Paused: 10 in a row" in page.content.decode()


@pytest.mark.req("LAW-25")
def test_the_mailbox_form_says_which_way_out_is_meant_for_cold_mail(client, ada):
    client.force_login(ada)
    text = client.get(reverse("admin:pitches_sender_add")).content.decode()
    assert "For cold outreach take your own mailbox" in text
    assert "forbid unsolicited mail" in text
    assert Sender().transport == Sender.Transport.MAILBOX


def test_the_api_lists_breakers_to_staff_and_lets_admins_close_them(ada, boss, stranger):
    row = BreakerFactory()
    url = "/api/v1/breakers/"

    def caller(user):
        api = APIClient()
        api.force_authenticate(user)
        return api

    assert caller(stranger).get(url).status_code == 403
    assert caller(ada).get(url, {"is_closed": "false"}).json()["results"][0]["id"] == row.pk
    close = f"{url}{row.pk}/close/"
    assert caller(ada).post(close, {"reason": REASON}, format="json").status_code == 403
    assert caller(boss).post(close, {"reason": "short"}, format="json").status_code == 409
    closed = caller(boss).post(close, {"reason": REASON}, format="json")
    assert (closed.status_code, closed.json()["closing_reason"]) == (200, REASON)


def test_the_command_lists_and_closes_for_an_admin_only(ada, boss):
    row = BreakerFactory()
    out = io.StringIO()
    call_command("breakers", json=True, stdout=out)
    assert json.loads(out.getvalue())["breakers"][0]["id"] == row.pk
    with pytest.raises(CommandError, match="admin"):
        call_command("breakers", close=row.pk, username="ada", reason=REASON)
    call_command("breakers", close=row.pk, dry_run=True, stdout=out)
    call_command("breakers", close=row.pk, username="boss", reason=REASON, stdout=out)
    row.refresh_from_db()
    assert row.closed_by == boss
