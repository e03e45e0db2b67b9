"""Captured mail, the answer in the recipient's place, and what follows from it."""

from datetime import timedelta
from email.message import EmailMessage

import pytest
from django.urls import reverse

from pitches.channels import Letter, capture
from pitches.models import FollowUpTask, IncomingMessage, Message, Sender
from tests import factories
from tests.clock import MONDAY

pytestmark = pytest.mark.django_db
LIST = reverse("admin:pitches_captured")


def page_of(sender):
    (letter,) = capture.sent(sender)
    return reverse("admin:pitches_captured_letter", args=[sender.pk, letter.key])


def test_a_captured_mail_is_shown_as_text(staff, desk):
    pitch = desk.sent_pitch()
    assert pitch.messages.get(number=0).subject in staff.get(LIST).content.decode()
    text = staff.get(page_of(desk.sender)).content.decode()
    assert pitch.address.value in text
    assert "Answer as the recipient" in text


def test_the_newest_captured_mail_comes_first_by_its_own_date(staff, desk):
    other = factories.SenderFactory()
    for sender, day in ((desk.sender, 5), (other, 7), (desk.sender, 6)):
        mail = EmailMessage()
        mail["To"] = f"Paula <day-{day}@example.com>"
        mail["Date"] = f"{day} Jan 2026 10:00:00 +0000"
        letter = Letter("", "", "", mail)
        capture.CaptureChannel(sender).hand_over(letter, now=MONDAY)
    rows = staff.get(LIST).context["rows"]
    assert [row.at.day for row in rows] == [7, 6, 5]


@pytest.mark.req("F-1")
def test_an_answer_is_read_and_stops_the_sequence(staff, desk):
    pitch = desk.sent_pitch()
    assert FollowUpTask.objects.filter(FollowUpTask.is_open(), pitch=pitch).count() == 4
    answer = {"text": "Yes, this sounds interesting."}
    response = staff.post(page_of(desk.sender), answer, follow=True)
    pitch.refresh_from_db()
    assert (pitch.status, pitch.outcome) == ("replied", "interested")
    assert not FollowUpTask.objects.filter(FollowUpTask.is_open(), pitch=pitch).exists()
    story = response.content.decode()
    assert "Yes, this sounds interesting." in story
    assert "Canceled: follow up 1, follow up 2, follow up 3" in story


def test_an_empty_answer_is_asked_for_again(staff, desk):
    desk.sent_pitch()
    text = staff.post(page_of(desk.sender), {"text": " "}).content.decode()
    assert "This field is required" in text
    assert not IncomingMessage.objects.exists()


def test_a_mailbox_is_read_when_asked_to_and_not_by_looking(staff, desk):
    desk.sent_pitch()
    (letter,) = capture.sent(desk.sender)
    capture.answer(desk.sender, letter, text="Not interested.", now=MONDAY + timedelta(hours=1))
    url = reverse("admin:pitches_read_inbox", args=[desk.sender.pk])
    staff.get(url)
    assert not IncomingMessage.objects.exists()
    assert "1 new" in staff.post(url, follow=True).content.decode()
    assert IncomingMessage.objects.get().intent == "not_interested"


def test_hostile_mail_stays_text(staff, desk):
    pitch = desk.sent_pitch()
    Message.objects.filter(pk=pitch.messages.get(number=0).pk).update(body="x")
    staff.post(page_of(desk.sender), {"text": "<script>alert(1)</script> yes"})
    story = staff.get(reverse("admin:pitches_pitch_change", args=[pitch.pk])).content.decode()
    assert "alert(1)" in story
    assert "<script>alert" not in story


@pytest.mark.parametrize("mode", ["allowlist", "live"])
def test_where_mail_leaves_there_is_no_captured_mail(staff, desk, settings, mode):
    desk.sent_pitch()
    url = page_of(desk.sender)
    settings.SEND_MODE = mode
    for address in (LIST, url, reverse("admin:pitches_read_inbox", args=[desk.sender.pk])):
        assert staff.get(address).status_code == 404
        assert staff.post(address, {"text": "Yes"}).status_code == 404
    assert not IncomingMessage.objects.exists()


def test_an_unknown_letter_is_not_found(staff, desk):
    sender = Sender.objects.get()
    for key in ("nothing", "nothing.vm:2,S"):
        url = f"/admin/pitches/sender/captured/{sender.pk}/{key}/"
        assert staff.get(url, follow=True).status_code == 404
