"""What keeps mail from going out, and who sends: suppressions, stops, limits, senders."""

import pytest
from django.db import OperationalError, connection

from pitches.models import Message, Sender, Stop
from prospects import suppressions
from prospects.models import Suppression
from tests.api.conftest import V1
from tests.factories import (
    CampaignFactory,
    ClientFactory,
    ContactAddressFactory,
    ContactFactory,
    LeadFactory,
    MessageFactory,
    OrganizationFactory,
    PitchFactory,
    SenderCampaignFactory,
    SenderFactory,
    StopFactory,
)


def post(client, path, body=None):
    return client.post(f"{V1}/{path}", body or {}, format="json")


# Suppressions


def test_a_suppressed_address_is_never_shown(as_ada):
    body = {"kind": "email", "value": "Paula.Partner@example.com", "reason": "do_not_contact"}
    made = post(as_ada, "suppressions/", body)
    assert (made.status_code, made.json()["is_new"]) == (201, True)
    assert suppressions.suppressed(["paula.partner@example.com"])
    listed = as_ada.get(f"{V1}/suppressions/")
    for answer in (made, listed):
        assert b"paula" not in answer.content.lower()
        assert b"hash" not in answer.content
    assert listed.json()["results"][0]["source"] == "API, ada"


def test_suppressing_twice_is_harmless(as_ada):
    body = {"kind": "domain", "value": "example.com", "reason": "imported", "source": "list"}
    assert [post(as_ada, "suppressions/", body).status_code for _ in range(2)] == [201, 200]
    assert Suppression.objects.get().source == "list"


@pytest.mark.req("S000-009", "S001-039")
@pytest.mark.parametrize(
    "value", ["nobody", "a@localhost", "a@b@c.example", "a@x.example, b@x.example", " ", ""]
)
def test_what_is_no_address_is_refused_with_a_sentence(as_ada, value):
    body = {"kind": "email", "value": value, "reason": "unsubscribed"}
    response = post(as_ada, "suppressions/", body)
    assert response.status_code == 400
    assert response.json()["error"]["message"]
    assert not Suppression.objects.exists()


@pytest.mark.parametrize("wrong", [{"kind": "fax"}, {"reason": "mood"}, {"value": None}])
def test_a_suppression_is_of_a_known_kind_for_a_known_reason(as_ada, wrong):
    body = {"kind": "email", "value": "a@example.com", "reason": "unsubscribed"} | wrong
    response = post(as_ada, "suppressions/", body)
    assert set(response.json()["error"]["fields"]) == set(wrong)


def test_nobody_takes_a_suppression_away(as_admin):
    suppressions.add(
        "email", "a@example.com", reason="unsubscribed", source="test", now="2026-06-01T09:00Z"
    )
    row = Suppression.objects.get()
    path = f"{V1}/suppressions/{row.pk}/"
    for method in ("delete", "put", "patch"):
        assert getattr(as_admin, method)(path).status_code == 405
    assert as_admin.get(path).status_code == 200


# Stops


@pytest.mark.parametrize(
    ("scope", "target"),
    [
        ("person", ("contact", ContactFactory)),
        ("organization", ("organization", OrganizationFactory)),
        ("campaign", ("campaign", CampaignFactory)),
        ("client", ("client", ClientFactory)),
        ("mailbox", ("sender", SenderFactory)),
        ("everything", None),
    ],
)
def test_each_scope_is_stopped_and_lifted(as_ada, ada, scope, target):
    body = {"scope": scope, "reason": "Asked by phone"}
    if target:
        body[target[0]] = target[1]().pk
    made = post(as_ada, "stops/", body)
    assert made.status_code == 201, made.json()
    stop = Stop.objects.get()
    assert (stop.scope, stop.kind, stop.created_by) == (scope, "staff", ada)
    lifted = post(as_ada, f"stops/{stop.pk}/lift")
    assert (lifted.status_code, lifted.json()["lifted_by"]) == (200, ada.pk)


def test_stopping_a_person_cancels_what_was_still_to_go(as_ada):
    message = MessageFactory(status="approved", pitch=PitchFactory(status="approved"))
    contact = message.pitch.address.contact
    post(as_ada, "stops/", {"scope": "person", "contact": contact.pk, "reason": "Asked"})
    assert Message.objects.get().status == "canceled"


@pytest.mark.req("S000-009")
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"scope": "everything"},
        {"scope": "galaxy", "reason": "x"},
        {"scope": "person", "reason": "x"},
        {"scope": "person", "contact": 0, "reason": "x"},
        {"scope": "everything", "kind": "reply", "reason": "x"},
        {"scope": "everything", "reason": "x", "until": "tomorrow"},
        {"scope": "everything", "reason": "x", "created_by": 1},
    ],
)
def test_a_stop_that_names_nothing_stops_nothing(as_ada, body):
    assert post(as_ada, "stops/", body).status_code == 400
    assert not Stop.objects.exists()


def test_a_stop_names_the_one_thing_of_its_scope(as_ada):
    body = {"scope": "campaign", "client": ClientFactory().pk, "reason": "x"}
    response = post(as_ada, "stops/", body)
    assert (response.status_code, response.json()["error"]["message"]) == (
        400,
        "Stop names what it stops.",
    )


def test_lifting_twice_keeps_the_first(as_ada):
    stop = StopFactory()
    first = post(as_ada, f"stops/{stop.pk}/lift").json()["lifted_at"]
    assert post(as_ada, f"stops/{stop.pk}/lift").json()["lifted_at"] == first


# Limits


def test_a_limit_is_made_changed_and_deleted(as_ada):
    organization = OrganizationFactory()
    body = {"scope": "organization", "organization": organization.pk, "maximum": 2}
    made = post(as_ada, "limits/", body)
    assert (made.status_code, made.json()["hours"]) == (201, 168)
    path = f"{V1}/limits/{made.json()['id']}/"
    assert as_ada.patch(path, {"maximum": 3}, format="json").json()["maximum"] == 3
    assert post(as_ada, "limits/", body).status_code in (400, 409)  # there is one already
    assert as_ada.delete(path).status_code == 204


@pytest.mark.req("S000-009")
@pytest.mark.parametrize(
    "wrong", [{"maximum": -1}, {"hours": 0}, {"maximum": 2**31}, {"scope": "moon"}]
)
def test_a_limit_that_is_none_is_refused(as_ada, wrong):
    body = {"scope": "all", "maximum": 1} | wrong
    assert post(as_ada, "limits/", body).status_code == 400


# Senders


def test_no_answer_ever_holds_a_secret_of_a_sender(as_admin):
    sender = SenderFactory(
        password="sesame-open",
        username="mailbox-login",
        smtp_host="smtp.internal.example",
        imap_host="imap.internal.example",
    )
    SenderCampaignFactory(sender=sender)
    with connection.cursor() as cursor:
        cursor.execute("SELECT password FROM pitches_sender")
        (stored,) = cursor.fetchone()
    for path in (f"{V1}/senders/", f"{V1}/senders/{sender.pk}/"):
        content = as_admin.get(path).content
        for secret in ("sesame", "mailbox-login", "internal.example", stored):
            assert secret.encode() not in content
    assert Sender.objects.get().password == "sesame-open"


def test_senders_are_not_written_here(as_admin):
    path = f"{V1}/senders/{SenderFactory().pk}/"
    for method in ("put", "patch", "delete"):
        assert getattr(as_admin, method)(path).status_code == 405


# Leads, contacts


def test_the_media_are_the_podcasts(as_ada):
    podcast = LeadFactory(kind="podcast")
    LeadFactory(kind="role")
    for path in ("leads/?kind=podcast", "media/"):
        found = as_ada.get(f"{V1}/{path}").json()["results"]
        assert [row["id"] for row in found] == [podcast.pk]


def test_a_lead_that_is_no_podcast_is_no_medium(as_ada):
    assert as_ada.get(f"{V1}/media/{LeadFactory(kind='role').pk}/").status_code == 404


def test_merged_leads_are_left_out(as_ada):
    kept = LeadFactory()
    LeadFactory(merged_into=kept)
    assert [row["id"] for row in as_ada.get(f"{V1}/leads/").json()["results"]] == [kept.pk]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("is_closed=true", ["closed"]),
        ("is_closed=false", ["open"]),
        ("name=OPE", ["open"]),
        ("kind=creator", []),
    ],
)
def test_leads_are_filtered(as_ada, query, expected):
    LeadFactory(name="open")
    LeadFactory(name="closed", closed_at="2026-06-01T09:00Z")
    found = as_ada.get(f"{V1}/leads/?{query}").json()["results"]
    assert [row["name"] for row in found] == expected


def test_contacts_come_with_their_addresses(as_ada):
    address = ContactAddressFactory()
    organization = address.contact.organization_id
    (row,) = as_ada.get(f"{V1}/contacts/?organization={organization}").json()["results"]
    assert row["addresses"][0]["value"] == address.value


# Health


@pytest.mark.req("S000-011")
def test_health_tells_of_database_and_worker(anonymous, db):
    for path in (f"{V1}/health", f"{V1}/health/"):
        answer = anonymous.get(path)
        assert (answer.status_code, answer.json()) == (
            200,
            {"database": "ok", "worker": "never heard", "worker_silent_seconds": None},
        )


@pytest.mark.req("S000-011")
@pytest.mark.parametrize(("silence", "worker"), [(3.0, "ok"), (-600.0, "ok"), (91.0, "silent")])
def test_health_tells_a_living_worker_from_a_dead_one(anonymous, monkeypatch, silence, worker):
    monkeypatch.setattr("config.beats.silence", lambda: silence)
    assert anonymous.get(f"{V1}/health").json()["worker"] == worker


@pytest.mark.req("S000-011")
def test_health_is_bad_while_the_database_is_away(anonymous, monkeypatch):
    def away():
        raise OperationalError("connection refused on 10.0.0.7")

    monkeypatch.setattr("config.beats.silence", away)
    answer = anonymous.get(f"{V1}/health")
    assert (answer.status_code, answer.json()["database"]) == (503, "unreachable")
    assert b"10.0.0.7" not in answer.content
