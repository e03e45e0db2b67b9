"""Plans of messages: written for a lead, looked at beforehand, changed by versions."""

from __future__ import annotations

import re

import pytest
from django.db import IntegrityError, transaction

from campaigns import presets
from campaigns.models import Campaign, Segment, Sequence, Step
from config.db import WrongStatus
from pitches import by_hand, review, sequences
from pitches.models import Match, Message, Pitch, ReviewTask
from prospects.models import ContactAddress, Lead
from tests.clock import MONDAY
from tests.factories import ContactAddressFactory, FactFactory
from tests.pitches.test_by_hand import DAY, hands  # noqa: F401  a fixture

pytestmark = pytest.mark.django_db
PLACEHOLDER = re.compile(r"\[[a-z ]+\]|\{\{|\}\}|\{%|<[a-z_ ]+>|XXX", re.I)
KINDS = {
    "3-step": [0, 2, 5, 10],
    "5-step": [0, 2, 5, 10, 15, 20],
    "7-step": [0, 2, 5, 10, 15, 20, 25, 30],
    "soft_nudge": [0, 2, 5, 10],
    "direct_cta": [0, 2, 5],
}


def prospect(desk, segment="referral-network") -> Lead:
    """A lead with a profile, a segment and an approved match."""
    lead = desk.lead(segment=Segment.objects.get(key=segment))
    ContactAddressFactory(
        contact=lead.contacts.get(),
        kind=ContactAddress.Kind.LINKEDIN,
        value=f"linkedin.com/in/paula-{lead.pk}",
    )
    desk.match(lead=lead)
    return lead


# -- for one lead ----------------------------------------------------------------------------


@pytest.mark.req(
    "S004-011", "S004-015", "S004-016", "S004-017", "S004-018", "S004-019", "S004-020",
    "S004-025", "C05",
)  # fmt: skip
@pytest.mark.parametrize("key", sorted(KINDS))
def test_a_whole_sequence_is_written_with_a_date_for_each_step(hands, key):  # noqa: F811
    lead = prospect(hands)
    pitch = sequences.generate(lead, key=key, now=MONDAY)
    Pitch.objects.update(created_at=MONDAY)
    pitch = sequences.of_lead(lead)
    messages = list(pitch.messages.all())
    days = [(sequences.planned_at(pitch, message) - MONDAY) / DAY for message in messages]
    assert days == KINDS[key]
    assert pitch.sequence.key == key
    assert ReviewTask.objects.get().pitch == pitch
    for message in messages:
        assert message.status == Message.Status.DRAFT
        for variant in message.variants.all():
            assert not PLACEHOLDER.search(variant.body), variant.body
            assert variant.problems == []


@pytest.mark.req("S004-012", "S004-013", "S004-014", "H004-05")
def test_it_has_as_many_variants_as_the_earlier_system_promised(hands):  # noqa: F811
    for key, days in KINDS.items():
        pitch = sequences.generate(prospect(hands), key=key, now=MONDAY)
        counts = [message.variants.count() for message in pitch.messages.order_by("number")]
        assert counts == [3, 3, *[2] * (len(days) - 3), 1], key


SEGMENTS = ("referral-network", "thought-leadership", "stealth-founder")


@pytest.mark.req("S004-012", "S004-013", "S004-021", "S004-022", "S004-023")
def test_request_and_message_speak_the_words_of_the_segment(hands):  # noqa: F811
    seen = {}
    for key in SEGMENTS:
        pitch = sequences.generate(prospect(hands, key), now=MONDAY)
        firsts = pitch.messages.filter(number__lt=2)
        bodies = [v.body for message in firsts for v in message.variants.all()]
        seen[key] = " ".join(bodies).lower()
    assert len(set(seen.values())) == 3
    assert "partner" in seen["referral-network"]
    assert "builder" in seen["stealth-founder"]


@pytest.mark.req("S004-013", "S004-022")
def test_the_first_message_uses_what_research_found(hands):  # noqa: F811
    lead = prospect(hands, "thought-leadership")
    FactFactory(lead=lead, kind="news", value="opened a second school")
    pitch = sequences.generate(lead, now=MONDAY)
    bodies = [v.body for v in pitch.messages.get(number=1).variants.all()]
    assert any("opened a second school" in body for body in bodies)


@pytest.mark.req("S004-026")
def test_it_is_read_and_changed_before_it_is_used(hands, ada):  # noqa: F811
    pitch = sequences.generate(prospect(hands), now=MONDAY)
    variant = pitch.messages.get(number=0).variants.first()
    review.edit(variant, subject="", body="Hello Paula, shall we connect?", by=ada, now=MONDAY)
    assert by_hand.today(ada, now=MONDAY).entries == []
    review.approve(
        ReviewTask.objects.get(),
        by=ada,
        now=MONDAY,
        variants={variant.message_id: variant.pk},
    )
    (entry,) = by_hand.today(ada, now=MONDAY).entries
    assert entry.message.body == "Hello Paula, shall we connect?"


def test_without_a_match_or_twice_it_is_refused_with_the_reason(hands):  # noqa: F811
    lonely = hands.lead()
    with pytest.raises(sequences.NotWritten, match="No approved match"):
        sequences.generate(lonely, now=MONDAY)
    with pytest.raises(sequences.NotWritten, match="No approved match"):
        sequences.generate(lonely, campaign=hands.campaign, now=MONDAY)
    hands.match(lead=lonely)
    with pytest.raises(sequences.NotWritten, match="No contact"):
        sequences.generate(lonely, now=MONDAY)
    lead = prospect(hands)
    sequences.generate(lead, now=MONDAY)
    hands.match(lead=lead)
    with pytest.raises(sequences.NotWritten, match="open already"):
        sequences.generate(lead, now=MONDAY)
    with pytest.raises(presets.MissingSequence):
        sequences.generate(lead, campaign=hands.campaign, key="9-step", now=MONDAY)


@pytest.mark.req("S004-024")
def test_a_lead_without_one_has_no_sequence(hands):  # noqa: F811
    assert sequences.of_lead(hands.lead()) is None


# -- looked at beforehand --------------------------------------------------------------------


def test_the_preview_is_what_the_writer_writes_and_leaves_nothing(hands):  # noqa: F811
    lead = prospect(hands)
    sequence = presets.sequence("3-step")
    seen = sequences.preview(sequence, lead, campaign=hands.campaign, now=MONDAY)
    assert (Pitch.objects.count(), Message.objects.count()) == (0, 0)
    assert Match.objects.get().status == Match.Status.APPROVED
    pitch = sequences.generate(lead, now=MONDAY)
    written = [review.chosen(m, {}).body for m in pitch.messages.order_by("number")]
    assert [each.words.body for each in seen] == written
    again = sequences.preview(sequence, lead, campaign=hands.campaign, now=MONDAY)
    assert [each.words for each in again] == [each.words for each in seen]
    assert Pitch.objects.count() == 1
    assert Match.objects.get().pitch == pitch


def test_what_cannot_be_shown_says_what_is_missing(hands):  # noqa: F811
    empty = Sequence.objects.create(key="empty", name="Empty")
    with pytest.raises(sequences.NotWritten, match="no message yet"):
        sequences.preview(empty, hands.lead(), campaign=hands.campaign, now=MONDAY)
    sequence = presets.sequence("3-step")
    with pytest.raises(sequences.NotWritten, match="an address"):
        sequences.preview(sequence, hands.lead(), campaign=hands.campaign, now=MONDAY)


# -- versions --------------------------------------------------------------------------------


def test_publishing_moves_campaigns_and_leaves_people_where_they_are(hands):  # noqa: F811
    pitch = sequences.generate(prospect(hands), now=MONDAY)
    old = pitch.sequence
    draft = old.next_version()
    Step.objects.filter(sequence=draft, number=1).update(delay_hours=72)
    assert presets.sequence("3-step") == old
    assert sequences.touches(draft) == (
        "People stay on their version: 1 on v1. New pitches of 1 campaign take v2."
    )
    assert sequences.publish(draft, now=MONDAY) == 1
    assert Campaign.objects.get().sequence == draft
    pitch.refresh_from_db()
    assert pitch.sequence == old
    hands.campaign.refresh_from_db()
    assert sequences.generate(prospect(hands), now=MONDAY).sequence == draft
    counts = [(v.sequence.version, v.people, v.campaigns) for v in sequences.versions("3-step")]
    assert counts == [(2, 1, 1), (1, 1, 0)]
    with pytest.raises(WrongStatus, match="already"):
        sequences.publish(draft, now=MONDAY)


def test_a_version_without_a_first_message_is_not_published():
    empty = Sequence.objects.create(key="empty", name="Empty")
    with pytest.raises(WrongStatus, match="without a first message"):
        sequences.publish(empty, now=MONDAY)


def test_the_steps_of_a_version_in_use_stay(hands):  # noqa: F811
    pitch = sequences.generate(prospect(hands), now=MONDAY)
    sequence = pitch.sequence
    hands.approve_all()

    def refused(change):
        with pytest.raises(IntegrityError, match="is in use"), transaction.atomic():
            change()

    refused(lambda: sequence.steps.update(delay_hours=1))
    refused(lambda: sequence.steps.filter(number=3)._raw_delete("default"))
    refused(
        lambda: Step.objects.create(sequence=sequence, number=9, template_key="x", name="x")
    )
    other = Sequence.objects.create(key="other", name="Other")
    step = Step.objects.create(sequence=other, number=9, template_key="x", name="x")
    refused(lambda: Step.objects.filter(pk=step.pk).update(sequence=sequence))
    sequence.next_version().steps.update(variant_count=1)
