"""What may be deleted, and what is history."""

import pytest
from django.db.models import ProtectedError
from django.urls import reverse

from campaigns.models import Campaign
from pitches.models import Event, IncomingMessage, Match, Message, Pitch, ReviewTask, Variant
from tests import factories as f

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign():
    """A campaign with everything that hangs on it, nothing sent."""
    pitch = f.PitchFactory()
    f.MatchFactory(pitch=pitch)
    f.MatchFactory(campaign=pitch.campaign)
    f.VariantFactory(message__pitch=pitch)
    f.FollowUpTaskFactory(pitch=pitch)
    f.ReviewTaskFactory(pitch=pitch)
    return pitch.campaign


@pytest.mark.req("S001-006")
def test_a_campaign_takes_its_drafts_along(campaign):
    kept = f.IncomingMessageFactory(pitch=campaign.pitches.get())
    lead = campaign.pitches.get().lead
    campaign.delete()
    for model in (Campaign, Match, Pitch, Message, Variant, ReviewTask):
        assert model.objects.count() == 0, model
    # what came in, and what it was about, belong to nobody's campaign
    assert IncomingMessage.objects.get().pk == kept.pk
    assert type(lead).objects.filter(pk=lead.pk).exists()


@pytest.mark.req("S001-006")
@pytest.mark.parametrize("mode", ["allowlist", "live"])
@pytest.mark.parametrize("status", ["handing", "sent", "unknown", "assumed_sent", "delegated"])
def test_a_campaign_that_wrote_to_somebody_stays(campaign, status, mode):
    f.MessageFactory(pitch=campaign.pitches.get(), number=1, status=status, send_mode=mode)
    with pytest.raises(ProtectedError):
        campaign.delete()
    with pytest.raises(ProtectedError):
        campaign.pitches.get().delete()
    assert Message.objects.filter(status=status).exists()


@pytest.mark.req("S001-006")
@pytest.mark.parametrize("status", ["sent", "unknown"])
def test_a_rehearsal_reached_nobody_and_may_go(campaign, status):
    message = f.MessageFactory(pitch=campaign.pitches.get(), number=1, status=status)
    f.EventFactory(message=message)
    campaign.delete()
    assert not Message.objects.exists()
    assert not Event.objects.exists()


@pytest.mark.req("S001-006")
def test_no_door_erases_a_campaign(campaign, admin_client):
    """The API cancels it; the admin has no button for it."""
    assert admin_client.delete(f"/api/v1/campaigns/{campaign.pk}/").status_code == 204
    url = reverse("admin:campaigns_campaign_delete", args=[campaign.pk])
    assert admin_client.post(url, {"post": "yes"}).status_code == 403
    campaign.refresh_from_db()
    assert campaign.status == Campaign.Status.CANCELED


def test_deleting_asks_the_same_number_of_questions_however_much_there_is(
    campaign, django_assert_max_num_queries
):
    for _ in range(5):
        f.VariantFactory(message__pitch=f.PitchFactory(campaign=campaign))
    with django_assert_max_num_queries(45):
        campaign.delete()


def test_who_was_pitched_cannot_be_deleted():
    match = f.MatchFactory(pitched=True)
    for row in (match.candidate, match.lead, match.campaign.client, match.pitch.sender):
        with pytest.raises(ProtectedError):
            row.delete()
