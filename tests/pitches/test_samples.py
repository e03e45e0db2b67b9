"""A test to oneself: through the sender's own channel, to nobody else, past no stop."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from campaigns import resumes
from pitches import inbox, samples, stopping
from pitches.channels import capture
from pitches.models import Breaker, IncomingMessage, Message, Sender, Stop
from tests.clock import MONDAY
from tests.factories import SenderFactory
from tests.pitches import sink as sinks


@pytest.fixture
def sam(db, settings, state_dir):
    settings.SEND_MODE = "capture"
    return SenderFactory(address="sam@example.com", name="Sam Sender")


def send(sender, by):
    return samples.send_greeting(sender, by=by, now=MONDAY)


def test_a_test_goes_to_the_users_own_address_and_is_marked(sam, ada):
    told = send(sam, ada)
    (letter,) = capture.sent(sam)
    assert letter.recipient == "ada@example.com"
    assert letter.mail["X-Overture-Test"] == "yes"
    assert "List-Unsubscribe" not in letter.mail
    assert told.startswith("The test for ada@example.com lies in the captured mail")
    assert not Message.objects.exists()


def test_in_earnest_it_leaves_through_the_senders_server(sam, ada, settings):
    settings.SEND_MODE = "live"
    sink, controller = sinks.started()
    try:
        sam.smtp_host, sam.smtp_port, sam.smtp_security = "127.0.0.1", sink.port, "none"
        assert send(sam, ada).startswith("The test went to ada@example.com")
    finally:
        controller.stop()
    (received,) = sink.received
    assert received.mail["To"] == "ada@example.com"


@pytest.mark.parametrize(
    ("arrange", "told"),
    [
        (lambda s: stopping.stop(scope=Stop.Scope.EVERYTHING, reason="x"), "Everything is"),
        (lambda s: stopping.stop(scope=Stop.Scope.MAILBOX, sender=s, reason="x"), "is paused"),
        (lambda s: stopping.pause_sender(s, reason="x"), "is paused"),
    ],
    ids=["everything", "mailbox", "paused"],
)
def test_what_no_message_passes_no_test_passes(sam, ada, arrange, told):
    arrange(sam)
    sam.refresh_from_db()
    with pytest.raises(samples.NotSent, match=told):
        samples.send_greeting(sam, by=ada, now=MONDAY + timedelta(days=3650))
    assert not list(capture.sent(sam))


def test_a_breaker_holds_it_in_earnest(sam, ada, settings):
    settings.SEND_MODE = "live"
    Breaker.objects.create(
        scope="mailbox", cause="complaints", level="pause", sender=sam, reason="0.4 %",
        tripped_at=MONDAY,
    )  # fmt: skip
    with pytest.raises(samples.NotSent, match="breaker"):
        send(sam, ada)


def test_the_allowlist_holds_for_tests_too(sam, ada, settings):
    settings.SEND_MODE, settings.SEND_ALLOWLIST = "allowlist", ["@example.org"]
    with pytest.raises(samples.NotSent, match="SEND_ALLOWLIST"):
        send(sam, ada)


@pytest.mark.parametrize("address", ["", "nobody", "a@example.com\nBcc: b@example.com"])
def test_without_an_address_of_ones_own_there_is_no_test(sam, ada, address):
    ada.email = address
    with pytest.raises(samples.NotSent, match="no e-mail address"):
        send(sam, ada)


@pytest.mark.parametrize("transport", ["instantly", "twilio", "by_hand"])
def test_only_who_sends_mail_one_by_one_sends_tests_in_earnest(sam, ada, settings, transport):
    settings.SEND_MODE = "live"
    sam.transport = transport
    with pytest.raises(samples.NotSent, match="no single test"):
        send(sam, ada)


def test_a_user_has_twenty_an_hour(sam, ada, monkeypatch):
    monkeypatch.setattr(samples, "MOST_AN_HOUR", 2)
    send(sam, ada)
    send(sam, ada)
    with pytest.raises(samples.NotSent, match="within the hour"):
        send(sam, ada)


def test_a_server_that_refuses_is_a_sentence(sam, ada, settings):
    settings.SEND_MODE = "live"
    sam.smtp_host, sam.smtp_port, sam.smtp_security = "127.0.0.1", 1, "none"
    with pytest.raises(samples.NotSent, match="no connection"):
        send(sam, ada)


# -- a draft ---------------------------------------------------------------------------------


@pytest.fixture
def draft(desk):
    candidate = desk.candidate(name="Kim Example")
    resumes.put(candidate, b"%PDF-1.4 kim")
    candidate.save()
    match = desk.match(candidate=candidate)
    desk.run()
    match.refresh_from_db()
    message = match.pitch.messages.get(number=0)
    return message.variants.first()


def test_a_draft_arrives_with_its_words_and_files_and_a_way_out_that_harms_nobody(
    desk, draft, ada
):
    samples.send_variant(draft, by=ada, now=MONDAY)
    (letter,) = capture.sent(desk.sender)
    assert letter.recipient == "ada@example.com"
    # a long one begins on a line of its own
    assert str(letter.mail["Subject"]).strip() == f"[Test] {draft.subject}"
    assert draft.body.splitlines()[-1] in letter.text
    assert letter.files == [("Kim_Example_Resume.pdf", 12)]
    raw = bytes(letter.mail).decode()
    assert "/u/test/" in letter.text
    assert samples.unsubscribing.token(draft.message) not in raw
    assert draft.message.message_id not in raw


def test_a_reply_to_a_test_is_kept_and_belongs_to_no_pitch(desk, draft, ada):
    samples.send_variant(draft, by=ada, now=MONDAY)
    (letter,) = capture.sent(desk.sender)
    capture.answer(desk.sender, letter, text="It looks fine", now=MONDAY)
    inbox.read(desk.sender, now=MONDAY + timedelta(minutes=1))
    assert [row.pitch for row in IncomingMessage.objects.all()] == [None]


def test_the_review_page_sends_a_chosen_draft_to_its_reader(desk, draft, client, ada):
    client.force_login(ada)
    task = draft.message.pitch.review_tasks.get()
    url = reverse("admin:pitches_reviewtask_change", args=[task.pk])
    assert "Send it to me" in client.get(url).content.decode()
    answer = client.post(url, {"do": "sample", "variant": draft.pk}, follow=True)
    assert "lies in the captured mail" in answer.content.decode()
    assert len(list(capture.sent(desk.sender))) == 1
    client.post(url, {"do": "sample", "variant": "999999"})
    assert len(list(capture.sent(desk.sender))) == 1
    task.refresh_from_db()
    assert task.is_open


def test_over_the_api(sam, ada, client):
    client.force_login(ada)
    answer = client.post(f"/api/v1/senders/{sam.pk}/sample/")
    assert answer.status_code == 200, answer.content
    assert "ada@example.com" in answer.json()["sentence"]
    Sender.objects.update(status="paused", status_reason="x")
    assert client.post(f"/api/v1/senders/{sam.pk}/sample/").status_code == 409
