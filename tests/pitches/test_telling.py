"""What happened is told once, with who, what and where; the digest counts what lists show."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from django.core.management import call_command
from django.utils import timezone

from config.models import Alert
from pitches import auditing, digest, inbox, telling
from pitches.auditing import Audit, Violation
from pitches.models import Message, Sender
from tests.clock import MONDAY
from tests.factories import (
    BreakerFactory,
    IncomingMessageFactory,
    ReviewTaskFactory,
    SenderFactory,
)

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def told(kind: str) -> list[Alert]:
    return list(Alert.objects.filter(kind=kind))


def test_a_human_answer_is_told_once_with_who_what_and_where(desk):
    pitch = desk.sent_pitch()
    now = timezone.now()
    incoming = inbox.record_reply(pitch, intent="interested", now=now, text="Gladly!")
    incoming.__class__.objects.filter(pk=incoming.pk).update(
        source="imap", from_name="Paula Example"
    )
    for _ in range(2):
        telling.gather(now=now)
    (row,) = told("reply")
    assert row.title == f"Paula Example answered (Interested) about {pitch.lead.name}"
    assert row.text == "Gladly!"
    assert row.path == f"/admin/pitches/incomingmessage/{incoming.pk}/change/"


@pytest.mark.parametrize("kind", ["out_of_office", "bounce", "own", "automatic"])
def test_what_no_person_wrote_is_no_news(kind):
    IncomingMessageFactory(kind=kind, pitch=None, answers=None)
    assert telling.gather(now=timezone.now()) == 0


def test_a_message_of_unknown_fate_is_told_once(desk):
    pitch = desk.sent_pitch()
    pitch.messages.filter(number=0).update(status=Message.Status.UNKNOWN)
    telling.gather(now=MONDAY)
    telling.gather(now=MONDAY + HOUR)
    (row,) = told("unknown")
    assert pitch.address.value in row.title


def test_a_decision_is_told_when_it_is_overdue_and_not_before():
    ReviewTaskFactory(due_at=MONDAY)
    telling.gather(now=MONDAY)
    assert told("task") == []
    telling.gather(now=MONDAY + HOUR)
    assert len(told("task")) == 1


def test_a_breaker_that_paused_is_told_and_one_that_warns_is_not():
    BreakerFactory(level="pause", until=None)
    BreakerFactory(level="warning", until=None)
    telling.gather(now=MONDAY)
    assert len(told("breaker")) == 1


def test_a_blind_mailbox_is_told_once_a_day(settings):
    settings.SEND_MODE = "live"
    sender = SenderFactory(imap_host="imap.example.com")
    Sender.objects.filter(pk=sender.pk).update(
        inbox_read_at=MONDAY, inbox_error="no connection"
    )
    for hours in (0, 1, 2, 24):
        telling.gather(now=MONDAY + hours * HOUR)
    assert len(told("blind")) == 2
    assert "no connection" in told("blind")[0].text


@pytest.mark.req("REL-37")
def test_a_stop_that_another_sender_does_not_confirm_in_a_quarter_of_an_hour_is_told(desk):
    pitch = desk.sent_pitch()
    pitch.messages.filter(number=0).update(stop_requested_at=MONDAY)
    telling.gather(now=MONDAY + timedelta(minutes=14))
    assert told("stop") == []
    telling.gather(now=MONDAY + timedelta(minutes=15))
    assert len(told("stop")) == 1


def test_a_broken_promise_is_told_by_its_name(monkeypatch):
    found = Audit(
        violations=[Violation("I1", "id@example.com", "It was accepted 2 times.")] * 2
    )
    monkeypatch.setattr(auditing, "audit", lambda since: found)
    for _ in range(2):
        assert telling.audit(now=MONDAY) == 2
    (row,) = told("audit")
    assert "2 broken promises of I1" in row.title


def test_gathering_asks_the_same_number_of_questions_of_many_rows(
    desk, django_assert_num_queries, django_assert_max_num_queries
):
    BreakerFactory.create_batch(30, level="pause", until=None)
    with django_assert_max_num_queries(12):
        assert telling.gather(now=MONDAY) == 30


# -- the digest --------------------------------------------------------------------------------


@pytest.fixture
def busy(desk):
    """A desk on which something waits, was sent yesterday, is held and is planned."""
    sent = desk.sent_pitch(now=MONDAY)
    desk.match(status="to_review")
    desk.match()
    desk.run(MONDAY + HOUR)
    desk.approve_all(MONDAY + HOUR)
    Message.objects.filter(status="approved", number=0).update(
        status="queued", send_at=MONDAY + timedelta(hours=26), hold_reason="spacing"
    )
    ReviewTaskFactory.create_batch(3)
    IncomingMessageFactory(kind="human_reply", pitch=sent, handled_at=None)
    return desk


def test_every_number_of_the_digest_is_that_of_the_list_it_links_to(busy, admin_client):
    made = digest.digest(now=MONDAY + timedelta(hours=24))
    shown = 0
    for lines in made.parts.values():
        for line in lines:
            if not line.path:
                continue
            page = admin_client.get(line.path)
            assert page.status_code == 200, line
            assert page.context["cl"].result_count == line.count, line
            shown += bool(line.count)
    assert shown >= 5


def test_the_digest_says_what_waits_what_was_sent_and_what_goes_out_today(busy):
    text = digest.digest(now=datetime(2026, 6, 2, 7, tzinfo=UTC)).text
    for said in ("replies to answer", "spacing", busy.sender.address, "oldest"):
        assert said in text
    yesterday = text.split("Yesterday")[1].splitlines()[1]
    assert yesterday.split() == ["1", "sent"]


def test_the_digest_is_told_once_a_day(busy, capsys):
    call_command("digest", "--dry-run", "--json")
    assert "Waits for you" in json.loads(capsys.readouterr().out)["parts"]
    assert told("digest") == []
    for _ in range(2):
        call_command("digest")
    assert len(told("digest")) == 1
    assert "wait for you" in unescape(capsys.readouterr().out)
