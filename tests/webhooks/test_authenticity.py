"""Who may report: verified on raw bytes, before anything is parsed or stored (SEC-13..15)."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
import time_machine
from django.core import checks

from pitches import callbacks, deliveries
from pitches.models import Event, WebhookDelivery
from pitches.sources import twilio
from tests.clock import MONDAY
from tests.factories import MessageFactory
from tests.webhooks.callers import BY_NAME, CALLERS, FORM, JSON, Happening, postmark

PATHS = pytest.mark.parametrize("caller", CALLERS, ids=lambda caller: caller.name)
SIGNING = [caller for caller in CALLERS if caller.signs_body]
TIMED = [caller for caller in CALLERS if caller.signs_time]


def named(callers):
    return pytest.mark.parametrize("caller", callers, ids=lambda caller: caller.name)


@pytest.fixture
def post(client, settings):
    settings.PUBLIC_URL = "https://desk.example.com"
    settings.ALLOWED_HOSTS = ["inner.example.com"]

    def post(caller, sender, request, *, now=MONDAY, path=""):
        address = urlsplit(caller.address(sender)).path + path
        with time_machine.travel(now, tick=False):
            return client.post(
                address,
                request.body,
                content_type=request.content_type,
                headers={"Host": "inner.example.com", **request.headers},
            )

    return post


def sent_by(sender, caller):
    """A message that went out, and how this provider names it."""
    name = "provider-id-1"
    return MessageFactory(
        status="sent", pitch__sender=sender, provider_id=name, message_id="key-1@example.com"
    )


def take():
    """As the tick does, a minute later."""
    return deliveries.work_through(deliveries.waiting(), now=MONDAY + timedelta(minutes=1))


def event_for(caller):
    """MailerSend, Postal and Twilio name their own id only."""
    theirs = caller.name in ("mailersend", "postal", "twilio")
    return Happening("provider-id-1" if theirs else "key-1@example.com")


@PATHS
@pytest.mark.django_db
@pytest.mark.req("SEC-13", "S001-069")
def test_a_proven_report_is_stored_and_has_its_effect(caller, post):
    sender = caller.sender(caller.secrets[0])
    message = sent_by(sender, caller)
    answer = post(caller, sender, caller.request(event_for(caller), sender))
    assert answer.status_code == 200
    take()
    delivery = WebhookDelivery.objects.get()
    assert delivery.error == ""
    signed = caller.signs_body or caller.signs_token
    assert delivery.verdict == ("valid" if signed else "unsigned")
    message.refresh_from_db()
    assert (message.delivered_at or message.opened_at) or Event.objects.get().kind == "sent"
    assert Event.objects.get().message == message


@PATHS
@pytest.mark.django_db
@pytest.mark.req("SEC-13")
def test_a_proof_by_another_secret_is_refused_and_only_counted(caller, post):
    sender = caller.sender(caller.secrets[0])
    request = caller.request(event_for(caller), sender, secret=caller.secrets[2])
    assert post(caller, sender, request).status_code == 403
    row = WebhookDelivery.objects.get()
    assert (row.verdict, bytes(row.body), row.headers["refused"]) == ("invalid", b"", 1)
    assert not Event.objects.exists()


@PATHS
@pytest.mark.django_db
@pytest.mark.req("SEC-13")
def test_a_damaged_proof_is_refused(caller, post):
    sender = caller.sender(caller.secrets[0])
    request = caller.request(event_for(caller), sender)
    if request.headers:
        keep = {k: v for k, v in request.headers.items() if k.startswith("X-Amz")}
        damaged = {k: v[:-3] + "xx=" for k, v in request.headers.items() if k not in keep}
        request = replace(request, headers={**keep, **damaged})
    else:  # the proof stands in the body
        told = json.loads(request.body)
        place = told.get("signature", told)
        name = "signature" if "signature" in place else "auth"
        place[name] = "0" * len(place[name])
        request = replace(request, body=json.dumps(told).encode())
    assert post(caller, sender, request).status_code == 403
    assert not Event.objects.exists()


@PATHS
@pytest.mark.django_db
@pytest.mark.req("SEC-13")
def test_a_report_without_proof_is_refused(caller, post):
    sender = caller.sender(caller.secrets[0])
    request = caller.request(event_for(caller), sender)
    told = request.body
    if not request.headers:
        bare = json.loads(told)
        bare.pop("signature", None)
        bare.pop("auth", None)
        told = json.dumps(bare).encode()
    answer = post(caller, sender, replace(request, body=told, headers={}))
    assert answer.status_code in (401, 403)
    assert not WebhookDelivery.objects.exclude(verdict="invalid").exists()


@PATHS
@pytest.mark.django_db
@pytest.mark.req("SEC-13")
def test_a_truncated_report_has_no_effect(caller, post):
    sender = caller.sender(caller.secrets[0])
    request = caller.request(event_for(caller), sender)
    answer = post(caller, sender, replace(request, body=request.body[:-7]))
    assert answer.status_code in (400, 403)
    assert not Event.objects.exists()


@named(SIGNING)
@pytest.mark.django_db
@pytest.mark.req("SEC-13")
def test_one_changed_byte_breaks_the_proof(caller, post):
    sender = caller.sender(caller.secrets[0])
    request = caller.request(event_for(caller), sender)
    changed = request.body.replace(b"5", b"6", 1).replace(b"paula", b"pauli", 1)
    assert changed != request.body
    assert post(caller, sender, replace(request, body=changed)).status_code == 403
    assert not Event.objects.exists()


@pytest.mark.django_db
@pytest.mark.req("SEC-13", "SEC-14")
def test_a_changed_body_under_mailguns_used_token_has_no_effect(post):
    """Mailgun signs time and token, not the body: a token is good for one request."""
    caller = BY_NAME["mailgun"]
    sender = caller.sender(caller.secrets[0])
    message = sent_by(sender, caller)
    request = caller.request(event_for(caller), sender)
    post(caller, sender, request)
    changed = replace(request, body=request.body.replace(b'"delivered"', b'"complained"'))
    answer = post(caller, sender, changed)
    assert (answer.status_code, answer.json()["known"]) == (200, True)
    take()
    message.refresh_from_db()
    assert message.complained_at is None


@pytest.mark.parametrize("minutes", [-6, 6])
@named(TIMED)
@pytest.mark.django_db
@pytest.mark.req("SEC-13", "SEC-14")
def test_a_signed_time_more_than_five_minutes_away_is_refused(caller, minutes, post):
    sender = caller.sender(caller.secrets[0])
    request = caller.request(event_for(caller), sender, at=MONDAY + timedelta(minutes=minutes))
    assert post(caller, sender, request).status_code == 403
    just = MONDAY + timedelta(minutes=minutes, seconds=-60 if minutes > 0 else 60)
    request = caller.request(event_for(caller), sender, at=just)
    assert post(caller, sender, request).status_code == 200


@pytest.mark.parametrize("minutes", [-10, 10])
@named(TIMED)
@pytest.mark.django_db
@pytest.mark.req("SEC-13", "SEC-14")
def test_while_a_clock_is_ten_minutes_off_nothing_signed_is_taken(caller, minutes, post):
    """Nor lost: the provider tries again, and is believed once the clock is right."""
    sender = caller.sender(caller.secrets[0])
    sent_by(sender, caller)
    request, off = caller.request(event_for(caller), sender), timedelta(minutes=minutes)
    assert post(caller, sender, request, now=MONDAY + off).status_code == 403
    assert not Event.objects.exists()
    assert post(caller, sender, request).json() == {"stored": True, "known": False}
    take()
    assert Event.objects.count() == 1


@PATHS
@pytest.mark.django_db
@pytest.mark.req("SEC-13", "SEC-14")
def test_a_body_written_anew_is_refused_or_has_no_second_effect(caller, post):
    """Who signs the body is not believed; of the others, the event is known by itself."""
    sender = caller.sender(caller.secrets[0])
    sent_by(sender, caller)
    request = caller.request(event_for(caller), sender)
    if request.content_type == FORM:
        anew = request.body.replace(b"=", b"=%20", 1)
    else:
        anew = json.dumps(json.loads(request.body), indent=1).encode()
    first = post(caller, sender, replace(request, body=anew))
    assert first.status_code == (403 if caller.signs_body else 200)
    assert post(caller, sender, request).status_code == 200
    take()
    assert Event.objects.count() == 1


@PATHS
@pytest.mark.django_db
@pytest.mark.req("SEC-13", "SEC-14")
def test_a_replay_is_answered_with_200_and_has_no_effect(caller, post):
    sender = caller.sender(caller.secrets[0])
    sent_by(sender, caller)
    request = caller.request(event_for(caller), sender)
    first = post(caller, sender, request)
    take()
    before = list(Event.objects.values())
    assert len(before) == 1
    again = post(caller, sender, request, now=MONDAY + timedelta(minutes=2))
    assert take().deliveries == 0
    assert (first.status_code, again.status_code) == (200, 200)
    assert (first.json()["known"], again.json()["known"]) == (False, True)
    assert WebhookDelivery.objects.count() == 1
    assert list(Event.objects.values()) == before


@PATHS
@pytest.mark.django_db
@pytest.mark.req("SEC-13")
def test_while_a_secret_rotates_both_are_taken_and_no_third(caller, post):
    old, new, third = caller.secrets
    sender = caller.sender(old, new)
    theirs = event_for(caller)
    for number, secret in enumerate((old, new), start=2):
        request = caller.request(replace(theirs, number=number), sender, secret=secret)
        assert post(caller, sender, request).status_code == 200
    request = caller.request(replace(theirs, number=9), sender, secret=third)
    assert post(caller, sender, request).status_code == 403


@PATHS
@pytest.mark.django_db
@pytest.mark.req("SEC-13")
def test_without_a_secret_the_route_answers_503_and_a_check_names_it(caller, post):
    sender = caller.sender("")
    request = caller.request(event_for(caller), sender)
    assert post(caller, sender, request).status_code == 503
    assert not WebhookDelivery.objects.exists()
    if caller.name != "sendgrid":  # only for mailboxes that send through its SMTP
        found = [m for m in checks.run_checks(databases=["default"]) if m.id == "pitches.E001"]
        assert [caller.option in m.msg and sender.address in m.msg for m in found] == [True]


@PATHS
@pytest.mark.django_db
@pytest.mark.req("SEC-14")
def test_the_address_is_a_secret_of_its_own(caller, post, client):
    sender, other = caller.sender(caller.secrets[0]), caller.sender(caller.secrets[0])
    address = caller.address(sender)
    assert len(urlsplit(address).path.rpartition("-")[2].strip("/")) * 4 == 160
    wrong = [
        address.replace(f"/{sender.pk}-", f"/{other.pk}-"),
        address.replace(f"/{caller.name}/", "/postmark_inbound/"),
        address[:-2] + ("0/" if address[-2] != "0" else "1/"),
        f"https://desk.example.com/webhooks/{caller.name}/{sender.pk}/",
    ]
    request = caller.request(event_for(caller), sender)
    for each in wrong:
        answer = client.post(
            urlsplit(each).path,
            request.body,
            content_type=request.content_type,
            headers={"Host": "inner.example.com", **request.headers},
        )
        assert answer.status_code == 404
    assert not WebhookDelivery.objects.exists()


@pytest.mark.django_db
@pytest.mark.req("SEC-13")
def test_an_address_holds_while_its_key_is_listed(settings):
    old, new = "a" * 44, "b" * 44
    settings.CREDENTIALS_KEY = [old]
    secret = urlsplit(callbacks.address_of("postmark", 7)).path.split("/")[-2]
    settings.CREDENTIALS_KEY = [new, old]
    assert callbacks.sender_of("postmark", secret) == 7
    settings.CREDENTIALS_KEY = [new]
    with pytest.raises(callbacks.BadAddress):
        callbacks.sender_of("postmark", secret)


@pytest.mark.django_db
@pytest.mark.req("SEC-14")
def test_refusals_are_counted_in_one_row_a_day(post):
    caller = BY_NAME["postmark"]
    sender = caller.sender(caller.secrets[0])
    request = caller.request(event_for(caller), sender, secret="overture:guess")
    for _ in range(3):
        post(caller, sender, request)
    post(caller, sender, request, now=MONDAY + timedelta(days=1))
    rows = WebhookDelivery.objects.order_by("received_at")
    assert [row.headers["refused"] for row in rows] == [3, 1]


# -- limits ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{" + b" " * 1_000_000 + b"}", JSON, 413),
        (b"[" * 21 + b"]" * 21, JSON, 400),
        (b"[" * 10_000, JSON, 400),
        (b"{}", "application/xml", 415),
        (b"{}", "text/plain", 415),
        (b"\xff\xfe", JSON, 400),
        (b" ", JSON, 400),
        (b'{"a": NaN}', JSON, 400),
    ],
    ids=[
        "too long",
        "too deep",
        "far too deep",
        "xml",
        "text",
        "bytes",
        "empty",
        "not a number",
    ],
)
@pytest.mark.django_db
@pytest.mark.req("SEC-15")
def test_a_request_beyond_the_limits_is_refused(body, content_type, status, post):
    caller = BY_NAME["postmark"]
    sender = caller.sender(caller.secrets[0])
    proven = caller.request(event_for(caller), sender)
    request = replace(proven, body=body, content_type=content_type)
    assert post(caller, sender, request).status_code == status
    assert not WebhookDelivery.objects.exists()


@pytest.mark.parametrize(("events", "status"), [(1_000, 200), (1_001, 413)])
@pytest.mark.django_db
@pytest.mark.req("SEC-15")
def test_a_batch_has_a_thousand_events_at_most(events, status, post):
    caller = BY_NAME["sparkpost"]
    sender = caller.sender(caller.secrets[0])
    proven = caller.request(event_for(caller), sender)
    body = json.dumps([{"msys": {}}] * events).encode()
    assert post(caller, sender, replace(proven, body=body)).status_code == status


@pytest.mark.parametrize("events", [1, 50, 1_000])
@pytest.mark.django_db
@pytest.mark.req("REL-20")
def test_taking_an_ordinary_request_in_costs_two_queries(
    events, post, django_assert_num_queries
):
    """Whose address it is, and the delivery; however much it tells, new or known."""
    caller = BY_NAME["sparkpost"]
    sender = caller.sender(caller.secrets[0])
    proven = caller.request(event_for(caller), sender)
    request = replace(proven, body=json.dumps(json.loads(proven.body) * events).encode())
    for known in (False, True):
        with django_assert_num_queries(2):
            answer = post(caller, sender, request)
        assert (answer.status_code, answer.json()["known"]) == (200, known)


@pytest.mark.django_db
@pytest.mark.req("SEC-14")
def test_refusing_a_request_costs_two_queries(post, django_assert_num_queries):
    caller = BY_NAME["sparkpost"]
    sender = caller.sender(caller.secrets[0])
    request = caller.request(event_for(caller), sender, secret="overture:guess")
    for _ in range(2):
        with django_assert_num_queries(2):
            assert post(caller, sender, request).status_code == 403


@pytest.mark.django_db
def test_brackets_in_a_text_are_not_depth(post):
    caller = BY_NAME["postmark"]
    sender = caller.sender(caller.secrets[0])
    request = postmark(Happening("[" * 50), caller.secrets[0], MONDAY, "")
    assert post(caller, sender, request).status_code == 200


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
@pytest.mark.django_db
def test_only_a_post_reports(method, client, settings):
    settings.ALLOWED_HOSTS = ["testserver"]
    assert getattr(client, method)("/webhooks/postmark/1-x/").status_code == 405


# -- Twilio's own test vectors -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("sha1", "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        ("sha256", "033hgUJA9M/hXIZsYjwkerEP/DBm35nEri5FhCYjA5s="),
    ],
)
@pytest.mark.req("SEC-13")
def test_the_signature_is_what_twilio_documents(algorithm, expected):
    fields = {
        "CallSid": ["CA1234567890ABCDE"],
        "Caller": ["+14158675309"],
        "Digits": ["1234"],
        "From": ["+14158675309"],
        "To": ["+18005551212"],
    }
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    assert twilio.signature("12345", url, fields, algorithm) == expected


@pytest.mark.django_db
@pytest.mark.req("SEC-13")
def test_a_json_body_of_twilio_is_proven_by_its_digest_in_the_address(post):
    caller = BY_NAME["twilio"]
    sender = caller.sender(caller.secrets[0])
    body = json.dumps({"MessageSid": "SM1", "MessageStatus": "sent"}).encode()
    digest = twilio.Delivered(body, {}).sha256
    path = f"?bodySHA256={digest}"
    url = caller.address(sender) + path
    signature = twilio.signature(caller.secrets[0], url, {}, "sha1")
    good = caller.request(event_for(caller), sender)
    good = replace(
        good, body=body, content_type=JSON, headers={"X-Twilio-Signature": signature}
    )
    changed = replace(good, body=body.replace(b"SM1", b"SM2"))
    assert post(caller, sender, changed, path=path).status_code == 403
    assert post(caller, sender, good, path=path).status_code == 200
