"""Mail over SMTP to a server that refuses, hangs and drops as told (RELIABILITY 4.3)."""

from __future__ import annotations

import smtplib
from datetime import timedelta

import pytest

from pitches import (
    fingerprints,
    journal,
    outbox,
    reaping,
    sending,
    settling,
    situations,
    unsubscribing,
)
from pitches.channels import smtp
from pitches.models import Breaker, Event, Message, Pitch, Sender
from prospects import suppressions
from prospects.models import Contact
from tests.clock import MONDAY
from tests.pitches import sink as sinks
from tests.pitches.sink import ACCEPT_AND_DROP, DROP, HANG

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def server():
    sink, controller = sinks.started()
    yield sink
    controller.stop()


@pytest.fixture
def sink(server):
    server.forget()
    return server


@pytest.fixture
def live(desk, sink, settings):
    """The desk in earnest: its sender has a server, and the law's address is set."""
    settings.SEND_MODE = "live"
    settings.POSTAL_ADDRESS = "Example Placements, 1 Example Street, Exampleton"
    set_up(desk.sender, sink)
    return desk


def be_patient(settings, seconds: float) -> None:
    settings.EMAIL_CONNECT_TIMEOUT = settings.EMAIL_COMMAND_TIMEOUT = seconds
    settings.EMAIL_DATA_TIMEOUT = seconds


def set_up(sender: Sender, sink, **fields) -> None:
    fields = {
        "smtp_host": "127.0.0.1",
        "smtp_port": sink.port,
        "smtp_security": "none",
    } | fields
    Sender.objects.filter(pk=sender.pk).update(**fields)
    sender.refresh_from_db()


def queued(desk, *, number: int = 1) -> list[Message]:
    """First messages, approved and due."""
    for _ in range(number):
        desk.match()
    desk.run()
    desk.approve_all()
    outbox.carry_out(outbox.plan(outbox.first_messages(None), now=MONDAY), now=MONDAY)
    messages = list(Message.objects.filter(number=0).order_by("pk"))
    assert {message.status for message in messages} == {"queued"}
    return messages


def sent_to(message: Message) -> str:
    return message.pitch.address.value


# -- the way that works ------------------------------------------------------------------------


@pytest.mark.req("S003-072", "S003-044")
def test_an_approved_message_arrives_at_the_server_word_for_word(live, sink):
    (message,) = queued(live)
    done = sending.send_due(now=MONDAY)
    assert (done.sent, sink.connections, sink.dots) == (1, 1, 1)
    message.refresh_from_db()
    (received,) = sink.received
    assert received.sender == live.sender.address
    assert received.recipients == [sent_to(message)]
    mail = received.mail
    text = mail.get_body(("plain",)).get_content()
    assert text.splitlines() == message.body.strip().splitlines()
    assert mail["Subject"] == message.subject
    assert mail["Message-ID"] == f"<{message.message_id}>"
    assert (message.status, message.receipt) == ("sent", "250 2.0.0 taken")
    assert message.pitch.status == Pitch.Status.ACTIVE
    assert journal.outcome_of(message.message_id) == journal.ACCEPTED


def test_one_connection_carries_all_the_mail_of_a_sender(live, sink):
    queued(live, number=3)
    assert sending.send_due(now=MONDAY).sent == 3
    assert (len(sink.received), sink.connections) == (3, 1)


def test_a_login_is_made_where_a_name_is_set(live, sink):
    set_up(live.sender, sink, username="sam", password="secret")
    live.sender.password = "secret"
    live.sender.save()
    queued(live)
    assert sending.send_due(now=MONDAY).sent == 1


@pytest.mark.req("REL-17")
def test_follow_ups_wait_as_long_as_the_inbox_cannot_be_read(live, sink):
    """Over IMAP nobody reads yet: the first message leaves, what follows says why it stays."""
    (message,) = queued(live)
    sending.send_due(now=MONDAY)
    due = MONDAY + 48 * HOUR
    # the planner still believes the last read
    Sender.objects.update(inbox_read_began_at=due - 5 * MINUTE, inbox_read_at=due - 5 * MINUTE)
    done = live.follow_up(due)
    assert (done.sending.sent, done.sending.held, sink.dots) == (0, 1, 1)
    follow_up = Message.objects.get(pitch=message.pitch, number=1)
    assert (follow_up.status, follow_up.hold_reason) == ("queued", "inbox_not_read")
    assert "IMAP" in Sender.objects.get().inbox_error
    # and when that read is too old as well, the plan says it
    done = live.follow_up(due + HOUR)
    follow_up.refresh_from_db()
    assert (done.sending.sent, follow_up.hold_reason, sink.dots) == (0, "blind", 1)


# -- the way that does not ---------------------------------------------------------------------

# verb, what the server does, then: status, failure, attempts, mailbox, suppressed
REFUSALS = [
    ("EHLO", DROP, "queued", "", 0, "active", False),
    ("EHLO", HANG, "queued", "", 0, "active", False),
    ("MAIL", "451 4.3.0 later", "queued", "", 0, "active", False),
    ("MAIL", "550 5.7.1 not you", "queued", "", 0, "paused", False),
    ("MAIL", DROP, "queued", "", 0, "active", False),
    ("MAIL", HANG, "queued", "", 0, "active", False),
    ("RCPT", "421 4.3.2 closing", "queued", "", 0, "active", False),
    ("RCPT", "450 4.2.1 busy", "queued", "", 1, "active", False),
    ("RCPT", "452 4.2.2 full", "queued", "", 1, "active", False),
    ("RCPT", "550 5.1.1 nobody here", "failed", "hard", 0, "active", True),
    ("RCPT", "553 5.1.3 bad address", "failed", "hard", 0, "active", True),
    ("RCPT", "550 5.7.1 blocked", "failed", "policy", 0, "active", False),
    ("RCPT", "550 5.7.26 no SPF, no DKIM", "queued", "", 0, "paused", False),
    ("RCPT", DROP, "queued", "", 0, "active", False),
    ("RCPT", HANG, "queued", "", 0, "active", False),
    ("DATA", "451 4.3.0 later", "queued", "", 1, "active", False),
    ("DATA", "554 5.3.4 too much", "failed", "policy", 0, "active", False),
    ("DATA", DROP, "queued", "", 0, "active", False),
    ("DATA", HANG, "queued", "", 0, "active", False),
    ("DOT", "451 4.7.0 greylisted", "queued", "", 1, "active", False),
    ("DOT", "421 4.3.2 closing", "queued", "", 0, "active", False),
    ("DOT", "550 5.1.1 nobody here", "failed", "hard", 0, "active", True),
    ("DOT", "554 5.7.1 spam", "failed", "policy", 0, "active", False),
    ("DOT", "550 5.7.515 no DMARC", "queued", "", 0, "paused", False),
    ("DOT", DROP, "unknown", "", 0, "active", False),
    ("DOT", HANG, "unknown", "", 0, "active", False),
    ("DOT", ACCEPT_AND_DROP, "unknown", "", 0, "active", False),
    ("DOT", "banana", "unknown", "", 0, "active", False),
]


@pytest.mark.req("REL-6", "REL-11", "S003-070")
def test_every_refusal_has_the_consequence_it_must_have(live, sink, settings):
    """One message per case; each case begins with a mailbox that works."""
    messages = queued(live, number=len(REFUSALS))
    for message, (verb, answer, *_) in zip(messages, REFUSALS, strict=True):
        sink.answers = {verb: answer}
        be_patient(settings, 0.2 if answer == HANG else 10)
        sending.send_due(now=MONDAY, only=[message.pk])
        is_paused = Breaker.objects.filter(cause="login_or_dns", level="pause").exists()
        message.mailbox = "paused" if is_paused else "active"
        Breaker.objects.all().delete()
        Event.objects.all().delete()
        # a fault of the mailbox lets all of it rest; here each case is to be tried at once
        Message.objects.filter(pk__gt=message.pk, status="queued").update(send_at=MONDAY)
    seen = []
    for message, (verb, answer, *_) in zip(messages, REFUSALS, strict=True):
        message.refresh_from_db()
        blocked = bool(suppressions.suppressed([sent_to(message)]))
        found = (message.status, message.failure, message.attempts, message.mailbox, blocked)
        seen.append((verb, answer, *found))
        # nothing but what may have arrived takes a slot, and nobody holds what is settled
        assert (message.counted_at is not None) == (message.status == "unknown"), message
        assert message.lease_owner is None
        assert message.sent_at is None
    assert seen == REFUSALS


@pytest.mark.req("REL-6")
@pytest.mark.parametrize("answer", [DROP, ACCEPT_AND_DROP])
def test_what_may_have_arrived_is_not_sent_again_however_often_one_tries(live, sink, answer):
    (message,) = queued(live)
    sink.answers = {"DOT": answer}
    assert sending.send_due(now=MONDAY).unknown == 1
    sink.answers = {}
    for hours in (1, 50, 200):
        live.run(MONDAY + hours * HOUR)
        live.follow_up(MONDAY + hours * HOUR)
        reaping.reap(now=MONDAY + hours * HOUR)
        sending.send_due(now=MONDAY + hours * HOUR)
    message.refresh_from_db()
    assert (message.status, sink.dots) == ("unknown", 1)


@pytest.mark.req("REL-12")
def test_waits_grow_by_a_third_and_end_after_twelve_tries(live, sink):
    (message,) = queued(live)
    sink.answers = {"RCPT": "450 4.2.1 busy"}
    now, waits = MONDAY, []
    for _ in range(12):
        sending.send_due(now=now)
        message.refresh_from_db()
        if message.status != "queued":
            break
        waits.append((message.send_at - now) / (5 * MINUTE))
        # the window closes at night; the server's wish is what counts here
        Message.objects.update(send_at=MONDAY, not_before=None)
        now = MONDAY
    assert len(waits) == 11
    for attempt, wait in enumerate(waits):
        assert 0.9 * 1.3**attempt <= wait <= 1.1 * 1.3**attempt
    assert (message.status, message.attempts) == ("expired", 12)
    assert message.counted_at is None


@pytest.mark.req("REL-12")
def test_the_wait_differs_from_message_to_message_and_never_for_one():
    waits = [settling.retry_delay(1, f"{n}@example.com") for n in range(200)]
    assert waits == [settling.retry_delay(1, f"{n}@example.com") for n in range(200)]
    assert len(set(waits)) > 150
    assert all(timedelta(minutes=4.5) <= wait <= timedelta(minutes=5.5) for wait in waits)


@pytest.mark.req("REL-11")
def test_a_relay_that_is_down_costs_no_message_an_attempt(live, sink):
    messages = queued(live, number=5)
    set_up(live.sender, sink, smtp_port=1)  # nobody listens there
    for n in range(7):
        sending.send_due(now=MONDAY + n * 10 * MINUTE)
    assert not Message.objects.filter(number=0).exclude(status="queued", attempts=0).exists()
    set_up(live.sender, sink)
    assert sending.send_due(now=MONDAY + 2 * HOUR).sent == len(messages)
    assert {received.recipients[0] for received in sink.received} == {
        sent_to(message) for message in messages
    }


@pytest.mark.parametrize(
    ("answer", "status"), [("535 5.7.8 wrong", "paused"), ("454 4.7.0 not now", "active")]
)
def test_a_refused_login_pauses_the_mailbox_and_spares_the_message(live, sink, answer, status):
    set_up(live.sender, sink, username="sam")
    (message,) = queued(live)
    sink.answers = {"AUTH": answer}
    sending.send_due(now=MONDAY)
    message.refresh_from_db()
    is_paused = Breaker.objects.filter(cause="login_or_dns", level="pause").exists()
    assert (message.status, message.attempts) == ("queued", 0)
    assert is_paused == (status == "paused")
    assert "login" in message.last_error


def test_a_server_elsewhere_is_never_spoken_to_in_clear(live, sink):
    queued(live)
    set_up(live.sender, sink, smtp_host="mail.example.com")
    sending.send_due(now=MONDAY)
    (pause,) = Breaker.objects.all()
    assert (pause.sender, pause.level, sink.connections) == (live.sender, "pause", 0)
    assert "encrypted" in pause.reason


def test_a_server_without_starttls_gets_nothing(live, sink):
    (message,) = queued(live)
    set_up(live.sender, sink, smtp_security="starttls")
    sending.send_due(now=MONDAY)
    message.refresh_from_db()
    assert (message.status, sink.received) == ("queued", [])


def test_after_a_refusal_the_next_message_gets_a_clean_connection(live, sink):
    first, second = queued(live, number=2)
    sink.answers = {"RCPT": "550 5.1.1 nobody"}
    sending.send_due(now=MONDAY, only=[first.pk])
    sink.answers = {}
    assert sending.send_due(now=MONDAY).sent == 1
    assert [r.recipients for r in sink.received] == [[sent_to(second)]]


# -- words that want to be commands ------------------------------------------------------------

HOSTILE_BODIES = [
    ".\r\nMAIL FROM:<evil@example.com>\r\nRCPT TO:<x@example.com>\r\nDATA\r\nhello\r\n.\r\n",
    "first\r.\rsecond\n.\nthird",
    ".leading\n..twice\n...\nlast line ends here.",
    "word " + "x" * 1200 + " word",
    "grüße an alle, \U0001f642 und 中文",
    "",
]


def test_whatever_a_body_says_it_is_one_mail_with_these_words(live, sink):
    """Dots, lone CR and LF, very long words (cases 10 and 29), and all of it in seven bits."""
    messages = queued(live, number=len(HOSTILE_BODIES))
    for message, body in zip(messages, HOSTILE_BODIES, strict=True):
        message.body, message.html = f"{unsubscribing.link(message)}\n{body}", ""
        _freeze(message)
    assert sending.send_due(now=MONDAY).sent == len(messages)
    assert (len(sink.received), sink.connections) == (len(messages), 1)
    by_recipient = {r.recipients[0]: r for r in sink.received}
    for message in messages:
        received = by_recipient[sent_to(message)]
        text = received.mail.get_body(("plain",)).get_content()
        assert text.splitlines() == message.body.splitlines()
        assert received.raw.isascii()
        assert max(map(len, received.raw.split(b"\r\n"))) <= 998
        assert b"\n" not in received.raw.replace(b"\r\n", b"")


def test_dots_are_doubled_on_the_wire_and_lone_line_ends_made_whole():
    assert smtp._dotted(b".a\r\n..\r\n") == b"..a\r\n...\r\n.\r\n"
    assert smtp._dotted(b"a\rb\nc") == b"a\r\nb\r\nc\r\n.\r\n"
    assert smtp._dotted(b"") == b".\r\n"
    assert smtplib.bCRLF == b"\r\n"


def _freeze(message: Message) -> None:
    """As if these words had been approved."""
    fresh = situations.readable(Message.objects.filter(pk=message.pk)).get()
    fresh.subject, fresh.body, fresh.html = message.subject, message.body, message.html
    Message.objects.filter(pk=message.pk).update(
        subject=fresh.subject,
        body=fresh.body,
        html=fresh.html,
        approved_sha256=fingerprints.of_message(fresh),
    )


# list A of RELIABILITY 10: subjects and names that must not bend a header
HOSTILE_LINES = [
    "Hi\r\nBcc: evil@example.com",
    "Hi\rBcc: evil@example.com",
    "Hi\u2028Bcc: evil@example.com",
    "Hi\u0085Bcc: evil@example.com",
    "Hi\x0bBcc: a@example.com\x0cBcc: b@example.com",
    "=?utf-8?b?SGkKQmNjOiB4QHkueg==?=",
    "x" * 300,
    "ü" * 300,
    "Bob, Inc",
    '"Bob" <evil@example.com>',
    "evil@example.com, other@example.com",
    "\u202egnp.exe",
    "\U0001f642",
    "{{ secret }}",
    "a\\",
    "Müller; (comment) <>",
]
HEADERS = {
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "References",
    "X-Overture-Id",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
}


@pytest.mark.req("SEC-22")
@pytest.mark.parametrize("place", ["subject", "name"])
def test_no_subject_and_no_name_adds_a_header_or_a_recipient(live, sink, place):
    """Either the mail is built with exactly one To and nothing extra, or that one fails."""
    good, *messages = queued(live, number=len(HOSTILE_LINES) + 1)
    for message, line in zip(messages, HOSTILE_LINES, strict=True):
        if place == "subject":
            message.subject = line
            _freeze(message)
        else:
            contact = message.pitch.address.contact_id
            Contact.objects.filter(pk=contact).update(name=line[:200])
    done = sending.send_due(now=MONDAY)
    assert done.sent + done.failed == len(messages) + 1
    assert done.sent >= 10
    rows = {message.message_id: message for message in Message.objects.filter(number=0)}
    assert rows[good.message_id].status == "sent"
    for row in rows.values():
        assert (row.status, row.failure) in {("sent", ""), ("failed", "build")}
    for received in sink.received:
        mail = received.mail
        row = rows[str(mail["Message-ID"]).strip("<>")]
        assert set(mail.keys()) <= HEADERS
        assert len(mail.keys()) == len(set(mail.keys()))
        assert received.recipients == [row.to_address]
        (to,) = mail["To"].addresses
        assert to.addr_spec == row.to_address
        (sender,) = mail["From"].addresses
        assert sender.addr_spec == live.sender.address


def test_one_refused_in_a_batch_fails_alone_and_the_rest_goes_out_once(live, sink):
    """Scar 8: one 554, and the whole batch goes out again and again."""
    messages = queued(live, number=3)
    sink.answers["DOT"] = "554 5.7.1 no"
    sink.on_dot = sink.answers.clear
    for minutes in (0, 10, 60):
        sending.send_due(now=MONDAY + minutes * MINUTE)
    statuses = [Message.objects.get(pk=message.pk).status for message in messages]
    assert sorted(statuses) == ["failed", "sent", "sent"]
    assert (sink.dots, len(sink.received)) == (3, 2)


@pytest.mark.req("SEC-22")
@pytest.mark.parametrize("address", ["jösé@example.com", "a\r\nRCPT TO:<b@example.com>", "a b"])
def test_an_address_no_server_could_take_fails_alone(live, sink, address):
    bad, good = queued(live, number=2)
    bad.pitch.address.value = bad.to_address = address
    bad.pitch.address.save()
    Message.objects.filter(pk=bad.pk).update(to_address=address)
    _freeze(bad)
    done = sending.send_due(now=MONDAY)
    assert (done.sent, done.failed) == (1, 1)
    bad.refresh_from_db()
    assert (bad.status, bad.failure) == ("failed", "build")
    assert [r.recipients for r in sink.received] == [[sent_to(good)]]
