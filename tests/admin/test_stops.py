"""Stops: asked first, done by POST, and said what they did."""

import pytest
from django.urls import reverse

from pitches.models import FollowUpTask, Message, Stop
from prospects.models import Organization
from tests.clock import MONDAY

pytestmark = pytest.mark.django_db
EVERYTHING = reverse("admin:pitches_stop_everything")
HOME = reverse("admin:index")


def test_the_switch_tells_when_mail_last_went_out_and_asks_why(staff, desk):
    desk.sent_pitch()
    text = staff.get(EVERYTHING).content.decode()
    assert "The last message went out" in text
    staff.post(EVERYTHING, {"reason": ""})
    assert not Stop.objects.exists()


def test_what_is_stopped_stays_until_it_is_lifted(staff, desk, ada):
    desk.match()
    desk.run()
    desk.approve_all()
    staff.post(EVERYTHING, {"reason": "Something looks wrong"})
    stop = Stop.objects.get()
    assert (stop.scope, stop.reason, stop.created_by) == (
        "everything",
        "Something looks wrong",
        ada,
    )
    assert "Everything is stopped" in staff.get(HOME).content.decode()
    assert desk.run().sending.sent == 0
    lift = reverse("admin:pitches_lift_stop", args=[stop.pk])
    staff.get(lift)
    assert Stop.objects.filter(lifted_at=None).exists()
    staff.post(lift)
    assert "Everything is stopped" not in staff.get(HOME).content.decode()
    assert desk.run().sending.sent == 1


@pytest.mark.parametrize(
    ("name", "scope"),
    [("stop_pitch", None), ("stop_person", "person"), ("stop_organization", "organization")],
)
def test_a_pitch_is_stopped_from_its_page(staff, desk, name, scope):
    pitch = desk.sent_pitch()
    url = reverse(f"admin:pitches_{name}", args=[pitch.pk])
    staff.get(url)
    pitch.refresh_from_db()
    assert pitch.status == "active"
    staff.post(url, {"reason": "Asked by phone"})
    pitch.refresh_from_db()
    assert (pitch.status, pitch.status_reason) == ("stopped", "Asked by phone")
    assert not FollowUpTask.objects.filter(FollowUpTask.is_open(), pitch=pitch).exists()
    assert [stop.scope for stop in Stop.objects.all()] == ([scope] if scope else [])


def test_an_organization_that_asked_is_left_alone(staff, desk):
    pitch = desk.sent_pitch()
    url = reverse("admin:pitches_stop_organization", args=[pitch.pk])
    staff.post(url, {"reason": "Legal request"})
    assert Organization.objects.get(pk=pitch.lead.organization_id).do_not_contact


def test_a_mailbox_is_paused_and_sends_again(staff, desk):
    url = reverse("admin:pitches_pause_sender", args=[desk.sender.pk])
    staff.post(url, {"reason": "Bounces"})
    desk.sender.refresh_from_db()
    assert (desk.sender.status, desk.sender.status_reason) == ("paused", "Bounces")
    staff.post(url)
    desk.sender.refresh_from_db()
    assert desk.sender.status == "active"


def test_a_campaign_is_paused_activated_and_matched_by_its_buttons(staff, desk):
    page = reverse("admin:campaigns_campaign_change", args=[desk.campaign.pk])
    assert "Match now" in staff.get(page).content.decode()
    staff.post(
        reverse("admin:pitches_pause", args=[desk.campaign.pk]), {"reason": "Client asked"}
    )
    desk.campaign.refresh_from_db()
    assert (desk.campaign.status, desk.campaign.status_reason) == ("paused", "Client asked")
    again = reverse("admin:pitches_activate", args=[desk.campaign.pk])
    staff.post(again)
    told = staff.post(again, follow=True).content.decode()
    assert "cannot become active" in told
    found = reverse("admin:pitches_match_now", args=[desk.campaign.pk])
    assert "new matches" in staff.post(found, follow=True).content.decode()


def test_a_campaigns_figures_open_the_rows_they_count(staff, desk):
    desk.sent_pitch()
    desk.match()
    page = staff.get(reverse("admin:campaigns_campaign_change", args=[desk.campaign.pk]))
    figures = page.context["figures"]
    assert sum(figure.count for figure in figures) >= 4
    for figure in figures:
        shown = staff.get(figure.url).context["cl"].result_count
        assert shown == figure.count, figure


def test_the_story_is_told_in_order(staff, desk):
    pitch = desk.sent_pitch()
    page = staff.get(reverse("admin:pitches_pitch_change", args=[pitch.pk]))
    titles = [moment.title for moment in page.context["moments"]]
    assert "Initial: sent" in titles
    ahead = [moment for moment in page.context["moments"] if moment.is_ahead]
    assert any(moment.title == "Follow up 1 falls due" for moment in ahead)
    times = [moment.at for moment in ahead if moment.at]
    assert times == sorted(times)
    assert all(time > MONDAY for time in times)


def test_an_unknown_fate_is_red_in_the_story(staff, desk):
    pitch = desk.sent_pitch()
    Message.objects.filter(pitch=pitch, number=0).update(
        status="unknown", last_error="timed out"
    )
    moments = staff.get(reverse("admin:pitches_pitch_change", args=[pitch.pk])).context[
        "moments"
    ]
    (unknown,) = [moment for moment in moments if moment.title == "Initial: unknown"]
    assert (unknown.tone, "timed out" in unknown.detail) == ("bad", True)
