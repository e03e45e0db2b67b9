"""The mailbox page: how a sender stands, told to a person, and the buttons that try it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from pitches import breakers, standing, stopping
from pitches.channels import capture
from pitches.models import Breaker, EmailLimit, Message, Sender
from tests.clock import MONDAY
from tests.factories import SenderFactory
from tests.pitches.names import Zone
from tests.pitches.test_deliverability import DKIM, GOOD_ZONE

pytestmark = pytest.mark.django_db


def page_of(sender: Sender) -> str:
    return reverse("admin:pitches_sender_health", args=[sender.pk])


def test_the_page_tells_the_plan_of_today(desk, staff):
    desk.match()
    desk.run()
    desk.approve_all()
    Message.objects.filter(number=0).update(
        status="queued", send_at=MONDAY + timedelta(hours=3), subject="Three interns"
    )
    Sender.objects.update(ramp_began_on=timezone.now().date(), daily_limit=30)
    page = staff.get(page_of(desk.sender)).content.decode()
    assert "0 of 5</strong> sent in the last 24 hours, 5 free" in page
    assert "1 waits; the next leaves" in page
    assert "Three interns" in page
    assert "5 more each day: 5 today. Full (30) on" in page
    assert "where the recipient is" in page


def test_an_empty_mailbox_says_what_to_do_next(staff):
    page = staff.get(page_of(SenderFactory())).content.decode()
    assert "Nothing waits in its queue." in page
    assert "It writes for no campaign yet." in page
    assert "Ask DNS whether they are in order." in page
    assert "Nothing has tripped" in page


def test_what_went_out_takes_slots_and_careful_halves_them(desk):
    desk.sent_pitch()
    Sender.objects.update(daily_limit=31)
    EmailLimit.objects.create(scope="sender", sender=desk.sender, maximum=9, hours=48)
    Breaker.objects.create(
        scope="mailbox", cause="hard_bounces", level="warning", sender=desk.sender,
        reason="3 % hard bounces", tripped_at=MONDAY,
    )  # fmt: skip
    desk.sender.refresh_from_db()
    stands = standing.of_sender(desk.sender, now=MONDAY + timedelta(hours=1))
    assert (stands.spent, stands.cap.maximum, stands.left) == (1, 16, 15)
    assert stands.is_careful
    assert [(limit.maximum, limit.hours) for limit in stands.limits] == [(16, 24), (9, 48)]
    assert [row.reason for row in stands.verdicts] == ["3 % hard bounces"]


@pytest.mark.parametrize(
    ("fields", "today", "full"),
    [
        ({"ramp_start": 5, "ramp_step": 5, "daily_limit": 30}, 15, 5),
        ({"ramp_start": 5, "ramp_step": 4, "daily_limit": 30}, 13, 7),
        ({"ramp_start": 5, "ramp_step": 0, "daily_limit": 30}, 5, None),
        ({"ramp_start": 40, "ramp_step": 5, "daily_limit": 30}, 30, 0),
    ],
)
def test_the_ramp_says_when_it_is_full(fields, today, full):
    sender = SenderFactory(ramp_began_on=MONDAY.date(), **fields)
    ramp = standing.of_sender(sender, now=MONDAY + timedelta(days=2)).ramp
    assert ramp.today == today
    assert ramp.full_on == (None if full is None else MONDAY.date() + timedelta(days=full))
    if full:
        from_full = {day: most for day, most in ramp.days}.get(ramp.full_on, 30)
        assert from_full == 30


def test_a_mailbox_that_is_not_read_is_called_blind(settings):
    sender = SenderFactory()
    settings.SEND_MODE = "live"
    assert standing.blind(sender, now=MONDAY + timedelta(minutes=9)) == ""
    assert "Follow-ups wait" in standing.blind(sender, now=MONDAY + timedelta(minutes=11))
    settings.SEND_MODE = "capture"
    assert standing.blind(sender, now=MONDAY + timedelta(minutes=11)) == ""


def test_pauses_stops_and_closed_verdicts_are_told(staff, ada, settings):
    settings.SEND_MODE = "live"
    sender = SenderFactory()
    row = Breaker.objects.create(
        scope="mailbox", cause="complaints", level="pause", sender=sender,
        reason="0.4 % complaints", tripped_at=timezone.now(),
    )  # fmt: skip
    breakers.close(row, by=ada, reason="the list was cleaned", now=timezone.now())
    stopping.pause_sender(sender, reason="Password changed")
    page = staff.get(page_of(sender)).content.decode()
    assert "<strong>Paused.</strong> Password changed" in page
    assert "0.4 % complaints" in page
    assert "the list was cleaned" in page
    assert "Blind." in page
    assert 'class="strip bad" role="alert"><strong>Its domain does not vouch' in page
    assert "100 a day at most" not in staff.get("/admin/").content.decode()  # it is paused
    Sender.objects.update(status="active")
    assert "100 a day at most" in staff.get("/admin/").content.decode()


def test_dns_is_asked_and_what_is_wrong_is_told(staff, monkeypatch):
    zone = Zone(GOOD_ZONE | {DKIM: ["v=DKIM1; p="]})
    monkeypatch.setattr("dns.resolver.Resolver", lambda: zone)
    sender = SenderFactory(address="sam@example.com", dkim_selector="s1")
    page = staff.post(page_of(sender), {"do": "domain"}, follow=True).content.decode()
    assert page.count("was revoked") == 2  # said at once, and kept on the page
    zone.records[DKIM] = GOOD_ZONE[DKIM]
    page = staff.post(page_of(sender), {"do": "domain"}, follow=True).content.decode()
    assert "example.com is in order." in page
    assert "Its domain does not vouch" not in page


def test_the_connections_are_tried_with_a_sentence_for_each(staff):
    sender = SenderFactory(smtp_host="127.0.0.1", smtp_port=1, smtp_security="none")
    page = staff.post(page_of(sender), {"do": "connections"}, follow=True).content.decode()
    assert "Sending: no connection" in page
    assert "Reading: " in page
    assert "A connection does not work." in page


def test_a_test_goes_to_whoever_pressed(staff):
    sender = SenderFactory()
    page = staff.post(page_of(sender), {"do": "sample"}, follow=True).content.decode()
    assert "The test for ada@example.com lies in the captured mail" in page
    assert [letter.recipient for letter in capture.sent(sender)] == ["ada@example.com"]


def test_strangers_and_onlookers_press_nothing(client, stranger, ada):
    sender = SenderFactory()
    client.force_login(stranger)
    assert client.get(page_of(sender)).status_code == 302
    ada.user_permissions.set(
        ada.user_permissions.filter(codename__in=["view_sender", "view_message"])
    )
    client.force_login(ada)
    assert "Send a test to me" not in client.get(page_of(sender)).content.decode()
    assert client.post(page_of(sender), {"do": "sample"}).status_code == 403
    assert not list(capture.sent(sender))


def test_the_page_takes_as_many_queries_with_many_rows_as_with_one(desk, staff):
    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            staff.get(page_of(desk.sender))
        return len(seen)

    def fill(rows: int) -> None:
        for _ in range(rows):
            desk.match()
        desk.run()
        desk.approve_all()
        Message.objects.filter(number=0, status="approved").update(
            status="queued", send_at=MONDAY
        )

    fill(1)
    queries()
    few = queries()
    fill(4)
    assert queries() == few
