"""Messages of unknown fate: evidence, an admin's word, and never a copy by itself."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from email.message import EmailMessage

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from campaigns import access
from pitches import inbox, journal, outreach, reaping, resolving, sending, settling, stopping
from pitches.channels import Channel, OutcomeUnknown, Receipt, capture
from pitches.channels.capture import CaptureChannel
from pitches.models import FollowUpTask, IncomingMessage, Message, ReviewTask
from tests.clock import MONDAY
from tests.factories import EventFactory, IncomingMessageFactory, UserFactory

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
WHY = "The recipient told us by telephone."


class Silent(CaptureChannel):
    """Takes the text and never answers."""

    def hand_over(self, letter, *, now):
        raise OutcomeUnknown("no answer after the message was handed over: timed out")


class SilentAfterTaking(CaptureChannel):
    def hand_over(self, letter, *, now):
        super().hand_over(letter, now=now)
        raise OutcomeUnknown("no answer after the message was handed over: timed out")


def lost(desk, channel: type[Channel] = Silent) -> Message:
    """A first message whose fate nobody knows, handed over on Monday at nine."""
    match = desk.match()
    outreach.carry_out(outreach.plan(now=MONDAY), send=False)
    desk.approve_all()
    outreach.carry_out(outreach.plan(now=MONDAY), send=False)
    sending.send_due(now=MONDAY, channel_of=channel)
    match.refresh_from_db()
    message = match.pitch.messages.get(number=0)
    assert message.status == "unknown"
    Message.objects.filter(pk=message.pk).update(handed_at=MONDAY)
    message.refresh_from_db()
    return message


def copies(desk) -> int:
    return len(list(capture.sent(desk.sender)))


@pytest.fixture
def staff(client, ada):
    client.force_login(ada)
    return client


@pytest.fixture
def staff_api(ada):
    client = APIClient()
    client.force_authenticate(ada)
    return client


@pytest.fixture
def admin_user(ada):
    ada.groups.add(Group.objects.get_or_create(name=access.ADMINS)[0])
    return ada


# -- evidence ----------------------------------------------------------------------------------


@pytest.mark.req("REL-6")
def test_what_lies_in_the_sent_folder_was_sent_and_its_steps_count_from_then(desk):
    message = lost(desk, SilentAfterTaking)
    found = resolving.look_for_evidence(now=MONDAY + HOUR)
    message.refresh_from_db()
    assert (found.sent, message.status, message.sent_at) == (1, "sent", MONDAY)
    assert "Message-ID lies there" in message.receipt
    first = FollowUpTask.objects.filter(pitch=message.pitch).earliest("due_at")
    assert first.due_at == MONDAY + timedelta(hours=48)
    assert copies(desk) == 1


def test_a_reply_to_it_proves_that_it_arrived(desk):
    message = lost(desk)
    IncomingMessageFactory(answers=message, pitch=message.pitch)
    resolving.look_for_evidence(now=MONDAY + HOUR)
    message.refresh_from_db()
    assert message.status == "sent"
    assert message.resolution.startswith("inbox: ")


def test_an_answer_to_an_earlier_mail_proves_nothing_of_a_later_one(desk):
    """Joined by who wrote it alone, an answer may mean any of our mails to that person."""
    pitch = desk.sent_pitch()
    unsure = pitch.messages.get(number=1)
    at = MONDAY + 48 * HOUR
    Message.objects.filter(pk=unsure.pk).update(status="unknown", handed_at=at, counted_at=at)
    IncomingMessageFactory(answers=unsure, pitch=pitch, matched_by="address")
    assert resolving.look_for_evidence(now=MONDAY + 49 * HOUR).open == 1
    IncomingMessageFactory(answers=unsure, pitch=pitch, matched_by="message-id")
    assert resolving.look_for_evidence(now=MONDAY + 49 * HOUR).sent == 1


def test_what_a_provider_delivered_was_sent_and_what_it_queued_says_nothing(desk):
    message = lost(desk)
    EventFactory(message=message, kind="queued")
    assert resolving.look_for_evidence(now=MONDAY + HOUR).open == 1
    EventFactory(message=message, kind="delivered")
    assert resolving.look_for_evidence(now=MONDAY + HOUR).sent == 1


def test_the_journals_word_is_enough(desk):
    message = lost(desk)
    settling.note_reply(message, journal.ACCEPTED, 250, now=MONDAY)
    assert resolving.look_for_evidence(now=MONDAY).sent == 1


@pytest.mark.req("REL-6")
def test_what_nobody_can_prove_counts_as_sent_after_72_hours_and_no_minute_before(desk):
    message = lost(desk)
    before = resolving.look_for_evidence(now=MONDAY + timedelta(hours=72, minutes=-1))
    assert (before.assumed, before.open) == (0, 1)
    after = resolving.look_for_evidence(now=MONDAY + timedelta(hours=72))
    message.refresh_from_db()
    assert (after.assumed, message.status) == (1, "assumed_sent")
    assert message in Message.objects.counted(since=MONDAY - HOUR, mode="capture")
    assert copies(desk) == 0


def test_proof_that_comes_later_still_counts(desk):
    message = lost(desk)
    resolving.look_for_evidence(now=MONDAY + timedelta(hours=72))
    message.refresh_from_db()
    settling.conclude(message, Receipt("the provider delivered it"), at=MONDAY)
    message.refresh_from_db()
    assert message.status == "sent"


def test_one_that_cannot_be_asked_about_keeps_no_other_from_being_settled(desk, monkeypatch):
    odd, plain = lost(desk), lost(desk, SilentAfterTaking)
    found = capture.find

    def find(sender, message_id):
        if message_id == odd.message_id:
            raise KeyError("id")
        return found(sender, message_id)

    monkeypatch.setattr(capture, "find", find)
    result = resolving.look_for_evidence(now=MONDAY + HOUR)
    plain.refresh_from_db()
    assert (result.open, result.sent, plain.status) == (1, 1, "sent")


# -- nothing sends it again by itself ----------------------------------------------------------


@pytest.mark.req("REL-6", "F-4")
def test_no_path_sends_a_message_of_unknown_fate_again(desk, staff_api, staff):
    """Ticks, runs, reaping, the API's triggers and every admin action, three days long."""
    message = lost(desk)
    now = MONDAY
    for _ in range(24):
        now += timedelta(hours=3)
        reaping.reap(now=now)
        outreach.carry_out(outreach.plan(now=now))
        outreach.carry_out(outreach.plan_follow_ups(now=now))
        sending.send_due(now=now)
    for name in ("send", "follow up", "outreach", "reap", "evidence"):
        call_command("tick", name)
    for url in ("/api/v1/outreach/trigger/", "/api/v1/follow-ups/trigger/"):
        staff_api.post(url, {}, format="json")
    change = reverse("admin:pitches_message_changelist")
    page = staff.get(change)
    actions = [
        name for name, _ in page.context["cl"].model_admin.get_action_choices(page.wsgi_request)
    ]
    for action in actions:
        staff.post(change, {"action": action, "_selected_action": [message.pk]})
    message.refresh_from_db()
    assert message.status in ("unknown", "assumed_sent")  # the last tick reads the true clock
    assert copies(desk) == 0


@pytest.mark.req("REL-6")
def test_no_path_of_the_api_sends_a_message_of_unknown_fate_again(desk, admin_user):
    """Every POST and PATCH that takes a pitch, a message, a sender, a task or nothing."""
    message = lost(desk)
    client = APIClient()
    client.force_authenticate(admin_user)
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    ids = {
        "messages": message.pk,
        "pitches": message.pitch_id,
        "senders": message.sender_id,
        "campaigns": desk.campaign.pk,
        "review-tasks": ReviewTask.objects.latest("pk").pk,
    }
    called = 0
    for path, methods in paths.items():
        row = next((pk for name, pk in ids.items() if f"/{name}/" in path), 1)
        url = re.sub(r"{\w+}", str(row), path)
        for method in {"post", "patch", "put"} & set(methods):
            if url.endswith(("/send_again/", "/mark_sent/")):
                continue  # an admin's word, which REL-7 is about
            getattr(client, method)(url, {"reason": "because"}, format="json")
            called += 1
    sending.send_due(now=MONDAY + timedelta(days=1))
    message.refresh_from_db()
    assert called > 40
    assert message.status == "unknown"
    assert capture.find(desk.sender, message.message_id) is None


# -- an admin's word ---------------------------------------------------------------------------


@pytest.mark.req("REL-7")
def test_nobody_decides_within_two_hours_or_without_a_reason(desk, admin_user):
    message = lost(desk)
    early = MONDAY + timedelta(hours=2, seconds=-1)
    for decide in (resolving.mark_sent, resolving.send_again):
        with pytest.raises(resolving.NotResolvable, match="two hours"):
            decide(message, by=admin_user, reason=WHY, now=early)
        with pytest.raises(resolving.NotResolvable, match="10 characters"):
            decide(message, by=admin_user, reason="it did  ", now=MONDAY + 2 * HOUR)
    message.refresh_from_db()
    assert message.status == "unknown"


@pytest.mark.req("REL-7")
def test_sent_again_it_goes_through_the_gate_once_with_the_same_message_id(desk, admin_user):
    message = lost(desk)
    now = MONDAY + 2 * HOUR
    resolving.send_again(message, by=admin_user, reason=WHY, now=now)
    assert sending.send_due(now=now).sent == 1
    message.refresh_from_db()
    assert (message.status, message.resolved_by) == ("sent", admin_user)
    assert capture.find(desk.sender, message.message_id)
    with pytest.raises(resolving.NotResolvable, match="it is sent"):
        resolving.send_again(message, by=admin_user, reason=WHY, now=now)


def test_sent_again_after_a_stop_it_stays(desk, admin_user):
    message = lost(desk)
    stopping.unsubscribed(message.pitch, source="a call", now=MONDAY)
    now = MONDAY + 2 * HOUR
    resolving.send_again(message, by=admin_user, reason=WHY, now=now)
    assert sending.send_due(now=now).sent == 0
    assert copies(desk) == 0


@pytest.mark.req("REL-7")
def test_an_answer_to_the_first_copy_keeps_the_second_one_back(desk, admin_user):
    """It waits in the queue again, and the first copy had arrived after all."""
    message = lost(desk)
    now = MONDAY + 2 * HOUR
    resolving.send_again(message, by=admin_user, reason=WHY, now=now)
    answer = EmailMessage()
    answer["From"] = "a.colleague@example.com"
    answer["To"] = desk.sender.address
    answer["Subject"] = "Re: your mail"
    answer["Message-ID"] = "<answer@example.com>"
    answer["In-Reply-To"] = f"<{message.message_id}>"
    answer.set_content("Yes, let us talk on Thursday.")
    incoming = inbox.take_in_reported(desk.sender, bytes(answer), source="imap", now=now)
    assert incoming is not None
    assert (incoming.pitch, incoming.answers) == (message.pitch, message)
    assert sending.send_due(now=now + HOUR).sent == 0
    assert copies(desk) == 0


@pytest.mark.req("REL-7")
def test_the_answer_may_name_no_id_and_keeps_the_second_copy_back_too(desk, admin_user):
    message = lost(desk)
    now = MONDAY + 2 * HOUR
    resolving.send_again(message, by=admin_user, reason=WHY, now=now)
    answer = EmailMessage()
    answer["From"] = message.to_address
    answer["To"] = desk.sender.address
    answer["Subject"] = f"Re: {message.subject}"
    answer.set_content("Yes, let us talk on Thursday.")
    inbox.take_in_reported(desk.sender, bytes(answer), source="imap", now=now)
    assert sending.send_due(now=now + HOUR).sent == 0
    assert copies(desk) == 0


@pytest.mark.req("REL-7")
def test_what_is_proven_to_have_gone_out_is_not_sent_again(desk, admin_user):
    """The worker had stood still; its answer came between the page and the button."""
    message = lost(desk)
    settling.note_reply(message, journal.ACCEPTED, 250, now=MONDAY)
    now = MONDAY + 2 * HOUR
    with pytest.raises(resolving.NotResolvable, match="acceptance"):
        resolving.send_again(message, by=admin_user, reason=WHY, now=now)
    assert journal.outcome_of(message.message_id) == journal.ACCEPTED
    assert sending.send_due(now=now).sent == 0


# -- doors -------------------------------------------------------------------------------------


@pytest.mark.req("REL-7")
def test_the_list_leads_to_the_evidence_and_the_buttons_are_an_admins(desk, staff):
    message = lost(desk)
    page = staff.get(reverse("admin:pitches_check")).content.decode()
    fate = reverse("admin:pitches_fate", args=[message.pk])
    assert fate in page
    shown = staff.get(fate).content.decode()
    assert "The journal has the handing over, and no answer." in shown
    assert "An admin decides" in shown
    for name in ("mark_sent", "send_again"):
        url = reverse(f"admin:pitches_{name}", args=[message.pk])
        assert staff.post(url, {"reason": WHY}).status_code == 403
    message.refresh_from_db()
    assert message.status == "unknown"


@pytest.mark.req("REL-7")
def test_an_admin_decides_from_the_page(desk, staff, admin_user):
    message = lost(desk)
    fate = reverse("admin:pitches_fate", args=[message.pk])
    assert "It went out…" in staff.get(fate).content.decode()
    staff.post(reverse("admin:pitches_mark_sent", args=[message.pk]), {"reason": WHY})
    message.refresh_from_db()
    assert (message.status, message.sent_at) == ("sent", MONDAY)
    assert WHY in staff.get(fate).content.decode()


def test_the_page_tells_from_when_it_can_be_decided(desk, staff, admin_user):
    message = lost(desk)
    Message.objects.filter(pk=message.pk).update(handed_at=timezone.now())
    fate = reverse("admin:pitches_fate", args=[message.pk])
    shown = staff.get(fate).content.decode()
    assert "You can decide from" in shown
    told = staff.post(
        reverse("admin:pitches_send_again", args=[message.pk]), {"reason": WHY}, follow=True
    )
    assert "Wait until two hours" in told.content.decode()


@pytest.mark.req("REL-7")
def test_the_api_shows_evidence_and_decides_for_admins_alone(desk, staff_api, ada):
    message = lost(desk)
    url = f"/api/v1/messages/{message.pk}/"
    evidence = staff_api.get(f"{url}evidence/").json()
    assert evidence[0]["source"] == "send journal"
    denied = staff_api.post(f"{url}send_again/", {"reason": WHY}, format="json")
    assert denied.status_code == 403
    ada.groups.add(Group.objects.get_or_create(name=access.ADMINS)[0])
    short = staff_api.post(f"{url}mark_sent/", {"reason": "no"}, format="json")
    assert (short.status_code, short.json()["error"]["code"]) == (409, "not_resolvable")
    done = staff_api.post(f"{url}mark_sent/", {"reason": WHY}, format="json").json()
    assert done["status"] == "sent"


def test_the_command_shows_decides_and_says_what_it_could_not(desk, admin_user, capsys):
    message = lost(desk)
    call_command("resolve", "list", "--json")
    (row,) = json.loads(capsys.readouterr().out)["messages"]
    assert (row["id"], row["to"]) == (message.pk, message.to_address)
    call_command("resolve", "mark-sent", str(message.pk), "--dry-run")
    assert "send journal" in capsys.readouterr().out
    message.refresh_from_db()
    assert message.status == "unknown"
    with pytest.raises(CommandError) as e:
        call_command("resolve", "mark-sent", str(message.pk), username="ada", reason="no")
    assert e.value.returncode == 1
    UserFactory(username="nobody-special")
    with pytest.raises(CommandError) as e:
        call_command(
            "resolve", "mark-sent", str(message.pk), username="nobody-special", reason=WHY
        )
    assert e.value.returncode == 2
    call_command("resolve", "mark-sent", str(message.pk), username="ada", reason=WHY)
    message.refresh_from_db()
    assert message.status == "sent"


def test_an_out_of_office_is_proof_of_arrival_too(desk):
    message = lost(desk)
    kind = IncomingMessage.Kind.OUT_OF_OFFICE
    IncomingMessageFactory(answers=message, pitch=message.pitch, kind=kind)
    assert resolving.look_for_evidence(now=MONDAY + HOUR).sent == 1
