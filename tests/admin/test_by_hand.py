"""The by-hand page, the week, and the versions of a plan, as staff use them."""

import csv
import io
import re

import pytest
import time_machine
from django.urls import reverse

from campaigns.models import Campaign, Sequence
from pitches import stopping
from pitches.models import IncomingMessage, Message, Pitch, Stop, WeeklyPlan
from prospects.models import ContactAddress
from tests.clock import MONDAY
from tests.pitches.test_by_hand import approved, hands  # noqa: F401  a fixture
from tests.pitches.test_sequences import prospect

pytestmark = pytest.mark.django_db
INDEX = "admin:pitches_by_hand"


@pytest.fixture(autouse=True)
def monday():
    with time_machine.travel(MONDAY, tick=False):
        yield MONDAY


def page(staff, name, *args, **query):
    return staff.get(reverse(name, args=args), query)


@pytest.mark.req("S001-067", "LAW-23")
def test_the_list_shows_the_words_the_page_and_what_to_press(staff, hands):  # noqa: F811
    message = approved(hands)
    html = page(staff, INDEX).content.decode()
    assert message.body.splitlines()[0] in html
    assert f"{len(message.body)} of 300 characters" in html
    link = re.search(r'<a class="button" href="(https://linkedin[^"]+)"[^>]*>', html)
    assert 'rel="noopener noreferrer"' in link[0]
    assert "data-copy" in html


def test_a_page_that_is_no_web_page_is_not_a_link(staff, hands):  # noqa: F811
    approved(hands)
    ContactAddress.objects.filter(kind="linkedin").update(value="javascript:alert(1)")
    Message.objects.update(to_address="javascript:alert(1)")
    assert 'href="javascript' not in page(staff, INDEX).content.decode()


def test_sent_is_recorded_once_however_often_it_is_pressed(staff, hands):  # noqa: F811
    message = approved(hands)
    url = reverse("admin:pitches_by_hand_sent", args=[message.pk])
    staff.get(url)
    assert Message.objects.get(pk=message.pk).status == "approved"
    told = staff.post(url, follow=True).content.decode()
    assert "written down" in told
    told = staff.post(url, follow=True).content.decode()
    assert "it is Sent" in told
    assert Message.objects.filter(status="sent").count() == 1


def test_what_came_in_between_is_told_and_what_was_sent_before_is_kept(
    staff, hands  # noqa: F811
):  # fmt: skip
    message = approved(hands)
    person = message.pitch.address.contact
    stopping.stop(scope=Stop.Scope.PERSON, reason="asked by telephone", contact=person)
    answer = staff.post(reverse("admin:pitches_by_hand_sent", args=[message.pk]))
    assert answer.status_code == 409
    assert "asked by telephone" in answer.content.decode()
    assert "I had sent it already" in answer.content.decode()
    past = reverse("admin:pitches_by_hand_past", args=[message.pk])
    staff.post(past, {"reason": ""})
    assert not Message.objects.filter(status="sent").exists()
    staff.post(past, {"reason": "at nine"})
    assert Message.objects.get(status="sent").receipt.endswith("at nine")


def test_skipping_needs_a_reason(staff, hands):  # noqa: F811
    message = approved(hands)
    url = reverse("admin:pitches_by_hand_skipped", args=[message.pk])
    assert "Say why" in staff.post(url, {"reason": " "}, follow=True).content.decode()
    staff.post(url, {"reason": "already connected"})
    assert Message.objects.get(pk=message.pk).status == "canceled"


@pytest.mark.req("S001-070")
def test_a_reply_over_there_is_noted_here(staff, hands):  # noqa: F811
    message = approved(hands)
    staff.post(reverse("admin:pitches_by_hand_sent", args=[message.pk]))
    url = reverse("admin:pitches_by_hand_replied", args=[message.pk])
    assert "What do they say?" in staff.get(url).content.decode()
    staff.post(url, {"intent": "interested", "text": "Yes, gladly."})
    assert IncomingMessage.objects.get().intent == "interested"
    assert Pitch.objects.get().status == Pitch.Status.REPLIED


@pytest.mark.req("SEC-27")
def test_the_list_can_be_taken_along_as_a_sheet(staff, hands):  # noqa: F811
    message = approved(hands)
    answer = page(staff, "admin:pitches_by_hand_sheet")
    assert answer["Content-Type"].startswith("text/csv")
    head, row = csv.reader(io.StringIO(answer.content.decode()))
    assert row[head.index("text")] == message.body


def test_the_sidebar_counts_what_is_due(staff, hands):  # noqa: F811
    approved(hands)
    groups = staff.get(reverse("admin:index")).context["sidebar_navigation"]
    line = next(i for g in groups for i in g["items"] if i["title"] == "By hand")
    assert line["badge"] == 1


def test_a_stranger_sees_nothing_and_changes_nothing(client, stranger, hands):  # noqa: F811
    message = approved(hands)
    client.force_login(stranger)
    for name in ("sent", "past", "skipped", "replied"):
        url = reverse(f"admin:pitches_by_hand_{name}", args=[message.pk])
        assert client.post(url, {"reason": "x"}).status_code in (302, 403)
    message.refresh_from_db()
    assert message.status == "approved"


# Weeks


@pytest.mark.req("S004-039")
def test_a_week_is_looked_at_and_then_built(staff, hands):  # noqa: F811
    Campaign.objects.update(max_active_pitches=100)
    for _ in range(3):
        prospect(hands)
    asked = {"campaign": hands.campaign.slug, "owner": "ada", "requests": 10, "follow_ups": 5}
    html = page(staff, "admin:pitches_week", **asked).content.decode()
    assert "to draft" in html
    assert "3 of 10 connection requests" in html
    assert not WeeklyPlan.objects.exists()
    told = staff.post(reverse("admin:pitches_week"), asked, follow=True).content.decode()
    assert "Built: 3 entries" in told
    assert Message.objects.filter(weekly_plan__isnull=False).count() == 3
    wrong = page(staff, "admin:pitches_week", **{**asked, "requests": 5}).content.decode()
    assert "10 to 100 connection requests" in wrong


# Versions


def test_a_plan_is_changed_as_its_next_version_and_published(staff, hands):  # noqa: F811
    approved(hands)
    old = hands.campaign.sequence
    shown = page(staff, "admin:campaigns_sequence_change", old.pk).content.decode()
    assert "people under way" in shown
    assert "it stays as it is" in shown
    staff.post(reverse("admin:pitches_next_sequence", args=[old.pk]))
    draft = Sequence.objects.get(key=old.key, version=2)
    shown = page(staff, "admin:campaigns_sequence_change", draft.pk).content.decode()
    assert "People stay on their version: 1 on v1. New pitches of 1 campaign take v2." in shown
    staff.post(reverse("admin:pitches_publish_sequence", args=[draft.pk]))
    hands.campaign.refresh_from_db()
    assert hands.campaign.sequence == draft
    assert Pitch.objects.get().sequence == old


def test_every_step_is_shown_as_a_lead_would_get_it(staff, hands):  # noqa: F811
    prospect(hands)
    match = hands.campaign.matches.get()
    sequence = hands.campaign.sequence
    url = ("admin:pitches_preview_sequence", sequence.pk)
    assert "Choose a lead" in page(staff, *url).content.decode()
    html = page(staff, *url, match=match.pk).content.decode()
    assert html.count('class="letter"') == 4
    assert not Pitch.objects.exists()
