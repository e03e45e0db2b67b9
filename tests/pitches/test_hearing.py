"""Answers that stop, absences that move, bounces that end: what follows from mail (REL-16 to
REL-18, LAW-19, LAW-20).
"""

from __future__ import annotations

import re
import smtplib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from io import StringIO

import pytest
import responses
from django.core.management import CommandError, call_command
from django.db import transaction
from django.urls import reverse

from pitches import (
    connections,
    fingerprints,
    inbox,
    journal,
    rules,
    sending,
    situations,
    tokens,
    unsubscribing,
)
from pitches.channels import Receipt, smtp
from pitches.channels.smtp import SmtpChannel
from pitches.inbox import absences
from pitches.models import (
    FollowUpTask,
    IncomingMessage,
    Message,
    Pitch,
    ReviewTask,
    Sender,
    Stop,
)
from prospects import suppressions
from prospects.models import ContactAddress
from tests.clock import MONDAY
from tests.factories import (
    ContactAddressFactory,
    MessageFactory,
    PitchFactory,
    SenderFactory,
    reachable_lead,
)

pytestmark = pytest.mark.django_db

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def known_free_mail(settings):
    settings.FREEMAIL_DOMAINS = ["freemail.example.com"]


def first(pitch: Pitch) -> Message:
    return pitch.messages.get(number=0)


def mail(text: str = "Please call me.", **headers) -> bytes:
    """A mail to the sender; ``None`` leaves a header out."""
    named = {
        "From": "Paula Partner <paula@example.org>",
        "To": "sam@example.com",
        "Subject": "Hello",
        "Date": "Mon, 01 Jun 2026 12:00:00 +0000",
    } | {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{name}: {value}" for name, value in named.items() if value]
    return "\r\n".join([*lines, "", text, ""]).encode()


def arrives(
    desk, raw: bytes, *, now=MONDAY + HOUR, uid: int = 1, sender=None
) -> IncomingMessage:
    inbox.take_in(sender or desk.sender, uid, raw, inbox.Read(), now=now)
    return IncomingMessage.objects.latest("pk")


def steps(pitch: Pitch) -> list[tuple[int, datetime]]:
    tasks = FollowUpTask.objects.filter(FollowUpTask.is_open(), pitch=pitch)
    return list(tasks.order_by("step__number").values_list("step__number", "due_at"))


# -- whose it is: sixty mails ------------------------------------------------------------------


@dataclass
class Talk:
    """What one fixture is made of: two pitches of this desk, and people around them."""

    desk: object
    ours: Pitch
    other: Pitch

    @property
    def paula(self) -> str:
        return self.ours.address.value

    @property
    def id(self) -> str:
        return first(self.ours).message_id

    @property
    def subject(self) -> str:
        return first(self.ours).subject


@pytest.fixture
def talk(desk):
    ours, other = desk.sent_pitch(), desk.sent_pitch()
    for pitch, name in ((ours, "Paula Okonkwo"), (other, "Olga Lindqvist")):
        domain = pitch.lead.organization.domain
        ContactAddress.objects.filter(pk=pitch.address_id).update(
            value=f"{name.split()[0].lower()}@{domain}",
            canonical=f"{name.split()[0].lower()}@{domain}",
        )
        type(pitch.address.contact).objects.filter(pk=pitch.address.contact_id).update(
            name=name
        )
        pitch.messages.update(to_address=f"{name.split()[0].lower()}@{domain}")
    Message.objects.filter(pk=first(ours).pk).update(
        subject="Three interns for your finance team"
    )
    Message.objects.filter(pk=first(other).pk).update(subject="A chemist for your laboratory")
    # approved as they now stand
    for row in situations.readable(Message.objects.all()):
        Message.objects.filter(pk=row.pk).update(approved_sha256=fingerprints.of_message(row))
    return Talk(desk, Pitch.objects.get(pk=ours.pk), Pitch.objects.get(pk=other.pk))


def forwarded(t: Talk, inner_headers: str) -> bytes:
    return (
        f"From: Boss <boss@elsewhere.example.net>\r\nTo: sam@example.com\r\n"
        f"Subject: Fwd: see below\r\nMIME-Version: 1.0\r\n"
        f'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
        f"--b\r\nContent-Type: text/plain\r\n\r\nPlease take this over.\r\n"
        f"--b\r\nContent-Type: message/rfc822\r\n\r\n{inner_headers}\r\n\r\nHello\r\n--b--\r\n"
    ).encode()


def by_ids(t: Talk):
    """Named by an id of ours, wherever it stands and whoever writes."""
    who = ["paula@example.org", t.paula, "assistant@elsewhere.example.net", "p@gmail.com"]
    for number, address in enumerate(who):
        sender = f"P <{address}>"
        yield f"In-Reply-To {number}", mail(From=sender, In_Reply_To=f"<{t.id}>")
        yield f"References {number}", mail(From=sender, References=f"<x@y.test> <{t.id}>")
        yield f"echo {number}", mail(From=sender, X_Overture_Id=t.id)
        yield (
            f"changed subject {number}",
            mail(From=sender, In_Reply_To=f"<{t.id}>", Subject="Something quite different"),
        )
    yield "ids without a space", mail(References=f"<a@b.test><{t.id}>")
    yield "folded references", mail(References=f"<a@b.test>\r\n <{t.id}>")
    yield "an unknown id before", mail(In_Reply_To="<a@b.test>", References=f"<{t.id}>")
    yield (
        "both threads named, one answered",
        mail(In_Reply_To=f"<{t.id}>", References=f"<{first(t.other).message_id}> <{t.id}>"),
    )
    yield "forwarded whole", forwarded(t, f"From: sam@example.com\r\nMessage-ID: <{t.id}>")
    yield (
        "a forwarded answer",
        forwarded(t, f"From: {t.paula}\r\nMessage-ID: <q@w.test>\r\nIn-Reply-To: <{t.id}>"),
    )


def by_writer(t: Talk):
    """From an address of the person, with no id at all."""
    contact = t.ours.address.contact
    other = ContactAddressFactory(contact=contact, value="paula.private@freemail.example.com")
    tag = t.paula.replace("@", "+news@")
    for number, address in enumerate([t.paula, t.paula.upper(), tag, other.value]):
        yield f"new thread {number}", mail(From=f"Paula <{address}>")
        yield f"Re {number}", mail(From=f"Paula <{address}>", Subject=f"Re: {t.subject}")
        yield f"no subject {number}", mail(From=address, Subject=None)
        yield (
            f"AW [EXTERNAL] {number}",
            mail(From=address, Subject=f"AW: [EXTERNAL] RE: {t.subject}"),
        )
    yield "a foreign thread", mail(From=t.paula, In_Reply_To="<their@own.test>")
    yield (
        "a subject of another pitch",
        mail(From=t.paula, Subject="A chemist for your laboratory"),
    )


def by_guess(t: Talk):
    """A colleague, an assistant, an alias: a guess that holds and asks."""
    domain = t.paula.partition("@")[2]
    quoted = f"On Monday sam wrote to Paula Okonkwo <{t.paula}>:\r\n> three interns"
    for number, colleague in enumerate([f"office@{domain}", f"karl@{domain}"]):
        yield f"colleague, Re {number}", mail(From=colleague, Subject=f"Re: {t.subject}")
        yield f"colleague, Fwd {number}", mail(From=colleague, Subject=f"FW: {t.subject}")
        yield (
            f"colleague, quoting {number}",
            mail(f"I answer for her.\r\n\r\n{quoted}", From=colleague, Subject="Interns"),
        )
        yield (
            f"colleague, naming her {number}",
            mail("Paula Okonkwo asked me to answer you.", From=colleague, Subject="Your mail"),
        )
    alias = "p.okonkwo@freemail.example.com"
    for number, name in enumerate(["Paula Okonkwo", "Paula OKONKWO"]):
        yield (
            f"alias with name {number}",
            mail(From=f"{name} <{alias}>", Subject=f"Re: {t.subject}"),
        )
        yield (
            f"alias, forwarded {number}",
            mail(quoted, From=f"{name} <{alias}>", Subject=f"Fwd: {t.subject}"),
        )
    yield "alias without name", mail(From=alias, Subject=f"Re: {t.subject}")
    yield (
        "assistant elsewhere",
        mail(quoted, From="desk@elsewhere.example.net", Subject=f"Re: {t.subject}"),
    )
    yield (
        "a list of ours in one digest",
        (
            f"From: digest@elsewhere.example.net\r\nSubject: Digest\r\nMIME-Version: 1.0\r\n"
            f'Content-Type: multipart/digest; boundary="b"\r\n\r\n'
            f"--b\r\n\r\nFrom: {t.paula}\r\nIn-Reply-To: <{t.id}>\r\n\r\nYes\r\n"
            f"--b\r\n\r\nFrom: x@y.test\r\nIn-Reply-To: <{first(t.other).message_id}>"
            f"\r\n\r\nNo\r\n"
            f"--b--\r\n"
        ).encode(),
    )


def by_nobody(t: Talk):
    """Nobody of ours: kept, and nothing follows."""
    yield "a stranger", mail(From="who@elsewhere.example.net")
    yield "a stranger at free mail", mail(From="who@freemail.example.com", Subject="Re: Hello")
    yield "a stranger with a foreign id", mail(In_Reply_To="<a@b.test>", From="a@b.test")
    yield "a stranger of a like name", mail(From="Paula <paula@nowhere.test>", Subject="Hi")
    yield "broken", b"\xff\xfe\x00"


@pytest.mark.req("REL-18", "F-1")
def test_of_sixty_mails_each_finds_its_pitch_or_a_person(talk):
    """Right is the pitch itself, or that it waits among those a person chooses from."""
    groups = {"join": by_ids, "writer": by_writer, "guess": by_guess, "nobody": by_nobody}
    mails = [(group, *each) for group, made in groups.items() for each in made(talk)]
    assert len(mails) >= 60
    wrong = []
    for uid, (group, name, raw) in enumerate(mails, start=1):
        sid = transaction.savepoint()
        incoming = arrives(talk.desk, raw, uid=uid)
        possible = set(incoming.possible_pitches.all())
        if group in ("join", "writer"):
            is_right = incoming.pitch == talk.ours
        elif group == "guess":
            is_right = incoming.pitch is None and talk.ours in possible
        else:
            is_right = incoming.pitch is None and not possible
        if not is_right:
            wrong.append((group, name, incoming.kind, incoming.pitch, possible))
        elif group != "nobody":
            assert not _may_go(talk), (group, name)
        transaction.savepoint_rollback(sid)
    assert wrong == []


def _may_go(talk: Talk) -> bool:
    """Whether the next follow-up to the true writer would pass the rules once it is due."""
    row = situations.readable(Message.objects.filter(pitch=talk.ours, number=1)).get()
    if row.status == Message.Status.CANCELED:
        return False
    (situation,) = situations.of_messages([row], now=MONDAY + 50 * HOUR)
    situation.reads_own_inbox = True
    return rules.decide(situation).may


@pytest.mark.req("REL-18")
def test_the_control_of_the_sixty_lets_a_follow_up_go_where_nobody_answered(talk):
    assert _may_go(talk)


@pytest.mark.req("REL-18", "F-1")
def test_an_unclear_answer_holds_all_it_may_mean_until_a_person_says_which(desk):
    """Scar 16: two pitches to one person; the answer names neither."""
    lead = reachable_lead()
    one = desk.sent_pitch(lead=lead)
    second = reachable_lead(organization=lead.organization)
    second.contacts.set([one.address.contact])
    two = desk.sent_pitch(MONDAY + 8 * DAY, lead=second)
    FollowUpTask.objects.filter(pitch__in=[one, two]).update(due_at=MONDAY + 10 * DAY)
    Message.objects.filter(number=0).update(subject="Interns")
    now = MONDAY + 9 * DAY
    incoming = arrives(desk, mail(From=one.address.value), now=now)
    assert set(incoming.possible_pitches.all()) == {one, two}
    assert ReviewTask.objects.get(kind="reply", incoming=incoming).is_open
    later = MONDAY + 10 * DAY + HOUR
    assert desk.follow_up(later).sending.sent == 0
    rows = situations.readable(Message.objects.filter(number=1))
    assert {s.reply_unclear for s in situations.of_messages(list(rows), now=later)} == {True}
    inbox.settle_meaning(incoming, one, by=desk.reviewer, now=later)
    one.refresh_from_db()
    assert one.status == Pitch.Status.REPLIED
    assert not ReviewTask.objects.filter(kind="reply", status="open").exists()
    with pytest.raises(inbox.MeaningSettled):
        inbox.settle_meaning(incoming, two, by=desk.reviewer, now=later)


def test_a_mail_that_means_none_of_ours_lets_them_go_on(talk):
    incoming = arrives(talk.desk, mail(From=f"x@{talk.paula.partition('@')[2]}",
                                       Subject=talk.subject))  # fmt: skip
    assert not _may_go(talk)
    inbox.settle_meaning(incoming, None, by=talk.desk.reviewer, now=MONDAY + 2 * HOUR)
    assert _may_go(talk)


@pytest.mark.req("REL-18")
def test_an_answer_after_more_than_sixty_days_is_joined_by_ids_alone(talk):
    late = MONDAY + 61 * DAY
    assert arrives(talk.desk, mail(From=talk.paula), now=late).pitch is None
    joined = arrives(talk.desk, mail(In_Reply_To=f"<{talk.id}>"), now=late, uid=2)
    assert joined.pitch == talk.ours


def test_an_id_that_a_provider_gave_instead_of_ours_is_known(talk):
    """Amazon puts an id of its own into the header."""
    given = "0100018f2a3b4c5d-11112222-3333"
    Message.objects.filter(pk=first(talk.ours).pk).update(provider_id=given)
    reply = mail(In_Reply_To=f"<{given}@email.amazonses.com>")
    assert arrives(talk.desk, reply).pitch == talk.ours


# -- own mail ----------------------------------------------------------------------------------


@pytest.mark.req("REL-19")
def test_ones_own_mail_is_never_a_reply(talk):
    """Scar 13: one's own message in Sent counted as a reply."""
    colleague = SenderFactory(address="colleague@example.com")
    own = [
        mail(From=talk.desk.sender.address, In_Reply_To=f"<{talk.id}>"),
        mail(From=colleague.address, In_Reply_To=f"<{talk.id}>"),
        mail(From="gateway@elsewhere.example.net", Message_ID=f"<{talk.id}>"),
    ]
    for uid, raw in enumerate(own, start=1):
        assert arrives(talk.desk, raw, uid=uid).kind == "own"
    to_nobody = arrives(talk.desk, mail(From=colleague.address), uid=9)
    assert (to_nobody.pitch, to_nobody.handled_at) == (None, MONDAY + HOUR)
    assert steps(talk.ours)
    assert _may_go(talk)


# -- absences ----------------------------------------------------------------------------------


def away(text: str = "I am out of the office.", **headers) -> bytes:
    return mail(text, Auto_Submitted="auto-replied", Subject="Out of office", **headers)


@pytest.mark.req("REL-19")
def test_an_absence_moves_every_open_step_and_cancels_none(desk):
    pitch = desk.sent_pitch()
    before = steps(pitch)
    text = "I am out of the office until 17 June 2026."
    incoming = arrives(desk, away(text, In_Reply_To=f"<{first(pitch).message_id}>"))
    assert (incoming.kind, incoming.returns_on) == ("out_of_office", date(2026, 6, 17))
    after = steps(pitch)
    # 17 June is a Wednesday; two working days later the window opens
    assert after[0] == (1, datetime(2026, 6, 19, 9, tzinfo=UTC))
    moved = {new - old for (_, new), (_, old) in zip(after, before, strict=True)}
    assert len(moved) == 1
    pitch.refresh_from_db()
    assert (pitch.status, pitch.outcome) == ("active", "")
    row = situations.readable(Message.objects.filter(pitch=pitch, number=1))
    (situation,) = situations.of_messages(list(row), now=MONDAY + 48 * HOUR)
    ruling = rules.decide(situation)
    assert (ruling.reason, ruling.at) == ("absent", after[0][1])
    assert "away until 17 June 2026" in ruling.sentence
    assert desk.follow_up(MONDAY + 48 * HOUR).sending.sent == 0


@pytest.mark.req("REL-19")
def test_an_absence_without_a_date_moves_to_seven_days_from_now_and_only_ever_later(desk):
    pitch = desk.sent_pitch()
    name = f"<{first(pitch).message_id}>"
    arrives(desk, away(In_Reply_To=name))
    after = steps(pitch)
    assert after[0][1] == MONDAY + HOUR + 7 * DAY
    # a second notice that names an earlier day brings nothing forward
    text = "I am out of the office until 2 June 2026."
    arrives(desk, away(text, In_Reply_To=name), uid=2)
    assert steps(pitch) == after


def test_working_days_are_those_of_the_recipient(desk):
    pitch = desk.sent_pitch()
    type(pitch.address.contact).objects.filter(pk=pitch.address.contact_id).update(
        country="DE", time_zone="Europe/Berlin"
    )
    pitch = Pitch.objects.get(pk=pitch.pk)
    window = absences._window(pitch)
    # 25 December 2026 is a Friday; Christmas and the weekend do not count
    back = absences.back_at_work(window, date(2026, 12, 24), now=MONDAY)
    assert back == datetime(2026, 12, 29, 8, tzinfo=UTC)


# -- bounces, complaints, opt-outs -------------------------------------------------------------


def bounce(
    recipient: str, name: str, *, status: str = "5.1.1", action: str = "failed"
) -> bytes:
    return (
        f"From: MAILER-DAEMON@mx.example.net\r\nTo: sam@example.com\r\n"
        f"Subject: Undelivered Mail Returned to Sender\r\nMIME-Version: 1.0\r\n"
        f"Content-Type: multipart/report; report-type=delivery-status; "
        f'boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nNot delivered.\r\n'
        f"--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        f"Reporting-MTA: dns; mx.example.net\r\n\r\n"
        f"Final-Recipient: rfc822; {recipient}\r\nAction: {action}\r\nStatus: {status}\r\n"
        f"Diagnostic-Code: smtp; 550 {status} told\r\n\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\n"
        f"From: sam@example.com\r\nMessage-ID: <{name}>\r\nSubject: x\r\n\r\n--b--\r\n"
    ).encode()


@pytest.mark.req("LAW-20")
def test_a_hard_bounce_ends_the_pitch_and_the_address(desk):
    """Scar 1: a bounce notice read as a reply."""
    pitch = desk.sent_pitch()
    incoming = arrives(desk, bounce(pitch.address.value, first(pitch).message_id))
    assert (incoming.kind, incoming.bounce_kind, incoming.pitch) == ("bounce", "hard", pitch)
    pitch.refresh_from_db()
    pitch.address.refresh_from_db()
    assert (pitch.status, pitch.address.verification) == ("bounced", "invalid")
    assert suppressions.suppressed([pitch.address.value]) == {pitch.address.value: "bounced"}
    message = first(pitch)
    assert (message.bounce_kind, bool(message.bounced_at)) == ("hard", True)
    assert message.replied_at is None
    assert not steps(pitch)


@pytest.mark.req("LAW-20")
def test_a_bounce_for_the_time_being_is_recorded_and_ends_nothing(desk):
    """Scar 2: what was accepted with 250 and came back stands in the ledger of bounces."""
    pitch = desk.sent_pitch()
    arrives(desk, bounce(pitch.address.value, first(pitch).message_id, status="4.2.2"))
    message = first(pitch)
    assert (message.bounce_kind, bool(message.bounced_at)) == ("soft", True)
    assert steps(pitch)
    assert not suppressions.suppressed([pitch.address.value])


@pytest.mark.req("LAW-20")
def test_a_forged_notice_changes_nothing_and_is_kept(desk):
    pitch = desk.sent_pitch()
    incoming = arrives(desk, bounce(pitch.address.value, "forged@elsewhere.example.net"))
    assert (incoming.kind, incoming.pitch) == ("bounce", None)
    assert first(pitch).bounced_at is None
    assert not suppressions.suppressed([pitch.address.value])
    assert desk.follow_up(MONDAY + 48 * HOUR).sending.sent == 1


@pytest.mark.req("LAW-20")
def test_a_notice_of_delay_changes_nothing(desk):
    pitch = desk.sent_pitch()
    raw = bounce(pitch.address.value, first(pitch).message_id, status="4.4.1", action="delayed")
    assert arrives(desk, raw).kind == "delay"
    assert first(pitch).bounced_at is None
    assert steps(pitch)


@pytest.mark.req("LAW-21")
def test_a_complaint_is_for_ever_though_its_address_is_hidden(desk):
    pitch = desk.sent_pitch()
    raw = (
        f"From: feedback@provider.example.net\r\nSubject: complaint\r\nMIME-Version: 1.0\r\n"
        f"Content-Type: multipart/report; report-type=feedback-report; "
        f'boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nA complaint.\r\n'
        f"--b\r\nContent-Type: message/feedback-report\r\n\r\n"
        f"Feedback-Type: abuse\r\nUser-Agent: x/1\r\nVersion: 1\r\n\r\n"
        f"--b\r\nContent-Type: message/rfc822\r\n\r\n"
        f"From: sam@example.com\r\nTo: redacted@example.net\r\n"
        f"Message-ID: <{first(pitch).message_id}>\r\n\r\nHello\r\n--b--\r\n"
    ).encode()
    assert arrives(desk, raw).kind == "complaint"
    email = pitch.address.value
    assert suppressions.suppressed([email]) == {email: "complained"}
    assert first(pitch).complained_at is not None
    assert Stop.objects.filter(kind="complaint", client=None).exists()


@pytest.mark.req("F-17", "REL-16")
def test_who_says_no_from_another_address_is_left_alone_at_both(desk):
    pitch = desk.sent_pitch()
    private = ContactAddressFactory(contact=pitch.address.contact, value="p@example.org")
    arrives(desk, mail("Please unsubscribe me.", From=private.value))
    both = [pitch.address.value, private.value]
    assert suppressions.suppressed(both) == dict.fromkeys(both, "unsubscribed")


@pytest.mark.req("F-17")
def test_who_says_no_in_a_mail_that_belongs_to_nothing_is_left_alone_too(desk):
    """Half a year after our last mail, or from a register in which they found us."""
    pitch = desk.sent_pitch()
    said = {"now": MONDAY + 180 * DAY, "source": "imap"}
    for writer in (pitch.address.value, "stranger@example.org"):
        raw = mail("Please unsubscribe me.", From=writer)
        incoming = inbox.take_in_reported(desk.sender, raw, **said)
        assert (incoming.kind, incoming.pitch) == ("unsubscribe", None)
        assert suppressions.suppressed([writer]) == {writer: "unsubscribed"}
    assert Stop.objects.get().contact == pitch.address.contact


# -- just in time, over a real mailbox ---------------------------------------------------------


class Accepting(SmtpChannel):
    """A server that takes everything."""

    taken = 0

    def open(self, letter) -> None: ...

    def hand_over(self, letter, *, now):
        type(self).taken += 1
        return Receipt(answer="250 2.0.0 taken", code=250)


@pytest.fixture
def talking(hearing, monkeypatch):
    """A pitch sent in earnest whose follow-up is due in 48 hours."""
    monkeypatch.setattr(Accepting, "taken", 0)
    Sender.objects.filter(pk=hearing.sender.pk).update(
        smtp_host="127.0.0.1", inbox_read_at=MONDAY, inbox_read_began_at=MONDAY
    )
    return hearing


def queue_follow_ups(now) -> None:
    rows = Message.objects.filter(number=1, status="approved")
    rows.update(status="queued", send_at=now)


def sends(now) -> int:
    return sending.send_due(now=now, channel_of=Accepting).sent


@pytest.mark.req("REL-17", "F-1")
def test_an_answer_in_the_mailbox_a_minute_before_stops_the_follow_up_every_time(
    talking, mailbox, settings
):
    """200 trials; in every fifth nobody answers, and the follow-up goes."""
    pitches = [_sent_for_real(talking, number) for number in range(200)]
    queue_follow_ups(MONDAY + 48 * HOUR)
    answered = [pitch for number, pitch in enumerate(pitches) if number % 5]
    for pitch in answered:
        mailbox.put(mail(From=pitch.address.value, In_Reply_To=f"<{first(pitch).message_id}>"))
    now = MONDAY + 48 * HOUR
    Sender.objects.update(
        inbox_read_at=now - 61 * SECOND, inbox_read_began_at=now - 61 * SECOND
    )
    assert sends(now) == 40
    gone = Message.objects.filter(number=1, status="sent", pitch__in=answered)
    assert (gone.count(), Accepting.taken) == (0, 40)
    assert Pitch.objects.filter(status="replied").count() == 160


@pytest.mark.req("REL-17")
def test_while_the_mailbox_cannot_be_read_no_follow_up_goes(talking, mailbox):
    for number in range(3):
        _sent_for_real(talking, number)
    now = MONDAY + 48 * HOUR
    queue_follow_ups(now)
    Sender.objects.update(imap_port=1, inbox_read_at=now, inbox_read_began_at=now - 61 * SECOND)
    assert sends(now) == 0
    held = Message.objects.filter(number=1).values_list("hold_reason", flat=True)
    assert set(held) <= {"inbox_not_read", "back_off"}
    assert "inbox_not_read" in set(held)


@pytest.mark.req("REL-17")
def test_the_control_without_the_look_into_the_mailbox_writes_after_an_answer(
    talking, mailbox, monkeypatch
):
    pitch = _sent_for_real(talking, 0)
    now = MONDAY + 48 * HOUR
    queue_follow_ups(now)
    mailbox.put(mail(From=pitch.address.value, In_Reply_To=f"<{first(pitch).message_id}>"))
    monkeypatch.setattr(sending, "_read_inbox", lambda sender, now: None)
    Sender.objects.update(inbox_read_at=now, inbox_read_began_at=now)
    assert sends(now) == 1


def _sent_for_real(desk, number: int) -> Pitch:
    """A live pitch whose first message is out and whose follow-up is approved."""
    lead = reachable_lead()
    address = ContactAddress.objects.get(contact__leads=lead)
    pitch = PitchFactory(
        campaign=desk.campaign, lead=lead, address=address, sender=desk.sender,
        sequence=desk.campaign.sequence, status="active", send_mode="live",
        first_sent_at=MONDAY,
    )  # fmt: skip
    sent = MessageFactory(pitch=pitch, status="sent", message_id=f"first-{number}@example.com")
    journal.record_intent(  # what went out for real stands there
        sent.message_id, recipient=sent.to_address, owner="", mode="live", at=MONDAY
    )
    follow_up = MessageFactory(
        pitch=pitch, number=1, status="approved", message_id=f"second-{number}@example.com",
        approved_policy="all",
    )  # fmt: skip
    for step in pitch.sequence.steps.filter(number__gt=0):
        FollowUpTask.objects.create(
            pitch=pitch, step=step, due_at=MONDAY + timedelta(hours=step.delay_hours)
        )
    row = situations.readable(Message.objects.filter(pk=follow_up.pk)).get()
    row.body += f"\n\n{unsubscribing.link(row)}"
    Message.objects.filter(pk=row.pk).update(
        body=row.body, approved_sha256=fingerprints.of_message(row)
    )
    return pitch


# -- tokens ------------------------------------------------------------------------------------

TOKENS = "https://login.example.com/token"


@pytest.fixture
def tokened(desk):
    sender = desk.sender
    sender.login, sender.oauth_token_url = "oauth2", TOKENS
    sender.oauth_client_id, sender.oauth_client_secret = "client", "top-secret"
    sender.oauth_refresh_token = "refresh-me"
    sender.save()
    return sender


@responses.activate
def test_a_token_is_renewed_once_and_kept_encrypted(tokened):
    responses.post(TOKENS, json={"access_token": "abc", "expires_in": 3600})
    assert [tokens.access(tokened) for _ in range(3)] == ["abc"] * 3
    assert len(responses.calls) == 1
    assert "refresh_token=refresh-me" in responses.calls[0].request.body
    kept = Sender.objects.get(pk=tokened.pk)
    assert kept.oauth_access_token == "abc"
    raw = Sender.objects.filter(pk=tokened.pk).extra(select={"raw": "oauth_access_token"})
    assert "abc" not in raw.values_list("raw", flat=True)[0][:12]
    assert tokens.access(kept, anew=True) == "abc"
    assert len(responses.calls) == 2


@responses.activate
@pytest.mark.parametrize(
    ("status", "said", "told", "permanent"),
    [
        (400, {"error": "invalid_grant", "error_description": "top-secret"}, "connect", True),
        (401, {"error": "invalid_client"}, "client id or its secret", True),
        (500, {"error": "top-secret"}, "answered 500", False),
        (200, {"nothing": 1}, "without a token", False),
        (200, "top-secret", "answered 200", False),
    ],
    ids=["ended", "client", "down", "no token", "no object"],
)
def test_a_refused_token_is_told_without_any_secret(tokened, status, said, told, permanent):
    responses.post(TOKENS, json=said, status=status)
    with pytest.raises(tokens.TokenRefused, match=told) as refused:
        tokens.access(tokened)
    assert refused.value.permanent is permanent
    assert "top-secret" not in str(refused.value)
    assert "refresh-me" not in str(refused.value)


@responses.activate
def test_sending_logs_in_with_the_same_token_and_renews_one_that_is_refused(tokened):
    responses.post(TOKENS, json={"access_token": "abc", "expires_in": 3600})
    heard = []

    class Server:
        def auth(self, mechanism, answer):
            heard.append((mechanism, answer(), answer(b"{}")))
            if len(heard) == 1:
                raise smtplib.SMTPAuthenticationError(535, b"ended")

    smtp._show_token(Server(), tokened)
    said = f"user={tokened.address}\1auth=Bearer abc\1\1"
    assert heard == [("XOAUTH2", said, "")] * 2
    assert len(responses.calls) == 2


def test_a_token_is_asked_for_over_https_only(tokened):
    tokened.oauth_token_url = "http://login.example.com/token"
    with pytest.raises(tokens.TokenRefused, match="https://"):
        tokens.access(tokened)


@responses.activate
def test_a_mailbox_is_read_with_a_token(hearing, mailbox):
    """The server knows one account; its word stands for a token."""
    responses.post(TOKENS, json={"access_token": "abc", "expires_in": 3600})
    responses.add_passthru("http://127.0.0.1")
    sender = hearing.sender
    sender.login, sender.oauth_token_url, sender.oauth_refresh_token = "oauth2", TOKENS, "r"
    sender.save()
    with pytest.raises(inbox.InboxUnavailable) as refused:
        inbox.read(sender, now=MONDAY)
    # refused once, renewed, refused again: told without the token
    assert len(responses.calls) == 2
    assert "abc" not in str(refused.value)


# -- doors -------------------------------------------------------------------------------------


def test_a_check_says_what_works_and_keeps_it(hearing, mailbox):
    Sender.objects.filter(pk=hearing.sender.pk).update(smtp_host="")
    sender = Sender.objects.get(pk=hearing.sender.pk)
    checked = connections.check(sender, now=MONDAY)
    assert [(each.name, each.works) for each in checked.tried] == [
        ("Sending", False), ("Reading", True)
    ]  # fmt: skip
    sender.refresh_from_db()
    assert sender.checked_at == MONDAY
    assert sender.check_error.startswith("Sending: no outgoing server is set")
    with pytest.raises(CommandError) as failed:
        call_command("check_sender", sender.address, stdout=StringIO())
    assert failed.value.returncode == 1


def test_a_check_needs_the_right_to_change_senders(hearing, client, ada, stranger):
    url = f"/api/v1/senders/{hearing.sender.pk}/check"
    client.force_login(stranger)
    assert client.post(url).status_code == 403
    client.force_login(ada)
    answer = client.post(url)
    assert answer.status_code == 200
    assert {each["name"] for each in answer.json()["tried"]} == {"Sending", "Reading"}


def test_the_command_reads_all_mailboxes_and_shows_them_dry(hearing, mailbox):
    mailbox.put(mail(From="who@elsewhere.example.net", Subject="Good day"))
    out = StringIO()
    call_command("process_replies", "--dry-run", stdout=out)
    assert "1 to be read" in out.getvalue()
    assert not IncomingMessage.objects.exists()
    call_command("process_replies", stdout=StringIO())
    assert IncomingMessage.objects.get().subject == "Good day"
    Sender.objects.update(imap_port=1)
    with pytest.raises(CommandError) as failed:
        call_command("process_replies", "--json", stdout=StringIO())
    assert failed.value.returncode == 1


def test_a_person_says_on_the_page_which_pitch_a_mail_means(talk, client, ada):
    domain = talk.paula.partition("@")[2]
    incoming = arrives(talk.desk, mail(From=f"x@{domain}", Subject=talk.subject))
    url = reverse("admin:pitches_incomingmessage_change", args=[incoming.pk])
    client.force_login(ada)
    page = client.get(url).content.decode()
    assert "Which pitch does it mean?" in page
    client.post(url, {"pitch": talk.ours.pk})
    talk.ours.refresh_from_db()
    assert talk.ours.status == Pitch.Status.REPLIED


def test_unclear_mail_is_told_apart_from_mail_of_nobody(talk, client, ada):
    domain = talk.paula.partition("@")[2]
    arrives(talk.desk, mail(From=f"x@{domain}", Subject=talk.subject))
    arrives(talk.desk, mail(From="who@elsewhere.example.net", Subject="Good day"), uid=2)
    client.force_login(ada)
    page = client.get(reverse("admin:pitches_check")).content.decode()
    assert "Which pitch do they mean?" in page
    assert "Say which" in page
    assert "Good day" in page
    # the list behind the number has as many rows as the number says
    link = re.search(r'href="([^"]*possible_pitches__isnull[^"]*)"', page)[1]
    rows = client.get(link.replace("&amp;", "&")).context["cl"].queryset
    assert [row.subject for row in rows] == ["Good day"]


def test_the_api_settles_what_a_mail_means_once(talk, client, ada, stranger):
    incoming = arrives(talk.desk, mail(From="who@elsewhere.example.net"))
    url = f"/api/v1/incoming-messages/{incoming.pk}/settle"
    client.force_login(stranger)
    asked = {"data": {"pitch": talk.ours.pk}, "content_type": "application/json"}
    assert client.post(url, **asked).status_code == 403
    client.force_login(ada)
    assert client.post(url, **asked).json()["pitch"] == talk.ours.pk
    assert client.post(url, **asked).status_code == 409
