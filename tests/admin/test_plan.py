"""The plan page: what it shows is what it does, and what changed meanwhile is left and told."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from pitches import outreach
from pitches.admin import plan
from pitches.channels import capture
from pitches.models import Message, Pitch, ReviewTask
from tests import digests
from tests.clock import MONDAY

pytestmark = pytest.mark.django_db
PLAN = reverse("admin:pitches_plan")
AT = {"at": f"{MONDAY:%Y-%m-%dT%H:%M}"}


def apply(client, page, **more):
    """Press the button of a page that is shown."""
    shown = {"shown": page.context["shown"], "kind": page.context["kind"], **AT}
    return client.post(PLAN, shown | more)


@pytest.fixture
def approved(desk):
    """A pitch whose words are approved and may go on MONDAY."""
    desk.match()
    desk.run()
    desk.approve_all()
    Message.objects.filter(number=0).update(status="approved", send_at=None)
    return Pitch.objects.get()


@pytest.mark.req("S003-053")
def test_it_shows_the_decisions_of_the_one_planner(staff, desk, approved):
    for _ in range(3):
        desk.match()
    lead = desk.lead()
    lead.contacts.all()[0].addresses.all().delete()
    desk.match(lead)
    page = staff.get(PLAN, AT)
    planned = outreach.plan(now=MONDAY)
    lists = page.context["lists"]
    shown = [
        *lists.sends,
        *lists.drafts,
        *(row for group in lists.groups for row in group.rows),
    ]
    assert sorted(row.key for row in shown) == sorted(row.key for row in planned.decisions)
    assert (len(lists.sends), len(lists.drafts), lists.held) == (1, 3, 1)
    text = page.content.decode()
    assert "No contact with an e-mail address is known." in text
    assert approved.address.value in text


@pytest.mark.req("F-16")
def test_looking_at_the_plan_changes_no_row(staff, desk, approved):
    desk.match()
    staff.get(PLAN, AT)
    before = digests.of_tables()
    staff.get(PLAN, AT)
    staff.get(PLAN, {**AT, "kind": "follow_up"})
    assert digests.of_tables() == before


def test_applying_does_what_was_shown(staff, desk, approved):
    desk.match()
    page = apply(staff, staff.get(PLAN, AT))
    text = page.content.decode()
    assert "1 drafted, 1 queued, 1 sent" in text
    assert Message.objects.get(pitch=approved, number=0).status == "sent"
    assert ReviewTask.objects.filter(kind="message", status="open").count() == 1
    assert len(list(capture.sent(desk.sender))) == 1


def test_applying_twice_sends_once(staff, desk, approved):
    page = staff.get(PLAN, AT)
    apply(staff, page)
    again = apply(staff, page)
    assert "done already" in again.content.decode()
    assert len(list(capture.sent(desk.sender))) == 1


def test_what_changed_after_it_was_shown_is_left_and_told(staff, desk, approved):
    page = staff.get(PLAN, AT)
    message = Message.objects.get(pitch=approved, number=0)
    Message.objects.filter(pk=message.pk).update(subject="Another one")
    newcomer = desk.match()
    done = apply(staff, page)
    text = done.content.decode()
    assert "it came up after you looked" in text
    assert "held now" in text or "changed" in text
    newcomer.refresh_from_db()
    assert newcomer.pitch is None
    assert not list(capture.sent(desk.sender))


@pytest.mark.parametrize(
    "other",
    [
        {"contact": "other@example.com"},
        {"sender": "other@example.com"},
        {"candidates": ("Somebody Else",)},
        {"subject": "Other words"},
        {"body_sha256": "c" * 64},
    ],
    ids=lambda other: next(iter(other)),
)
def test_a_row_about_other_people_or_words_is_another_row(desk, approved, other):
    seen = outreach.plan(now=MONDAY)
    (row,) = seen.decisions
    fresh = replace(seen, decisions=[replace(row, **other)])
    kept, changed = plan.still_holds(plan.fingerprints(seen.decisions), fresh)
    assert (kept.decisions, changed) == ([], {row.key: "its people or its words changed"})
    kept, changed = plan.still_holds(plan.fingerprints(seen.decisions), seen)
    assert (kept.decisions, changed) == ([row], {})


def test_a_forged_list_does_nothing(staff, desk):
    match = desk.match()
    for shown in ("", "[1]", "{", json.dumps({"pitch:x:1": "y"})):
        staff.post(PLAN, {"shown": shown, **AT})
    match.refresh_from_db()
    assert match.pitch is None


def test_a_large_plan_asks_for_its_number(staff, desk):
    for _ in range(21):
        desk.match()
    page = staff.get(PLAN, AT)
    assert "Type" in page.content.decode()
    refused = apply(staff, page)
    assert "Type 21 to carry out 21 rows" in refused.content.decode()
    assert not Pitch.objects.exists()
    apply(staff, page, typed="21")
    assert Pitch.objects.count() == 21


def test_it_asks_as_often_for_many_rows_as_for_few(staff, desk, approved):
    def count():
        with CaptureQueriesContext(connection) as captured:
            staff.get(PLAN, AT)
        return len(captured)

    desk.match()
    count()
    before = count()
    for _ in range(10):
        desk.match()
    assert count() == before


def test_a_time_is_the_recipients_and_the_viewers(staff, desk, approved):
    approved.address.contact.time_zone = "America/New_York"
    approved.address.contact.save()
    staff.cookies["viewer_zone"] = "Europe/Berlin"
    page = staff.get(PLAN, {"at": f"{MONDAY + timedelta(hours=7):%Y-%m-%dT%H:%M}"})
    (row,) = page.context["going"]
    assert row.zone == "America/New_York"
    # 16:00 was typed in Berlin, which is 14:00 in UTC and 10:00 in New York.
    assert f"{row.local:%H:%M}" == "10:00"
    text = page.content.decode()
    assert "10:00" in text
    assert "16:00" in text


def test_another_time_than_now_is_only_for_rehearsals(staff, desk, approved, settings):
    settings.SEND_MODE = "live"
    page = staff.get(PLAN, AT)
    assert page.context["now"] > MONDAY + timedelta(days=1)
    assert "datetime-local" not in page.content.decode()


def test_nonsense_is_told(staff, desk):
    page = staff.get(PLAN, {"campaign": "nobody", "at": "yesterday"})
    assert page.status_code == 200
    assert "Enter a valid date/time" in page.content.decode()


def test_the_empty_plan_says_what_to_do(staff):
    text = staff.get(PLAN).content.decode()
    assert "Only approved messages do" in text
    assert "Apply" not in text
