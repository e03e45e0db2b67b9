"""Instantly: delegated, answered for, and taken back with a confirmation (REL-37, LAW-26)."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
import responses

from crm_sync.models import SyncTask
from pitches import (
    delegating,
    home,
    outbox,
    outreach,
    resolving,
    sending,
    settling,
    stopping,
)
from pitches.channels import (
    ChannelError,
    OutcomeUnknown,
    Receipt,
    Refused,
    name_of_answer,
)
from pitches.channels.instantly import API, InstantlyChannel
from pitches.models import Breaker, FollowUpTask, Message, Pitch, Sender
from prospects import suppressions
from prospects.models import Suppression
from tests.clock import MONDAY
from tests.factories import IncomingMessageFactory, SenderFactory
from tests.pitches.letters import a_letter

pytestmark = pytest.mark.django_db

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SECRET = "key-that-nobody-may-see"
CAMPAIGN = "11111111-1111-4111-8111-111111111111"
LEAD = "22222222-2222-4222-8222-222222222222"
MAIL = "33333333-3333-4333-8333-333333333333"
OPTIONS = {"api_key": SECRET, "campaign_id": CAMPAIGN}
UPLOADED = {
    "status": "success",
    "leads_uploaded": 1,
    "created_leads": [{"index": 0, "id": LEAD, "email": "paula@example.com"}],
}
NOBODY = {"status": "success", "leads_uploaded": 0, "created_leads": []}


def a_sender(**fields) -> Sender:
    return SenderFactory(transport="instantly", provider_options=json.dumps(OPTIONS), **fields)


def handed_over(sender: Sender, **letter):
    with InstantlyChannel(sender) as channel:
        one = a_letter(sender, **letter)
        channel.open(one)
        return channel.hand_over(one, now=MONDAY)


# -- handing over ------------------------------------------------------------------------------


@responses.activate
def test_a_first_message_is_delegated_with_the_words_that_were_approved():
    responses.post(f"{API}/leads/add", json=UPLOADED)
    receipt = handed_over(a_sender(), text="Hello <Paula>\nand welcome", message_id="id@x.test")
    assert (receipt.delegated, receipt.provider_id) == (True, LEAD)
    (call,) = responses.calls
    sent = json.loads(call.request.body)
    assert sent["campaign_id"] == CAMPAIGN
    assert sent["skip_if_in_campaign"] is True
    (lead,) = sent["leads"]
    assert lead["email"] == "paula@example.com"
    assert lead["custom_variables"] == {
        "subject": "Three interns",
        "pitch": "Hello &lt;Paula&gt;<br/>and welcome",
        "overture_id": "id@x.test",
    }
    assert call.request.headers["Authorization"] == f"Bearer {SECRET}"


WHY_NOT = [
    ("in_blocklist", "block list", False),
    ("duplicated_leads", "in the campaign already", False),
    ("duplicate_email_count", "in the campaign already", False),
    ("skipped_count", "in the campaign already", False),
    ("invalid_email_count", "invalid", True),
    ("incomplete_count", "missing", False),
]


@pytest.mark.parametrize(("counter", "says", "hard"), WHY_NOT)
@responses.activate
def test_a_200_that_took_nobody_is_a_definite_no_with_its_reason(counter, says, hard):
    responses.post(f"{API}/leads/add", json=NOBODY | {counter: 1})
    with pytest.raises(ChannelError, match=says) as refusal:
        handed_over(a_sender())
    assert (refusal.value.permanent, refusal.value.hard) == (True, hard)


ANSWERS = {
    "200 without body": ({"body": ""}, None),
    "200 bad JSON": ({"body": "{"}, None),
    "200 that counts nothing": ({"json": {"status": "success"}}, None),
    "500": ({"json": {}, "status": 500}, None),
    "400": ({"json": {"message": "bad"}, "status": 400}, (True, False)),
    "401": ({"json": {"message": f"no {SECRET}"}, "status": 401}, (True, True)),
    "402": ({"json": {"message": "plan"}, "status": 402}, (True, True)),
    "404": ({"json": {"message": "no campaign"}, "status": 404}, (True, True)),
    "429": ({"json": {"message": "slow"}, "status": 429}, (False, True)),
}


@pytest.mark.parametrize("case", ANSWERS)
@responses.activate
def test_every_answer_of_instantly_has_its_meaning(case):
    answer, meaning = ANSWERS[case]
    responses.post(f"{API}/leads/add", **answer)
    with pytest.raises((ChannelError, OutcomeUnknown)) as raised:
        handed_over(a_sender())
    assert SECRET not in str(raised.value)
    if meaning is None:
        assert isinstance(raised.value, OutcomeUnknown)
    else:
        assert (raised.value.permanent, raised.value.of_mailbox) == meaning


@responses.activate
def test_a_follow_up_answers_in_the_thread_and_is_never_posted_twice():
    sender = a_sender()
    responses.post(f"{API}/emails/reply", json={"id": MAIL})
    receipt = handed_over(sender, thread="thread-1", subject="Re: Three interns")
    assert (receipt.delegated, receipt.provider_id) == (False, MAIL)
    sent = json.loads(responses.calls[0].request.body)
    assert (sent["reply_to_uuid"], sent["eaccount"]) == ("thread-1", sender.address)
    responses.replace(responses.POST, f"{API}/emails/reply", body=TimeoutError("slow"))
    with pytest.raises(OutcomeUnknown):
        handed_over(sender, thread="thread-1")
    assert len(responses.calls) == 2


@responses.activate
def test_a_lead_that_is_not_in_the_campaign_was_not_delegated():
    sender = a_sender()
    row = {"id": LEAD, "email": "Paula@Example.com", "status": 1}
    responses.post(f"{API}/leads/list", json={"items": [row]})
    responses.post(f"{API}/leads/list", json={"items": []})
    letter = a_letter(sender)
    with InstantlyChannel(sender) as channel:
        found = channel.look_up(letter, since=MONDAY, now=MONDAY)
        assert (found.delegated, found.provider_id) == (True, LEAD)
        assert isinstance(channel.look_up(letter, since=MONDAY, now=MONDAY), Refused)


# -- what was delegated ------------------------------------------------------------------------


@pytest.fixture
def instantly(desk, settings):
    settings.SEND_MODE = "live"
    settings.POSTAL_ADDRESS = "Example Placements, 1 Example Street, Exampleton"
    Sender.objects.filter(pk=desk.sender.pk).update(transport="instantly")
    desk.sender.refresh_from_db()
    desk.sender.provider_options = json.dumps(OPTIONS)
    desk.sender.save()
    return desk


def queued(desk) -> None:
    desk.match()
    desk.run()
    desk.approve_all()
    outbox.carry_out(outbox.plan(outbox.first_messages(None), now=MONDAY), now=MONDAY)


def delegated(desk) -> Message:
    queued(desk)
    with responses.RequestsMock() as web:
        web.post(f"{API}/leads/add", json=UPLOADED)
        assert sending.send_due(now=MONDAY).sent == 1
    return Message.objects.get(number=0)


@pytest.mark.req("S000-062")
def test_later_steps_begin_when_instantly_says_that_it_has_sent(instantly):
    message = delegated(instantly)
    assert (message.status, message.sent_at, message.provider_id) == ("delegated", None, LEAD)
    assert message.pitch.status == Pitch.Status.APPROVED
    assert not FollowUpTask.objects.exists()
    at = MONDAY + 5 * HOUR
    assert settling.delegated_was_sent(message, provider_id=MAIL, at=at)
    assert not settling.delegated_was_sent(message, provider_id="again", at=at + HOUR)
    message.refresh_from_db()
    assert (message.status, message.sent_at, message.provider_id) == ("sent", at, MAIL)
    first = FollowUpTask.objects.order_by("due_at").first()
    assert first.due_at == at + 48 * HOUR


def test_a_follow_up_asks_instantly_for_an_answer_first(instantly):
    message = delegated(instantly)
    settling.delegated_was_sent(message, provider_id=MAIL, at=MONDAY)
    due = MONDAY + 48 * HOUR
    planned = outreach.plan_follow_ups(now=due)
    with responses.RequestsMock() as web:
        web.get(f"{API}/emails", json={"items": [{"id": "1"}]})
        outreach.carry_out(planned)
        sending.send_due(now=due)
    follow_up = Message.objects.get(number=1)
    assert (follow_up.status, follow_up.hold_reason) == ("queued", "inbox_not_read")
    with responses.RequestsMock() as web:
        web.get(f"{API}/emails", json={"items": []})
        web.post(f"{API}/emails/reply", json={"id": "re-1"})
        later = due + HOUR
        Sender.objects.update(inbox_read_began_at=later, inbox_read_at=later)
        sending.send_due(now=later)
    follow_up.refresh_from_db()
    assert (follow_up.status, follow_up.provider_id) == ("sent", "re-1")


def answers(web, *, leads=(), mails=(), times: int = 1) -> None:
    rows = [{"id": LEAD, "email": row[0], "status": row[1]} for row in leads]
    for _ in range(times):
        web.post(f"{API}/leads/list", json={"items": rows})
    web.get(f"{API}/emails", json={"items": [{"id": each} for each in mails]})


@pytest.mark.req("REL-37")
def test_a_stop_is_confirmed_only_after_it_was_read_back(instantly):
    message = delegated(instantly)
    stopping.stop_pitch(message.pitch, reason="Role is filled")
    message.refresh_from_db()
    assert (message.status, bool(message.stop_requested_at)) == ("delegated", True)
    now = message.stop_requested_at + MINUTE
    with responses.RequestsMock() as web:
        answers(web, leads=[(message.to_address, 1)])
        web.delete(f"{API}/leads/{LEAD}", json={})
        web.remove(responses.GET, f"{API}/emails")
        done = delegating.take_back(now=now)
    assert (done.waiting, done.stopped) == (1, 0)
    message.refresh_from_db()
    assert (message.status, message.stop_confirmed_at) == ("delegated", None)
    with responses.RequestsMock() as web:
        answers(web)
        assert delegating.take_back(now=now + MINUTE).stopped == 1
    message.refresh_from_db()
    assert (message.status, message.stop_confirmed_at) == ("canceled", now + MINUTE)
    assert "Role is filled" in message.canceled_reason
    assert delegating.take_back(now=now + HOUR) == delegating.Asked()


@pytest.mark.req("REL-37")
def test_an_instantly_that_fails_three_times_raises_the_alarm(instantly, ada):
    message = delegated(instantly)
    stopping.stop_pitch(message.pitch, reason="Role is filled")
    message.refresh_from_db()
    asked = message.stop_requested_at
    for minutes in (1, 7, 14):
        with responses.RequestsMock() as web:
            web.post(f"{API}/leads/list", status=500, json={})
            assert delegating.take_back(now=asked + minutes * MINUTE).failed == 1
        assert not delegating.overdue(now=asked + minutes * MINUTE).exists()
    at = asked + 15 * MINUTE
    assert list(delegating.overdue(now=at)) == [message]
    shown = {
        figure.label: figure.count for card in home.cards(ada, at) for figure in card.figures
    }
    assert shown["stops not confirmed elsewhere"] == 1
    with responses.RequestsMock() as web:
        answers(web, times=1)
        delegating.take_back(now=at)
    assert not delegating.overdue(now=at + HOUR).exists()


@pytest.mark.req("REL-37")
def test_what_was_sent_before_the_stop_came_is_sent(instantly):
    message = delegated(instantly)
    stopping.stop_pitch(message.pitch, reason="Role is filled")
    with responses.RequestsMock() as web:
        answers(web, leads=[(message.to_address, 3)], mails=[MAIL], times=1)
        assert delegating.take_back(now=MONDAY + HOUR).sent == 1
    message.refresh_from_db()
    assert (message.status, message.provider_id) == ("sent", MAIL)
    assert not FollowUpTask.objects.filter(FollowUpTask.is_open()).exists()


@pytest.mark.req("LAW-26")
@pytest.mark.parametrize("wish", ["unsubscribed", "complained", "do_not_contact"])
@pytest.mark.parametrize("was_sent", [False, True])
def test_a_wish_for_ever_goes_to_the_block_list_and_to_the_crm(instantly, wish, was_sent):
    message = delegated(instantly)
    if was_sent:
        settling.delegated_was_sent(message, provider_id=MAIL, at=MONDAY)
    match wish:
        case "unsubscribed":
            stopping.unsubscribed(message.pitch, source="test", now=MONDAY)
        case "complained":
            stopping.complained(message.pitch, source="test", now=MONDAY)
        case _:
            organization = message.pitch.address.contact.organization
            stopping.do_not_contact(organization, reason="Never again")
    assert SyncTask.objects.filter(change="left_alone").count() == 1
    with responses.RequestsMock() as web:
        web.post(f"{API}/block-lists-entries", json={"id": "1"})
        answers(web, leads=[(message.to_address, 3 if was_sent else 2)], mails=[MAIL])
        if not was_sent:
            web.delete(f"{API}/leads/{LEAD}", json={})
            web.remove(responses.GET, f"{API}/emails")
        delegating.take_back(now=MONDAY + MINUTE)
        blocked = json.loads(web.calls[0].request.body)
    assert blocked == {"bl_value": message.to_address}
    assert not delegating.waiting().exists()
    message.refresh_from_db()
    assert message.status == ("sent" if was_sent else "canceled")


def test_a_reply_takes_back_without_blocking(instantly):
    message = delegated(instantly)
    stopping.person_answered(message.pitch, reason="answered")
    assert not SyncTask.objects.filter(change="left_alone").exists()
    with responses.RequestsMock() as web:  # it would object to a call of the block list
        answers(web)
        assert delegating.take_back(now=MONDAY).stopped == 1


@pytest.mark.req("LAW-26")
def test_who_is_put_on_the_list_by_an_import_is_asked_back(instantly):
    message = delegated(instantly)
    assert delegating.notice_suppressed(now=MONDAY) == 0
    suppressions.add(
        Suppression.Kind.EMAIL,
        message.to_address,
        reason=Suppression.Reason.IMPORTED,
        source="list",
        now=MONDAY,
    )
    assert delegating.notice_suppressed(now=MONDAY) == 1
    assert delegating.waiting().get() == message


def test_a_key_that_is_refused_pauses_the_sender_and_spares_the_others(instantly):
    message = delegated(instantly)
    stopping.stop_pitch(message.pitch, reason="Role is filled")
    with responses.RequestsMock() as web:
        web.post(f"{API}/leads/list", status=401, json={"message": "no"})
        assert delegating.take_back(now=MONDAY).failed == 1
    assert Breaker.objects.filter(sender=message.sender, level="pause").exists()


# -- against the vendor's own description ------------------------------------------------------


def test_what_we_ask_is_what_instantly_documents(real_data, monkeypatch):
    """The contract lies beside the recorded data; it validates requests and answers."""
    folder = Path(real_data).parent / "vendors" / "contracts"
    if not (folder / "instantly.json").exists():
        pytest.skip("no contracts beside the recorded data")
    monkeypatch.syspath_prepend(str(folder))
    adapters = pytest.importorskip("contract_adapter")
    requests = pytest.importorskip("requests")
    spec = json.loads((folder / "instantly.json").read_text())
    replies = {
        "/api/v2/leads/add": UPLOADED,
        "/api/v2/leads/list": {"items": [{"id": LEAD, "email": "paula@example.com"}]},
        "/api/v2/emails/reply": {"id": MAIL},
        "/api/v2/emails": {"items": []},
        "/api/v2/block-lists-entries": {"id": "1", "bl_value": "paula@example.com"},
    }

    def reply(request):
        return 200, replies[request.path_url.partition("?")[0]], {}

    adapter = adapters.ContractAdapter(spec, reply)
    monkeypatch.setattr(requests.Session, "get_adapter", lambda self, url: adapter)
    sender = a_sender()
    with InstantlyChannel(sender) as channel:
        letter = a_letter(sender)
        assert channel.hand_over(letter, now=MONDAY).delegated
        assert not channel.has_answer(letter, since=MONDAY, now=MONDAY)
        assert channel.look_up(letter, since=MONDAY, now=MONDAY)
        channel.hand_over(a_letter(sender, thread=MAIL), now=MONDAY)
        channel._call("POST", "block-lists-entries", {"bl_value": "a@example.com"}, now=MONDAY)
    assert len(adapter.seen) == 5


# -- a stop that meets a hand-over -------------------------------------------------------------


@pytest.mark.req("REL-37")
def test_a_stop_while_instantly_takes_it_over_is_asked_for_there(instantly):
    """The hand-over cannot be stopped any more; what Instantly then holds can."""

    class StoppedMeanwhile(InstantlyChannel):
        def hand_over(self, letter, *, now):
            stopping.person_answered(Pitch.objects.get(), reason="answered")
            return Receipt("Instantly: taken over", 200, LEAD, delegated=True)

    queued(instantly)
    assert sending.send_due(now=MONDAY, channel_of=StoppedMeanwhile).sent == 1
    message = Message.objects.get(number=0)
    assert message.status == "delegated"
    assert delegating.waiting().get() == message


def lost_at_instantly(desk) -> Message:
    class Silent(InstantlyChannel):
        def hand_over(self, letter, *, now):
            raise OutcomeUnknown("no answer after the message was handed over: timed out")

    queued(desk)
    assert sending.send_due(now=MONDAY, channel_of=Silent).unknown == 1
    return Message.objects.get(number=0)


def test_what_turns_out_to_lie_at_instantly_is_delegated_and_not_sent(instantly):
    message = lost_at_instantly(instantly)
    with responses.RequestsMock() as web:
        rows = [{"id": LEAD, "email": message.to_address, "status": 1}]
        web.post(f"{API}/leads/list", json={"items": rows})
        resolving.look_for_evidence(now=MONDAY + HOUR)
    message.refresh_from_db()
    assert (message.status, message.sent_at, message.provider_id) == ("delegated", None, LEAD)
    assert "It was taken there" in message.resolution
    assert not delegating.waiting().exists()


@pytest.mark.req("REL-37")
def test_a_stop_reaches_what_only_later_turns_out_to_lie_at_instantly(instantly):
    message = lost_at_instantly(instantly)
    stopping.person_answered(message.pitch, reason="answered")
    with responses.RequestsMock() as web:
        rows = [{"id": LEAD, "email": message.to_address, "status": 1}]
        web.post(f"{API}/leads/list", json={"items": rows})
        resolving.look_for_evidence(now=MONDAY + HOUR)
    assert delegating.waiting().get() == message


@pytest.mark.parametrize("kept", [True, False])
def test_an_answer_that_was_fetched_holds_no_follow_up_for_ever(instantly, kept):
    """An absence notice lies there for good; it has moved the step, and then it goes."""
    notice = "absent-until-monday"
    if kept:
        IncomingMessageFactory(sender=instantly.sender, message_id=name_of_answer(notice))
    with InstantlyChannel(instantly.sender) as channel, responses.RequestsMock() as web:
        web.get(f"{API}/emails", json={"items": [{"id": notice}]})
        letter = a_letter(instantly.sender)
        assert channel.has_answer(letter, since=MONDAY, now=MONDAY) is not kept
