"""What went wrong in other systems that send in sequences, one test each."""

from __future__ import annotations

from datetime import timedelta

import pytest

from campaigns.models import Candidate
from pitches import review
from pitches.channels import capture
from pitches.models import Message, SenderCampaign, Variant
from prospects import suppressions
from tests.clock import MONDAY
from tests.factories import ContactAddressFactory, LeadFactory, SenderFactory

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def letters(sender) -> list[capture.Captured]:
    return list(capture.sent(sender))


def test_a_campaign_that_was_paused_goes_on_where_it_was(desk):
    """Scar 5: going on starts the list again, and people get copies."""
    desk.sent_pitch()
    desk.match()
    desk.run()
    desk.approve_all()
    desk.campaign.move("paused")
    assert desk.run().sending.sent == 0
    desk.campaign.move("active")
    assert desk.run().sending.sent == 1
    recipients = [letter.recipient for letter in letters(desk.sender)]
    assert len(recipients) == len(set(recipients)) == 2


def test_of_three_variants_one_is_sent(desk):
    """Scar 9: each variant counts as a message of its own, and all of them go out."""
    pitch = desk.sent_pitch()
    first = pitch.messages.get(number=0)
    assert first.variants.count() == 3
    Variant.objects.filter(message=first).update(is_chosen=False)
    desk.run()
    assert [letter.recipient for letter in letters(desk.sender)] == [first.to_address]


def test_whoever_is_suppressed_leaves_the_queue_and_is_not_written_for_again(desk):
    """Scar 12: suppressed people go round in the queue, and each round writes anew."""
    desk.match()
    desk.run()
    desk.approve_all()
    first = Message.objects.get(number=0)
    where = {"reason": "do_not_contact", "source": "a call", "now": MONDAY}
    suppressions.add("email", first.to_address, **where)
    written = Variant.objects.count()
    for hours in (0, 24, 48):
        assert desk.run(MONDAY + hours * HOUR).sending.sent == 0
    assert not Message.objects.filter(status__in=("queued", "claimed")).exists()
    assert Variant.objects.count() == written
    assert letters(desk.sender) == []


def test_a_thread_keeps_its_sender_though_the_campaign_writes_from_another(desk):
    """Scar 14: rotation changes the sender inside a thread."""
    pitch = desk.sent_pitch()
    other = SenderFactory(gap_min=0, gap_max=0)
    SenderCampaign.objects.update(is_default=False)
    SenderCampaign.objects.create(sender=other, campaign=desk.campaign, is_default=True)
    Candidate.objects.filter(matches__pitch=pitch).update(responsible=other.user)
    desk.follow_up(MONDAY + 48 * HOUR)
    first, second = letters(desk.sender)
    assert first.mail["From"] == second.mail["From"]
    assert letters(other) == []


def test_each_person_is_greeted_by_the_own_name_with_the_own_company(desk):
    """Scar 22: the name comes from one conversation and the words from another."""
    people = {"Paula": "Nordwind", "Quentin": "Suedstern", "Rosa": "Ostkap"}
    for name, company in people.items():
        lead = LeadFactory(organization__name=company)
        address = ContactAddressFactory(
            contact__organization=lead.organization,
            contact__name=f"{name} Example",
            value=f"{name.lower()}@example.com",
        )
        lead.contacts.add(address.contact)
        desk.match(lead)
    desk.run()
    for task in reversed(review.queue()):
        review.approve(task, by=desk.reviewer, now=MONDAY)
    desk.run()
    assert len(letters(desk.sender)) == len(people)
    for letter in letters(desk.sender):
        text = letter.mail.get_body(("plain",)).get_content()
        (name,) = (n for n in people if letter.recipient == f"{n.lower()}@example.com")
        told = {word for word in [*people, *people.values()] if word in text}
        assert told == {name, people[name]}
