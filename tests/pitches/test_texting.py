"""Texts to telephones: only with consent, only by day, and never again after STOP (LAW-22)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import pytest
import responses
from hypothesis import given
from hypothesis import strategies as st

from campaigns.models import Channel
from pitches import outbox, pitching, sending, stopping, texting, windows
from pitches.channels import ChannelError, OutcomeUnknown, Refused, capture
from pitches.channels.twilio import TwilioChannel
from pitches.models import IncomingMessage, Message, Pitch, Sender
from prospects import suppressions
from prospects.models import Consent
from tests.clock import MONDAY
from tests.factories import (
    ConsentFactory,
    ContactAddressFactory,
    PitchTemplateFactory,
    SenderFactory,
    SequenceFactory,
    StepFactory,
)
from tests.pitches.letters import a_letter

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
NUMBER, OURS = "+12025550143", "+12025550100"
SECRET = "token-that-nobody-may-see"
OPTIONS = {"account_sid": "AC" + "0" * 32, "auth_token": SECRET, "from_number": OURS}
MESSAGES = f"https://api.twilio.com/2010-04-01/Accounts/{OPTIONS['account_sid']}/Messages.json"
SID = "SM" + "1" * 32
TAKEN = {"sid": SID, "status": "queued", "to": NUMBER, "error_code": None}
# Noon in New York: a telephone may ring anywhere between the two coasts.
NOON = datetime(2026, 6, 1, 16, 30, tzinfo=UTC)


def a_sender(**more) -> Sender:
    return SenderFactory(transport="twilio", provider_options=json.dumps(OPTIONS | more))


def handed_over(sender: Sender, text: str = "Hello Paula"):
    with TwilioChannel(sender) as channel:
        letter = a_letter(sender, to=NUMBER, text=text, way="sms")
        channel.open(letter)
        return channel.hand_over(letter, now=MONDAY)


# -- which words are a no ----------------------------------------------------------------------

OPT_OUTS = [
    "STOP", "QUIT", "END", "REVOKE", "OPT OUT", "CANCEL", "UNSUBSCRIBE", "STOPALL", "ARRET",
    "StOp.", "stop!!!", "  Stop  ", "STOPP", "stpo", "Sotp", "stoop", "stop please",
    "please stop", "Stop it", "opt-out", "OptOut", "Arrêt", "unsubcribe", "Unsubscribe me",
    "cancle", "please stop texting", "stop texting me", "Stop sending me these messages",
    "do not text me again", "Don't contact me anymore", "dont msg me texts: stop all texts",
    "remove me", "take me off your list", "delete my number", "lose my number", "wrong number",
    "leave me alone", "no more texts please", "I want to opt out", "I revoke my consent",
    "Stop, who is this?", "I do not want to receive your messages", "never text this number",
    "please remove my number from your list",
]  # fmt: skip
NOT_OPT_OUTS = [
    "don't stop", "Please don\u2019t stop",
    "Yes, this sounds good", "the end of the month works",
    "Let's meet at the bus stop", "stop by on Friday", "I can't stop thinking about it",
    "I quit my old job last week, so yes", "When does it end?", "could we cancel our call",
    "who is this", "", "shop", "top", "send me an e-mail", "Step one sounds fine", "spend",
    "we never received it", "unstoppable", "help",
]  # fmt: skip


@pytest.mark.req("LAW-22")
@pytest.mark.parametrize("text", OPT_OUTS)
@pytest.mark.parametrize("change", ["as it is", "upper", "lower", "spaces", "signs"])
def test_every_reasonable_way_to_say_stop_is_understood(text, change):
    said = {
        "as it is": text,
        "upper": text.upper(),
        "lower": text.lower(),
        "spaces": f"\n {text.replace(' ', '  ')}\t",
        "signs": f'"{text}!"',
    }[change]
    assert texting.is_opt_out(said)


@pytest.mark.req("LAW-22")
@pytest.mark.parametrize("text", NOT_OPT_OUTS)
def test_other_words_are_not_taken_for_it(text):
    assert not texting.is_opt_out(text)


@given(st.text(max_size=400))
def test_no_text_breaks_the_reading(text):
    texting.is_opt_out(text)
    texting.is_help(text)


@pytest.mark.parametrize("text", ["HELP", "help?", "Info", "please help me", "Aide"])
def test_who_asks_for_help_is_understood(text):
    assert texting.is_help(text)
    assert not texting.is_opt_out(text)


# -- when a telephone may ring -----------------------------------------------------------------

ZONES = ["America/Los_Angeles", "America/New_York", "Europe/Berlin", "Asia/Kolkata",
         "Australia/Lord_Howe", "Pacific/Apia", "America/St_Johns", ""]  # fmt: skip
MOMENTS = st.integers(0, 2 * 365 * 24 * 60).map(lambda n: MONDAY + n * MINUTE)


@pytest.mark.req("LAW-22")
@given(MOMENTS, st.sampled_from(ZONES))
def test_nobody_is_texted_outside_the_hours_of_their_own_clock(moment, zone_name):
    at = windows.for_texts(zone_name).earliest(moment)
    assert at >= moment
    assert at - moment <= timedelta(hours=24)
    local = at.astimezone(ZoneInfo(zone_name or "America/New_York")).time()
    opens, closes = (8, 21) if zone_name else (12, 20)
    assert opens <= local.hour < closes


# -- the whole way -----------------------------------------------------------------------------


@pytest.fixture
def texts(desk, settings):
    """A desk that texts, in earnest; its people gave their consent, and live in New York."""
    settings.POSTAL_ADDRESS = "Example Placements, 1 Example Street, Exampleton"
    settings.SEND_MODE = "live"
    settings.BRAND_NAME = "Example Placements"
    sequence = SequenceFactory()
    PitchTemplateFactory(key="tests/text", channel=Channel.SMS, subject="", body="Hello there.")
    StepFactory(sequence=sequence, channel=Channel.SMS, template_key="tests/text")
    campaign = desk.campaign
    campaign.sequence = sequence
    campaign.window_start, campaign.window_end = "00:00", "23:59"
    campaign.save()
    Sender.objects.filter(pk=desk.sender.pk).update(transport="twilio")
    desk.sender.refresh_from_db()
    desk.sender.provider_options = json.dumps(OPTIONS)
    desk.sender.save()
    return desk


def a_person(desk, *, consent: bool = True, time_zone: str = "America/New_York"):
    lead = desk.lead(time_zone=time_zone)
    contact = lead.contacts.get()
    phone = ContactAddressFactory(contact=contact, kind="phone", value=NUMBER, canonical=NUMBER)
    if consent:
        ConsentFactory(address=phone)
    return lead


def queued(desk, now=NOON, **person) -> Message:
    desk.match(lead=a_person(desk, **person))
    desk.run(now)
    desk.approve_all(now)
    outbox.carry_out(outbox.plan(outbox.first_messages(None), now=now), now=now)
    return Message.objects.get(number=0)


def texted(desk, now=NOON) -> Message:
    message = queued(desk, now)
    with responses.RequestsMock() as web:
        web.post(MESSAGES, json=TAKEN, status=201)
        assert sending.send_due(now=now).sent == 1
    message.refresh_from_db()
    return message


@pytest.mark.req("S001-068", "LAW-22")
def test_an_approved_text_reaches_twilio_as_it_was_approved(texts):
    message = queued(texts)
    assert (message.channel, message.to_address) == ("sms", NUMBER)
    with responses.RequestsMock() as web:
        web.post(MESSAGES, json=TAKEN, status=201)
        assert sending.send_due(now=NOON).sent == 1
        request = web.calls[0].request
    form = {name: value for name, (value,) in parse_qs(request.body).items()}
    callback = form.pop("StatusCallback")
    assert callback.startswith("https://desk.example.com/webhooks/twilio/")
    assert form == {"To": NUMBER, "From": OURS, "Body": message.body}
    assert request.headers["Authorization"].startswith("Basic ")
    message.refresh_from_db()
    assert (message.status, message.provider_id) == ("sent", SID)


@pytest.mark.req("LAW-22")
def test_without_written_consent_no_text_is_even_drafted(texts):
    texts.match(lead=a_person(texts, consent=False))
    (decision,) = pitching.plan(now=NOON)
    assert decision.reason == "no_consent"
    assert not texts.run(NOON).pitched.done
    assert not Pitch.objects.exists()


@pytest.mark.req("LAW-22")
def test_a_consent_that_was_revoked_after_the_approval_holds_the_text(texts):
    message = queued(texts)
    Consent.objects.update(revoked_at=NOON, revoked_reason="by telephone")
    assert sending.send_due(now=NOON).held == 1
    message.refresh_from_db()
    assert message.hold_reason == "no_consent"


@pytest.mark.req("LAW-22")
@pytest.mark.parametrize(
    ("time_zone", "now", "opens"),
    [
        ("America/New_York", datetime(2026, 6, 1, 11, 59, tzinfo=UTC), "12:00"),
        ("America/New_York", datetime(2026, 6, 2, 1, 0, tzinfo=UTC), "12:00"),
        ("America/Los_Angeles", datetime(2026, 6, 1, 14, 0, tzinfo=UTC), "15:00"),
        ("", datetime(2026, 6, 1, 15, 0, tzinfo=UTC), "16:00"),
        ("", datetime(2026, 6, 2, 0, 30, tzinfo=UTC), "16:00"),
    ],
)
def test_a_text_waits_for_the_morning_of_its_recipient(texts, time_zone, now, opens):
    texts.match(lead=a_person(texts, time_zone=time_zone))
    texts.run(now)
    texts.approve_all(now)
    (decision,) = outbox.plan(outbox.first_messages(None), now=now)
    assert f"{decision.send_at or decision.not_before:%H:%M}" == opens


def test_a_mailbox_does_not_text_and_the_plan_says_so(texts):
    Sender.objects.update(transport="mailbox", smtp_host="mail.example.com")
    texts.match(lead=a_person(texts))
    texts.run(NOON)
    texts.approve_all(NOON)
    (decision,) = outbox.plan(outbox.first_messages(None), now=NOON)
    assert decision.reason == "channel_not_ready"


def test_who_has_no_telephone_number_is_named_in_the_plan(texts):
    texts.match()
    (decision,) = pitching.plan(now=NOON)
    assert decision.sentence == "No contact with a telephone number is known."


def test_captured_texts_can_be_read_as_what_they_are(texts, settings):
    settings.SEND_MODE = "capture"
    message = queued(texts)
    assert sending.send_due(now=NOON).sent == 1
    (letter,) = capture.sent(message.sender)
    assert letter.way == "sms"
    assert letter.recipient == NUMBER
    assert letter.text.strip() == message.body.strip()
    assert "List-Unsubscribe" not in letter.mail


# -- somebody answers --------------------------------------------------------------------------


def says(message: Message, text: str, *, now=NOON + HOUR, sid="SM1", told=""):
    return texting.received(
        message.sender, number=NUMBER, text=text, provider_id=sid, told=told, now=now
    )


@pytest.mark.req("LAW-22")
def test_stop_ends_every_way_at_once_and_is_confirmed_once_within_five_minutes(texts):
    message = texted(texts)
    contact = message.pitch.address.contact
    email = contact.addresses.get(kind="email").value
    at = NOON + HOUR
    says(message, "please stop texting", now=at)
    assert suppressions.suppressed([email])
    assert suppressions.suppressed_values("phone", [NUMBER])
    assert not Consent.objects.filter(revoked_at=None).exists()
    message.pitch.refresh_from_db()
    assert message.pitch.status not in Pitch.OPEN
    with responses.RequestsMock() as web:
        web.post(MESSAGES, json=TAKEN | {"sid": "SM" + "2" * 32}, status=201)
        assert sending.send_due(now=at + MINUTE).sent == 1
        says(message, "STOP", now=at + MINUTE, sid="SM2")
        assert sending.send_due(now=at + 2 * MINUTE).sent == 0
        body = parse_qs(web.calls[0].request.body)["Body"][0]
    assert "no more messages" in body
    confirmation = Message.objects.get(approved_policy="opt_out_confirmation")
    assert confirmation.status == "sent"
    assert confirmation.sent_at - at <= 5 * MINUTE


@pytest.mark.req("LAW-22")
def test_a_confirmation_that_could_not_leave_in_five_minutes_never_does(texts):
    message = texted(texts)
    says(message, "STOP")
    assert sending.send_due(now=NOON + HOUR + 6 * MINUTE).sent == 0
    confirmation = Message.objects.get(approved_policy="opt_out_confirmation")
    assert confirmation.status == "expired"


@pytest.mark.req("LAW-22")
def test_at_night_the_confirmation_leaves_all_the_same(texts):
    message = texted(texts)
    night = NOON + timedelta(hours=10)
    says(message, "STOP", now=night)
    with responses.RequestsMock() as web:
        web.post(MESSAGES, json=TAKEN, status=201)
        assert sending.send_due(now=night + MINUTE).sent == 1


def test_where_everything_is_stopped_not_even_a_confirmation_leaves(texts):
    message = texted(texts)
    stopping.stop(scope="everything", reason="wrong texts")
    says(message, "STOP")
    assert sending.send_due(now=NOON + HOUR).sent == 0


def test_what_twilio_confirmed_by_itself_is_not_confirmed_again(texts):
    message = texted(texts)
    says(message, "STOP", told="STOP")
    assert suppressions.suppressed_values("phone", [NUMBER])
    assert not Message.objects.filter(approved_policy="opt_out_confirmation").exists()


@pytest.mark.req("LAW-22")
def test_help_is_answered_and_ends_nothing(texts):
    message = texted(texts)
    says(message, "HELP")
    message.pitch.refresh_from_db()
    assert not suppressions.suppressed_values("phone", [NUMBER])
    with responses.RequestsMock() as web:
        web.post(MESSAGES, json=TAKEN, status=201)
        assert sending.send_due(now=NOON + HOUR).sent == 1
        body = parse_qs(web.calls[0].request.body)["Body"][0]
    assert "Example Placements" in body
    assert "STOP" in body
    assert len(body) <= 160


def test_any_other_answer_is_a_reply(texts):
    message = texted(texts)
    incoming = says(message, "Yes, please call me")
    assert incoming.kind == IncomingMessage.Kind.HUMAN_REPLY
    assert not Message.objects.exclude(approved_policy="").filter(number=None).exists()
    assert says(message, "Yes, please call me") is None


def test_a_number_nobody_knows_is_suppressed_when_it_says_stop(texts):
    sender = texts.sender
    texting.received(sender, number="+12025550199", text="stop", provider_id="SM9", now=NOON)
    assert suppressions.suppressed_values("phone", ["+12025550199"])
    assert not Message.objects.exists()


# -- what Twilio answers -----------------------------------------------------------------------

REFUSALS = {
    # code, HTTP status: permanent, of_mailbox, hard, opted_out
    "21610 opted out": (21610, 400, (True, False, False, True)),
    "21211 no number": (21211, 400, (True, False, True, False)),
    "21614 no mobile": (21614, 400, (True, False, True, False)),
    "21617 too long": (21617, 400, (True, False, False, False)),
    "20003 login": (20003, 401, (True, True, False, False)),
    "20404 no account": (20404, 404, (True, True, False, False)),
    "20429 too many": (20429, 429, (False, True, False, False)),
}


@pytest.mark.django_db
@pytest.mark.req("S001-068")
@pytest.mark.parametrize("case", REFUSALS)
@responses.activate
def test_every_refusal_of_twilio_has_its_meaning(case):
    code, status, meaning = REFUSALS[case]
    words = {"code": code, "message": f"No: {SECRET}", "status": status}
    responses.post(MESSAGES, json=words, status=status)
    with pytest.raises(ChannelError) as refusal:
        handed_over(a_sender())
    error = refusal.value
    assert (error.permanent, error.of_mailbox, error.hard, error.opted_out) == meaning
    assert SECRET not in str(error)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "answer",
    [{"status": 500, "json": {}}, {"status": 201, "body": "{"}, {"status": 201, "json": {}}],
)
@responses.activate
def test_an_answer_that_says_nothing_is_of_unknown_fate(answer):
    responses.post(MESSAGES, **answer)
    with pytest.raises(OutcomeUnknown):
        handed_over(a_sender())


@pytest.mark.req("LAW-22")
@responses.activate
def test_whom_twilio_calls_opted_out_is_left_alone_in_every_way(texts):
    message = queued(texts)
    responses.post(MESSAGES, json={"code": 21610, "message": "no", "status": 400}, status=400)
    assert sending.send_due(now=NOON).failed == 1
    email = message.pitch.address.contact.addresses.get(kind="email").value
    assert suppressions.suppressed([email])
    assert suppressions.suppressed_values("phone", [NUMBER])


@pytest.mark.django_db
@responses.activate
def test_what_became_of_a_text_is_read_from_the_list_of_that_number():
    row = TAKEN | {"body": "Hello Paula"}
    responses.get(MESSAGES, json={"messages": [TAKEN | {"body": "other"}, row]})
    responses.get(MESSAGES, json={"messages": [row | {"status": "failed"}]})
    responses.get(MESSAGES, json={"messages": []})
    responses.get(MESSAGES, status=500)
    sender = a_sender()
    letter = a_letter(sender, to=NUMBER, way="sms")
    with TwilioChannel(sender) as channel:
        found = channel.look_up(letter, since=MONDAY, now=MONDAY + HOUR)
        assert found.provider_id == SID
        asked = responses.calls[0].request.params
        assert (asked["To"], asked["DateSent>"]) == (NUMBER, "2026-05-31")
        assert isinstance(channel.look_up(letter, since=MONDAY, now=MONDAY + HOUR), Refused)
        assert channel.look_up(letter, since=MONDAY, now=MONDAY + HOUR) is None
        with pytest.raises(ChannelError):
            channel.look_up(letter, since=MONDAY, now=MONDAY + HOUR)
