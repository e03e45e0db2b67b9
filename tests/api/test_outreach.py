"""The six outreach paths: run, look on, follow up, note an answer (S003-055 to S003-062)."""

import io
import json
from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from config.db import database_now
from pitches import metrics, outreach, sending
from pitches.api import runs
from pitches.channels import capture
from pitches.models import FollowUpTask, IncomingMessage, Message, Pitch, ReviewTask
from tests.api.conftest import V1, caller
from tests.clock import MONDAY
from tests.factories import (
    CampaignFactory,
    FollowUpTaskFactory,
    IncomingMessageFactory,
    MatchFactory,
    MessageFactory,
    PitchFactory,
    UserFactory,
)

HOUR = timedelta(hours=1)
PREFIXES = ["/api/outreach", "/api/v1/outreach"]
PATHS = [
    ("post", "trigger/"),
    ("get", "status/"),
    ("get", "analytics/"),
    ("post", "follow-up/trigger/"),
    ("get", "follow-up/pending/"),
    ("post", "response/1/"),
]


@pytest.fixture
def monday(monkeypatch):
    """Host and database agree that it is the day of all tests."""
    monkeypatch.setattr(runs, "database_now", timezone.now)
    with time_machine.travel(MONDAY, tick=False):
        yield MONDAY


def call(client, method, path, body=None, prefix="/api/outreach"):
    return getattr(client, method)(f"{prefix}/{path}", body, format="json")


# Who


@pytest.mark.req("S003-062")
@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(("method", "path"), PATHS)
def test_the_outreach_paths_are_for_staff(
    anonymous, as_stranger, as_clara, as_ada, method, path, prefix
):
    callers = (anonymous, as_stranger, as_clara)
    refused = [call(each, method, path, prefix=prefix).status_code for each in callers]
    assert refused == [401, 403, 403]
    assert call(as_ada, method, path, prefix=prefix).status_code in (200, 404)


@pytest.mark.req("S003-062")
@pytest.mark.parametrize(("method", "path"), PATHS)
def test_staff_without_the_permission_are_refused(db, method, path):
    newcomer = caller(UserFactory(is_staff=True))
    assert call(newcomer, method, path).status_code == 403


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_the_slash_at_the_end_may_be_left_out(as_ada, method, path):
    assert call(as_ada, method, path.rstrip("/")).status_code in (200, 404)


# Runs


def digest():
    """Every table's rows, so that a change anywhere shows."""
    skipped = {"django_session", "overture_cache"}
    return {
        model._meta.db_table: sorted(map(str, model._base_manager.values_list()))
        for model in apps.get_models()
        if model._meta.db_table not in skipped
    }


@pytest.mark.req("S003-056", "REL-28")
@pytest.mark.parametrize("path", ["trigger/", "follow-up/trigger/"])
def test_a_dry_run_shows_what_would_happen_and_changes_nothing(as_ada, desk, monday, path):
    desk.sent_pitch()
    desk.match()
    before = digest()
    with time_machine.travel(MONDAY + 48 * HOUR, tick=False):
        response = call(as_ada, "post", f"{path}?dry_run=true")
    assert response.status_code == 200, response.json()
    assert set(response.json()) == {"totals", "decisions"}
    assert response.json()["decisions"]
    assert digest() == before


@pytest.mark.req("S003-056")
@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("trigger/", "run_outreach_automation"),
        ("follow-up/trigger/", "run_follow_up_workflow"),
    ],
)
def test_a_dry_run_answers_what_the_command_prints(as_ada, desk, monday, path, command):
    desk.sent_pitch()
    for score in (80, 60):
        desk.match(score=score)
    moment = MONDAY + 48 * HOUR
    out = io.StringIO()
    options = ["--dry-run", "--json", "--now", moment.isoformat()]
    call_command(command, *options, stdout=out)
    with time_machine.travel(moment, tick=False):
        answer = call(as_ada, "post", f"{path}?dry_run=true").json()
    assert answer == json.loads(out.getvalue())


@pytest.mark.req("S003-056")
def test_a_dry_run_cannot_write_even_if_it_wanted(as_ada, monkeypatch):
    honest = outreach.plan

    def meddle(**asked):
        Pitch.objects.update(urgent=True)
        return honest(**asked)

    monkeypatch.setattr("pitches.outreach.plan", meddle)
    as_ada.raise_request_exception = False
    assert call(as_ada, "post", "trigger/?dry_run=true").status_code == 500


@pytest.mark.req("S003-055")
def test_a_run_makes_drafts_with_their_review_and_sends_nothing(as_ada, desk, monday):
    match = desk.match()
    response = call(as_ada, "post", "trigger/")
    assert (response.status_code, len(response.json()["done"]["pitched"])) == (200, 1)
    match.refresh_from_db()
    assert match.status == "pitched"
    assert ReviewTask.objects.get(pitch=match.pitch).is_open
    assert set(Message.objects.values_list("status", flat=True)) == {"draft"}


@pytest.mark.req("S003-055")
def test_a_run_queues_what_was_approved_and_leaves_the_sending_to_the_workers(
    as_ada, desk, monday
):
    desk.match()
    call(as_ada, "post", "trigger/")
    desk.approve_all()
    assert call(as_ada, "post", "trigger/").json()["done"]["queued"]
    assert Message.objects.get(number=0).status == "queued"


@pytest.mark.req("S003-055")
def test_a_second_run_does_nothing_more(as_ada, desk, monday):
    desk.match()
    call(as_ada, "post", "trigger/")
    again = call(as_ada, "post", "trigger/").json()
    assert (again["done"]["pitched"], Pitch.objects.count()) == ([], 1)


@pytest.mark.req("S003-051")
def test_a_run_ends_after_as_many_roles_as_were_asked_for(as_ada, desk, monday):
    for _ in range(3):
        desk.match()
    assert (
        len(call(as_ada, "post", "trigger/", {"max_roles": 2}).json()["done"]["pitched"]) == 2
    )


@pytest.mark.parametrize("named", ["id", "slug"])
def test_a_run_is_for_one_campaign_where_one_is_named(as_ada, desk, monday, named):
    desk.match()
    other = CampaignFactory(client=desk.campaign.client)
    name = other.pk if named == "id" else other.slug
    assert call(as_ada, "post", "trigger/", {"campaign": name}).json()["decisions"] == []
    assert not Pitch.objects.exists()


@pytest.mark.req("S000-009")
@pytest.mark.parametrize("path", ["trigger/", "follow-up/trigger/"])
@pytest.mark.parametrize(
    ("query", "body", "field"),
    [
        ("", {"campaign": "nowhere"}, "campaign"),
        ("", {"campaign": 0}, "campaign"),
        ("", {"campaign": 2**63}, "campaign"),
        ("", {"campaign": True}, "campaign"),
        ("", {"campaign": []}, "campaign"),
        ("", {"max_roles": 0}, "max_roles"),
        ("", {"max_roles": "1e3"}, "max_roles"),
        ("", {"max_rolls": 1}, "max_rolls"),
        ("?dry_run=perhaps", {}, "dry_run"),
        ("?dryrun=true", {}, "dryrun"),
    ],
)
def test_a_run_that_cannot_be_understood_does_not_start(
    as_ada, desk, monday, path, query, body, field
):
    desk.match()
    response = call(as_ada, "post", f"{path}{query}", body)
    assert (response.status_code, set(response.json()["error"]["fields"])) == (400, {field})
    assert not Pitch.objects.exists()


def test_runs_are_started_ten_times_a_minute_at_most(as_ada, db):
    answers = [call(as_ada, "post", "trigger/?dry_run=true") for _ in range(11)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]


@pytest.mark.req("S003-059", "S003-053")
def test_follow_ups_that_are_due_are_queued_once(as_ada, desk, monday):
    desk.sent_pitch()
    with time_machine.travel(MONDAY + 48 * HOUR, tick=False):
        first = call(as_ada, "post", "follow-up/trigger/").json()
        after_one = list(Message.objects.order_by("pk").values())
        call(as_ada, "post", "follow-up/trigger/")
    assert len(first["done"]["queued"]) == 1
    assert Message.objects.get(number=1).status == "queued"
    assert list(Message.objects.order_by("pk").values()) == after_one


# Pending


@pytest.mark.req("S003-060")
def test_pending_follow_ups_are_listed_with_when_they_are_due(as_ada, desk, monday):
    pitch = desk.sent_pitch()
    found = call(as_ada, "get", "follow-up/pending/").json()["results"]
    assert [row["due_at"] for row in found] == [
        f"{MONDAY + hours * HOUR:%Y-%m-%dT%H:%M:%SZ}" for hours in (48, 96, 144, 192)
    ]
    assert {row["lead_name"] for row in found} == {pitch.lead.name}
    assert found[-1]["action"] == "move_on"


@pytest.mark.req("S003-060")
def test_what_is_done_or_canceled_is_not_pending(as_ada, db):
    FollowUpTaskFactory(done_at=MONDAY)
    FollowUpTaskFactory(canceled_at=MONDAY, reason="answered")
    waiting = FollowUpTaskFactory()
    found = call(as_ada, "get", "follow-up/pending/").json()["results"]
    assert [row["id"] for row in found] == [waiting.pk]


# Answers


@pytest.mark.req("S003-061")
@pytest.mark.parametrize(
    ("given", "intent"),
    [
        ("interested", "interested"),
        ("not_interested", "not_interested"),
        ("request_more_info", "more_info"),
        ("meeting_booked", "meeting_booked"),
    ],
)
def test_an_answer_is_noted_and_stops_the_follow_ups(as_ada, ada, desk, monday, given, intent):
    pitch = desk.sent_pitch()
    message = pitch.messages.get(number=0)
    response = call(as_ada, "post", f"response/{message.pk}/", {"type": given, "text": "Yes!"})
    assert (response.status_code, response.json()["intent"]) == (200, intent)
    pitch.refresh_from_db()
    assert (pitch.status, pitch.outcome) == ("replied", intent)
    assert not FollowUpTask.objects.filter(FollowUpTask.is_open()).exists()
    assert not Message.objects.filter(status__in=Message.BEFORE_HANDING).exists()
    assert IncomingMessage.objects.get().classified_by == "ada"


@pytest.mark.req("S003-061")
def test_an_answer_to_a_follow_up_stops_the_rest_too(as_ada, desk, monday):
    pitch = desk.sent_pitch()
    desk.follow_up(MONDAY + 48 * HOUR)
    second = pitch.messages.get(number=1)
    assert second.status == "sent"
    call(as_ada, "post", f"response/{second.pk}/", {"type": "interested"})
    assert not FollowUpTask.objects.filter(FollowUpTask.is_open()).exists()


@pytest.mark.req("S003-061")
def test_the_same_answer_twice_counts_once(as_ada, desk, monday):
    message = desk.sent_pitch().messages.get(number=0)
    for _ in range(2):
        body = {"type": "interested"}
        assert call(as_ada, "post", f"response/{message.pk}/", body).status_code == 200
    assert IncomingMessage.objects.count() == 1


@pytest.mark.req("REL-25")
def test_a_host_with_a_wrong_clock_dates_an_answer_by_the_database(as_ada):
    message = MessageFactory(status="sent")
    with time_machine.travel(MONDAY - timedelta(days=400), tick=False):
        call(as_ada, "post", f"response/{message.pk}/", {"type": "interested"})
    received_at = IncomingMessage.objects.get().received_at
    assert abs(received_at - database_now()) < timedelta(minutes=5)


@pytest.mark.req("S000-009", "S003-061")
@pytest.mark.parametrize(
    "body", [{}, {"type": "enthusiastic"}, {"type": ""}, {"type": None}, {"kind": "interested"}]
)
def test_an_answer_of_no_known_type_is_refused(as_ada, desk, monday, body):
    message = desk.sent_pitch().messages.get(number=0)
    assert call(as_ada, "post", f"response/{message.pk}/", body).status_code == 400
    assert not IncomingMessage.objects.exists()


@pytest.mark.req("S003-061")
@pytest.mark.parametrize("status", ["draft", "approved", "queued", "canceled"])
def test_nobody_answers_what_was_never_sent(as_ada, db, status):
    message = MessageFactory(status=status)
    body = {"type": "interested"}
    assert call(as_ada, "post", f"response/{message.pk}/", body).status_code == 404


# Figures


def sent(at=MONDAY, *, number=0, **fields):
    """A message that went out at ``at``; a follow-up brings its first message."""
    pitch = fields.pop("pitch", None) or PitchFactory(status="active", **fields)
    mode = pitch.send_mode
    return MessageFactory(
        pitch=pitch, number=number, status="sent", sent_at=at, counted_at=at, send_mode=mode
    )


def answered(message, at=MONDAY, intent="interested", kind="human_reply"):
    return IncomingMessageFactory(
        pitch=message.pitch, answers=message, received_at=at, intent=intent, kind=kind
    )


def status_of(client):
    return call(client, "get", "status/").json()


def analytics_of(client):
    return call(client, "get", "analytics/").json()


@pytest.mark.req("S003-057", "S003-064")
def test_nothing_has_a_rate_of_nothing(as_ada, monday):
    found = status_of(as_ada)
    assert (found["responses"], found["response_rate"], found["latest"]) == (0, None, [])
    assert found["totals"]["pitches"] == 0
    detail = analytics_of(as_ada)
    assert (detail["overview"]["response_rate"], len(detail["recent"])) == (None, 30)


@pytest.mark.req("S003-057", "S003-064")
def test_the_status_counts_what_went_out_and_what_came_back(as_ada, monday):
    old = sent(MONDAY - timedelta(days=30))
    answered(old, MONDAY - HOUR)
    last_week = sent(MONDAY - timedelta(days=3))
    sent(MONDAY - HOUR, number=1, pitch=last_week.pitch)
    sent(MONDAY - 23 * HOUR)
    MessageFactory(status="approved")
    found = status_of(as_ada)
    names = ("pitches", "messages", "follow_ups", "responses", "response_rate")
    assert {
        period: tuple(found[period][name] for name in names)
        for period in ("totals", "last_24_hours", "last_week")
    } == {
        "totals": (3, 4, 1, 1, "33.33"),
        "last_24_hours": (1, 2, 1, 1, "100.00"),
        "last_week": (2, 3, 1, 1, "50.00"),
    }
    assert (found["responses"], found["response_rate"]) == (1, "33.33")


@pytest.mark.req("S003-057")
def test_a_day_begins_after_exactly_24_hours(as_ada, monday):
    sent(MONDAY - 24 * HOUR)
    sent(MONDAY - 24 * HOUR + timedelta(seconds=1))
    assert status_of(as_ada)["last_24_hours"]["pitches"] == 1


@pytest.mark.req("S003-057")
def test_what_may_have_gone_out_counts(as_ada, monday):
    MessageFactory(status="unknown", counted_at=MONDAY - HOUR)
    MessageFactory(status="failed")
    MessageFactory(status="handing")
    assert status_of(as_ada)["last_24_hours"]["messages"] == 1


@pytest.mark.req("S003-057", "S003-064")
def test_a_pitch_answers_once_and_only_if_a_person_does(as_ada, monday):
    message = sent()
    answered(message)
    answered(message, MONDAY + HOUR, intent="not_interested")
    answered(sent(), kind="out_of_office", intent="out_of_office")
    answered(sent(), kind="bounce", intent="")
    answered(sent(), kind="unsubscribe", intent="unsubscribe")
    found = analytics_of(as_ada)
    assert (found["overview"]["responses"], found["overview"]["response_rate"]) == (2, "50.00")
    types = {name: count for name, count in found["response_types"].items() if count}
    assert types == {"interested": 1, "unsubscribe": 1}


@pytest.mark.req("S003-057", "S003-058")
def test_captured_mail_is_no_figure_of_live_mail(as_ada, monday, settings):
    answered(sent())
    sent(send_mode="live")
    assert status_of(as_ada)["totals"]["pitches"] == 1
    assert analytics_of(as_ada)["overview"]["responses"] == 1
    settings.SEND_MODE = "live"
    assert status_of(as_ada)["send_mode"] == "live"
    assert status_of(as_ada)["totals"]["pitches"] == 1
    assert analytics_of(as_ada)["overview"]["responses"] == 0


@pytest.mark.req("S003-057")
def test_the_status_shows_due_follow_ups_and_the_last_ten(as_ada, monday):
    messages = [sent(MONDAY - number * HOUR) for number in range(12)]
    MatchFactory(pitch=messages[0].pitch, candidate__name="Cora")
    FollowUpTaskFactory(pitch=messages[0].pitch, due_at=MONDAY)
    FollowUpTaskFactory(due_at=MONDAY + HOUR)
    FollowUpTaskFactory(due_at=MONDAY - HOUR, done_at=MONDAY)
    found = status_of(as_ada)
    assert found["follow_ups_due"] == 1
    assert [row["id"] for row in found["latest"]] == [row.pk for row in messages[:10]]
    assert found["latest"][0]["candidates"] == ["Cora"]


@pytest.mark.req("S003-058", "S003-065", "S003-066")
def test_the_analytics_break_the_same_rows_down(as_ada, monday):
    urgent = sent(urgent=True)
    answered(urgent, intent="more_info")
    silent = sent(MONDAY - timedelta(days=2))
    follow_up = sent(MONDAY - HOUR, number=1, pitch=silent.pitch)
    answered(follow_up, MONDAY - HOUR / 2, intent="")
    sent(MONDAY - timedelta(days=40), lead=silent.pitch.lead)
    found = analytics_of(as_ada)
    assert found["overview"]["pitches"] == 3
    assert [
        (row["type"], row["messages"], row["responses"], row["response_rate"])
        for row in found["by_type"]
    ] == [("initial", 3, 1, "33.33"), ("follow_up_1", 1, 1, "100.00")]
    assert found["follow_up_effectiveness"] == found["by_type"][1:]
    assert (found["urgent"]["pitches"], found["urgent"]["response_rate"]) == (1, "100.00")
    assert (found["normal"]["pitches"], found["normal"]["responses"]) == (2, 1)
    assert {n: c for n, c in found["response_types"].items() if c} == {
        "more_info": 1,
        "other": 1,
    }
    best = found["top_leads"]
    assert [(row["id"], row["pitches"], row["responses"]) for row in best] == [
        (silent.pitch.lead_id, 2, 1),
        (urgent.pitch.lead_id, 1, 1),
    ]
    assert found["top_organizations"][0]["id"] == silent.pitch.lead.organization_id
    days = {row["date"]: row for row in found["recent"]}
    assert days["2026-06-01"] == {
        "date": "2026-06-01",
        "pitches": 1,
        "messages": 2,
        "responses": 2,
    }
    assert sum(row["pitches"] for row in found["recent"]) == 2


@pytest.mark.req("S003-058")
def test_every_part_adds_up_to_the_whole(as_ada, monday):
    intents = ["interested", "more_info", "", "other", "unsubscribe"]
    for number in range(20):
        message = sent(MONDAY - number * HOUR, urgent=number % 3 == 0)
        if number % 2:
            answered(message, intent=intents[number % 5])
        if number % 4 == 0:
            sent(number=1, pitch=message.pitch)
    found = analytics_of(as_ada)
    whole = found["overview"]
    assert sum(found["response_types"].values()) == whole["responses"] == 10
    assert found["urgent"]["pitches"] + found["normal"]["pitches"] == whole["pitches"] == 20
    assert sum(row["messages"] for row in found["by_type"]) == whole["messages"] == 25
    assert sum(row["responses"] for row in found["by_type"]) == whole["responses"]
    assert len(found["top_leads"]) == 10


def test_history_that_was_imported_is_no_figure(as_ada, monday):
    sent(is_imported=True)
    assert status_of(as_ada)["totals"]["messages"] == 0


@pytest.mark.parametrize("path", ["status/", "analytics/"])
@pytest.mark.req("S003-057", "S003-058", "S001-053")
def test_figures_ask_as_often_for_many_rows_as_for_one(as_ada, monday, path):
    def row():
        message = sent()
        MatchFactory(pitch=message.pitch)
        answered(message)

    row()
    call(as_ada, "get", path)
    with CaptureQueriesContext(connection) as for_one:
        call(as_ada, "get", path)
    for _ in range(19):
        row()
    with CaptureQueriesContext(connection) as for_many:
        call(as_ada, "get", path)
    assert len(for_many) == len(for_one) < 30


@pytest.mark.parametrize("path", ["status/", "analytics/"])
def test_figures_take_no_parameters(as_ada, path):
    assert call(as_ada, "get", f"{path}?since=yesterday").status_code == 400


@pytest.mark.parametrize(
    ("responses", "pitches", "expected"),
    [(0, 0, None), (0, 1, "0.00"), (1, 3, "33.33"), (2, 3, "66.67"), (5, 5, "100.00")],
)
def test_a_rate_is_a_percentage_with_two_places(responses, pitches, expected):
    assert metrics.rate(responses, pitches) == (expected and Decimal(expected))


# -- sending one pitch, or a campaign ---------------------------------------------------------


@pytest.mark.req("S000-062")
def test_a_pitch_is_queued_once_it_is_approved_and_only_once(as_ada, desk):
    match = desk.match()
    desk.run()
    match.refresh_from_db()
    url = f"{V1}/pitches/{match.pitch_id}/send/"
    (held,) = as_ada.post(url).json()
    assert (held["verdict"], held["reason"]) == ("hold", "not_approved")
    desk.approve_all()
    (decided,) = as_ada.post(url).json()
    assert decided["verdict"] == "send"
    message = match.pitch.messages.get(number=0)
    assert (message.status, message.send_at) != ("approved", None)
    as_ada.post(url)
    sending.send_due(now=message.send_at)
    sending.send_due(now=message.send_at)
    message.refresh_from_db()
    assert message.status == "sent"
    assert message.receipt.startswith("250 captured as ")
    assert as_ada.post(url).json() == []
    assert len(list(capture.sent(desk.sender))) == 1


def test_a_campaign_sends_what_is_ready_of_its_own_and_nothing_else(as_ada, as_clara, desk):
    desk.match()
    desk.run()
    desk.approve_all()
    other = CampaignFactory()
    assert as_ada.post(f"{V1}/campaigns/{other.pk}/send").json() == []
    url = f"{V1}/campaigns/{desk.campaign.pk}/send"
    assert as_clara.post(url).status_code == 403
    (decided,) = as_ada.post(url).json()
    assert decided["verdict"] == "send"
    assert as_ada.post(f"{V1}/campaigns/999999/send").status_code == 404
