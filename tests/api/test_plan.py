"""Clients, people, campaigns, candidates and templates through the API."""

import pytest
from django.contrib.auth.models import User
from knox.models import AuthToken

from campaigns.models import Campaign, Candidate, Client, Membership, PitchTemplate
from tests.api.conftest import V1, caller
from tests.factories import (
    CampaignFactory,
    CandidateFactory,
    ClientFactory,
    MembershipFactory,
    PitchTemplateFactory,
    UserFactory,
)


def post(client, path, body):
    return client.post(f"{V1}/{path}", body, format="json")


def patch(client, path, body):
    return client.patch(f"{V1}/{path}", body, format="json")


# Clients


def test_a_client_is_made_changed_and_deleted(as_admin):
    made = post(as_admin, "clients/", {"name": "Ü Reisen GmbH"})
    assert (made.status_code, made.json()["slug"]) == (201, "u-reisen-gmbh")
    path = f"clients/{made.json()['id']}/"
    assert patch(as_admin, path, {"plan": "paid"}).json()["plan"] == "paid"
    assert as_admin.delete(f"{V1}/{path}").status_code == 204
    assert not Client.objects.exists()


def test_two_clients_of_one_name_get_two_slugs(as_ada):
    slugs = [post(as_ada, "clients/", {"name": "A"}).json()["slug"] for _ in range(3)]
    assert slugs == ["a", "a-2", "a-3"]


def test_staff_do_not_delete_clients(as_ada):
    client = ClientFactory()
    assert as_ada.delete(f"{V1}/clients/{client.pk}/").status_code == 403


# People


@pytest.mark.req("S000-075")
def test_staff_give_a_clients_person_a_login(as_ada):
    client = ClientFactory()
    body = {
        "username": "cleo",
        "email": "cleo@example.org",
        "role": "client",
        "memberships": [{"client": client.pk, "role": "viewer"}],
    }
    made = post(as_ada, "people/", body)
    assert made.status_code == 201, made.json()
    assert made.json()["memberships"] == [{"client": client.pk, "role": "viewer"}]
    cleo = User.objects.get(username="cleo")
    assert not cleo.has_usable_password()
    assert not cleo.is_staff


@pytest.mark.req("S000-075")
def test_memberships_are_replaced_as_a_whole(as_ada):
    membership = MembershipFactory(role="owner")
    other = ClientFactory()
    body = {"memberships": [{"client": other.pk, "role": "member"}]}
    response = patch(as_ada, f"people/{membership.user_id}/", body)
    assert response.json()["memberships"] == body["memberships"]
    assert list(Membership.objects.values_list("client", "role")) == [(other.pk, "member")]


@pytest.mark.req("S000-075", "S000-010")
@pytest.mark.parametrize("role", ["staff", "admin"])
def test_only_admins_make_staff_and_admins(as_ada, as_admin, role):
    body = {"username": "sven", "role": role}
    assert post(as_ada, "people/", body).status_code == 403
    assert not User.objects.filter(username="sven").exists()
    made = post(as_admin, "people/", body)
    assert (made.status_code, made.json()["role"]) == (201, role)
    as_sven = caller(User.objects.get(username="sven"))
    assert as_sven.get(f"{V1}/leads/").status_code == 200
    assert as_sven.get(f"{V1}/ai-usage/").status_code == (200 if role == "admin" else 403)


@pytest.mark.req("S000-010")
def test_staff_do_not_promote_anybody(as_ada):
    person = MembershipFactory().user
    assert patch(as_ada, f"people/{person.pk}/", {"role": "admin"}).status_code == 403
    person.refresh_from_db()
    assert not person.is_staff


@pytest.mark.req("S000-010")
def test_staff_do_not_change_staff(as_ada, admin_user):
    response = patch(as_ada, f"people/{admin_user.pk}/", {"email": "evil@example.net"})
    assert response.status_code == 403


def test_an_admin_of_the_group_does_not_touch_a_superuser(as_admin, admin_user):
    post(as_admin, "people/", {"username": "sven", "role": "admin"})
    as_sven = caller(User.objects.get(username="sven"))
    path = f"people/{admin_user.pk}/"
    assert patch(as_sven, path, {"role": "client"}).status_code == 403
    assert as_sven.delete(f"{V1}/{path}").status_code == 403


def test_nobody_changes_or_ends_their_own_role(as_admin, admin_user):
    path = f"people/{admin_user.pk}/"
    assert patch(as_admin, path, {"role": "staff"}).status_code == 400
    assert as_admin.delete(f"{V1}/{path}").status_code == 400


def test_staff_have_no_memberships(as_admin):
    body = {
        "username": "sven",
        "role": "staff",
        "memberships": [{"client": ClientFactory().pk}],
    }
    response = post(as_admin, "people/", body)
    assert (response.status_code, set(response.json()["error"]["fields"])) == (
        400,
        {"memberships"},
    )
    assert not User.objects.filter(username="sven").exists()


def test_who_leaves_staff_leaves_every_right(as_admin, ada):
    assert patch(as_admin, f"people/{ada.pk}/", {"role": "client"}).status_code == 200
    as_ada_again = caller(User.objects.get(pk=ada.pk))
    assert as_ada_again.get(f"{V1}/leads/").status_code == 403


@pytest.mark.req("S000-075")
def test_deleting_a_person_ends_the_login_and_keeps_the_name(as_admin, as_ada):
    person = MembershipFactory().user
    AuthToken.objects.create(person)
    path = f"{V1}/people/{person.pk}/"
    assert as_ada.delete(path).status_code == 403
    assert as_admin.delete(path).status_code == 204
    person.refresh_from_db()
    assert not person.is_active
    assert not AuthToken.objects.exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"role": "client"}, "username"),
        ({"username": "a b", "role": "client"}, "username"),
        ({"username": "x", "role": "emperor"}, "role"),
        ({"username": "x", "role": "client", "email": "no"}, "email"),
        ({"username": "x", "role": "client", "password": "sesame"}, "password"),
        ({"username": "x", "role": "client", "is_superuser": True}, "is_superuser"),
        (
            {"username": "x", "role": "client", "memberships": [{"client": 10**9}]},
            "memberships",
        ),
    ],
)
def test_a_person_is_taken_only_whole_and_right(as_admin, body, field):
    response = post(as_admin, "people/", body)
    assert response.status_code == 400
    assert field in response.json()["error"]["fields"]


def test_a_name_is_given_once(as_admin):
    UserFactory(username="sven")
    response = post(as_admin, "people/", {"username": "sven", "role": "client"})
    assert "username" in response.json()["error"]["fields"]


# Campaigns


@pytest.mark.req("S001-032", "S000-076")
@pytest.mark.parametrize("path", ["campaigns/", "campaigns/create", "campaigns/create/"])
def test_a_campaign_is_created_as_a_draft(as_ada, path):
    client = ClientFactory()
    body = {"client": client.pk, "name": "Autumn", "preset": "podcast", "goal": "Ten talks"}
    made = post(as_ada, path, body)
    assert made.status_code == 201, made.json()
    campaign = Campaign.objects.get(pk=made.json()["id"])
    assert (campaign.slug, campaign.status, campaign.goal) == ("autumn", "draft", "Ten talks")


@pytest.mark.req("S000-009", "S001-032")
@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"client": 10**9}, "client"),
        ({"name": ""}, "name"),
        ({"preset": "lottery"}, "preset"),
        ({"match_threshold": "100.01"}, "match_threshold"),
        ({"match_threshold": "NaN"}, "match_threshold"),
        ({"candidates_per_pitch": -1}, "candidates_per_pitch"),
        ({"time_zone": "Foo/Bar"}, "time_zone"),
        ({"window_days": [0]}, "window_days"),
        ({"targeting": []}, "targeting"),
        ({"slug": "Not a slug"}, "slug"),
        ({"media_kit_url": "javascript:alert(1)"}, "media_kit_url"),
    ],
)
def test_a_wrong_campaign_is_told_by_field(as_ada, wrong, field):
    body = {"client": ClientFactory().pk, "name": "A", "preset": "product"} | wrong
    response = post(as_ada, "campaigns/", body)
    assert response.status_code == 400
    assert set(response.json()["error"]["fields"]) == {field}


@pytest.mark.parametrize(
    "wrong",
    [
        {"window_start": "17:00", "window_end": "09:00"},
        {"window_days": []},
        {"candidates_per_pitch": 11},
        {"ai_budget": "-1"},
    ],
)
def test_what_only_the_database_refuses_is_told_too(as_ada, wrong):
    body = {"client": ClientFactory().pk, "name": "A", "preset": "product"} | wrong
    assert post(as_ada, "campaigns/", body).status_code == 400
    assert not Campaign.objects.exists()


def test_the_status_is_not_a_field(as_ada):
    campaign = CampaignFactory(status="draft")
    patch(as_ada, f"campaigns/{campaign.pk}/", {"status": "active"})
    campaign.refresh_from_db()
    assert campaign.status == "draft"


def test_a_score_keeps_both_ends_of_its_scale(as_ada):
    campaign = CampaignFactory()
    for score in ("0.00", "65.00", "100.00"):
        answer = patch(as_ada, f"campaigns/{campaign.pk}/", {"match_threshold": score})
        assert answer.json()["match_threshold"] == score


def test_a_campaign_pitches_only_its_clients_candidates(as_ada):
    campaign = CampaignFactory()
    mine, anothers = CandidateFactory(client=campaign.client), CandidateFactory()
    path = f"campaigns/{campaign.pk}/"
    assert patch(as_ada, path, {"candidates": [mine.pk]}).status_code == 200
    assert patch(as_ada, path, {"candidates": [anothers.pk]}).status_code == 400
    assert list(campaign.candidates.all()) == [mine]


@pytest.mark.req("S000-076")
def test_a_campaign_is_activated_paused_and_activated_again(as_ada):
    campaign = CampaignFactory(status="draft")
    path = f"campaigns/{campaign.pk}"
    assert post(as_ada, f"{path}/activate/", {}).json()["status"] == "active"
    paused = post(as_ada, f"{path}/pause", {"reason": "Holidays"}).json()
    assert (paused["status"], paused["status_reason"]) == ("paused", "Holidays")
    assert post(as_ada, f"{path}/activate/", {}).json()["status_reason"] == ""


@pytest.mark.req("S001-039")
def test_a_step_that_the_status_does_not_allow_is_a_conflict(as_ada):
    campaign = CampaignFactory(status="draft")
    response = post(as_ada, f"campaigns/{campaign.pk}/pause/", {"reason": "x"})
    assert (response.status_code, response.json()["error"]["code"]) == (409, "wrong_status")
    assert "it is draft" in response.json()["error"]["message"]


def test_pausing_needs_a_reason(as_ada):
    campaign = CampaignFactory(status="active")
    assert post(as_ada, f"campaigns/{campaign.pk}/pause/", {}).status_code == 400


@pytest.mark.req("S000-076")
def test_a_deleted_campaign_is_canceled_and_stays(as_ada):
    campaign = CampaignFactory()
    assert as_ada.delete(f"{V1}/campaigns/{campaign.pk}/").status_code == 204
    campaign.refresh_from_db()
    assert (campaign.status, "ada" in campaign.status_reason) == ("canceled", True)
    assert as_ada.delete(f"{V1}/campaigns/{campaign.pk}/").status_code == 409


@pytest.mark.parametrize("path", ["activate/", "pause/", ""])
def test_a_client_changes_no_campaign(as_clara, claras_client, path):
    campaign = CampaignFactory(client=claras_client, status="draft")
    assert post(as_clara, f"campaigns/{campaign.pk}/{path}", {}).status_code == 403
    assert patch(as_clara, f"campaigns/{campaign.pk}/", {"name": "x"}).status_code == 403
    campaign.refresh_from_db()
    assert campaign.status == "draft"


# Candidates and templates


def test_a_candidate_is_made_and_changed(as_ada):
    client = ClientFactory()
    body = {
        "client": client.pk,
        "reference": "7",
        "kind": "guest",
        "name": "Gerda Guest",
        "skills": ["sleep"],
    }
    made = post(as_ada, "candidates/", body)
    assert made.status_code == 201, made.json()
    path = f"candidates/{made.json()['id']}/"
    assert patch(as_ada, path, {"status": "paused"}).json()["status"] == "paused"
    assert as_ada.delete(f"{V1}/{path}").status_code == 405
    assert post(as_ada, "candidates/", body).status_code == 400  # the reference is taken


def test_a_candidate_ends_after_it_starts(as_ada):
    candidate = CandidateFactory()
    body = {"starts_on": "2026-06-02", "ends_on": "2026-06-01"}
    assert patch(as_ada, f"candidates/{candidate.pk}/", body).status_code == 400


def test_candidates_are_filtered_by_campaign(as_ada):
    campaign = CampaignFactory()
    campaign.candidates.add(CandidateFactory(name="Wanted"))
    CandidateFactory(name="Other")
    found = as_ada.get(f"{V1}/candidates/?campaign={campaign.pk}").json()["results"]
    assert [row["name"] for row in found] == ["Wanted"]
    assert Candidate.objects.count() == 2


def test_a_template_is_made_changed_and_deleted(as_ada):
    made = post(as_ada, "pitch-templates/", {"key": "own/hello", "body": "Hello"})
    assert made.status_code == 201, made.json()
    path = f"pitch-templates/{made.json()['id']}/"
    assert patch(as_ada, path, {"body": "Hi"}).json()["body"] == "Hi"
    assert as_ada.delete(f"{V1}/{path}").status_code == 204
    assert not PitchTemplate.objects.exists()


def test_a_template_version_exists_once(as_ada):
    row = PitchTemplateFactory(key="own/hello")
    body = {"key": row.key, "tone": row.tone, "language": row.language, "version": row.version}
    assert post(as_ada, "pitch-templates/", body).status_code == 400
