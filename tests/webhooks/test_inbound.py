"""Mail that a provider receives for us, at the door for it."""

from __future__ import annotations

import hashlib
import hmac
import json
from urllib.parse import urlencode, urlsplit

import pytest
import time_machine

from pitches import callbacks, deliveries
from pitches.models import Event, IncomingMessage, Pitch, WebhookDelivery
from tests.clock import MONDAY
from tests.factories import MessageFactory
from tests.webhooks.callers import BY_NAME, FORM, JSON, basic

ANSWER = """\
From: Paula Example <{from_address}>
To: {to_address}
Subject: Re: Three interns
Date: Mon, 1 Jun 2026 10:00:00 +0000
Message-ID: <answer-1@example.com>
In-Reply-To: <{message_id}>
Content-Type: text/plain; charset=utf-8

Yes, please tell me more.
"""


def postmark(mail, secret):
    body = {"RawEmail": mail, "MessageID": "pm-in-1", "Date": "Mon, 1 Jun 2026 10:00:00 +0000"}
    return json.dumps(body), JSON, basic(secret)


def mailgun(mail, secret):
    stamp, token = str(int(MONDAY.timestamp())), hashlib.sha256(mail.encode()).hexdigest()[:50]
    told = {
        "timestamp": stamp,
        "token": token,
        "signature": hmac.new(
            secret.encode(), f"{stamp}{token}".encode(), "sha256"
        ).hexdigest(),
        "recipient": "ada@example.com",
        "sender": "paula@example.com",
        "body-mime": mail,
    }
    return urlencode(told), FORM, {}


DOORS = pytest.mark.parametrize("call", [postmark, mailgun], ids=lambda call: call.__name__)


@pytest.fixture
def post(client, settings):
    settings.PUBLIC_URL, settings.ALLOWED_HOSTS = "https://desk.example.com", ["testserver"]

    def post(call, sender, mail, secret):
        body, content_type, headers = call(mail, secret)
        path = urlsplit(callbacks.address_of(f"{call.__name__}_inbound", sender.pk)).path
        with time_machine.travel(MONDAY, tick=False):
            return client.post(path, body, content_type=content_type, headers=headers)

    return post


def told_of(call):
    """A message that went out by this provider, and the answer to it."""
    caller = BY_NAME[call.__name__]
    secret = caller.secrets[0]
    sender = caller.sender(secret)
    message = MessageFactory(
        status="sent", pitch__sender=sender, pitch__status="active",
        message_id="key-1@example.com",
    )  # fmt: skip
    mail = ANSWER.format(
        from_address=message.to_address,
        to_address=sender.address,
        message_id="key-1@example.com",
    )
    return sender, message, mail, secret


@DOORS
@pytest.mark.django_db
@pytest.mark.req("SEC-13", "SEC-14")
def test_an_answer_handed_on_ends_the_pitch_before_the_provider_has_its_answer(call, post):
    sender, message, mail, secret = told_of(call)
    for known in (False, True):
        assert post(call, sender, mail, secret).json() == {"stored": True, "known": known}
    incoming = IncomingMessage.objects.get()
    assert (incoming.kind, incoming.pitch_id) == ("human_reply", message.pitch_id)
    assert incoming.from_address == message.to_address
    assert Pitch.objects.get(pk=message.pitch_id).status == "replied"
    done = deliveries.work_through(deliveries.waiting(), now=MONDAY)
    assert (done.deliveries, done.recorded.new, done.recorded.known) == (1, 0, 1)
    assert Event.objects.count() == IncomingMessage.objects.count() == 1
    assert not deliveries.waiting().exists()


@DOORS
@pytest.mark.django_db
@pytest.mark.req("SEC-13")
def test_mail_without_the_providers_proof_is_not_read(call, post):
    sender, message, mail, _ = told_of(call)
    assert post(call, sender, mail, "overture:guess").status_code == 403
    assert WebhookDelivery.objects.get().verdict == "invalid"
    assert not IncomingMessage.objects.exists()
    assert Pitch.objects.get(pk=message.pitch_id).status == "active"
