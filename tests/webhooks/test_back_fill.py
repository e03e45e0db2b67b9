"""What webhooks missed is read back (REL-23)."""

from __future__ import annotations

import json
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import responses

from pitches import backfilling
from pitches.channels.instantly import API
from pitches.models import Event, IncomingMessage, Message, Pitch
from tests.clock import MONDAY
from tests.factories import MessageFactory, SenderFactory

NOW = MONDAY + timedelta(hours=6)
CAMPAIGN = "11111111-1111-4111-8111-111111111111"


@pytest.fixture
def sender(db):
    given = {"api_key": "key-for-tests", "campaign_id": CAMPAIGN}
    return SenderFactory(transport="instantly", provider_options=json.dumps(given))


@pytest.fixture
def web():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as web:
        yield web


def paged(web, path, rows, size=25):
    """A list of theirs, newest first, in pages."""

    def answer(request):
        query = parse_qs(urlsplit(request.url).query)
        assert request.headers["Authorization"] == "Bearer key-for-tests"
        begin = int(query.get("starting_after", ["0"])[0])
        page = {"items": rows[begin : begin + size]}
        if begin + size < len(rows):
            page["next_starting_after"] = str(begin + size)
        return 200, {}, json.dumps(page)

    web.add_callback(responses.GET, f"{API}/{path}", callback=answer)


def opened(message, at):
    payload = {
        "event_type": "email_opened",
        "timestamp": at.isoformat(),
        "campaign_id": CAMPAIGN,
        "lead_email": message.to_address,
        "overture_id": message.message_id,
    }
    return {
        "id": "w",
        "timestamp_created": at.isoformat(),
        "payload": payload,
        "success": False,
    }


@pytest.mark.req("REL-23")
def test_a_gap_of_a_hundred_events_is_recovered(sender, web):
    messages = [MessageFactory(status="sent", pitch__sender=sender) for _ in range(100)]
    at = MONDAY + timedelta(hours=1)
    paged(web, "webhook-events", [opened(message, at) for message in messages])
    paged(web, "emails", [])
    assert backfilling.fill(sender, now=NOW).new == 100
    assert Message.objects.filter(opened_at=at).count() == 100
    sender.refresh_from_db()
    assert (sender.inbox_read_began_at, sender.inbox_error) == (NOW, "")
    assert backfilling.fill(sender, now=NOW).new == 0
    assert Event.objects.count() == 100


@pytest.mark.req("REL-23")
def test_an_answer_that_no_webhook_told_is_heard_once(sender, web):
    message = MessageFactory(status="sent", pitch__sender=sender, pitch__status="active")
    mail = {
        "id": "mail-1",
        "timestamp_created": (MONDAY + timedelta(hours=2)).isoformat(),
        "from_address_email": message.to_address,
        "lead": message.to_address,
        "subject": "Re: Three interns",
        "body": {"text": "Yes, please tell me more."},
    }
    paged(web, "webhook-events", [])
    paged(web, "emails", [mail])
    for _ in range(2):
        backfilling.fill(sender, now=NOW)
    assert IncomingMessage.objects.get().kind == "human_reply"
    assert Pitch.objects.get(pk=message.pitch_id).status == "replied"


@pytest.mark.parametrize("status", [401, 429, 500])
@pytest.mark.req("REL-23")
def test_a_reading_that_fails_leaves_the_mark_and_says_why(status, sender, web):
    web.add(responses.GET, f"{API}/webhook-events", json={"message": "no"}, status=status)
    with pytest.raises(backfilling.Missed) as told:
        backfilling.fill(sender, now=NOW)
    sender.refresh_from_db()
    assert sender.inbox_read_began_at == MONDAY
    assert str(status) in sender.inbox_error
    assert "key-for-tests" not in str(told.value)


def test_other_campaigns_of_the_workspace_are_not_ours(sender, web):
    message = MessageFactory(status="sent", pitch__sender=sender)
    row = opened(message, MONDAY)
    row["payload"]["campaign_id"] = "another"
    paged(web, "webhook-events", [row, {"payload": None}, {"payload": "{"}])
    paged(web, "emails", [])
    assert backfilling.fill(sender, now=NOW).new == 0
