"""Every list opens, its rows open, and many rows ask the database as often as one."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.api.conftest import V1, with_id
from tests.factories import (
    AIUsageFactory,
    AngleFactory,
    BreakerFactory,
    CampaignFactory,
    CandidateFactFactory,
    CandidateFactory,
    ClientFactory,
    ConsentFactory,
    ContactAddressFactory,
    EmailLimitFactory,
    FactFactory,
    FollowUpTaskFactory,
    IncomingMessageFactory,
    LeadFactory,
    LeadIdentityFactory,
    MatchFactory,
    MembershipFactory,
    MessageFactory,
    OrganizationFactory,
    PitchFactory,
    PitchTemplateFactory,
    PlacementFactory,
    PlacementSequenceFactory,
    ReviewTaskFactory,
    SenderCampaignFactory,
    StopFactory,
    SuppressionFactory,
    VariantFactory,
    WebhookDeliveryFactory,
)


def candidate():
    row = CandidateFactory()
    AngleFactory(candidate=row)
    CandidateFactFactory(candidate=row)
    CampaignFactory().candidates.add(row)


def lead(**fields):
    row = LeadFactory(**fields)
    LeadIdentityFactory(lead=row)
    FactFactory(lead=row)
    row.contacts.add(ContactAddressFactory().contact)


def campaign():
    CampaignFactory().candidates.add(CandidateFactory())


def message():
    VariantFactory(message=MessageFactory())


def pitch():
    MatchFactory(pitch=PitchFactory())


LISTS = {
    "ai-usage": lambda: AIUsageFactory(campaign=CampaignFactory()),
    "breakers": BreakerFactory,
    "campaigns": campaign,
    "candidates": candidate,
    "clients": ClientFactory,
    "consents": ConsentFactory,
    "contacts": ContactAddressFactory,
    "follow-up-tasks": FollowUpTaskFactory,
    "incoming-messages": IncomingMessageFactory,
    "leads": lead,
    "limits": EmailLimitFactory,
    "match-suggestions": MatchFactory,
    "media": lambda: lead(kind="podcast"),
    "messages": message,
    "organizations": OrganizationFactory,
    "people": MembershipFactory,
    "pitch-templates": PitchTemplateFactory,
    "pitches": pitch,
    "placements": PlacementFactory,
    "review-tasks": lambda: ReviewTaskFactory(of_match=True),
    "senders": SenderCampaignFactory,
    "sequences": PlacementSequenceFactory,
    "stops": StopFactory,
    "suppressions": SuppressionFactory,
    "webhook-deliveries": WebhookDeliveryFactory,
}


def test_no_list_is_left_out(operations):
    lists = {
        path.removeprefix(f"{V1}/").strip("/")
        for method, path in operations
        if method == "get" and path.count("/") == 4
    }
    assert lists - {"health"} == set(LISTS)


@pytest.mark.req("S001-053")
@pytest.mark.parametrize("name", LISTS)
def test_a_list_asks_as_often_for_many_rows_as_for_one(as_admin, name):
    address = f"{V1}/{name}/"
    LISTS[name]()
    as_admin.get(address)  # content types and the like are asked for once
    with CaptureQueriesContext(
        connection,
    ) as for_one:
        assert len(as_admin.get(address).json()["results"]) >= 1
    for _ in range(19):
        LISTS[name]()
    with CaptureQueriesContext(connection) as for_many:
        assert len(as_admin.get(address).json()["results"]) >= 20
    assert len(for_many) == len(for_one)


@pytest.mark.parametrize("name", sorted(set(LISTS) - {"ai-usage"}))
def test_a_row_of_a_list_opens(as_admin, name):
    LISTS[name]()
    for row in as_admin.get(f"{V1}/{name}/").json()["results"]:
        full = as_admin.get(f"{V1}/{name}/{row['id']}/")
        assert full.status_code == 200
        assert full.json().items() >= row.items()


ODD_IDS = ["0", "-1", "1e3", "١٢", "9" * 19, "9" * 40, "%00", "a", "1.0", "%20", "'", "{id}"]


@pytest.mark.parametrize("odd", ODD_IDS)
def test_odd_ids_never_break_anything(as_admin, operations, odd):
    for method, path in operations:
        if "{" in path:
            response = as_admin.generic(method.upper(), with_id(path, odd))
            assert response.status_code in (400, 404, 405), f"{method} {path} {odd}"
            assert response.json()["error"]["code"]


@pytest.mark.parametrize("odd", ["-1", "1e3", "%00", "a" * 5000, "NaN"])
def test_odd_parameters_never_break_anything(as_admin, schema, odd):
    for path, methods in schema["paths"].items():
        for parameter in methods.get("get", {}).get("parameters", []):
            if parameter["in"] == "query":
                response = as_admin.get(f"{with_id(path)}?{parameter['name']}={odd}")
                assert response.status_code in (200, 400, 404), (path, parameter["name"])


@pytest.mark.parametrize(
    "body",
    [
        "[]",
        "null",
        '"x"',
        "{}",
        '{"": 1}',
        '{"id": 9223372036854775808}',
        '{"name": {"a": []}, "client": [], "reason": 7, "value": {}, "subject": [[]]}',
    ],
)
def test_odd_bodies_never_break_anything(as_admin, operations, body):
    for method, path in operations:
        if method in ("post", "put", "patch"):
            response = as_admin.generic(
                method.upper(), with_id(path, 2**62), body, "application/json"
            )
            assert response.status_code < 500, f"{method} {path}"


HUGE = [2**63, 10**30, -1, 1.5, "١٢", True, None, [], {}, "x" * 100_000]


@pytest.mark.parametrize("value", HUGE, ids=lambda value: str(value)[:12])
def test_no_field_breaks_on_a_value_of_another_kind(as_admin, schema, value):
    """Each field of each POST in turn, the others as they may be."""
    components = schema["components"]["schemas"]
    tried = 0
    for path, methods in schema["paths"].items():
        content = methods.get("post", {}).get("requestBody", {}).get("content", {})
        for reference in content.values():
            name = reference["schema"].get("$ref", "").rpartition("/")[2]
            for field in components.get(name, {}).get("properties", {}):
                response = as_admin.post(with_id(path), {field: value}, format="json")
                assert response.status_code < 500, (path, field)
                tried += 1
    assert tried > 50
