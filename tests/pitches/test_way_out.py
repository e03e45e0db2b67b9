"""The page behind the link, and what holds from the moment somebody used it (LAW-2..4)."""

from __future__ import annotations

import time
from datetime import timedelta
from email import policy
from email.message import EmailMessage

import pytest
from django.test import Client

from pitches import public, stopping, unsubscribing
from pitches.admin import story
from pitches.inbox import acting, storing
from pitches.models import FollowUpTask, Message, Stop
from prospects import suppressions
from prospects.models import Contact, ContactAddress, Suppression
from tests.clock import MONDAY
from tests.factories import ContactAddressFactory, MessageFactory

HOUR = timedelta(hours=1)
ONE_CLICK = "List-Unsubscribe=One-Click"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def visitor():
    """A browser or mail program that knows nothing of us, with every check in force."""
    return Client(enforce_csrf_checks=True)


def path(message: Message) -> str:
    return f"/u/{unsubscribing.token(message)}/"


def one_click(visitor, message, **extra):
    return visitor.post(path(message), ONE_CLICK, content_type=FORM, **extra)


def rows() -> tuple[int, int]:
    return Suppression.objects.count(), Stop.objects.count()


# -- looking ----------------------------------------------------------------------------------


@pytest.mark.req("LAW-2")
@pytest.mark.django_db
def test_looking_at_the_link_never_unsubscribes(desk, visitor):
    """Scar 15: a mail gateway opens every link in a mail."""
    pitch = desk.sent_pitch()
    first = pitch.messages.get(number=0)
    for method in ("get", "head", "options"):
        for url in (path(first), path(first).rstrip("/"), f"{path(first)}?utm_source=scan"):
            answer = getattr(visitor, method)(url)
            assert answer.status_code == 200, (method, url)
    assert rows() == (0, 0)
    pitch.refresh_from_db()
    assert pitch.status == "active"
    assert FollowUpTask.objects.filter(FollowUpTask.is_open(), pitch=pitch).exists()


@pytest.mark.req("LAW-2")
@pytest.mark.django_db
def test_the_page_has_one_button_and_says_no_more_than_it_must(desk, visitor, settings):
    settings.BRAND_NAME = "Harbor & Finch"
    pitch = desk.sent_pitch()
    answer = visitor.get(path(pitch.messages.get(number=0)))
    page = answer.content.decode()
    assert (page.count("<button"), page.count("<form"), page.count("<input")) == (1, 1, 0)
    assert "<script" not in page
    assert 'method="post"' in page
    assert "action=" not in page
    assert "Harbor &amp; Finch" in page
    address = pitch.address
    assert suppressions.hint("email", address.value) in page
    for told in (address.value, address.contact.name, pitch.lead.name, desk.sender.address):
        assert told not in page
    assert answer["Cache-Control"] == "no-store"
    assert "noindex" in answer["X-Robots-Tag"]
    assert answer["Referrer-Policy"] == "no-referrer"
    assert "form-action 'self'" in answer["Content-Security-Policy"]
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert not answer.cookies


@pytest.mark.django_db
def test_other_ways_to_ask_are_refused_and_do_nothing(desk, visitor):
    message = MessageFactory()
    for method in ("put", "patch", "delete"):
        assert getattr(visitor, method)(path(message)).status_code == 405
    assert rows() == (0, 0)


# -- using it ---------------------------------------------------------------------------------

BODIES = {
    "form": {"data": ONE_CLICK, "content_type": FORM},
    "multipart": {"data": {"List-Unsubscribe": "One-Click"}},
    "button": {"data": {"List-Unsubscribe": "One-Click"}},
    "empty": {"data": "", "content_type": FORM},
    "broken multipart": {"data": "--x\r\n", "content_type": "multipart/form-data; boundary=y"},
    "of no kind": {"data": b"\x00\xff", "content_type": "text/x-nothing"},
}


@pytest.mark.req("LAW-2", "LAW-4")
@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.django_db
def test_a_post_unsubscribes_at_once_without_cookie_login_or_redirect(desk, visitor, kind):
    pitch = desk.sent_pitch()
    first = pitch.messages.get(number=0)
    answer = visitor.post(path(first), **BODIES[kind])
    assert (answer.status_code, len(answer.cookies)) == (200, 0)
    assert suppressions.suppressed([pitch.address.value]) == {
        pitch.address.value: "unsubscribed"
    }
    (stop,) = Stop.objects.all()
    assert (stop.kind, stop.client, stop.contact) == (
        "unsubscribe",
        None,
        pitch.address.contact,
    )
    pitch.refresh_from_db()
    assert (pitch.status, pitch.status_reason) == ("stopped", "unsubscribed")
    later = pitch.messages.filter(number__gt=0)
    assert set(later.values_list("status", flat=True)) == {"canceled"}
    assert not FollowUpTask.objects.filter(FollowUpTask.is_open(), pitch=pitch).exists()
    first.refresh_from_db()
    assert first.unsubscribed_at is not None
    assert desk.follow_up(MONDAY + 48 * HOUR).sending.sent == 0


@pytest.mark.req("LAW-2")
@pytest.mark.django_db
def test_twenty_repeats_are_one_row_and_all_are_answered_alike(desk, visitor):
    pitch = desk.sent_pitch()
    first = pitch.messages.get(number=0)
    answers = [one_click(visitor, first) for _ in range(20)]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert rows() == (1, 1)


@pytest.mark.req("LAW-2")
@pytest.mark.django_db
def test_a_link_without_its_last_slash_is_answered_and_not_redirected(desk, visitor):
    message = MessageFactory()
    answer = visitor.post(path(message).rstrip("/"), ONE_CLICK, content_type=FORM)
    assert (answer.status_code, rows()) == (200, (1, 1))


@pytest.mark.django_db
def test_it_holds_for_all_clients_and_for_every_other_mail_to_the_person(desk, visitor):
    lead = desk.lead()
    pitch = desk.sent_pitch(lead=lead)
    other = MessageFactory(pitch__address=pitch.address, status="draft", send_mode="capture")
    assert other.pitch.campaign.client != pitch.campaign.client
    one_click(visitor, pitch.messages.get(number=0))
    other.refresh_from_db()
    assert other.status == "canceled"


# -- for ever ---------------------------------------------------------------------------------


@pytest.mark.req("LAW-3")
@pytest.mark.django_db
def test_a_link_works_after_everything_we_knew_of_the_person_is_gone(desk, visitor, settings):
    """Erased, and every key changed but the one that never is."""
    message = MessageFactory()
    address, link = message.pitch.address.value, path(message)
    contact = message.pitch.address.contact_id
    message.pitch.delete()
    ContactAddress.objects.filter(contact=contact).delete()
    Contact.objects.filter(pk=contact).delete()
    settings.SECRET_KEY, settings.SUPPRESSION_KEY = "another-" * 8, "one-more-" * 8
    for _ in range(2):
        answer = visitor.post(link, ONE_CLICK, content_type=FORM)
        assert answer.status_code == 200
    assert rows() == (1, 0)
    assert address in suppressions.suppressed([address])


@pytest.mark.req("LAW-3", "LAW-6")
@pytest.mark.django_db
def test_a_link_finds_the_person_under_another_spelling_and_after_an_import(desk, visitor):
    message = MessageFactory(
        pitch__address__value="Anna.Weber+jobs@gmail.com",
        pitch__address__canonical="annaweber@gmail.com",
    )
    link, contact = path(message), message.pitch.address.contact_id
    message.pitch.delete()
    Contact.objects.filter(pk=contact).delete()
    again = ContactAddressFactory(
        value="annaweber@googlemail.com", canonical="annaweber@gmail.com"
    )
    assert visitor.post(link, ONE_CLICK, content_type=FORM).status_code == 200
    assert Stop.objects.get().contact == again.contact
    assert again.value in suppressions.suppressed([again.value])


@pytest.mark.django_db
def test_a_link_stops_the_person_though_their_address_has_changed_since(desk, visitor):
    pitch = desk.sent_pitch()
    link, old = path(pitch.messages.get(number=0)), pitch.address.value
    ContactAddress.objects.filter(pk=pitch.address_id).update(
        value="new@example.com", canonical="new@example.com"
    )
    visitor.post(link, ONE_CLICK, content_type=FORM)
    assert old in suppressions.suppressed([old])
    assert Stop.objects.get().contact == pitch.address.contact


@pytest.mark.django_db
def test_a_lifted_stop_is_set_again_by_the_next_click(desk, visitor):
    message = MessageFactory()
    one_click(visitor, message)
    stopping.lift(Stop.objects.get(), by=desk.reviewer)
    one_click(visitor, message)
    assert Stop.objects.filter(lifted_at=None).count() == 1


@pytest.mark.django_db
def test_the_list_says_what_came_of_a_rehearsal(desk, visitor):
    for mark, mode in (("a", "capture"), ("b", "live")):
        own_id = f"{mark * 40}@example.com"
        one_click(visitor, MessageFactory(send_mode=mode, message_id=own_id))
    rehearsed = Suppression.objects.values_list("is_rehearsed", flat=True)
    assert sorted(rehearsed) == [False, True]


# -- what is no link --------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["x", "A" * 90, "ä" * 50, "%F0%28", "'--", "A" * 3_000])
@pytest.mark.django_db
def test_a_wrong_link_is_answered_calmly_with_a_way_to_write_to_us(visitor, settings, token):
    settings.UNSUBSCRIBE_EMAIL = "stop@example.com"
    for method in (visitor.get, visitor.post):
        answer = method(f"/u/{token}/")
        assert answer.status_code == 404
        page = answer.content.decode()
        assert "not complete" in page
        assert "no thanks" in page
        assert "stop@example.com" in page
        assert not answer.cookies
    assert rows() == (0, 0)


def stop_the_clock(monkeypatch):
    """No minute may begin while a test counts."""
    moment = time.time()
    monkeypatch.setattr(time, "time", lambda: moment)


@pytest.mark.req("SEC-10")
@pytest.mark.django_db
def test_one_caller_may_try_sixty_times_a_minute_whatever_it_forges(visitor, monkeypatch):
    stop_the_clock(monkeypatch)
    tried = [
        visitor.get(f"/u/{'A' * 90}/", headers={"X-Forwarded-For": f"198.51.100.{n}"})
        for n in range(public.PER_MINUTE + 5)
    ]
    assert [answer.status_code for answer in tried] == [404] * 60 + [429] * 5
    assert tried[-1]["Retry-After"] == "60"
    elsewhere = visitor.get(f"/u/{'A' * 90}/", REMOTE_ADDR="198.51.100.7")
    assert elsewhere.status_code == 404


@pytest.mark.req("LAW-2")
@pytest.mark.django_db
def test_a_true_click_is_heard_however_busy_its_sender_is(visitor, monkeypatch):
    """Large providers send the clicks of all their users from a few machines."""
    stop_the_clock(monkeypatch)
    for _ in range(public.PER_MINUTE + 1):
        refused = visitor.post(f"/u/{'A' * 90}/")
    assert refused.status_code == 429
    assert one_click(visitor, MessageFactory()).status_code == 200
    assert rows() == (1, 1)


# -- by mail ----------------------------------------------------------------------------------


def mail_from(writer: str, subject: str, body: str = "") -> bytes:
    mail = EmailMessage(policy=policy.SMTP)
    mail["From"], mail["To"], mail["Subject"] = writer, "sam@example.com", subject
    mail["Message-ID"] = "<by-mail@elsewhere.example.com>"
    mail.set_content(body)
    return mail.as_bytes()


def read(sender, raw: bytes):
    incoming = storing.store(sender, 1, raw, now=MONDAY)
    acting.act_on(incoming, now=MONDAY)
    incoming.refresh_from_db()
    return incoming


@pytest.mark.req("LAW-1", "LAW-4")
@pytest.mark.django_db
def test_the_mail_that_our_link_writes_unsubscribes_and_is_no_answer(desk):
    """Whoever sends it, from wherever: a mail program may use another address."""
    pitch = desk.sent_pitch()
    first = pitch.messages.get(number=0)
    subject = f"unsubscribe {unsubscribing.token(first)}"
    incoming = read(desk.sender, mail_from("robot@elsewhere.example.com", subject))
    assert (incoming.kind, incoming.intent) == ("unsubscribe", "unsubscribe")
    assert (incoming.pitch, incoming.answers) == (pitch, first)
    first.refresh_from_db()
    pitch.refresh_from_db()
    assert (pitch.status, first.replied_at) == ("stopped", None)
    assert first.unsubscribed_at == MONDAY
    assert rows() == (1, 1)
    assert pitch.address.value in suppressions.suppressed([pitch.address.value])


@pytest.mark.req("LAW-3")
@pytest.mark.django_db
def test_it_works_by_mail_too_when_nothing_is_known_of_the_person(desk):
    token = unsubscribing.seal(f"{'a' * 40}@example.com", "gone@example.com")
    incoming = read(desk.sender, mail_from("x@example.com", f"Re: unsubscribe {token}"))
    assert (incoming.kind, incoming.pitch) == ("unsubscribe", None)
    assert suppressions.suppressed(["gone@example.com"]) == {"gone@example.com": "unsubscribed"}
    assert rows() == (1, 0)


@pytest.mark.django_db
def test_a_token_for_a_very_long_address_survives_the_subject_line(desk):
    address = f"{'l' * 64}@{'.'.join(['d' * 60] * 3)}.example.com"[-254:]
    token = unsubscribing.seal(f"{'a' * 40}@example.com", address)
    assert len(token) > 300
    read(desk.sender, mail_from("x@example.com", f"unsubscribe {token}"))
    assert address in suppressions.suppressed([address])


@pytest.mark.django_db
def test_the_story_of_a_pitch_tells_it(desk, visitor):
    pitch = desk.sent_pitch()
    one_click(visitor, pitch.messages.get(number=0))
    told = [moment.title for moment in story.moments(story.read(pitch.pk))]
    assert "Unsubscribed" in told
    assert told.index("Unsubscribed") > next(
        at for at, title in enumerate(told) if title.endswith(": sent")
    )
