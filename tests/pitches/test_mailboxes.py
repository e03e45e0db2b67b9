"""Mailboxes over IMAP: read by UID, in order, whole, and never changed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from datetime import timedelta

import pytest

from pitches import inbox, mailboxes
from pitches.inbox import reading
from pitches.mailboxes import Mailbox, MailboxUnavailable
from pitches.models import IncomingMessage, ReviewTask, Sender
from tests.clock import MONDAY
from tests.factories import MessageFactory
from tests.pitches.conftest import read_from

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


def mail(number: int, **headers) -> bytes:
    """A mail nobody can confuse with another."""
    named = {
        "From": f"Paula Partner <paula{number}@example.org>",
        "To": "sam@example.com",
        "Subject": f"Mail {number}",
        "Message-ID": f"<mail-{number}@example.org>",
    } | {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{name}: {value}" for name, value in named.items()]
    return "\n".join([*lines, "", f"These are the words of mail {number}.", ""]).encode()


def subjects() -> list[str]:
    return list(IncomingMessage.objects.order_by("uid").values_list("subject", flat=True))


def fresh(sender: Sender) -> Sender:
    return Sender.objects.get(pk=sender.pk)


# -- the way that works ------------------------------------------------------------------------


def test_everything_in_the_inbox_is_stored_once_in_order_and_left_unread(hearing, mailbox):
    for number in range(1, 6):
        mailbox.put(mail(number))
    found = inbox.read(hearing.sender, now=MONDAY)
    assert (found.stored, subjects()) == (5, [f"Mail {n}" for n in range(1, 6)])
    sender = fresh(hearing.sender)
    assert (sender.inbox_mark, sender.inbox_read_began_at) == (5, MONDAY)
    # nobody's flags were touched: a mail that was seen has an S behind its name
    assert not [path for path in mailbox.files() if "S" in path.name.partition(":2,")[2]]
    # the last mail is answered by every search for n:*, and counts once
    assert inbox.read(hearing.sender, now=MONDAY + MINUTE).stored == 0
    mailbox.put(mail(6))
    assert inbox.read(hearing.sender, now=MONDAY + 2 * MINUTE).stored == 1


@pytest.mark.parametrize("security", ["tls", "starttls", "none"])
def test_a_mailbox_is_read_over_every_kind_of_connection(
    hearing, mailbox, security, monkeypatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(mailbox.root / "cert.pem"))
    port = mailbox.tls_port if security == "tls" else mailbox.port
    read_from(hearing.sender, mailbox, imap_security=security, imap_port=port)
    mailbox.put(mail(1))
    assert inbox.read(hearing.sender, now=MONDAY).stored == 1
    assert "holds 1 mails; sent mail lies in “Sent”" in mailboxes.check(hearing.sender)


def test_a_certificate_nobody_vouches_for_is_not_believed(hearing, mailbox):
    read_from(hearing.sender, mailbox, imap_security="tls", imap_port=mailbox.tls_port)
    with pytest.raises(inbox.InboxUnavailable, match="certificate"):
        inbox.read(hearing.sender, now=MONDAY)


def test_a_mailbox_elsewhere_is_never_read_in_clear(hearing, mailbox):
    read_from(hearing.sender, mailbox, imap_host="imap.example.com")
    with pytest.raises(inbox.InboxUnavailable, match="read encrypted"):
        inbox.read(hearing.sender, now=MONDAY)


def test_a_wrong_password_is_told_without_it(hearing, mailbox, caplog):
    read_from(hearing.sender, mailbox, password="hunter2-hunter2")
    with pytest.raises(inbox.InboxUnavailable, match="login was refused") as refused:
        inbox.read(hearing.sender, now=MONDAY)
    sender = fresh(hearing.sender)
    assert "login was refused" in sender.inbox_error
    assert sender.inbox_read_began_at is None
    assert "hunter2" not in f"{refused.value}{sender.inbox_error}{caplog.text}"


def test_a_sender_without_an_imap_server_says_so(hearing):
    Sender.objects.update(imap_host="")
    hearing.sender.refresh_from_db()
    with pytest.raises(inbox.InboxUnavailable, match="no IMAP server is set"):
        inbox.read(hearing.sender, now=MONDAY)


# -- the mark ----------------------------------------------------------------------------------


def test_a_new_numbering_is_read_from_its_beginning_and_counts_nothing_twice(hearing, mailbox):
    """Scar 3: the meaning of the mark changes; a reply is lost."""
    for number in range(1, 4):
        mailbox.put(mail(number))
    inbox.read(hearing.sender, now=MONDAY)
    before = fresh(hearing.sender).inbox_uid_validity
    mailbox.number_anew()
    mailbox.put(mail(4))
    # as after a restore: the server numbers from 1 again, and rewrote a header of one
    (first, *_) = mailbox.files()
    first.write_bytes(b"X-Restored: yes\n" + first.read_bytes())
    inbox.read(hearing.sender, now=MONDAY + MINUTE)
    sender = fresh(hearing.sender)
    assert sender.inbox_uid_validity != before
    assert sorted(subjects()) == [f"Mail {n}" for n in range(1, 5)]
    assert sender.inbox_mark == 4


def test_a_number_that_is_given_twice_costs_no_mail(desk):
    """A server that came back from a backup numbers on from there, under the same validity."""
    result = inbox.Read()
    for name in ("the first", "another"):
        raw = f"From: paula@example.com\r\nSubject: {name}\r\n\r\nYes, {name}.\r\n".encode()
        for _ in range(2):  # the second time it is known
            inbox.take_in(desk.sender, 7, raw, result, now=MONDAY, validity=1)
    assert (result.stored, sorted(subjects())) == (2, ["another", "the first"])


def test_a_numbering_of_another_mailbox_never_counts_for_this_one(hearing, mailbox):
    """After a rehearsal the mark is that of captured mail, far above every UID."""
    Sender.objects.filter(pk=hearing.sender.pk).update(
        inbox_uid_validity=0, inbox_mark=1_795_000_000_000_000
    )
    mailbox.put(mail(1))
    assert inbox.read(hearing.sender, now=MONDAY).stored == 1
    assert fresh(hearing.sender).inbox_mark == 1


def test_what_is_deleted_between_two_reads_keeps_nobody_from_reading_on(hearing, mailbox):
    for number in range(1, 4):
        mailbox.put(mail(number))
    inbox.read(hearing.sender, now=MONDAY)
    for path in mailbox.files():
        path.unlink()
    mailbox.put(mail(4))
    inbox.read(hearing.sender, now=MONDAY + MINUTE)
    assert subjects() == ["Mail 1", "Mail 2", "Mail 3", "Mail 4"]


def test_what_arrives_while_we_read_is_there_at_the_next_read(hearing, mailbox, monkeypatch):
    for number in range(1, 4):
        mailbox.put(mail(number))
    real, late = reading.take_in, iter([4, 5])

    def takes_in(*args, **options):
        real(*args, **options)
        if number := next(late, None):
            mailbox.put(mail(number))

    monkeypatch.setattr(reading, "take_in", takes_in)
    inbox.read(hearing.sender, now=MONDAY)
    inbox.read(hearing.sender, now=MONDAY + MINUTE)
    assert subjects() == [f"Mail {n}" for n in range(1, 6)]


def test_a_server_that_dies_in_the_middle_costs_nothing(hearing, mailbox, monkeypatch):
    """Scar 6: the mark stands at what was stored, and at nothing else."""
    monkeypatch.setattr("pitches.mailboxes.reading.TEXTS_AT_ONCE", 1)
    for number in range(1, 8):
        mailbox.put(mail(number))
    real, taken = reading.take_in, []

    def takes_in(sender, uid, *args, **options):
        real(sender, uid, *args, **options)
        taken.append(uid)
        if len(taken) == 3:
            mailbox.stop(signal.SIGKILL)

    monkeypatch.setattr(reading, "take_in", takes_in)
    with pytest.raises(inbox.InboxUnavailable):
        inbox.read(hearing.sender, now=MONDAY)
    sender = fresh(hearing.sender)
    stored = IncomingMessage.objects.count()
    assert 3 <= stored < 7
    assert sender.inbox_mark == stored
    assert sender.inbox_read_began_at is None
    assert sender.inbox_error
    monkeypatch.setattr(reading, "take_in", real)
    mailbox.start()
    inbox.read(hearing.sender, now=MONDAY + MINUTE)
    assert subjects() == [f"Mail {n}" for n in range(1, 8)]
    assert fresh(hearing.sender).inbox_error == ""


def test_a_crash_while_storing_leaves_the_mark_before_what_was_not_stored(
    hearing, mailbox, monkeypatch
):
    for number in range(1, 5):
        mailbox.put(mail(number))
    real = inbox.acting.act_on

    def fails_at_the_third(incoming, **options):
        if incoming.subject == "Mail 3":
            raise KeyboardInterrupt
        real(incoming, **options)

    monkeypatch.setattr(inbox.acting, "act_on", fails_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        inbox.read(hearing.sender, now=MONDAY)
    assert (subjects(), fresh(hearing.sender).inbox_mark) == (["Mail 1", "Mail 2"], 2)


# -- large, hostile, slow ----------------------------------------------------------------------


def test_a_mail_of_ten_megabytes_is_kept_by_its_head(hearing, mailbox):
    line = b"These words go on and on, and nobody reads them to their end.\n"
    mailbox.put(mail(1) + line * 170_000)
    mailbox.put(mail(2))
    inbox.read(hearing.sender, now=MONDAY)
    large, small = IncomingMessage.objects.order_by("uid")
    assert len(large.raw) == mailboxes.MOST_BYTES
    assert large.text.startswith("These are the words of mail 1.")
    assert small.subject == "Mail 2"


@contextlib.contextmanager
def server_that(answers):
    """A socket whose every connection is given to ``answers``."""
    listening = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()

    def serve():
        with contextlib.suppress(OSError):
            while True:
                line, _ = listening.accept()
                threading.Thread(target=answers, args=(line, done), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listening.getsockname()[1]
    finally:
        done.set()
        listening.close()


def hang_after(verb: str):
    """An IMAP server that is well until it hears this verb, and then says nothing more."""

    def answers(line, done):
        with contextlib.suppress(OSError), line, line.makefile("rb") as commands:
            if verb == "greeting":
                done.wait(10)
                return
            line.sendall(b"* OK ready\r\n")
            for command in commands:
                tag, word = command.split()[:2]
                if word.decode().upper() == verb:
                    done.wait(10)
                    return
                if word == b"CAPABILITY":
                    line.sendall(b"* CAPABILITY IMAP4rev1\r\n")
                if word == b"EXAMINE":
                    line.sendall(b"* 3 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n")
                line.sendall(tag + b" OK done\r\n")

    return answers


@pytest.mark.parametrize("verb", ["greeting", "CAPABILITY", "LOGIN", "EXAMINE", "UID"])
def test_a_server_that_hangs_at_any_verb_is_given_up(hearing, settings, verb):
    settings.IMAP_TIMEOUT = 0.2
    with server_that(hang_after(verb)) as port:
        Sender.objects.update(imap_port=port)
        hearing.sender.refresh_from_db()
        with pytest.raises(inbox.InboxUnavailable, match=r"no answer within 0\.2 s"):
            inbox.read(hearing.sender, now=MONDAY)
    assert fresh(hearing.sender).inbox_read_began_at is None


def test_a_server_that_sends_a_byte_now_and_then_is_given_up(hearing, settings):
    settings.IMAP_TIMEOUT, settings.IMAP_TOTAL_TIMEOUT = 5, 0.5

    def drips(line, done):
        with contextlib.suppress(OSError), line:
            line.sendall(b"* OK ready\r\n")
            while not done.wait(0.05):
                line.sendall(b"x")

    with server_that(drips) as port:
        read_from(hearing.sender, type("S", (), {"port": port}))
        with pytest.raises(inbox.InboxUnavailable):
            inbox.read(hearing.sender, now=MONDAY)


# -- what cannot be had ------------------------------------------------------------------------


@pytest.fixture
def withheld(hearing, mailbox, monkeypatch):
    """Three mails, of which the server does not give the second."""
    for number in range(1, 4):
        mailbox.put(mail(number))
    real = Mailbox._fetch
    kept = {"part": "BODY.PEEK[]"}

    def fetches(self, uids, part):
        found = real(self, uids, part)
        if part.startswith(kept["part"]):
            found.pop(2, None)
        return found

    monkeypatch.setattr(Mailbox, "_fetch", fetches)
    return kept


def read_and_fail(sender, now) -> None:
    with pytest.raises(inbox.InboxUnavailable, match="mail 2 cannot be fetched"):
        inbox.read(sender, now=now)


def test_a_mail_that_cannot_be_fetched_is_never_stepped_over_silently(hearing, withheld):
    """Scar 4: the mark waits before it; then a row keeps its place, and a person is asked."""
    sender = hearing.sender
    for minute in range(10):
        read_and_fail(sender, MONDAY + minute * MINUTE)
        assert fresh(sender).inbox_mark == 1
    assert subjects() == ["Mail 1"]
    read_and_fail(sender, MONDAY + 10 * MINUTE)
    # its headers could be had: whose it is is known, and what it says is to be read there
    kept = IncomingMessage.objects.get(uid=2)
    assert kept.subject == "Mail 2"
    assert "Read it in the mailbox" in kept.text
    assert ReviewTask.objects.get(incoming=kept).is_open
    assert inbox.read(sender, now=MONDAY + 11 * MINUTE).stored == 1
    assert subjects() == ["Mail 1", "Mail 2", "Mail 3"]
    assert fresh(sender).inbox_stuck_uid is None


def test_of_a_mail_without_even_headers_a_row_remains(hearing, withheld):
    withheld["part"] = "BODY.PEEK["
    for minute in range(11):
        read_and_fail(hearing.sender, MONDAY + minute * MINUTE)
    kept = IncomingMessage.objects.get(uid=2)
    assert (kept.pitch, kept.kind) == (None, "human_reply")
    assert "could not be fetched" in kept.subject
    assert ReviewTask.objects.get(incoming=kept).is_open


def test_a_mail_that_comes_at_last_is_read_as_if_nothing_had_been(hearing, withheld):
    read_and_fail(hearing.sender, MONDAY)
    withheld["part"] = "nothing"
    assert inbox.read(hearing.sender, now=MONDAY + MINUTE).stored == 2
    assert subjects() == ["Mail 1", "Mail 2", "Mail 3"]
    assert fresh(hearing.sender).inbox_stuck_reads == 0


# -- beside the inbox --------------------------------------------------------------------------


def test_an_answer_that_was_taken_for_spam_is_found(hearing, mailbox):
    domain = hearing.sender.address.rpartition("@")[2]
    sent = MessageFactory(
        status="sent",
        sender=hearing.sender,
        message_id=f"abc@{domain}",
        pitch__send_mode="live",
    )
    mailbox.put(mail(1, In_Reply_To=f"<{sent.message_id}>"), folder="Spam")
    mailbox.put(mail(2), folder="Spam")
    for minute in range(2):
        inbox.read(hearing.sender, now=MONDAY + minute * MINUTE)
    assert subjects() == ["Mail 1"]
    assert IncomingMessage.objects.get().pitch == sent.pitch
    assert fresh(hearing.sender).inbox_mark == 0


def test_what_lies_in_the_sent_folder_is_found_by_its_id(hearing, mailbox):
    mailbox.put(mail(1), folder="Sent")
    find = mailboxes.find_sent
    assert find(hearing.sender, "mail-1@example.org") is True
    assert find(hearing.sender, "<mail-2@example.org>") is False
    assert find(hearing.sender, 'x" OR ALL') is None
    Sender.objects.update(sent_folder="Nowhere")
    assert find(fresh(hearing.sender), "mail-1@example.org") is None
    Sender.objects.update(imap_host="")
    assert find(fresh(hearing.sender), "mail-1@example.org") is None


def test_a_large_mailbox_is_not_read_from_its_beginning_the_first_time(
    hearing, mailbox, monkeypatch
):
    monkeypatch.setattr("pitches.mailboxes.reading.MOST_AT_FIRST", 2)
    old = mailbox.put(mail(1))
    year_ago = (hearing.sender.created_at - timedelta(days=365)).timestamp()
    os.utime(old, (year_ago, year_ago))
    for number in (2, 3):
        mailbox.put(mail(number))
    inbox.read(hearing.sender, now=MONDAY)
    assert subjects() == ["Mail 2", "Mail 3"]


def test_what_would_be_read_is_shown_without_storing_it(hearing, mailbox):
    mailbox.put(mail(1))
    seen = inbox.preview(hearing.sender)
    assert (seen.waiting, seen.lines) == (1, ["paula1@example.org: Mail 1"])
    assert not IncomingMessage.objects.exists()
    assert fresh(hearing.sender).inbox_uid_validity is None


def test_an_unavailable_mailbox_shows_no_password(hearing):
    Sender.objects.update(imap_port=1)
    with pytest.raises(MailboxUnavailable, match="no connection") as error:
        mailboxes.check(fresh(hearing.sender))
    assert "correct horse" not in str(error.value)
