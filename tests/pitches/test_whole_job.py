"""From rows to a placement, and what is on record afterwards."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.db import connection, models

from campaigns import costs, presets
from campaigns.models import Campaign
from pitches import inbox, journal, matching, metrics, placing, review
from pitches.channels import capture
from pitches.models import (
    IncomingMessage,
    Match,
    Message,
    Pitch,
    ReviewTask,
    SenderCampaign,
    SendMode,
)
from prospects.models import Lead
from tests.clock import MONDAY
from tests.factories import (
    AIUsageFactory,
    AngleFactory,
    CampaignFactory,
    CandidateFactory,
    ContactAddressFactory,
    ContentItemFactory,
    LeadFactory,
    OrganizationFactory,
)

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def podcast(desk):
    """A guest campaign, and a show that fits it."""
    desk.campaign = CampaignFactory(
        client=desk.campaign.client,
        preset=Campaign.Preset.PODCAST,
        sequence=presets.sequence("podcast"),
        keywords=["flood protection", "rivers", "city planning"],
        goal="Talk about flood protection in cities",
        candidates_per_pitch=1,
        observe_holidays=False,
    )
    SenderCampaign.objects.create(sender=desk.sender, campaign=desk.campaign, is_default=True)
    guest = CandidateFactory(
        client=desk.campaign.client,
        kind="guest",
        name="Ilse Maren",
        headline="flood engineer",
        starts_on=None,
        keywords=["flood protection", "rivers"],
    )
    AngleFactory(candidate=guest, topic="How a town lets its fields flood")
    desk.campaign.candidates.add(guest)
    show = LeadFactory(
        kind=Lead.Kind.PODCAST,
        name="Rivers and Cities",
        text="Conversations about rivers, flood protection and city planning.",
        organization=OrganizationFactory(name="Rivers and Cities"),
    )
    host = ContactAddressFactory(contact__organization=show.organization, contact__role="host")
    show.contacts.add(host.contact)
    ContentItemFactory(
        lead=show,
        title="Flood protection for cities on rivers",
        text="Rivers, flood protection and city planning.",
        keywords=["flood protection", "rivers", "city planning"],
    )
    return desk


def walk_to_the_answer(desk) -> Pitch:
    matching.suggest(desk.campaign, now=MONDAY)
    desk.approve_all()
    desk.run()
    desk.approve_all()
    assert desk.run().sending.sent == 1
    pitch = Pitch.objects.get()
    letter = capture.find(desk.sender, pitch.messages.get(number=0).message_id)
    capture.answer(desk.sender, letter, text="Yes, we would love to.", now=MONDAY + HOUR)
    inbox.read(desk.sender, now=MONDAY + HOUR)
    return pitch


@pytest.mark.req("S000-001", "S000-067")
def test_a_guests_campaign_ends_in_a_placement_on_a_named_show(podcast):
    pitch = walk_to_the_answer(podcast)
    match = Match.objects.get()
    placement = placing.place(
        campaign=podcast.campaign,
        candidate=match.candidate,
        lead=pitch.lead,
        pitch=pitch,
        now=MONDAY + 2 * HOUR,
        by=podcast.reviewer,
    )
    placing.move(placement, to="recording_booked", by=podcast.reviewer, now=MONDAY + 2 * HOUR)
    placement.refresh_from_db()
    assert (placement.candidate.name, placement.lead.name, placement.status) == (
        "Ilse Maren",
        "Rivers and Cities",
        "recording_booked",
    )


@pytest.mark.req("S003-044", "S003-063")
def test_afterwards_every_step_is_on_record_with_its_time_and_its_person(podcast):
    pitch = walk_to_the_answer(podcast)
    match_task, message_task = ReviewTask.objects.order_by("pk")
    assert {match_task.decided_by, message_task.decided_by} == {podcast.reviewer}
    assert match_task.decided_at
    assert message_task.decided_sha256
    first = pitch.messages.get(number=0)
    assert (first.approved_by, first.approved_at) == (podcast.reviewer, MONDAY)
    assert first.sent_at == MONDAY
    assert first.receipt.startswith("250")
    phases = [
        line["phase"] for line in journal.lines() if line["message_id"] == first.message_id
    ]
    assert phases == ["intent", "reply"]
    assert first.replied_at
    assert IncomingMessage.objects.get().answers == first
    canceled = pitch.messages.filter(status=Message.Status.CANCELED)
    assert all(message.canceled_reason.startswith("answered") for message in canceled)
    assert canceled.count() == 2


@pytest.mark.req("S003-005", "S003-047")
def test_a_candidates_history_names_pair_cycle_dates_status_and_answer(podcast):
    walk_to_the_answer(podcast)
    (row,) = Match.objects.filter(pitch__isnull=False).values_list(
        "candidate__name",
        "lead__name",
        "cycle",
        "status",
        "pitch__first_sent_at",
        "pitch__replied_at__date",
        "pitch__outcome",
    )
    assert row[:4] == ("Ilse Maren", "Rivers and Cities", 1, "closed")
    assert row[4] == MONDAY
    assert row[5] is not None
    assert row[6] == "interested"


@pytest.mark.req("S001-001")
def test_a_campaign_knows_its_settings_its_results_and_its_cost_to_the_last_place(podcast):
    walk_to_the_answer(podcast)
    campaign = podcast.campaign
    assert costs.of_campaign(campaign) == 0
    AIUsageFactory.create_batch(3, campaign=campaign, cost=Decimal("0.00001600"))
    assert costs.of_campaign(campaign) == Decimal("0.00004800")
    (share,) = metrics.by_variant(SendMode.CAPTURE, campaign=campaign.pk)
    assert (share["pitches"], share["responses"]) == (1, 1)
    assert (campaign.status, campaign.goal) == (
        "active",
        "Talk about flood protection in cities",
    )


@pytest.mark.req("S001-003", "S001-047")
def test_the_figures_of_the_variants_add_up_to_those_of_all(desk):
    for choice in (1, 1, 2):
        match = desk.match()
        desk.run()
        task = ReviewTask.objects.get(status="open")
        message = Message.objects.get(pitch__matches=match, number=0)
        chosen = message.variants.get(number=choice)
        review.approve(task, by=desk.reviewer, now=MONDAY, variants={message.pk: chosen.pk})
    desk.run()
    pitch = (
        Message.objects.filter(variants__is_chosen=True, variants__number=2, number=0)
        .get()
        .pitch
    )
    inbox.record_reply(pitch, intent="interested", now=MONDAY + HOUR, by=desk.reviewer)
    rows = {row["label"]: row for row in metrics.by_variant(SendMode.CAPTURE)}
    assert {label: row["pitches"] for label, row in rows.items()} == {
        "friendly": 1,
        "professional": 2,
    }
    assert rows["friendly"]["response_rate"] == 100
    assert rows["professional"]["response_rate"] == 0
    whole = metrics.overview(SendMode.CAPTURE)
    assert sum(row["pitches"] for row in rows.values()) == whole["pitches"]
    assert sum(row["responses"] for row in rows.values()) == whole["responses"]


@pytest.mark.req("S000-002")
def test_everything_the_work_needs_lies_in_postgresql():
    assert connection.vendor == "postgresql"
    ours = [
        apps.get_app_config(name) for name in ("campaigns", "prospects", "pitches", "crm_sync")
    ]
    tables = {model._meta.db_table for app in ours for model in app.get_models()}
    with connection.cursor() as cursor:
        assert tables <= set(connection.introspection.table_names(cursor))
    needed = {
        "campaigns_campaign", "prospects_lead", "prospects_contentitem", "pitches_match",
        "pitches_pitch", "pitches_placement", "campaigns_aiusage",
    }  # fmt: skip
    assert needed <= tables


@pytest.mark.req("S001-005")
def test_what_is_loose_is_json_and_what_is_searched_is_an_indexed_column():
    loose = {
        "campaigns.Campaign": {"questionnaire", "targeting"},
        "pitches.Match": {"parts", "fit"},
        "pitches.Variant": {"claims", "problems"},
    }
    for name, fields in loose.items():
        model = apps.get_model(name)
        assert all(isinstance(model._meta.get_field(f), models.JSONField) for f in fields)
    searched = {
        "pitches.Match": "campaign",
        "pitches.Pitch": "campaign",
        "pitches.Message": "send_at",
        "campaigns.Candidate": "skills",
    }
    for name, field in searched.items():
        model = apps.get_model(name)
        assert not isinstance(model._meta.get_field(field), models.JSONField)
        assert any(
            index.fields and index.fields[0].lstrip("-") == field
            for index in model._meta.indexes
        ), name
    assert isinstance(
        apps.get_model("campaigns.Candidate")._meta.get_field("skills"), ArrayField
    )
