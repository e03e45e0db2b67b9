"""Who may come in: every route says so, and nobody else does."""

import pytest
from django.contrib.auth.models import Group
from django.urls import URLPattern, get_resolver
from rest_framework.response import Response
from rest_framework.test import APIClient, force_authenticate
from rest_framework.views import APIView

from campaigns import access
from campaigns.models import Membership
from config import api
from config.rest import Nobody
from tests.api.conftest import V1, caller, with_id
from tests.factories import (
    CampaignFactory,
    MatchFactory,
    MembershipFactory,
    MessageFactory,
    PitchFactory,
    PlacementFactory,
    UserFactory,
    VariantFactory,
)

OURS = ("config.", "campaigns.", "prospects.", "pitches.", "crm_sync.", "drf_spectacular.")
OPEN = {("get", "/api/v1/health/")}
FOR_CLIENTS = {
    ("get", "/api/v1/campaigns/"),
    ("get", "/api/v1/campaigns/{id}/"),
    ("get", "/api/v1/match-suggestions/"),
    ("get", "/api/v1/match-suggestions/{id}/"),
    ("get", "/api/v1/match-suggestions/campaign/{campaign}/"),
    ("post", "/api/v1/match-suggestions/{id}/approve/"),
    ("patch", "/api/v1/match-suggestions/{id}/approve/"),
    ("post", "/api/v1/match-suggestions/{id}/reject/"),
    ("patch", "/api/v1/match-suggestions/{id}/reject/"),
    ("get", "/api/v1/pitches/"),
    ("get", "/api/v1/pitches/{id}/"),
    ("get", "/api/v1/placements/"),
    ("get", "/api/v1/placements/{id}/"),
}


def views(patterns=None, prefix=""):
    """Every view behind /api/, with the path it answers."""
    for pattern in patterns if patterns is not None else get_resolver().url_patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            if path.startswith("api/"):
                yield path, pattern.callback
        else:
            yield from views(pattern.url_patterns, path)


def view_class(callback):
    if callback is api.docs:
        callback = api.swagger
    return getattr(callback, "cls", None) or getattr(callback, "view_class", None)


@pytest.mark.req("S000-010")
@pytest.mark.parametrize(("path", "callback"), list(views()))
def test_every_view_says_who_may_come_in(path, callback):
    cls = view_class(callback)
    assert cls is not None, f"{path} is no view class"
    named = next(
        (
            each.__dict__["permission_classes"]
            for each in cls.__mro__
            if each.__module__.startswith(OURS) and "permission_classes" in each.__dict__
        ),
        None,
    )
    assert named, f"{path} ({cls.__name__}) declares no permission"
    assert Nobody not in named


def test_a_view_that_does_not_say_lets_nobody_in(rf, admin_user):
    class Forgotten(APIView):
        def get(self, request):
            return Response("secret")

    request = rf.get("/")
    force_authenticate(request, admin_user)
    assert Forgotten.as_view()(request).status_code == 403


@pytest.mark.req("S000-010", "S000-011")
def test_without_login_nothing_but_health_answers(anonymous, operations):
    for method, path in operations:
        response = anonymous.generic(method.upper(), with_id(path))
        expected = 200 if (method, path) in OPEN else 401
        assert response.status_code == expected, f"{method} {path}"


@pytest.mark.req("S000-010")
def test_a_login_without_any_right_opens_nothing(as_stranger, operations):
    for method, path in operations:
        if (method, path) not in OPEN:
            response = as_stranger.generic(method.upper(), with_id(path))
            assert response.status_code == 403, f"{method} {path}"


@pytest.mark.req("S000-010")
def test_a_client_opens_only_what_is_for_clients(as_clara, operations):
    for method, path in operations:
        if (method, path) not in OPEN:
            response = as_clara.generic(method.upper(), with_id(path))
            expected = (200, 404) if (method, path) in FOR_CLIENTS else (403,)
            assert response.status_code in expected, f"{method} {path}"


@pytest.mark.req("S000-010")
def test_staff_without_a_permission_are_refused(operations, db):
    as_newcomer = caller(UserFactory(is_staff=True))
    for method, path in operations:
        if (method, path) not in OPEN:
            response = as_newcomer.generic(method.upper(), with_id(path))
            assert response.status_code == 403, f"{method} {path}"


@pytest.mark.req("S000-010")
def test_staff_who_may_look_may_not_touch(db, ada):
    ada.user_permissions.set(
        ada.user_permissions.filter(codename__startswith="view_"), clear=True
    )
    client = caller(type(ada).objects.get(pk=ada.pk))
    assert client.get(f"{V1}/clients/").status_code == 200
    assert client.post(f"{V1}/clients/", {"name": "A"}, format="json").status_code == 403


@pytest.mark.req("S000-010")
def test_the_costs_are_for_admins(as_ada, as_admin, db):
    assert as_ada.get(f"{V1}/ai-usage/").status_code == 403
    assert as_admin.get(f"{V1}/ai-usage/").status_code == 200
    of_the_group = UserFactory(is_staff=True)
    of_the_group.groups.add(Group.objects.create(name=access.ADMINS))
    assert caller(of_the_group).get(f"{V1}/ai-usage/").status_code == 200


def test_the_group_of_admins_alone_makes_no_admin(db):
    outsider = UserFactory()
    outsider.groups.add(Group.objects.create(name=access.ADMINS))
    assert caller(outsider).get(f"{V1}/ai-usage/").status_code == 403


# Clients and what is theirs


@pytest.fixture
def theirs(claras_client):
    """Everything there is, of Clara's company."""
    return everything_of(claras_client)


@pytest.fixture
def others(db):
    """Everything there is, of another company."""
    return everything_of(CampaignFactory().client)


def everything_of(client):
    campaign = CampaignFactory(client=client, name=f"Campaign of {client}")
    pitch = PitchFactory(campaign=campaign)
    VariantFactory(message=MessageFactory(pitch=pitch))
    return {
        "campaigns": campaign,
        "pitches": pitch,
        "placements": PlacementFactory(campaign=campaign, notes="secret notes", value="500"),
        "match": MatchFactory(campaign=campaign, status="to_review"),
    }


LISTS = ["campaigns", "pitches", "placements"]


@pytest.mark.req("S000-064", "S000-069", "S000-076")
@pytest.mark.parametrize("name", LISTS)
def test_a_client_sees_what_is_theirs_and_nothing_else(as_clara, theirs, others, name):
    found = as_clara.get(f"{V1}/{name}/").json()["results"]
    assert [row["id"] for row in found] == [theirs[name].pk]
    assert as_clara.get(f"{V1}/{name}/{theirs[name].pk}/").status_code == 200


@pytest.mark.req("S000-064", "S000-069", "S000-076")
@pytest.mark.parametrize("name", LISTS)
def test_what_is_anothers_is_missing_to_the_letter(as_clara, others, name):
    foreign = as_clara.get(f"{V1}/{name}/{others[name].pk}/")
    missing = as_clara.get(f"{V1}/{name}/{others[name].pk + 10**6}/")
    assert foreign.status_code == missing.status_code == 404
    assert foreign.content == missing.content


@pytest.mark.parametrize("name", LISTS)
def test_filters_reach_no_further_than_the_list(as_clara, theirs, others, name):
    parameter = "client" if name == "campaigns" else "campaign"
    value = others["campaigns"].client_id if name == "campaigns" else others["campaigns"].pk
    found = as_clara.get(f"{V1}/{name}/?{parameter}={value}").json()["results"]
    assert found == []


@pytest.mark.req("S000-064")
def test_a_client_reads_the_status_of_a_pitch_and_no_word_of_it(as_clara, theirs):
    row = as_clara.get(f"{V1}/pitches/{theirs['pitches'].pk}/").json()
    assert set(row) == {"id", "campaign", "lead", "lead_name", "status", "created_at"}


@pytest.mark.parametrize(
    ("name", "hidden"),
    [
        ("campaigns", {"ai_budget", "approval_policy", "targeting", "status_reason", "client"}),
        ("placements", {"notes", "value", "pitch", "is_client_visible"}),
    ],
)
def test_a_client_sees_neither_money_nor_notes(as_clara, as_ada, theirs, name, hidden):
    path = f"{V1}/{name}/{theirs[name].pk}/"
    assert hidden.isdisjoint(as_clara.get(path).json())
    assert hidden <= set(as_ada.get(path).json())


def test_a_placement_hidden_from_the_client_is_missing(as_clara, theirs):
    theirs["placements"].is_client_visible = False
    theirs["placements"].save()
    assert as_clara.get(f"{V1}/placements/").json()["results"] == []
    assert as_clara.get(f"{V1}/placements/{theirs['placements'].pk}/").status_code == 404


def test_a_membership_that_ends_closes_the_door(as_clara, clara, theirs):
    Membership.objects.filter(user=clara).delete()
    assert as_clara.get(f"{V1}/campaigns/").status_code == 403


def test_somebody_of_two_clients_sees_both(as_clara, clara, theirs, others):
    MembershipFactory(user=clara, client=others["campaigns"].client)
    found = as_clara.get(f"{V1}/pitches/").json()["results"]
    assert {row["id"] for row in found} == {theirs["pitches"].pk, others["pitches"].pk}


# Sessions and tokens (SEC-12)


@pytest.mark.req("SEC-12")
def test_a_session_needs_the_csrf_token_for_every_change(ada, operations):
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(ada)
    unsafe = [each for each in operations if each[0] not in ("get", "head", "options")]
    assert unsafe
    for method, path in unsafe:
        response = client.generic(method.upper(), with_id(path))
        assert response.status_code == 403, f"{method} {path}"
        assert "CSRF" in response.json()["error"]["message"], f"{method} {path}"


@pytest.mark.req("SEC-12")
def test_a_session_with_the_csrf_token_may_change(ada):
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(ada)
    client.cookies["csrftoken"] = "a" * 32
    response = client.post(
        f"{V1}/clients/", {"name": "A"}, format="json", HTTP_X_CSRFTOKEN="a" * 32
    )
    assert response.status_code == 201


@pytest.mark.parametrize("path", ["/api/schema/", "/api/docs/"])
def test_the_documentation_is_for_who_has_a_login(client, ada, path):
    assert client.get(path).status_code in (302, 401)
    client.force_login(ada)
    assert client.get(path).status_code == 200


def test_the_documentation_runs_no_script_of_its_own_page(client, ada):
    client.force_login(ada)
    page = client.get("/api/docs/")
    assert "script-src" not in page["Content-Security-Policy"]  # so default-src 'self' holds
    assert b"<script>" not in page.content
