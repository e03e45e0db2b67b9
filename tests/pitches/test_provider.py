"""Mail through a provider's API: what every answer means for the message (RELIABILITY 4.3)."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
import requests
import responses
from anymail.message import AnymailRecipientStatus
from django.core import mail as django_mail
from pytest_httpserver import HTTPServer
from urllib3.exceptions import (
    ConnectTimeoutError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
)
from werkzeug import Response

from pitches import outbox, reaping, sending
from pitches.channels import ChannelError, OutcomeUnknown, options, provider
from pitches.models import Breaker, Message, Sender
from prospects import suppressions
from tests.clock import MONDAY
from tests.factories import SenderFactory
from tests.pitches.letters import a_letter

pytestmark = pytest.mark.django_db

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SECRET = "key-that-nobody-may-see"
OPTIONS = {
    "postmark": {"server_token": SECRET},
    "mailgun": {"api_key": SECRET, "sender_domain": "example.com"},
    "resend": {"api_key": SECRET},
    "brevo": {"api_key": SECRET},
}
ADDRESSES = {
    "postmark": "https://api.postmarkapp.com/email",
    "mailgun": "https://api.mailgun.net/v3/example.com/messages",
    "resend": "https://api.resend.com/emails",
    "brevo": "https://api.brevo.com/v3/smtp/email",
}
TAKEN = {
    "postmark": {
        "To": "paula@example.com",
        "MessageID": "pm-1",
        "ErrorCode": 0,
        "Message": "OK",
    },
    "mailgun": {"id": "<mg-1@example.com>", "message": "Queued. Thank you."},
    "resend": {"id": "re-1"},
    "brevo": {"messageId": "<br-1@example.com>"},
}
PROVIDERS = sorted(OPTIONS)


def a_sender(name: str, **more) -> Sender:
    given = OPTIONS.get(name, {}) | more
    return SenderFactory(
        transport="provider", provider=name, provider_options=json.dumps(given)
    )


def handed_over(sender: Sender, **letter):
    with provider.ProviderChannel(sender) as channel:
        one = a_letter(sender, **letter)
        channel.open(one)
        return channel.hand_over(one, now=MONDAY)


def sends_through(desk, settings, name: str, **more) -> Sender:
    """The desk's sender writes through this provider, in earnest."""
    settings.SEND_MODE = "live"
    settings.POSTAL_ADDRESS = "Example Placements, 1 Example Street, Exampleton"
    Sender.objects.filter(pk=desk.sender.pk).update(transport="provider", provider=name)
    desk.sender.refresh_from_db()
    desk.sender.provider_options = json.dumps(OPTIONS.get(name, {}) | more)
    desk.sender.save()
    return desk.sender


def queued(desk, number: int = 1) -> list[Message]:
    for _ in range(number):
        desk.match()
    desk.run()
    desk.approve_all()
    outbox.carry_out(outbox.plan(outbox.first_messages(None), now=MONDAY), now=MONDAY)
    messages = list(Message.objects.filter(number=0).order_by("pk"))
    assert {message.status for message in messages} == {"queued"}
    return messages


# -- what goes over the wire -------------------------------------------------------------------


@pytest.mark.req("S001-066")
@pytest.mark.parametrize("name", PROVIDERS)
@responses.activate
def test_the_sender_chooses_the_provider_and_its_id_is_kept(name):
    responses.post(ADDRESSES[name], json=TAKEN[name], status=201 if name == "brevo" else 200)
    receipt = handed_over(a_sender(name))
    assert receipt.provider_id.strip("<>").split("@")[0] in {"pm-1", "mg-1", "re-1", "br-1"}
    assert not receipt.delegated
    (call,) = responses.calls
    assert call.request.headers["Connection"] == "close"


@responses.activate
def test_our_letter_arrives_with_its_own_headers_and_one_recipient_and_is_not_tracked():
    responses.post(ADDRESSES["postmark"], json=TAKEN["postmark"])
    sender = a_sender("postmark")
    handed_over(
        sender,
        message_id="logical-1@example.com",
        headers={
            "References": "<logical-0@example.com> <logical-1@example.com>",
            "List-Unsubscribe": "<https://desk.example.com/u/1>, <mailto:out@example.com>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "Reply-To": "answers@example.com",
        },
        html="<p>Hello</p>",
    )
    sent = json.loads(responses.calls[0].request.body)
    headers = {row["Name"]: row["Value"] for row in sent["Headers"]}
    assert sent["To"] == '"Paula Partner" <paula@example.com>'.replace('"', "")
    assert not {"Cc", "Bcc"} & set(sent)
    assert headers["Message-ID"] == "<logical-1@example.com>"
    assert headers["X-PM-KeepID"] == "true"
    assert headers["References"] == "<logical-0@example.com> <logical-1@example.com>"
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert headers["List-Unsubscribe"].startswith("<https://desk.example.com/u/1>")
    assert sent["ReplyTo"] == "answers@example.com"
    assert (sent["TrackOpens"], sent["TrackLinks"]) == (False, "None")
    assert sent["Metadata"] == {"message_id": "logical-1@example.com"}
    assert (sent["TextBody"], sent["HtmlBody"].strip()) == ("Hello Paula", "<p>Hello</p>")
    assert "Date" not in headers


def test_an_id_that_is_nought_is_an_id(monkeypatch):
    """The test backend of anymail numbers from 0."""
    monkeypatch.setattr(
        provider.ProviderChannel, "backends", "anymail.backends.test.EmailBackend"
    )
    monkeypatch.setattr(options, "read", lambda sender: {})
    django_mail.outbox = []
    assert handed_over(a_sender("postmark")).provider_id == "0"


@pytest.mark.parametrize(
    ("status", "hard"), [("invalid", True), ("rejected", False), ("failed", False)]
)
def test_a_recipient_whom_the_provider_refuses_is_a_definite_no(monkeypatch, status, hard):
    monkeypatch.setattr(
        provider.ProviderChannel, "backends", "anymail.backends.test.EmailBackend"
    )
    monkeypatch.setattr(options, "read", lambda sender: {})
    answer = {
        "recipient_status": {
            "paula@example.com": AnymailRecipientStatus(message_id=None, status=status)
        }
    }
    made = provider.ProviderChannel._mail

    def answered(self, letter):
        mail = made(self, letter)
        mail.anymail_test_response = answer
        return mail

    monkeypatch.setattr(provider.ProviderChannel, "_mail", answered)
    with pytest.raises(ChannelError) as refusal:
        handed_over(a_sender("postmark"))
    error = refusal.value
    assert (error.permanent, error.of_mailbox, error.hard) == (True, False, hard)


# -- every answer ------------------------------------------------------------------------------


def wrapped(cause: Exception) -> requests.ConnectionError:
    return requests.ConnectionError(MaxRetryError(None, "/", cause))


LATER = format_datetime(MONDAY + timedelta(minutes=7), usegmt=True)
# what comes back, then: kind, permanent, of_mailbox, minutes to rest
UNKNOWN = ("unknown", None, None, None)
ANSWERS = {
    "no such name": (wrapped(NameResolutionError("h", None, OSError())), ("no", 0, 1, None)),
    "refused": (wrapped(NewConnectionError(None, "refused")), ("no", 0, 1, None)),
    "connect time-out": (
        requests.ConnectTimeout(MaxRetryError(None, "/", ConnectTimeoutError(None, "slow"))),
        ("no", 0, 1, None),
    ),
    "read time-out": (requests.ReadTimeout("slow"), UNKNOWN),
    "reset": (
        requests.ConnectionError(ProtocolError("aborted", ConnectionResetError(104, "reset"))),
        UNKNOWN,
    ),
    "hung up": (requests.ConnectionError(ProtocolError("Remote end closed")), UNKNOWN),
    "half an answer": (requests.exceptions.ChunkedEncodingError("half"), UNKNOWN),
    "200 without body": ((200, {}, ""), UNKNOWN),
    "200 bad JSON": ((200, {}, "{"), UNKNOWN),
    "200 other JSON": ((200, {}, "[1]"), UNKNOWN),
    "500": ((500, {}, "{}"), UNKNOWN),
    "502": ((502, {}, "<html>"), UNKNOWN),
    "503": ((503, {}, "{}"), UNKNOWN),
    "429": ((429, {}, "{}"), ("no", 0, 1, None)),
    "429 seconds": ((429, {"Retry-After": "120"}, "{}"), ("no", 0, 1, 2)),
    "429 date": ((429, {"Retry-After": LATER}, "{}"), ("no", 0, 1, 7)),
    "429 nonsense": ((429, {"Retry-After": "soon"}, "{}"), ("no", 0, 1, None)),
    "408": ((408, {}, "{}"), ("no", 0, 0, None)),
    "400": ((400, {}, "{}"), ("no", 1, 0, None)),
    "401": ((401, {}, "{}"), ("no", 1, 1, None)),
    "402": ((402, {}, "{}"), ("no", 1, 1, None)),
    "403": ((403, {}, "{}"), ("no", 1, 1, None)),
    "404": ((404, {}, "{}"), ("no", 1, 0, None)),
    "422": ((422, {}, "{}"), ("no", 1, 0, None)),
}


@pytest.mark.req("S001-066")
@pytest.mark.parametrize("case", ANSWERS)
@pytest.mark.parametrize("name", PROVIDERS)
@responses.activate
def test_every_answer_has_its_one_meaning(name, case):
    answer, (kind, permanent, of_mailbox, rest) = ANSWERS[case]
    if isinstance(answer, Exception):
        responses.post(ADDRESSES[name], body=answer)
    else:
        status, headers, body = answer
        responses.post(ADDRESSES[name], status=status, headers=headers, body=body)
    with pytest.raises((ChannelError, OutcomeUnknown)) as raised:
        handed_over(a_sender(name))
    error = raised.value
    assert SECRET not in str(error)
    if kind == "unknown":
        assert isinstance(error, OutcomeUnknown)
        return
    assert isinstance(error, ChannelError)
    assert (error.permanent, error.of_mailbox) == (bool(permanent), bool(of_mailbox))
    assert error.retry_after == (None if rest is None else rest * MINUTE)


@responses.activate
def test_what_a_provider_echoes_of_our_key_is_not_passed_on():
    responses.post(ADDRESSES["postmark"], status=401, json={"Message": f"Bad token {SECRET}"})
    with pytest.raises(ChannelError) as raised:
        handed_over(a_sender("postmark"))
    assert SECRET not in str(raised.value)
    assert "Bad token" in str(raised.value)


# -- what follows for the message --------------------------------------------------------------

CONSEQUENCES = [
    ("500", "unknown", "active"),
    ("200 bad JSON", "unknown", "active"),
    ("refused", "queued", "active"),
    ("429 seconds", "queued", "active"),
    ("401", "queued", "paused"),
    ("422", "failed", "active"),
]


@pytest.mark.req("REL-6", "REL-11")
@pytest.mark.parametrize(("case", "status", "mailbox"), CONSEQUENCES)
def test_the_message_ends_where_its_answer_puts_it(desk, settings, case, status, mailbox):
    sender = sends_through(desk, settings, "postmark")
    first, second = queued(desk, number=2)
    answer, _ = ANSWERS[case]
    with responses.RequestsMock() as web:
        if isinstance(answer, Exception):
            web.post(ADDRESSES["postmark"], body=answer)
        else:
            web.post(ADDRESSES["postmark"], status=answer[0], headers=answer[1], body=answer[2])
        sending.send_due(now=MONDAY, only=[first.pk])
    first.refresh_from_db()
    second.refresh_from_db()
    pauses = Breaker.objects.filter(sender=sender, level="pause").count()
    assert (first.status, "paused" if pauses else "active") == (status, mailbox)
    assert (first.counted_at is not None) == (status == "unknown")
    assert first.attempts == 0
    if case == "429 seconds":
        assert first.send_at == second.send_at == MONDAY + 2 * MINUTE


@responses.activate
def test_an_address_that_the_provider_calls_invalid_is_suppressed(desk, settings):
    sends_through(desk, settings, "postmark")
    (message,) = queued(desk)
    refusal = {"ErrorCode": 300, "Message": f"Invalid 'To' address: '{message.to_address}'."}
    responses.post(ADDRESSES["postmark"], status=422, json=refusal)
    sending.send_due(now=MONDAY)
    message.refresh_from_db()
    assert (message.status, message.failure) == ("failed", "hard")
    assert suppressions.suppressed([message.to_address])


def test_a_sender_without_its_keys_is_told_in_the_plan(desk, settings):
    sends_through(desk, settings, "mailgun", sender_domain="")
    desk.match()
    desk.run()
    desk.approve_all()
    (decision,) = outbox.plan(outbox.first_messages(None), now=MONDAY)
    assert decision.reason == "sender_not_set_up"
    assert "its options lack sender_domain" in decision.sentence


# -- a provider that counts its keys (fault F12) -----------------------------------------------


class FakeProvider:
    """Resend as it says it is: the same key again is the same mail, for a day."""

    def __init__(self, server) -> None:
        self.address = server.url_for("/")
        self.accepted: dict[str, int] = {}
        self.requests = 0
        self.script: list[str] = []
        self.hung_up = threading.Event()
        server.expect_request("/emails", method="POST").respond_with_handler(self.answer)

    def answer(self, request) -> Response:
        self.requests += 1
        act = self.script.pop(0) if self.script else "take"
        if act.startswith("429"):
            wait = "60" if act == "429 seconds" else LATER
            return Response("{}", 429, {"Retry-After": wait})
        key = request.headers["Idempotency-Key"]
        if key not in self.accepted:
            self.accepted[key] = 1
        if act == "take":
            return Response(json.dumps({"id": f"id-{key}"}), 200, mimetype="application/json")
        if act == "no body":
            return Response("", 200)
        if act == "bad JSON":
            return Response("{", 200)
        if act == "500 after accepting":
            return Response("{}", 500)
        if act == "silence after accepting":
            self.hung_up.wait(10)
            return Response("{}", 500)
        raise AssertionError(act)


F12 = [
    "no body",
    "bad JSON",
    "500 after accepting",
    "silence after accepting",
    "429 seconds",
    "429 date",
]


@pytest.fixture
def fake():
    """It answers many at once, so that one silence does not hold up the next request."""
    with HTTPServer(threaded=True) as server:
        made = FakeProvider(server)
        yield made
        made.hung_up.set()


@pytest.mark.req("REL-6")
@pytest.mark.parametrize("act", F12)
@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_key_is_accepted_once_whatever_the_provider_answers(desk, settings, fake, act, times):
    fake.script = [act] * times
    settings.HTTP_READ_TIMEOUT = 0.2 if "silence" in act else 30
    sends_through(desk, settings, "resend", api_url=fake.address)
    messages = queued(desk, number=3)
    for minutes in range(0, 60, 8):
        sending.send_due(now=MONDAY + minutes * MINUTE)
        reaping.reap(now=MONDAY + minutes * MINUTE)
    names = {message.message_id for message in messages}
    assert set(fake.accepted) <= names
    assert set(fake.accepted.values()) == {1}
    for message in messages:
        message.refresh_from_db()
        assert message.status in ("sent", "unknown")
        if message.status == "sent":
            assert message.provider_id == f"id-{message.message_id}"
    # one unclear answer is resolved by the same key, at once
    unclear = 0 if times == 1 or act.startswith("429") else times // 2
    assert sum(message.status == "unknown" for message in messages) == unclear
    assert set(fake.accepted) == names


def test_the_same_request_again_tells_what_became_of_it(fake):
    fake.script = ["no body", "bad JSON"]
    sender = a_sender("resend", api_url=fake.address)
    letter = a_letter(sender, message_id="logical-1@example.com")
    with provider.ProviderChannel(sender) as channel:
        assert channel.look_up_may_deliver
        channel.open(letter)
        with pytest.raises(OutcomeUnknown):
            channel.hand_over(letter, now=MONDAY)
        found = channel.look_up(letter, since=MONDAY, now=MONDAY + HOUR)
        assert found.provider_id == "id-logical-1@example.com"
        asked = fake.requests
        assert channel.look_up(letter, since=MONDAY, now=MONDAY + 23 * HOUR) is None
    assert (fake.requests, fake.accepted) == (asked, {"logical-1@example.com": 1})


# -- options -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("transport", "name", "given", "says"),
    [
        ("provider", "", {}, "no mail provider is chosen"),
        ("provider", "postmark", {}, "lack server_token"),
        ("provider", "mailgun", {"api_key": SECRET}, "lack sender_domain"),
        ("provider", "amazon_ses", {}, "is reached by SMTP"),
        ("provider", "resend", {"api_key": SECRET, "colour": SECRET}, "1 unknown names"),
        ("provider", "postal", {"api_key": SECRET, "api_url": "ftp://x"}, "api_url is not"),
        (
            "provider",
            "resend",
            {"api_key": SECRET, "api_url": "http://example.com"},
            "api_url is not",
        ),
        ("instantly", "", {"api_key": SECRET}, "lack campaign_id"),
        ("twilio", "", {"account_sid": "AC" + "0" * 32, "auth_token": SECRET}, "from_number"),
        (
            "twilio",
            "",
            {"account_sid": "0", "auth_token": SECRET, "from_number": "+15550100"},
            "AC and 32",
        ),
    ],
)
def test_options_say_what_is_missing_and_never_what_is_in_them(transport, name, given, says):
    sender = SenderFactory.build(
        user=None, transport=transport, provider=name, provider_options=json.dumps(given)
    )
    told = options.problem(sender)
    assert says in told
    assert SECRET not in told


@pytest.mark.parametrize("text", ["{", "[]", '{"api_key": 1}'])
def test_options_that_are_no_names_with_texts_are_told(text):
    sender = SenderFactory.build(
        user=None, transport="provider", provider="resend", provider_options=text
    )
    assert options.problem(sender)


@pytest.mark.parametrize("name", sorted(options.PROVIDERS))
def test_every_provider_of_the_list_begins_with_the_options_of_its_table(name):
    given = {each: "https://api.example.com/" for each in options.PROVIDERS[name].needed}
    given |= {each: "text" for each in given if each != "api_url"}
    sender = SenderFactory(
        transport="provider", provider=name, provider_options=json.dumps(given)
    )
    with provider.ProviderChannel(sender) as channel:
        channel.open(a_letter(sender))


def test_the_table_names_every_provider_but_the_one_with_an_sdk():
    assert set(options.PROVIDERS) == set(Sender.Provider.values) - {"amazon_ses"}
    folder = Path(provider.__file__).parent
    assert "boto" not in "".join(path.read_text() for path in folder.glob("*.py"))
