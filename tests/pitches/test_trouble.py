"""What becomes of a pitch when one of its messages does not make it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection

from config.encrypted import WrongKey
from pitches import outreach, pitching, reaping, sending, stopping
from pitches.channels import ChannelError, OutcomeUnknown
from pitches.channels.capture import CaptureChannel
from pitches.models import Message, Pitch
from tests.clock import MONDAY
from tests.factories import (
    ContactAddressFactory,
    LeadFactory,
    OrganizationFactory,
    SenderFactory,
)

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def says(error):
    def raises(*args, **kwargs):
        raise error

    return raises


@pytest.fixture
def approved(desk):
    desk.match()
    desk.run()
    desk.approve_all()
    return Pitch.objects.get()


def test_a_follow_up_of_unknown_fate_counts_as_sent_and_the_pitch_goes_on(desk, monkeypatch):
    pitch = desk.sent_pitch()
    with monkeypatch.context() as m:
        m.setattr(CaptureChannel, "hand_over", says(OutcomeUnknown("no answer")))
        desk.follow_up(MONDAY + 48 * HOUR)
    for hours in range(49, 260, 6):
        reaping.reap(now=MONDAY + hours * HOUR)
        desk.follow_up(MONDAY + hours * HOUR)
    statuses = list(pitch.messages.order_by("number").values_list("status", flat=True))
    assert statuses == ["sent", "unknown", "sent", "sent"]
    second = pitch.messages.get(number=2)
    assert second.sent_at - (MONDAY + 48 * HOUR) >= 48 * HOUR
    pitch.refresh_from_db()
    assert pitch.status == Pitch.Status.MOVED


@pytest.mark.req("S003-070")
def test_a_first_message_refused_for_good_frees_its_lead_and_the_plan_says_why(
    desk, approved, monkeypatch
):
    refusal = ChannelError("554 5.7.1 spam", permanent=True, code=554)
    with monkeypatch.context() as m:
        m.setattr(CaptureChannel, "open", says(refusal))
        assert desk.run().sending.failed == 1
    reaping.reap(now=MONDAY + HOUR)
    approved.refresh_from_db()
    assert approved.status == Pitch.Status.REJECTED
    assert not approved.messages.exclude(status__in=["failed", "canceled"]).exists()
    (row,) = pitching.plan(now=MONDAY + HOUR)
    assert "it could not be sent: 554 5.7.1 spam" in row.sentence
    lead = frozenset({approved.lead_id})
    desk.run(MONDAY + HOUR, again=lead)
    desk.approve_all(MONDAY + HOUR)
    assert desk.run(MONDAY + HOUR).sending.sent == 1


def test_a_server_that_cannot_be_reached_is_tried_once_for_all_its_mail(desk, monkeypatch):
    for _ in range(4):
        desk.match()
    desk.run()
    desk.approve_all()
    tried = []

    def unreachable(self, letter):
        tried.append(letter.message_id)
        raise ChannelError("no connection", of_mailbox=True)

    with monkeypatch.context() as m:
        m.setattr(CaptureChannel, "open", unreachable)
        desk.run()
    assert len(tried) == 1
    rested = Message.objects.filter(number=0)
    assert {(m.status, m.attempts, m.hold_reason) for m in rested} == {
        ("queued", 0, "back_off")
    }
    assert sending.send_due(now=MONDAY + timedelta(minutes=5)).sent == 4


def test_an_organization_that_wants_no_mail_gets_none_through_another_ones_lead(desk):
    """The person works there, whatever lead they are reached by."""
    shut = OrganizationFactory(name="Shut GmbH")
    lead = LeadFactory(organization=OrganizationFactory(name="Open AG"))
    lead.contacts.add(ContactAddressFactory(contact__organization=shut).contact)
    desk.match(lead)
    stopping.do_not_contact(shut, reason="asked")
    (row,) = outreach.plan(now=MONDAY).decisions
    assert (row.verdict, row.reason) == ("hold", "stopped")
    shut.stops.update(lifted_at=MONDAY)
    (row,) = outreach.plan(now=MONDAY).decisions
    assert row.sentence == "Shut GmbH asked not to be contacted."


def test_a_sender_without_a_channel_does_not_keep_the_others_from_sending(desk):
    """Its message is put off, with the cause; what lies behind it goes out."""
    desk.match()
    desk.match()
    outreach.carry_out(outreach.plan(now=MONDAY), send=False)
    desk.approve_all()
    outreach.carry_out(outreach.plan(now=MONDAY), send=False)
    other = SenderFactory(gap_min=0, gap_max=0)
    first = Message.objects.filter(status="queued").earliest("send_at", "pk")
    Message.objects.filter(pk=first.pk).update(sender=other)

    def channel_of(sender):
        if sender == other:
            raise ChannelError("no way to send", permanent=True, of_mailbox=True)
        return CaptureChannel(sender)

    assert sending.send_due(now=MONDAY, channel_of=channel_of).sent == 1
    first.refresh_from_db()
    assert (first.status, first.hold_reason) == ("queued", "back_off")


def test_a_sender_whose_secrets_no_key_opens_costs_no_message_and_holds_up_nobody(
    desk, approved
):
    """As after a restore with another CREDENTIALS_KEY; three such claims were its end."""
    outreach.carry_out(outreach.plan(now=MONDAY), send=False)
    first = Message.objects.get(number=0)
    other = SenderFactory()
    with connection.cursor() as cursor:
        sealed = ["sealed", other.pk]
        cursor.execute("UPDATE pitches_sender SET password = %s WHERE id = %s", sealed)
    Message.objects.filter(pk=first.pk).update(sender=other)
    for minutes in range(0, 60, 6):
        now = MONDAY + timedelta(minutes=minutes)
        with pytest.raises(WrongKey):
            sending.send_due(now=now)
        # the next tick finds nothing of it due, and goes on with the others
        assert sending.send_due(now=now + timedelta(minutes=1)) == sending.Sent()
    row = Message.objects.values("status", "claims").get(pk=first.pk)
    assert row == {"status": "queued", "claims": 0}
