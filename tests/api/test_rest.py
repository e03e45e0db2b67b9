"""What all views share: literal input, one shape of errors, pages, frequency."""

import base64
import json

import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import ValidationError as DjangoValidationError

from campaigns.models import Client
from config.db import WrongStatus
from config.rest import BODY_LIMIT, DEPTH_LIMIT, Pages, PerMinute
from pitches.channels import ChannelError
from pitches.decisions import Reason
from pitches.gate import Held
from pitches.inbox import InboxUnavailable
from pitches.journal import JournalUnavailable
from pitches.review import NoReason, NotApprovable
from prospects.addresses import AddressError
from tests.api.conftest import V1
from tests.factories import CampaignFactory, ClientFactory, EmailLimitFactory

CLIENTS = f"{V1}/clients/"


def encoded(cursor):
    return base64.urlsafe_b64encode(cursor.encode()).decode()


def post(client, body, path=CLIENTS, content_type="application/json"):
    return client.generic("POST", path, body, content_type)


@pytest.mark.req("S001-039", "S000-009")
@pytest.mark.parametrize(
    ("body", "part_of_message"),
    [
        ("{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        ('{"name": NaN}', "NaN"),
        ('{"weekly_allowance": 1e400}', "too large"),
        ('{"name": "A", "name": "B"}', "twice"),
        ('{"name": "A\\u0000B"}', "NUL"),
        ('{"na\\u0000me": "A"}', "NUL"),
        ('{"name": "\\ud800"}', "surrogate"),
        ("[" * (DEPTH_LIMIT + 1) + "]" * (DEPTH_LIMIT + 1), "deeper"),
        ("[" * 100_000, "deeper"),
    ],
)
def test_json_that_cannot_be_taken_literally_is_refused(as_ada, body, part_of_message):
    response = post(as_ada, body)
    assert response.status_code == 400
    assert part_of_message in response.json()["error"]["message"]


def test_a_bracket_inside_a_text_is_no_level(as_ada):
    name = "[" * 30 + '\\"' + "{" * 30
    response = post(as_ada, f'{{"name": "{name}"}}')
    assert response.status_code == 201, response.json()


def test_a_body_above_a_megabyte_is_refused(as_ada):
    response = post(as_ada, json.dumps({"name": "x" * BODY_LIMIT}))
    assert (response.status_code, response.json()["error"]["code"]) == (413, "too_large")


@pytest.mark.parametrize("body", ["[]", '"text"', "7", "null", '[{"name": "A"}]'])
def test_a_body_that_is_no_object_is_refused(as_ada, body):
    assert post(as_ada, body).status_code == 400


def test_other_types_than_json_are_refused(as_ada):
    response = post(as_ada, "name=A", content_type="application/x-www-form-urlencoded")
    assert (response.status_code, response.json()["error"]["code"]) == (
        415,
        "unsupported_media_type",
    )


@pytest.mark.req("S000-009")
def test_an_unknown_field_is_named_instead_of_ignored(as_ada):
    response = as_ada.post(CLIENTS, {"name": "A", "stauts": "x"}, format="json")
    assert response.status_code == 400
    assert set(response.json()["error"]["fields"]) == {"stauts"}


@pytest.mark.req("S000-009")
def test_every_wrong_field_has_its_message(as_ada):
    response = as_ada.post(
        CLIENTS, {"name": "", "plan": "gold", "time_zone": "Foo/Bar"}, format="json"
    )
    assert response.status_code == 400
    assert set(response.json()["error"]["fields"]) == {"name", "plan", "time_zone"}


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("kidn=person", "kidn"),
        ("kind=martian", "kind"),
        ("page_size=0", "page_size"),
        ("page_size=-1", "page_size"),
        ("page_size=1e3", "page_size"),
        ("page_size=١٢", "page_size"),
        ("page_size=", "page_size"),
        ("cursor=x", "cursor"),
        ("cursor=%ff", "cursor"),
        ("cursor=WzFd", "cursor"),
        ("cursor=WyJhIiwgIng-Il0=", "cursor"),
        ("cursor=" + "9" * 3000, "cursor"),
        ("cursor=" + encoded("[" * 5000), "cursor"),
        ("cursor=" + encoded('["a", 1]'), "cursor"),
        ("cursor=" + encoded('["a"]'), "cursor"),
        ("cursor=" + encoded('["a\\u0000", "1"]'), "cursor"),
        ("cursor=" + encoded(f'["a", "{2**63}"]'), "cursor"),
        ("name=%00", "name"),
        ("ordering=client__user__password", "ordering"),
        ("id__in=1,2,3", "id__in"),
        ("format=xml", "format"),
    ],
)
def test_a_parameter_that_is_none_is_refused_by_name(as_ada, query, parameter):
    response = as_ada.get(f"{CLIENTS}?{query}")
    assert response.status_code == 400
    assert parameter in response.json()["error"]["fields"]


@pytest.mark.parametrize(
    "value", ["-1", "1e3", "١٢", "9" * 19, "9" * 40, "%00", "a", "1.0", " 1"]
)
def test_junk_for_an_id_is_refused(as_ada, value):
    response = as_ada.get(f"{V1}/pitches/?campaign={value}")
    assert response.status_code == 400
    assert "campaign" in response.json()["error"]["fields"]


def test_an_id_that_nobody_has_finds_nothing(as_ada):
    response = as_ada.get(f"{V1}/pitches/?campaign={2**63 - 1}")
    assert (response.status_code, response.json()["results"]) == (200, [])


@pytest.mark.parametrize("when", ["yesterday", "2026-13-01", "99999-01-01", "%00"])
def test_junk_for_a_time_is_refused(as_ada, when):
    assert as_ada.get(f"{V1}/messages/?created_after={when}").status_code == 400


@pytest.mark.parametrize(
    "path",
    [
        "/api/",
        "/api/v1/",
        "/api/v2/clients/",
        f"{V1}/nothing/",
        f"{V1}/clients/-1/",
        f"{V1}/clients/%0A/",
        f"{V1}/clients/1%0A2/",
    ],
)
def test_what_is_not_there_is_missing_in_the_same_shape(as_ada, path):
    response = as_ada.get(path)
    assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize("number", ["0", str(2**63 - 1), str(2**63), "9" * 19])
def test_an_id_out_of_range_is_missing(as_ada, number):
    assert as_ada.get(f"{CLIENTS}{number}/").status_code == 404


def test_a_wrong_method_is_told_in_the_same_shape(as_ada):
    response = as_ada.put(CLIENTS)
    assert (response.status_code, response.json()["error"]["code"]) == (
        405,
        "method_not_allowed",
    )


@pytest.mark.req("S001-039")
def test_a_promise_of_the_database_is_told_as_a_sentence(as_ada):
    limit = EmailLimitFactory()
    body = {"scope": "campaign", "organization": limit.organization_id, "maximum": 1}
    response = as_ada.post(f"{V1}/limits/", body, format="json")
    assert response.status_code == 400
    assert response.json()["error"]["message"] == "Email limit target fits scope."


@pytest.mark.req("S001-039")
def test_a_row_that_is_in_use_stays(as_admin):
    campaign = CampaignFactory()
    response = as_admin.delete(f"{CLIENTS}{campaign.client_id}/")
    assert (response.status_code, response.json()["error"]["code"]) == (409, "in_use")


def test_our_own_fault_is_told_without_a_word_of_it(as_ada, monkeypatch):
    def fail(self):
        raise RuntimeError("the password is sesame")

    monkeypatch.setattr("campaigns.api.Clients.get_queryset", fail)
    as_ada.raise_request_exception = False
    response = as_ada.get(CLIENTS)
    assert (response.status_code, response.json()["error"]["code"]) == (500, "internal")
    assert b"sesame" not in response.content


# Pages


def pages(client, address):
    while address:
        answer = client.get(address).json()
        yield answer["results"]
        address = answer["next"]


def test_pages_show_every_row_once_in_order(as_ada):
    names = [f"Client {number * 7 % 12:02}" for number in range(23)]  # with ties, unordered
    for name in names:
        ClientFactory(name=name)
    found = list(pages(as_ada, f"{CLIENTS}?page_size=4"))
    assert [len(page) for page in found] == [4, 4, 4, 4, 4, 3]
    rows = [(row["name"], row["id"]) for page in found for row in page]
    assert len(set(rows)) == 23
    assert rows == sorted(rows)


def test_a_page_is_never_larger_than_the_cap(as_ada, monkeypatch):
    monkeypatch.setattr(Pages, "LARGEST", 3)
    ClientFactory.create_batch(5)
    assert len(as_ada.get(f"{CLIENTS}?page_size=1000000").json()["results"]) == 3


def test_rows_that_come_in_between_shift_no_page(as_ada):
    ClientFactory.create_batch(4)
    first = as_ada.get(f"{CLIENTS}?page_size=2").json()
    ClientFactory(name="AAA, before all others")
    second = as_ada.get(first["next"]).json()
    ids = {row["id"] for row in first["results"]} & {row["id"] for row in second["results"]}
    assert ids == set()


def test_filters_stay_on_the_next_page(as_ada):
    ClientFactory.create_batch(3, kind="person")
    ClientFactory.create_batch(3, kind="organization")
    found = list(pages(as_ada, f"{CLIENTS}?page_size=2&kind=person"))
    assert [row["kind"] for page in found for row in page] == ["person"] * 3


# Frequency


def test_who_asks_too_often_is_told_when_to_come_back(as_ada, as_admin, monkeypatch):
    monkeypatch.setattr(PerMinute, "limit", 2)
    answers = [as_ada.get(CLIENTS) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["error"]["code"] == "throttled"
    assert 1 <= int(answers[2]["Retry-After"]) <= 61
    assert as_admin.get(CLIENTS).status_code == 200  # each has an allowance of their own


@pytest.mark.parametrize("place", ['["2026-06-01", "1"]', '["2026-06-01T09:00:00", "1"]'])
def test_a_cursor_without_a_time_zone_is_none(as_ada, place):
    response = as_ada.get(f"{V1}/stops/?cursor={encoded(place)}")
    assert (response.status_code, set(response.json()["error"]["fields"])) == (400, {"cursor"})


# What the work raises


@pytest.mark.req("S001-039")
@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (WrongStatus(Client(), "approved", "canceled"), 409, "wrong_status"),
        (Held(Reason.SUPPRESSED), 409, "held"),
        (NotApprovable(["a placeholder"]), 409, "not_approvable"),
        (NoReason("Say why."), 400, "no_reason"),
        (AddressError("There is no e-mail address."), 400, "bad_address"),
        (DjangoValidationError({"name": "Too odd."}), 400, "invalid"),
        (Client.DoesNotExist(), 404, "not_found"),
        (PermissionDenied(), 403, "permission_denied"),
        (RequestDataTooBig(), 413, "too_large"),
        (SuspiciousOperation(), 400, "bad_request"),
        (ChannelError("the server refused", permanent=True), 502, "channel"),
        (InboxUnavailable("no answer"), 503, "inbox_unavailable"),
        (JournalUnavailable("disk full"), 503, "journal_unavailable"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_what_the_work_raises_has_its_status(as_ada, monkeypatch, error, status, code):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr("campaigns.models.Campaign.activate", fail)
    campaign = CampaignFactory()
    response = as_ada.post(f"{V1}/campaigns/{campaign.pk}/activate/")
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert response.json()["error"]["message"]
