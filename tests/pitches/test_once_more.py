"""Ways around the promises that somebody found once, and that stay closed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from campaigns.models import Campaign
from pitches import inbox, leaving, outbox, pitching, review, sending, stopping
from pitches.channels import capture
from pitches.decisions import Reason, Verdict
from pitches.models import FollowUpTask, IncomingMessage, Match, Message, Pitch, ReviewTask
from tests.clock import MONDAY
from tests.factories import (
    ContactAddressFactory,
    ContactFactory,
    EmailLimitFactory,
    LeadFactory,
    OrganizationFactory,
    SenderFactory,
)

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def approved(desk) -> Pitch:
    desk.match()
    desk.run()
    desk.approve_all()
    return Pitch.objects.get()


def edit_follow_up(desk, pitch: Pitch) -> None:
    variant = pitch.messages.get(number=1).variants.get(is_chosen=True)
    review.edit(variant, by=desk.reviewer, now=MONDAY, subject="New", body="New words")


def test_an_edited_follow_up_is_read_again_while_the_first_message_goes_its_way(desk, approved):
    edit_follow_up(desk, approved)
    approved.refresh_from_db()
    assert approved.status == Pitch.Status.APPROVED
    assert desk.run().sending.sent == 1
    approved.refresh_from_db()
    assert approved.status == Pitch.Status.ACTIVE
    assert FollowUpTask.objects.filter(FollowUpTask.is_open()).count() == 4
    held = desk.follow_up(MONDAY + 48 * HOUR)
    assert held.sending.sent == 0
    review.approve(ReviewTask.objects.get(status="open"), by=desk.reviewer, now=MONDAY)
    assert desk.follow_up(MONDAY + 48 * HOUR).sending.sent == 1


def test_rejecting_words_after_something_is_out_gives_no_match_back(desk, approved):
    edit_follow_up(desk, approved)
    desk.run()
    task = ReviewTask.objects.get(status="open")
    review.reject(task, by=desk.reviewer, now=MONDAY + HOUR, reason="too pushy")
    approved.refresh_from_db()
    assert approved.status == Pitch.Status.ACTIVE
    assert Match.objects.get().pitch == approved
    # the rejected step is passed over, the others go on
    task = FollowUpTask.objects.get(step__number=1)
    assert (task.canceled_at, task.reason) == (MONDAY + HOUR, "too pushy")
    assert desk.follow_up(MONDAY + 96 * HOUR).sending.sent == 1
    other = Campaign.objects.get(pk=desk.campaign.pk)
    other.pk, other.slug = None, "second"
    other.save()
    pair = Match.objects.get()
    desk.match(pair.lead, pair.candidate, campaign=other)
    (row,) = pitching.plan(campaign=other, now=MONDAY + timedelta(days=60))
    assert row.verdict == Verdict.HOLD


def test_rejecting_an_edited_first_message_ends_the_pitch(desk, approved):
    variant = approved.messages.get(number=0).variants.get(is_chosen=True)
    review.edit(variant, by=desk.reviewer, now=MONDAY, subject="New", body="New words")
    task = ReviewTask.objects.get(status="open")
    review.reject(task, by=desk.reviewer, now=MONDAY, reason="no")
    approved.refresh_from_db()
    assert approved.status == Pitch.Status.REJECTED
    assert not approved.messages.exclude(status="canceled").exists()


@pytest.mark.req("REL-18")
def test_an_answer_that_lies_in_another_mailbox_stops_the_follow_ups(desk):
    pitch = desk.sent_pitch()
    other = SenderFactory()
    first = pitch.messages.get(number=0)
    raw = (
        f"From: {pitch.address.value}\r\nTo: {other.address}\r\nSubject: Re: x\r\n"
        f"In-Reply-To: <{first.message_id}>\r\n\r\nPlease call me.\r\n"
    ).encode()
    result = inbox.Read()
    inbox.take_in(other, 1, raw, result, now=MONDAY + HOUR)
    pitch.refresh_from_db()
    assert pitch.status == Pitch.Status.REPLIED


@pytest.mark.req("REL-18")
def test_an_answer_from_another_address_of_the_same_person_stops_the_follow_ups(desk):
    pitch = desk.sent_pitch()
    private = ContactAddressFactory(contact=pitch.address.contact)
    raw = f"From: {private.value}\r\nTo: {desk.sender.address}\r\n\r\nYes.\r\n".encode()
    inbox.take_in(desk.sender, 1, raw, inbox.Read(), now=MONDAY + HOUR)
    pitch.refresh_from_db()
    assert pitch.status == Pitch.Status.REPLIED
    assert IncomingMessage.objects.get().matched_by == "address"


@pytest.mark.parametrize(
    "poison",
    [
        b"From: a@b.test\r\nIn-Reply-To: <a\0b@c>\r\n\r\nhi",
        b"From: a\0b@c.test\r\nMessage-ID: <x\0@y>\r\nSubject: \0\r\n\r\n\0",
        b"From: a@b.test\r\nDate: Mon, 01 Jan 0001 00:00:00 +2359\r\n\r\nhi",
        b"From: " + b"<" * 5000 + b"\r\n\r\nhi",
        b"",
        b"\xff\xfe\x00",
    ],
)
def test_no_mail_keeps_the_one_behind_it_from_being_read(desk, poison, monkeypatch):
    pitch = desk.sent_pitch()
    first = pitch.messages.get(number=0)
    answer = (
        f"From: {pitch.address.value}\r\nIn-Reply-To: <{first.message_id}>\r\n\r\nYes".encode()
    )
    box = [capture.Arrived(1, poison), capture.Arrived(2, answer)]
    monkeypatch.setattr(capture, "arrived", lambda sender, after: box)
    result = inbox.read(desk.sender, now=MONDAY + HOUR)
    assert result.stored == 2
    pitch.refresh_from_db()
    assert pitch.status == Pitch.Status.REPLIED


def test_a_hundred_thousand_references_are_read_in_no_time_worth_naming(desk):
    raw = b"From: a@b.test\r\nReferences: " + b"<a@b>" * 100_000 + b"\r\n\r\nhi"
    inbox.store(desk.sender, 1, raw, now=MONDAY)
    assert IncomingMessage.objects.get().references.count("\n") < 100


@pytest.mark.req("REL-27")
def test_words_that_changed_after_they_were_read_are_not_approved(desk):
    desk.match()
    desk.run()
    task = ReviewTask.objects.get()
    seen = review.shown(task)
    variant = Message.objects.get(number=0).variants.first()
    review.edit(variant, by=desk.reviewer, now=MONDAY, subject="Never read", body="Never read")
    with pytest.raises(review.ChangedMeanwhile, match="changed after you opened them"):
        review.approve(task, by=desk.reviewer, now=MONDAY, seen=seen)
    assert ReviewTask.objects.get().is_open
    review.approve(task, by=desk.reviewer, now=MONDAY, seen=review.shown(task))


def person_of(organization):
    return ContactAddressFactory(contact=ContactFactory(organization=organization))


def test_the_limit_of_a_persons_organization_counts_for_leads_without_one(desk):
    organization = OrganizationFactory()
    for _ in range(2):
        lead = LeadFactory(organization=None)
        lead.contacts.add(person_of(organization).contact)
        desk.match(lead)
    first, second = pitching.plan(now=MONDAY)
    assert (first.verdict, second.reason) == (Verdict.PITCH, Reason.ORGANIZATION_LIMIT)
    desk.run()
    desk.approve_all()
    desk.run()
    (row,) = pitching.plan(now=MONDAY + HOUR)
    assert row.reason == Reason.ORGANIZATION_LIMIT


def test_the_wish_of_either_organization_holds(desk):
    theirs, shows = OrganizationFactory(), OrganizationFactory()
    lead = LeadFactory(organization=shows)
    lead.contacts.add(person_of(theirs).contact)
    desk.match(lead)
    stopping.do_not_contact(theirs, reason="by phone", by=desk.reviewer)
    (row,) = pitching.plan(now=MONDAY)
    assert row.verdict == Verdict.HOLD


def test_a_person_reached_through_two_organizations_gets_one_pitch_a_week(desk):
    theirs = OrganizationFactory()
    address = person_of(theirs)
    for _ in range(2):
        lead = LeadFactory()
        lead.contacts.add(address.contact)
        desk.match(lead)
    verdicts = [row.verdict for row in pitching.plan(now=MONDAY)]
    assert sorted(verdicts) == [Verdict.HOLD, Verdict.PITCH]


def test_the_limit_of_a_domain_does_not_mind_its_spelling(desk, approved):
    EmailLimitFactory(organization=None, scope="domain", domain="Example.COM", maximum=0)
    (row,) = outbox.plan(outbox.first_messages(None), now=MONDAY)
    assert row.reason == Reason.DOMAIN_LIMIT


def test_a_capture_folder_that_cannot_be_written_loses_no_message(desk, approved, state_dir):
    outbox.carry_out(outbox.plan(outbox.first_messages(None), now=MONDAY), now=MONDAY)
    folder = state_dir / "capture" / str(desk.sender.pk)
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("in the way")
    for _ in range(4):
        sending.send_due(now=MONDAY)
    message = Message.objects.get(number=0)
    assert (message.status, message.claims) == ("queued", 0)
    folder.unlink()
    assert sending.send_due(now=message.send_at).sent == 1


def test_what_follows_a_redraft_can_be_withdrawn_though_the_first_message_is_out(desk):
    lead = desk.lead()
    goes = desk.match(lead, score=80)
    desk.match(lead, score=60)
    desk.run()
    desk.approve_all()
    desk.run()
    leaving.candidate_left(goes.candidate, reason="placed", now=MONDAY + HOUR)
    task = ReviewTask.objects.get(status="open")
    done = review.approve(task, by=desk.reviewer, now=MONDAY + 2 * HOUR)
    again = review.withdraw(done, by=desk.reviewer)
    assert again.is_open
    assert Message.objects.get(number=0).status == Message.Status.SENT


def test_captured_mail_is_in_the_order_in_which_it_was_written(desk, state_dir):
    folder = state_dir / "capture" / str(desk.sender.pk) / "sent"
    list(capture.sent(desk.sender))
    for micro in (1000, 999, 20):
        mail = f"Subject: {micro}\r\n\r\n"
        (folder / "new" / f"1700000000.M{micro}P1Q1.here").write_bytes(mail.encode())
    subjects = [str(letter.mail["Subject"]) for letter in capture.sent(desk.sender)]
    assert subjects == ["1000", "999", "20"]
