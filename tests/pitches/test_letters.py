"""What stands in every mail, and what nobody's words or names can put there (LAW-1, SEC-22)."""

from __future__ import annotations

import contextlib
import re
from datetime import date
from email import message_from_bytes, policy
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from campaigns import presets
from campaigns.models import Campaign
from config import checks
from pitches import letters, sending, situations, unsubscribing, writing
from pitches.letters import BuildError
from pitches.models import Message
from prospects import addresses
from prospects.addresses import AddressError
from tests.clock import MONDAY
from tests.factories import (
    CampaignFactory,
    CandidateFactory,
    MatchFactory,
    MessageFactory,
    PitchFactory,
)

pytestmark = pytest.mark.django_db

OWN_ID = "0123456789abcdef0123456789abcdef01234567"
LONG_DOMAIN = f"{'.'.join(['d' * 60] * 2)}.example.com"
# The only names a header of ours may have.
HEADERS = {
    "From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "X-Overture-Id",
    "List-Unsubscribe", "List-Unsubscribe-Post", "MIME-Version", "Content-Type",
    "Content-Transfer-Encoding",
}  # fmt: skip


@pytest.fixture(autouse=True)
def brand(settings):
    presets.install()
    settings.BRAND_NAME = "Harbor & Finch"
    settings.BRAND_WEBSITE = "https://harborfinch.example.com"
    settings.POSTAL_ADDRESS = "4 Quay Lane, Bristol"
    settings.PUBLIC_URL = "https://desk.example.com"


def on_the_wire(message: Message):
    """The mail as the recipient's server parses it, from the very bytes."""
    raw = letters.build(message, now=MONDAY).as_bytes()
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= letters.LONGEST_LINE
    return message_from_bytes(raw, policy=policy.SMTP)


def unfolded(raw: bytes, name: str) -> str:
    """A header as it stands, put together as RFC 5322 says and in no cleverer way."""
    head = raw.split(b"\r\n\r\n")[0].decode("ascii")
    found = re.search(rf"^{name}: ([^\r]*(?:\r\n[ \t][^\r]*)*)", head, re.MULTILINE)
    return found[1].replace("\r\n", "") if found else ""


def check_the_way_out(message: Message, raw: bytes) -> None:
    """Both headers, as RFC 8058 section 3 and 8 want them, and both lead to this message."""
    https, mailto = re.fullmatch(
        r"<(https://[^<>\s]+)>, <(mailto:[^<>\s]+)>", unfolded(raw, "List-Unsubscribe")
    ).groups()
    assert unfolded(raw, "List-Unsubscribe-Post") == "List-Unsubscribe=One-Click"
    said = unsubscribing.opened(urlsplit(https).path.strip("/").rpartition("/")[2])
    assert said.address == message.to_address
    assert said.message_key == unsubscribing.message_key(message.message_id)
    parts = urlsplit(mailto)
    assert unquote(parts.path) == message.sender.address
    assert unsubscribing.in_subject(parse_qs(parts.query)["subject"][0]) == said


# -- every mail -------------------------------------------------------------------------------


def every_written_mail(number: int):
    """Mails as they leave: of every preset, step and tone, to people of all kinds of names."""
    names = ["Anna Weber", "Bob, Inc", "Zoë 🙂", "", "李雷", 'Max "Mo" Ott', "O'Neil-Ångström"]
    drafts = [
        (message, list(message.variants.all()))
        for preset in Campaign.Preset.values
        for message in written_pitch(preset)
    ]
    made = 0
    while made < number:
        name = names[made % len(names)]
        domain = LONG_DOMAIN if made % 5 == 0 else "example.org"
        for message, variants in drafts:
            message.message_id = f"{made:020x}{message.number:020x}@{domain}"
            message.pitch.address.value = message.to_address = f"person+{made}@{domain}"
            message.pitch.address.contact.name = name
            for variant in variants:
                variant.message = message
                words = writing.words(message, variant)
                message.subject, message.body, message.html = words
                yield message
                made += 1


def written_pitch(preset: str) -> list[Message]:
    """The written mails of a sequence, the first of them first."""
    campaign = CampaignFactory(preset=preset, sequence=presets.sequence(preset))
    pitch = PitchFactory(campaign=campaign, lead__name="Marketing Intern")
    person = CandidateFactory(
        client=campaign.client, starts_on=date(2026, 9, 1), ends_on=date(2027, 2, 28)
    )
    MatchFactory(pitch=pitch, candidate=person, campaign=campaign)
    steps = campaign.sequence.steps.filter(channel="email").exclude(template_key="")
    messages = [MessageFactory(pitch=pitch, number=step.number, step=step) for step in steps]
    writing.write(messages, now=MONDAY)
    return messages


@pytest.mark.req("LAW-1", "LAW-18", "LAW-19", "LAW-24", "S003-026")
def test_a_thousand_mails_of_every_preset_step_and_tone_carry_all_that_the_law_wants():
    seen, kinds = 0, set()
    for message in every_written_mail(1_000):
        raw = letters.build(message, now=MONDAY).as_bytes()
        check_the_way_out(message, raw)
        mail = message_from_bytes(raw, policy=policy.SMTP)
        text = mail.get_body(("plain",)).get_content()
        html = mail.get_body(("html",)).get_content()
        link = unsubscribing.link(message)
        for part in (text, html):
            assert "4 Quay Lane, Bristol" in part
            assert link in part
            assert link.removeprefix("https://") in part
        assert "Harbor & Finch" in text
        assert text.splitlines() == message.body.splitlines()
        # no pixel, no rewritten link: what is linked is what is written
        assert not re.search(r"<(img|iframe|link|script|style|object)|url\(", html)
        assert set(re.findall(r'href="([^"]+)"', html)) <= set(re.findall(r"\S+", text))
        assert (mail["From"].addresses[0].display_name, mail["Auto-Submitted"]) == (
            message.sender.name,
            None,
        )
        is_reply = str(mail["Subject"]).lower().startswith(("re:", "fw"))
        assert not is_reply or mail["In-Reply-To"]
        seen += 1
        kinds.add((message.pitch.campaign.preset, message.number, message.subject != ""))
    assert seen >= 1_000
    assert {preset for preset, _, _ in kinds} == set(Campaign.Preset.values)
    assert {number for _, number, _ in kinds} >= {0, 1, 2}


def test_an_answer_by_hand_carries_a_signature_and_no_way_out():
    """It goes on with a conversation and is nobody's bulk."""
    message = MessageFactory(number=None, subject="Re: your question", body="Gladly.")
    assert unsubscribing.headers(message) == {}
    assert "open this page" not in writing.footer(message)
    assert "4 Quay Lane, Bristol" in writing.footer(message)
    assert writing.problems(message, subject="Re: your question", body="Gladly.") == []
    assert on_the_wire(message)["List-Unsubscribe"] is None


@pytest.mark.parametrize("local", ["p", "l" * 64, "a.b+c", "o'neil", "x=y&z?"])
@pytest.mark.parametrize("host", ["https://d.example", f"https://{LONG_DOMAIN}/outreach"])
def test_links_and_ids_stay_in_one_piece_however_long_they_are(settings, local, host):
    settings.PUBLIC_URL = host
    address = f"{local}@{LONG_DOMAIN}"
    message = MessageFactory(
        to_address=address,
        pitch__address__value=address,
        pitch__address__canonical=address.lower(),
        message_id=f"{OWN_ID}@{LONG_DOMAIN}",
    )
    raw = letters.build(message, now=MONDAY).as_bytes()
    check_the_way_out(message, raw)
    assert unfolded(raw, "Message-ID") == f"<{message.message_id}>"
    assert unfolded(raw, "References") == f"<{message.message_id}>"
    assert unfolded(raw, "X-Overture-Id") == message.message_id
    assert b"=?" not in raw.split(b"\r\n\r\n")[0]


@pytest.mark.req("REL-26")
def test_the_link_is_part_of_what_is_approved_and_of_what_is_sent(desk):
    """The text that leaves is the text that was frozen, byte for byte, link included."""
    desk.match()
    desk.run()
    desk.approve_all()
    message = situations.readable(Message.objects.filter(number=0)).get()
    assert unsubscribing.link(message) in message.body
    mail = on_the_wire(message)
    text = mail.get_body(("plain",)).get_content()
    assert text.replace("\r\n", "\n") == f"{message.body}\n"
    first, second = (letters.build(message, now=MONDAY).as_bytes() for _ in range(2))
    assert unfolded(first, "List-Unsubscribe") == unfolded(second, "List-Unsubscribe")
    before = situations.fingerprints.of_message(message)
    message.body = message.body.replace("/u/", "/x/")
    assert situations.fingerprints.of_message(message) != before


# -- live -------------------------------------------------------------------------------------


def live_problems(message: Message) -> list[str]:
    found = writing.problems(message, subject="A guest", body="Hello")
    return [problem["code"] for problem in writing.blocking(found)]


@pytest.mark.req("LAW-1")
@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000", "http://desk.example.com", "https://desk", "https://[::1]"]
)
def test_live_mail_waits_while_recipients_cannot_reach_us(settings, url):
    settings.SEND_MODE, settings.PUBLIC_URL = "live", url
    message = MessageFactory(send_mode="live")
    assert live_problems(message) == ["way_out_unreachable"]
    (cause,) = situations.text_problems(message)
    assert "PUBLIC_URL" in cause
    assert "config.W033" in {found.id for found in checks.sending(None)}
    settings.SEND_MODE, message.send_mode = "capture", "capture"
    assert (live_problems(message), situations.text_problems(message)) == ([], ())


@pytest.mark.req("LAW-1")
def test_live_mail_waits_without_a_postal_address(settings):
    settings.SEND_MODE, settings.POSTAL_ADDRESS = "live", "  "
    message = MessageFactory(send_mode="live")
    message.body = unsubscribing.link(message)
    assert live_problems(message) == ["postal_address_missing"]
    assert situations.text_problems(message) == (
        "no postal address is set, and live mail must carry one",
    )


@pytest.mark.req("LAW-1")
@pytest.mark.parametrize("mode", ["live", "allowlist"])
def test_words_whose_link_leads_elsewhere_by_now_are_reviewed_again(settings, mode):
    settings.SEND_MODE = mode
    message = MessageFactory(send_mode=mode)
    message.body = f"Hello\n{unsubscribing.link(message)}"
    assert situations.text_problems(message) == ()
    settings.PUBLIC_URL = "https://moved.example.com"
    (cause,) = situations.text_problems(message)
    assert "review it again" in cause


# -- honest subjects --------------------------------------------------------------------------

PRETENDING = [
    "Re: our call", "RE : hello", "Fwd: hello", "FW: x", "AW: x", "WG: x", "Re[2]: x", "SV: x",
    "TR: x", "Antw: x", "Odp: x", "RV: x", "VB: x", "Re\uff1ahello",
]  # fmt: skip


@pytest.mark.req("LAW-24")
@pytest.mark.parametrize("subject", PRETENDING)
def test_no_subject_pretends_to_be_an_answer(subject):
    """Neither can it be approved nor, had it been, does it leave."""
    message = MessageFactory(subject=subject, body="Hello")
    found = writing.problems(message, subject=subject, body="Hello")
    assert [problem["code"] for problem in writing.blocking(found)] == ["misleading_subject"]
    assert situations.text_problems(message) == (
        "the subject says that this is an answer, and it is not one",
    )


@pytest.mark.req("LAW-24")
@pytest.mark.parametrize("subject", ["Regarding your show", "Awards", "A re: start", "Fwding"])
def test_an_honest_subject_passes(subject):
    message = MessageFactory(subject=subject, body="Hello")
    assert writing.problems(message, subject=subject, body="Hello") == []
    assert situations.text_problems(message) == ()


@pytest.mark.req("LAW-24")
def test_re_is_the_truth_in_the_thread_of_the_first_mail_and_nowhere_else():
    follow_up = written_pitch("placement")[1]
    follow_up.subject = "Re: an intern"
    assert situations.text_problems(follow_up) == ()
    assert on_the_wire(follow_up)["In-Reply-To"]
    follow_up.step.same_thread = False
    assert situations.text_problems(follow_up) != ()
    found = writing.problems(follow_up, subject="Re: an intern", body="Hello")
    assert [problem["code"] for problem in found] == ["misleading_subject"]
    assert on_the_wire(follow_up)["In-Reply-To"] is None


@pytest.mark.req("LAW-24")
def test_a_subject_that_pretends_is_held_at_the_gate(desk):
    desk.match()
    desk.run()
    desk.approve_all()
    message = situations.readable(Message.objects.filter(number=0)).get()
    message.subject = "Re: our call"
    Message.objects.filter(pk=message.pk).update(
        subject=message.subject,
        approved_sha256=situations.fingerprints.of_message(message),
        status="queued",
        send_at=MONDAY,
    )
    assert sending.send_due(now=MONDAY).sent == 0
    message.refresh_from_db()
    assert message.hold_reason == "text_blocked"


# -- list A: thirty ways to bend a header -----------------------------------------------------

LINES = [
    "Hi\r\nBcc: x@y.z",
    "Hi\rBcc: x@y.z",
    "Hi\u2028Bcc: x@y.z",
    "Hi\u0085Bcc: x@y.z",
    "Hi\x0bBcc: a\x0cBcc: b",
    "Hi\x00there",
    "=?utf-8?b?SGkKQmNjOiB4QHkueg==?=",
    "\udcff",
    "subject " * 625,
    "w" * 1_200,
    "Bob, Inc",
    '"Bob" <evil@x.test>',
    "c@d.test, evil@x.test",
    "c@d.test <e@f.test>",
    "abc\u202egnp.exe",
    "🙂🙂",
    "{{ secret }}",
    "X-A\r\nBcc",
    "\r\n.\r\nMAIL FROM:<x>",
    "a@b@c.test",
    ": : :",
    "\ttab\there",
    "=?utf-8?q?=0D=0ABcc:_x@y.z?=",
    "\\\" \\\r\n Bcc: x",
]  # fmt: skip
ADDRESSES = {
    "two": "c@d.test, evil@x.test",
    "named": "c@d.test <e@f.test>",
    "two signs": "a@b@c.test",
    "localhost": "a@localhost",
    "a machine": "a@[127.0.0.1]",
    "65 letters": f"{'l' * 65}@c.test",
    "a route": "a%b@c.test",
    "letters no server takes": "jösé@d.test",
    "a domain in letters": "a@bücher.test",
    "a line end": "a@c.test\r\nBcc: x@y.z",
    "NUL": "a\x00@c.test",
    "nothing": "",
    "no-reply": "no-reply@example.com",
    "noreply with a tag": "NoReply+1@example.com",
    "abuse": "abuse@example.com",
    "postmaster": "postmaster@example.com",
    "unsubscribe": "unsubscribe@example.com",
}


def built_or_refused(message: Message):
    """The parsed mail, or None where building it was refused; nothing else may happen."""
    try:
        raw = letters.build(message, now=MONDAY).as_bytes()
    except BuildError:
        return None
    mail = message_from_bytes(raw, policy=policy.SMTP)
    assert len(mail.keys()) == len(set(mail.keys()))
    assert set(mail.keys()) <= HEADERS
    (to,) = mail["To"].addresses
    assert to.addr_spec == message.to_address
    (sender,) = mail["From"].addresses
    assert sender.addr_spec == message.sender.address
    assert max(map(len, raw.split(b"\r\n"))) <= letters.LONGEST_LINE
    assert mail.defects == []
    return mail


@pytest.mark.req("SEC-22")
@pytest.mark.parametrize("place", ["subject", "recipient's name", "sender's name", "body"])
def test_no_words_add_a_header_or_a_recipient(place):
    message = MessageFactory(message_id=f"{OWN_ID}@example.com")
    built = 0
    for line in LINES:
        message.subject, message.body, message.html = "A guest", "Hello", ""
        message.sender.name = message.pitch.address.contact.name = "Sam"
        if place == "subject":
            message.subject = line
        elif place == "body":
            message.body, message.html = line, writing.html(line)
        elif place == "sender's name":
            message.sender.name = line
        else:
            message.pitch.address.contact.name = line
        built += built_or_refused(message) is not None
    assert built >= len(LINES) // 2


@pytest.mark.req("SEC-22")
@pytest.mark.parametrize("address", ADDRESSES.values(), ids=ADDRESSES)
def test_no_address_but_a_plain_one_is_mailed(address):
    """Cases 13 to 21 and 30: import refuses or rewrites most; here they fail for themselves."""
    message = MessageFactory(message_id=f"{OWN_ID}@example.com")
    message.to_address = message.pitch.address.value = address
    assert built_or_refused(message) is None


@pytest.mark.req("SEC-22", "LAW-6")
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("A@C.TEST", "a@c.test"),
        ("a.b+x@gmail.com", "ab@googlemail.com"),
        ("a@bücher.test", "a@xn--bcher-kva.test"),
    ],
)
def test_two_spellings_of_one_address_are_one(one, other):
    assert addresses.canonical_email(one) == addresses.canonical_email(other)


@pytest.mark.req("SEC-22")
def test_an_address_that_only_looks_alike_is_another():
    mixed = "a@\u0440\u0430ypal.com"
    with contextlib.suppress(AddressError):  # or it is refused, which is as good
        assert addresses.canonical_email(mixed) != "a@paypal.com"


@pytest.mark.req("SEC-22")
def test_names_of_headers_are_ours_alone():
    """Nothing makes a header's name from words: with every part hostile, the names stay."""
    message = MessageFactory(message_id=f"{OWN_ID}@example.com")
    message.subject = message.body = "X-A: 1"
    message.sender.name = "X-B: 2"
    assert set(built_or_refused(message).keys()) <= HEADERS
