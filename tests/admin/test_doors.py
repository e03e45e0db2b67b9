"""Who may open what, that looking changes nothing, and what every page carries."""

import re

import pytest
from django.conf import settings
from django.urls import reverse

from pitches.channels import capture
from pitches.models import Match
from tests import digests, factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def pages(desk):
    """The addresses of all pages of our own, with a row behind each."""
    pitch = desk.sent_pitch()
    task = factories.ReviewTaskFactory(
        of_match=True, match__campaign=desk.campaign, match__candidate=desk.candidate()
    )
    stop = factories.StopFactory()
    desk.match()
    (letter,) = capture.sent(desk.sender)
    named = [
        ("index", []),
        ("pitches_plan", []),
        ("pitches_check", []),
        ("prospects_suppress", []),
        ("pitches_captured", []),
        ("pitches_captured_letter", [desk.sender.pk, letter.key]),
        ("pitches_read_inbox", [desk.sender.pk]),
        ("pitches_pause_sender", [desk.sender.pk]),
        ("pitches_stop_everything", []),
        ("pitches_lift_stop", [stop.pk]),
        ("pitches_stop_pitch", [pitch.pk]),
        ("pitches_stop_person", [pitch.pk]),
        ("pitches_stop_organization", [pitch.pk]),
        ("pitches_match_now", [desk.campaign.pk]),
        ("pitches_activate", [desk.campaign.pk]),
        ("pitches_pause", [desk.campaign.pk]),
        ("pitches_reviewtask_changelist", []),
        ("pitches_reviewtask_change", [task.pk]),
        ("pitches_reviewtask_change", [pitch.review_tasks.first().pk]),
        ("pitches_pitch_change", [pitch.pk]),
        ("campaigns_campaign_change", [desk.campaign.pk]),
        ("campaigns_candidate_change", [Match.objects.first().candidate_id]),
        ("prospects_lead_change", [pitch.lead_id]),
        ("pitches_message_change", [pitch.messages.first().pk]),
        ("pitches_sender_change", [desk.sender.pk]),
    ]
    return [reverse(f"admin:{name}", args=args) for name, args in named]


def test_clients_and_strangers_get_in_nowhere(pages, client, clara, stranger):
    for user in (clara, stranger):
        client.force_login(user)
        for url in pages:
            assert client.get(url).status_code in (302, 403), url
            before = digests.of_tables()
            assert client.post(url, {"reason": "x", "do": "approve"}).status_code in (302, 403)
            assert digests.of_tables() == before, url


def test_staff_without_permissions_see_the_first_screen_and_no_more(pages, client, stranger):
    stranger.is_staff = True
    stranger.save()
    client.force_login(stranger)
    assert client.get(pages[0]).status_code == 200
    for url in pages[1:]:
        response = client.get(url)
        # reading a mailbox by GET only leads back
        assert response.status_code == 403, url


def test_looking_at_any_page_changes_no_row(pages, staff):
    for url in pages:
        staff.get(url)
    before = digests.of_tables()
    for url in pages:
        assert staff.get(url).status_code in (200, 302), url
    assert digests.of_tables() == before


def test_no_page_carries_a_script_of_its_own(pages, staff):
    for url in pages:
        response = staff.get(url, follow=True)
        policy = response["Content-Security-Policy"]
        scripts = re.search(r"script-src ([^;]*)", policy)[1]
        assert "unsafe-inline" not in scripts
        text = response.content.decode()
        inline = re.findall(r"<script(?![^>]*\bsrc=)[^>]*>", text)
        assert all('type="application/json"' in tag or "json" in tag for tag in inline), url
        assert not re.search(r"\son(click|load|error|submit)=", text), url
        hosts = re.findall(r"(?:src|href)=[\"'](https?://[^\"'/]+)", text)
        outside = [host for host in hosts if not host.endswith("example.com")]
        assert not outside, url


def test_the_viewers_zone_is_taken_from_the_browser_and_from_nothing_else(staff, desk):
    pitch = desk.sent_pitch()
    url = reverse("admin:pitches_pitch_change", args=[pitch.pk])
    assert "1 Jun 2026 09:00" in staff.get(url).content.decode()
    staff.cookies["viewer_zone"] = "Asia/Tokyo"
    assert "1 Jun 2026 18:00" in staff.get(url).content.decode()
    for nonsense in ("Mars/Olympus", "../../etc/passwd", "x" * 500, "%00"):
        staff.cookies["viewer_zone"] = nonsense
        assert "1 Jun 2026 09:00" in staff.get(url).content.decode()
    assert settings.TIME_ZONE == "UTC"
