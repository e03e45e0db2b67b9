"""Five places where somebody who must not be written to is found, each by itself (LAW-7).

The first, the import, stands in tests/prospects/test_importing.py.
"""

from __future__ import annotations

import random

import pytest

from pitches import outreach, review, sending, stopping, unsubscribing, writing
from pitches.channels import capture
from pitches.channels.capture import CaptureChannel
from pitches.models import Message, Pitch, ReviewTask, Variant
from prospects import suppressions
from prospects.models import ContactAddress
from tests.clock import MONDAY
from tests.factories import ContactAddressFactory
from tests.prospects.test_suppressions import another_spelling

pytestmark = pytest.mark.django_db


def suppress(value: str, kind: str = "email") -> None:
    suppressions.add(kind, value, reason="unsubscribed", source="test", now=MONDAY)


@pytest.mark.req("LAW-7")
def test_the_plan_makes_no_draft_and_spends_nothing(desk):
    match = desk.match()
    suppress(match.lead.contacts.get().addresses.get().value)
    (row,) = outreach.plan(now=MONDAY).decisions
    assert (row.verdict, row.reason) == ("hold", "suppressed")
    desk.run()
    assert not Pitch.objects.exists()
    assert not Variant.objects.exists()


@pytest.mark.req("LAW-7")
def test_nothing_is_written_to_them(desk):
    match = desk.match()
    desk.run()
    match.refresh_from_db()
    Variant.objects.all().delete()
    suppress(match.pitch.address.value)
    writing.write(match.pitch.messages.all(), now=MONDAY)
    assert not Variant.objects.exists()


@pytest.mark.req("LAW-7")
def test_nobody_approves_words_to_them(desk):
    match = desk.match()
    desk.run()
    match.refresh_from_db()
    suppress(match.pitch.address.value)
    task = ReviewTask.objects.get()
    with pytest.raises(review.NotApprovable, match=r"must not be written to: unsubscribed"):
        review.approve(task, by=desk.reviewer, now=MONDAY)
    assert set(Message.objects.values_list("status", flat=True)) == {"draft"}


@pytest.mark.req("LAW-7")
def test_what_was_claimed_for_them_is_let_go_before_anybody_talks_to_a_server(desk):
    message = queued(desk)
    suppress(message.to_address)

    class NobodyTalks(CaptureChannel):
        def open(self, letter):
            pytest.fail("the server was asked")

    done = sending.send_due(now=MONDAY, channel_of=NobodyTalks)
    assert (done.sent, done.held) == (0, 1)
    message.refresh_from_db()
    assert (message.hold_reason, message.status) == ("suppressed", "approved")


@pytest.mark.req("LAW-7", "LAW-4")
def test_the_gate_stops_what_was_suppressed_while_the_server_was_asked(desk):
    message = queued(desk)

    class Meanwhile(CaptureChannel):
        def open(self, letter):
            super().open(letter)
            suppress(letter.recipient)

    assert sending.send_due(now=MONDAY, channel_of=Meanwhile).sent == 0
    message.refresh_from_db()
    assert message.hold_reason == "suppressed"
    assert list(capture.sent(desk.sender)) == []


def queued(desk) -> Message:
    desk.match()
    desk.run()
    desk.approve_all()
    Message.objects.filter(number=0).update(status="queued", send_at=MONDAY)
    return Message.objects.get(number=0)


@pytest.mark.req("LAW-6")
def test_a_person_on_the_list_gets_no_mail_under_any_spelling(desk):
    """Each lead writes the same few people another way; not one is pitched."""
    chance = random.Random(18)
    people = ["first.last@example.com", "person@gmail.com", "name@xn--bcher-kva.example"]
    for person in people:
        suppress(person)
    for number in range(30):
        written = another_spelling(people[number % 3], chance)
        match = desk.match()
        ContactAddress.objects.filter(contact__leads=match.lead).update(
            value=suppressions.addresses.exact_email(written), canonical=f"{number}@example.org"
        )
    found = outreach.plan(now=MONDAY).decisions
    assert [row.reason for row in found] == ["suppressed"] * 30
    desk.run()
    assert not Pitch.objects.exists()


@pytest.mark.req("LAW-6")
def test_an_unsubscribed_person_who_is_imported_again_gets_no_mail(desk):
    """Their rows are new; what holds is the suppression."""
    pitch = desk.sent_pitch()
    said = unsubscribing.opened(unsubscribing.token(pitch.messages.get(number=0)))
    stopping.way_out_taken(said, source="test", now=MONDAY)
    lead = desk.lead()
    spelling = said.address.replace("@", "+again@").upper()
    ContactAddress.objects.filter(contact__leads=lead).update(value=spelling)
    match = desk.match(lead=lead)
    (row,) = outreach.plan(now=MONDAY).decisions
    assert row.reason == "suppressed"
    desk.run()
    match.refresh_from_db()
    assert match.pitch is None
    assert len(list(capture.sent(desk.sender))) == 1


@pytest.mark.parametrize(
    ("kind", "value"), [("phone", "+491701234567"), ("linkedin", "linkedin.com/in/ada")]
)
def test_telephones_and_pages_are_found_as_mail_is(kind, value):
    address = ContactAddressFactory(kind=kind, value=value, canonical=value)
    assert suppressions.of_addresses([address]) == {}
    suppress(value, kind)
    assert suppressions.of_addresses([address]) == {value: "unsubscribed"}


def test_a_page_that_can_be_on_no_list_is_on_none():
    page = ContactAddressFactory(kind="profile", value="x.com/ada", canonical="x.com/ada")
    assert suppressions.of_addresses([page]) == {}


@pytest.mark.req("F-23")
@pytest.mark.parametrize("name", ["noreply", "No-Reply", "abuse", "postmaster", "unsubscribe"])
def test_a_lead_known_only_at_an_address_that_nobody_reads_is_skipped(desk, name):
    lead = desk.lead()
    ContactAddress.objects.filter(contact__leads=lead).update(value=f"{name}@example.org")
    desk.match(lead=lead)
    (row,) = outreach.plan(now=MONDAY).decisions
    assert (row.verdict, row.reason) == ("hold", "no_company_contacts")


@pytest.mark.req("F-23")
def test_people_whose_names_only_look_like_it_are_written_to(desk):
    lead = desk.lead()
    ContactAddress.objects.filter(contact__leads=lead).update(value="nora.eply@example.org")
    desk.match(lead=lead)
    (row,) = outreach.plan(now=MONDAY).decisions
    assert row.verdict == "pitch"
