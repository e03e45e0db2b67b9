"""The first screen: numbers that open the rows they count."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from config import home
from config.cards import Card, Figure
from tests import factories


@pytest.fixture
def busy_desk(db):
    """A little of everything that the first screen counts."""
    factories.ReviewTaskFactory.create_batch(2)
    factories.ReviewTaskFactory(of_match=True)
    now = timezone.now()
    for status in ("approved", "queued", "sent", "unknown"):
        factories.MessageFactory(status=status)
    factories.MessageFactory(status="sent", counted_at=now)
    factories.MessageFactory(status="queued", send_at=now + timedelta(days=3))
    factories.MessageFactory(status="failed", first_attempt_at=now)
    factories.IncomingMessageFactory()
    factories.SenderFactory(status="paused")
    factories.SenderFactory(inbox_error="Login refused")
    factories.StopFactory()
    factories.SyncTaskFactory(status="stuck", reason="no key")
    factories.LeadFactory(closed_at=now)


def test_every_number_is_the_number_of_rows_behind_it(busy_desk, admin_client, admin_user):
    admin_client.cookies["viewer_zone"] = "America/New_York"
    figures = [
        figure
        for card in admin_client.get(reverse("admin:index")).context["cards"]
        for figure in card.figures
    ]
    assert sum(bool(figure.count) for figure in figures) >= 14
    for figure in figures:
        if figure.label == "workers silent":
            continue  # counts no rows: a worker that is not there leaves none
        shown = admin_client.get(figure.url).context["cl"].result_count
        assert shown == figure.count, figure


def test_an_empty_desk_says_what_to_do_next(admin_client):
    page = admin_client.get(reverse("admin:index")).content.decode()
    assert "Begin with a client and a campaign" in page
    assert "nothing leaves this machine" in page


def test_nobody_sees_numbers_of_rows_they_may_not_open(busy_desk, client, stranger):
    stranger.is_staff = True
    stranger.save()
    assert [card.title for card in home.cards(stranger, timezone.now())] == ["Machinery"]
    client.force_login(stranger)
    assert "matches to decide" not in client.get(reverse("admin:index")).content.decode()


def test_a_tone_speaks_only_of_rows_that_are_there():
    assert Figure("unknown", 0, "/", "bad").color == ""
    assert Figure("unknown", 1, "/", "bad").color == "bad"
    assert Card("x", [Figure("unknown", 0, "/")]).is_empty
