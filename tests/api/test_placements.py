"""Placements: recorded, moved, and never moved in silence."""

import pytest
from django.db import connection

from campaigns.models import Candidate
from config.db import WrongStatus
from crm_sync.models import SyncTask
from pitches import placing
from pitches.models import Match, Placement, PlacementChange
from tests.api.conftest import V1
from tests.clock import MONDAY
from tests.factories import (
    CampaignFactory,
    CandidateFactory,
    LeadFactory,
    MatchFactory,
    MembershipFactory,
    PitchFactory,
    PlacementFactory,
)

PLACEMENTS = f"{V1}/placements/"


def order(**fields):
    campaign = CampaignFactory(preset=fields.pop("preset", "podcast"))
    return {
        "campaign": campaign.pk,
        "candidate": CandidateFactory(client=campaign.client).pk,
        "lead": LeadFactory().pk,
    } | fields


def put(client, placement, body):
    return client.put(f"{PLACEMENTS}{placement.pk}/", body, format="json")


@pytest.mark.req("S000-067")
@pytest.mark.parametrize(
    ("preset", "kind"),
    [
        ("podcast", "podcast"),
        ("placement", "internship"),
        ("creator", "deal"),
        ("product", "deal"),
    ],
)
def test_a_placement_is_recorded_in_the_kind_of_its_campaign(as_ada, preset, kind):
    response = as_ada.post(PLACEMENTS, order(preset=preset), format="json")
    assert (response.status_code, response.json()["kind"]) == (201, kind)
    assert response.json()["history"][0]["new_status"] == "pending"


@pytest.mark.req("S000-067")
def test_a_placement_is_linked_to_its_pitch(as_ada):
    pitch = PitchFactory()
    body = order() | {"campaign": pitch.campaign_id, "lead": pitch.lead_id, "pitch": pitch.pk}
    body["candidate"] = CandidateFactory(client=pitch.campaign.client).pk
    assert as_ada.post(PLACEMENTS, body, format="json").json()["pitch"] == pitch.pk
    body["lead"] = LeadFactory().pk
    response = as_ada.post(PLACEMENTS, body, format="json")
    assert (response.status_code, set(response.json()["error"]["fields"])) == (400, {"pitch"})


@pytest.mark.req("S000-009", "S000-067")
@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"lead": 0}, "lead"),
        ({"candidate": None}, "candidate"),
        ({"status": "famous"}, "status"),
        ({"status": "interview"}, "status"),  # of an internship, not of a podcast
        ({"value": "1e400"}, "value"),
        ({"value": "100000000000000"}, "value"),
        ({"currency": "DOLLARS"}, "currency"),
    ],
)
def test_a_wrong_placement_is_told_by_field(as_ada, wrong, field):
    response = as_ada.post(PLACEMENTS, order(**wrong), format="json")
    assert (response.status_code, set(response.json()["error"]["fields"])) == (400, {field})
    assert not Placement.objects.exists()


def test_a_candidate_of_another_client_is_refused(as_ada):
    body = order(candidate=CandidateFactory().pk)
    assert as_ada.post(PLACEMENTS, body, format="json").status_code == 400


def test_a_pair_has_one_open_placement(as_ada):
    body = order()
    assert as_ada.post(PLACEMENTS, body, format="json").status_code == 201
    again = as_ada.post(PLACEMENTS, body, format="json")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "conflict")


@pytest.mark.req("S000-068", "S000-070")
def test_every_move_is_in_the_history_in_order_with_who_and_when(as_ada, ada):
    placement = PlacementFactory()
    for status in ("responded", "interview", "offered"):
        assert put(as_ada, placement, {"status": status}).status_code == 200
    history = as_ada.get(f"{PLACEMENTS}{placement.pk}/").json()["history"]
    assert [(row["old_status"], row["new_status"]) for row in history] == [
        ("", "pending"),
        ("pending", "responded"),
        ("responded", "interview"),
        ("interview", "offered"),
    ]
    assert [row["user"] for row in history] == [None, ada.pk, ada.pk, ada.pk]
    assert [row["changed_at"] for row in history] == sorted(
        row["changed_at"] for row in history
    )


@pytest.mark.req("S000-068")
def test_a_change_by_plain_sql_is_in_the_history_too(as_ada):
    placement = PlacementFactory()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE pitches_placement SET status = 'offered'")
    history = as_ada.get(f"{PLACEMENTS}{placement.pk}/").json()["history"]
    assert (history[-1]["old_status"], history[-1]["new_status"]) == ("pending", "offered")


def test_the_same_stage_again_changes_nothing(as_ada):
    placement = PlacementFactory(status="interview")
    assert put(as_ada, placement, {"status": "interview"}).status_code == 200
    assert PlacementChange.objects.count() == 1


@pytest.mark.parametrize("before", ["offered", "rejected", "canceled"])
def test_going_back_needs_a_reason_which_is_kept(as_ada, before):
    placement = PlacementFactory(status=before)
    response = put(as_ada, placement, {"status": "interview"})
    assert (response.status_code, set(response.json()["error"]["fields"])) == (400, {"reason"})
    response = put(as_ada, placement, {"status": "interview", "reason": "It was postponed"})
    assert (response.status_code, response.json()["status"]) == (200, "interview")
    assert f"back from {before} to interview: It was postponed" in response.json()["notes"]


def test_losing_needs_no_reason(as_ada):
    assert put(as_ada, PlacementFactory(), {"status": "rejected"}).status_code == 200


def test_a_stage_of_another_kind_is_refused(as_ada):
    response = put(as_ada, PlacementFactory(), {"status": "live"})
    assert (response.status_code, set(response.json()["error"]["fields"])) == (400, {"status"})


def test_nothing_of_a_refused_change_remains(as_ada):
    placement = PlacementFactory(status="offered")
    assert put(as_ada, placement, {"value": "7", "status": "pending"}).status_code == 400
    placement.refresh_from_db()
    assert (placement.value, placement.status) == (None, "offered")


def test_of_two_who_move_it_at_once_one_is_told(ada):
    placement = PlacementFactory()
    seen_before = Placement.objects.get(pk=placement.pk)
    placing.move(placement, "interview", by=ada, now=MONDAY)
    with pytest.raises(WrongStatus):
        placing.move(seen_before, "rejected", by=ada, now=MONDAY)
    placement.refresh_from_db()
    assert placement.status == "interview"


def test_a_confirmed_placement_takes_the_candidate_off_the_market(as_ada):
    placement = PlacementFactory(status="offered")
    waiting = MatchFactory(campaign=placement.campaign, candidate=placement.candidate)
    assert put(as_ada, placement, {"status": "confirmed"}).status_code == 200
    assert Candidate.objects.get(pk=placement.candidate_id).status == "placed"
    assert Match.objects.get(pk=waiting.pk).status == "withdrawn"


def test_the_crm_hears_of_every_stage(as_ada):
    placement = PlacementFactory()
    put(as_ada, placement, {"status": "interview"})
    put(as_ada, placement, {"notes": "Only a note"})
    keys = SyncTask.objects.values_list("key", flat=True)
    assert list(keys) == [f"placement_changed:{placement.pk}:interview"]


@pytest.mark.req("S000-069")
def test_the_placements_of_a_person_are_those_of_their_clients(as_ada):
    mine = PlacementFactory()
    PlacementFactory()
    person = MembershipFactory(client=mine.campaign.client).user
    found = as_ada.get(f"{PLACEMENTS}?person_id={person.pk}").json()["results"]
    assert [row["id"] for row in found] == [mine.pk]
    found = as_ada.get(f"{PLACEMENTS}?client={mine.campaign.client_id}").json()["results"]
    assert [row["id"] for row in found] == [mine.pk]


@pytest.mark.req("S000-069")
def test_a_client_asks_for_anothers_placements_in_vain(as_clara, clara, claras_client):
    mine = PlacementFactory(campaign__client=claras_client)
    other = PlacementFactory()
    stranger = MembershipFactory(client=other.campaign.client).user
    own = as_clara.get(f"{PLACEMENTS}?person_id={clara.pk}").json()["results"]
    assert [row["id"] for row in own] == [mine.pk]
    assert as_clara.get(f"{PLACEMENTS}?person_id={stranger.pk}").json()["results"] == []
    assert as_clara.get(f"{PLACEMENTS}{other.pk}/").status_code == 404


def test_a_client_moves_no_placement(as_clara, claras_client):
    placement = PlacementFactory(campaign__client=claras_client)
    assert put(as_clara, placement, {"status": "rejected"}).status_code == 403
    assert as_clara.post(PLACEMENTS, order(), format="json").status_code == 403


def test_the_history_a_client_sees_names_nobody(as_clara, claras_client, as_ada):
    placement = PlacementFactory(campaign__client=claras_client)
    put(as_ada, placement, {"status": "interview"})
    for row in as_clara.get(f"{PLACEMENTS}{placement.pk}/").json()["history"]:
        assert set(row) == {"old_status", "new_status", "changed_at"}
