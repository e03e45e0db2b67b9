"""Sequences, weeks and the day's list over the API."""

import pytest
import time_machine

from campaigns.models import Campaign
from pitches.models import Message, Pitch, WeeklyPlan
from tests.clock import MONDAY
from tests.pitches.test_by_hand import approved, hands  # noqa: F401  a fixture
from tests.pitches.test_sequences import prospect

pytestmark = pytest.mark.django_db
PATHS = [
    ("post", "sequence/generate"),
    ("get", "sequence/1"),
    ("post", "cadence/weekly"),
    ("get", "by-hand"),
    ("post", "by-hand/1/sent"),
    ("post", "by-hand/1/skipped"),
]


@pytest.fixture
def monday():
    with time_machine.travel(MONDAY, tick=False):
        yield MONDAY


def call(client, method, path, body=None, prefix="/api/v1/outreach"):
    return getattr(client, method)(f"{prefix}/{path}", body, format="json")


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_these_paths_are_for_staff(anonymous, as_stranger, as_clara, method, path):
    for client in (anonymous, as_stranger, as_clara):
        assert call(client, method, path, {}).status_code in (401, 403)


@pytest.mark.req("S004-011", "S004-020", "S004-024")
@pytest.mark.parametrize("prefix", ["/api/outreach", "/api/v1/outreach"])
def test_a_sequence_is_generated_and_read_again(hands, as_ada, monday, prefix):  # noqa: F811
    lead = prospect(hands)
    assert call(as_ada, "get", f"sequence/{lead.pk}", prefix=prefix).status_code == 404
    body = {"prospect_id": lead.pk, "sequence_type": "5-step"}
    made = call(as_ada, "post", "sequence/generate", body, prefix)
    assert made.status_code == 201
    assert made.json()["sequence_type"] == "5-step"
    assert [step["channel"] for step in made.json()["messages"]][:2] == [
        "linkedin_note",
        "linkedin_message",
    ]
    assert made.json()["messages"][0]["date"] == "2026-06-01"
    assert call(as_ada, "get", f"sequence/{lead.pk}", prefix=prefix).json() == made.json()
    again = call(as_ada, "post", "sequence/generate", body, prefix)
    assert again.status_code == 409
    assert Pitch.objects.count() == 1


def test_a_sequence_for_nobody_or_of_no_kind_is_refused(hands, as_ada, monday):  # noqa: F811
    lead = hands.lead()
    for body, code in (
        ({"prospect_id": 987654}, 400),
        ({"prospect_id": lead.pk, "sequence_type": "9-step"}, 400),
        ({"prospect_id": lead.pk, "campaign": "nowhere"}, 400),
        ({"prospect_id": lead.pk, "x": 1}, 400),
        ({"prospect_id": lead.pk}, 409),
    ):
        assert call(as_ada, "post", "sequence/generate", body).status_code == code, body
    assert call(as_ada, "get", "sequence/987654").status_code == 404


@pytest.mark.req("S004-039", "S004-040", "S004-043", "S004-048")
def test_a_week_is_built_for_who_asks(hands, as_ada, monday):  # noqa: F811
    for _ in range(10):
        prospect(hands)
    Campaign.objects.update(max_active_pitches=100)
    body = {"campaign": hands.campaign.slug, "target_connection_requests": 10}
    dry = call(as_ada, "post", "cadence/weekly?dry_run=true", body).json()
    assert (dry["id"], WeeklyPlan.objects.count(), Pitch.objects.count()) == (None, 0, 0)
    real = call(as_ada, "post", "cadence/weekly", body)
    assert real.status_code == 200
    week = real.json()
    assert (week["owner"], week["week"], week["connection_requests"]) == (
        "ada",
        "2026-06-01",
        10,
    )
    assert week["warnings"][0].startswith("10 connection requests a week")
    assert {entry["day"] for entry in week["entries"]} == {
        "Monday", "Tuesday", "Wednesday", "Thursday", "Friday",
    }  # fmt: skip
    assert call(as_ada, "post", "cadence/weekly", body).json()["entries"] == week["entries"]


def test_a_week_that_cannot_be_is_400(hands, as_ada, clara, monday):  # noqa: F811
    slug = hands.campaign.slug
    for more in (
        {"target_connection_requests": 9},
        {"target_followups": 101},
        {"week": "2026-06-02"},
        {"owner": "clara"},
        {"owner": "eve"},
    ):
        answer = call(as_ada, "post", "cadence/weekly", {"campaign": slug, **more})
        assert answer.status_code == 400, more


@pytest.mark.req("S001-067", "S001-070")
def test_the_days_list_is_worked_over_the_api(hands, as_ada, monday):  # noqa: F811
    message = approved(hands)
    (row,) = call(as_ada, "get", "by-hand").json()
    assert (row["id"], row["body"], row["most"]) == (message.pk, message.body, 300)
    assert row["profile"].startswith("https://linkedin.com/in/")
    Campaign.objects.update(status=Campaign.Status.PAUSED)
    held = call(as_ada, "post", f"by-hand/{message.pk}/sent", {})
    assert held.status_code == 409
    assert "Paused" in held.json()["error"]["message"]
    told = call(as_ada, "post", f"by-hand/{message.pk}/sent", {"note": "before the pause"})
    assert told.json()["status"] == "sent"
    assert call(as_ada, "post", f"by-hand/{message.pk}/sent", {}).status_code == 409
    assert Message.objects.filter(status="sent").count() == 1


def test_a_step_is_skipped_over_the_api_with_a_reason(hands, as_ada, monday):  # noqa: F811
    message = approved(hands)
    assert call(as_ada, "post", f"by-hand/{message.pk}/skipped", {}).status_code == 400
    answer = call(as_ada, "post", f"by-hand/{message.pk}/skipped", {"reason": "no profile"})
    assert answer.json()["canceled_reason"] == "left out by ada: no profile"
