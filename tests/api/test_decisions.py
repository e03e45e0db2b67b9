"""Matches, drafts and review tasks: decided here as everywhere."""

import io

import pytest
from django.core.management import call_command

from pitches import review
from pitches.models import Match, Message, Pitch, ReviewTask
from tests.api.conftest import V1
from tests.clock import MONDAY
from tests.factories import (
    CampaignFactory,
    MatchFactory,
    MembershipFactory,
    MessageFactory,
    PitchFactory,
    ReviewTaskFactory,
    VariantFactory,
)


def post(client, path, body=None):
    return client.post(f"{V1}/{path}", body or {}, format="json")


def patch(client, path, body=None):
    return client.patch(f"{V1}/{path}", body or {}, format="json")


def match_to_review(**fields):
    match = MatchFactory(status="to_review", **fields)
    ReviewTaskFactory(kind="match", pitch=None, match=match, campaign=match.campaign)
    return match


def state(match):
    """Everything a decision may change, without the moment."""
    row = Match.objects.get(pk=match.pk)
    task = match.review_tasks.order_by("pk").first()
    decided = ("status", "staff_decision", "client_decision", "decline_reason")
    return {
        "match": {name: getattr(row, name) for name in decided},
        "task": (task.status, task.decision, task.reason),
        "by": (row.staff_decided_by, task.decided_by),
        "at": (row.staff_decided_at is not None, task.decided_at is not None),
        "tasks": match.review_tasks.count(),
    }


# Matches


@pytest.mark.req("S000-044")
@pytest.mark.parametrize("method", ["patch", "post"])
def test_approving_a_match_records_who_and_when(as_ada, ada, method):
    match = match_to_review()
    response = getattr(as_ada, method)(f"{V1}/match-suggestions/{match.pk}/approve")
    assert (response.status_code, response.json()["status"]) == (200, "approved")
    match.refresh_from_db()
    assert (match.status, match.staff_decision, match.staff_decided_by) == (
        "approved",
        "approved",
        ada,
    )
    assert match.staff_decided_at
    assert match.review_tasks.get().status == "completed"


def by_match(match, ada, as_ada, client):
    assert patch(as_ada, f"match-suggestions/{match.pk}/approve").status_code == 200


def by_task(match, ada, as_ada, client):
    task = match.review_tasks.get()
    assert post(as_ada, f"review-tasks/{task.pk}/approve").status_code == 200


def by_function(match, ada, as_ada, client):
    review.approve(match.review_tasks.get(), by=ada, now=MONDAY)


def by_command(match, ada, as_ada, client):
    command = ["approve", str(match.review_tasks.get().pk), "--as", "ada"]
    call_command("review", *command, stdout=io.StringIO())


def by_admin(match, ada, as_ada, client):
    client.force_login(ada)
    chosen = {"_selected_action": [match.review_tasks.get().pk], "confirmed": "1"}
    client.post("/admin/pitches/reviewtask/", {"action": "approve_chosen", **chosen})


DOORS = [by_match, by_task, by_function, by_command, by_admin]


@pytest.mark.req("S000-044")
@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_every_door_approves_alike(door, ada, as_ada, client):
    match = match_to_review()
    door(match, ada, as_ada, client)
    assert state(match) == {
        "match": {
            "status": "approved",
            "staff_decision": "approved",
            "client_decision": "",
            "decline_reason": "",
        },
        "task": ("completed", "approved", ""),
        "by": (ada, ada),
        "at": (True, True),
        "tasks": 1,
    }


@pytest.mark.req("S000-045")
def test_rejecting_a_match_by_itself_or_by_its_task_is_the_same(as_ada):
    by_match, by_task = match_to_review(), match_to_review()
    reason = {"reason": "Wrong industry"}
    assert patch(as_ada, f"match-suggestions/{by_match.pk}/reject", reason).status_code == 200
    path = f"review-tasks/{by_task.review_tasks.get().pk}/reject"
    assert post(as_ada, path, reason).status_code == 200
    assert state(by_match) == state(by_task)
    by_match.refresh_from_db()
    assert (by_match.status, by_match.decline_reason) == ("declined", "Wrong industry")


@pytest.mark.req("S000-045", "S000-009")
@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "  "}, {"reason": "x" * 301}])
def test_rejecting_needs_a_reason(as_ada, body):
    match = match_to_review()
    response = patch(as_ada, f"match-suggestions/{match.pk}/reject", body)
    assert (response.status_code, set(response.json()["error"]["fields"])) == (400, {"reason"})
    match.refresh_from_db()
    assert match.status == "to_review"


@pytest.mark.req("S001-039")
def test_a_decision_is_taken_once(as_ada):
    match = match_to_review()
    path = f"match-suggestions/{match.pk}"
    assert patch(as_ada, f"{path}/approve").status_code == 200
    for again in ("approve", "reject"):
        response = patch(as_ada, f"{path}/{again}", {"reason": "x"})
        assert (response.status_code, response.json()["error"]["code"]) == (409, "wrong_status")
    match.refresh_from_db()
    assert match.status == "approved"


@pytest.mark.req("S000-077")
@pytest.mark.parametrize(
    "path", ["match-suggestions/campaign/{}", "match-suggestions/?campaign={}"]
)
def test_the_matches_of_a_campaign_best_first(as_ada, path):
    campaign = CampaignFactory()
    for score in (40, 100, 70):
        MatchFactory(campaign=campaign, score=score)
    MatchFactory()
    found = as_ada.get(f"{V1}/{path.format(campaign.pk)}").json()["results"]
    assert [row["score"] for row in found] == ["100.00", "70.00", "40.00"]


def test_the_matches_of_no_campaign_are_missing(as_ada):
    assert as_ada.get(f"{V1}/match-suggestions/campaign/7").status_code == 404


def test_matches_are_filtered_by_score(as_ada):
    for score in (40, 60, 61):
        MatchFactory(score=score)
    found = as_ada.get(f"{V1}/match-suggestions/?min_score=60").json()["results"]
    assert [row["score"] for row in found] == ["61.00", "60.00"]


@pytest.mark.parametrize("score", ["-1", "101", "NaN", "Infinity", "x", "%00"])
def test_junk_for_a_score_is_refused(as_ada, score):
    assert as_ada.get(f"{V1}/match-suggestions/?min_score={score}").status_code == 400


# Matches and clients


@pytest.fixture
def claras(claras_client):
    campaign = CampaignFactory(client=claras_client, approval_policy="client")
    return match_to_review(campaign=campaign, reasoning="Both like boats.")


@pytest.mark.req("S000-010", "S000-047")
def test_a_client_sees_what_waits_for_her_and_why(as_clara, claras):
    match_to_review()
    MatchFactory(campaign=claras.campaign, status="approved")
    (row,) = as_clara.get(f"{V1}/match-suggestions/").json()["results"]
    assert (row["id"], row["score"], row["reasoning"]) == (
        claras.pk,
        "60.00",
        "Both like boats.",
    )
    assert not {"parts", "fit", "staff_decision", "decline_reason", "pitch"} & set(row)


@pytest.mark.req("S000-044", "S000-047")
def test_a_client_approves_where_the_policy_gives_her_the_word(as_clara, clara, claras):
    response = patch(as_clara, f"match-suggestions/{claras.pk}/approve")
    assert (response.status_code, response.json()["status"]) == (200, "approved")
    claras.refresh_from_db()
    assert (claras.status, claras.client_decided_by) == ("approved", clara)


def test_a_client_does_not_decide_for_staff(as_clara, claras):
    claras.campaign.approval_policy = "staff"
    claras.campaign.save()
    assert patch(as_clara, f"match-suggestions/{claras.pk}/approve").status_code == 409
    claras.refresh_from_db()
    assert (claras.status, claras.client_decision) == ("to_review", "")


@pytest.mark.req("S000-010", "S000-047")
@pytest.mark.parametrize("door", ["approve", "reject"])
def test_anothers_match_is_missing(as_clara, claras, door):
    other = match_to_review(campaign__approval_policy="client")
    path = f"match-suggestions/{other.pk}/{door}"
    assert patch(as_clara, path, {"reason": "x"}).status_code == 404
    other.refresh_from_db()
    assert other.client_decision == ""


def test_who_may_only_look_does_not_decide(as_clara, clara, claras):
    clara.memberships.update(role="viewer")
    path = f"match-suggestions/{claras.pk}/approve"
    assert patch(as_clara, path).status_code == 403
    MembershipFactory(user=clara, role="owner")  # elsewhere
    assert patch(as_clara, path).status_code == 404
    assert as_clara.get(f"{V1}/match-suggestions/{claras.pk}/").status_code == 200


# Drafts


@pytest.fixture
def draft(db):
    """A pitch of one message with two drafts, and its review task."""
    pitch = PitchFactory()
    MatchFactory(pitch=pitch)
    message = MessageFactory(pitch=pitch)
    VariantFactory(message=message, number=1, label="professional")
    VariantFactory(message=message, number=2, label="friendly", tone="friendly", subject="Hi")
    ReviewTaskFactory(pitch=pitch)
    return message


def task_of(message):
    return ReviewTask.objects.get(pitch=message.pitch_id, status="open")


@pytest.mark.req("S001-037")
def test_the_variants_of_a_message_side_by_side(as_ada, draft):
    VariantFactory(message=draft, number=3, label="direct", tone="direct")
    found = as_ada.get(f"{V1}/messages/{draft.pk}/variants").json()
    assert [row["label"] for row in found] == ["professional", "friendly", "direct"]
    assert all(row["body"] for row in found)


def test_the_variants_of_no_message_are_missing(as_ada):
    assert as_ada.get(f"{V1}/messages/7/variants").status_code == 404


@pytest.mark.req("S000-060")
def test_editing_keeps_the_original_beside(as_ada, ada, draft):
    before = draft.variants.get(number=1)
    body = {"subject": "Shorter", "body": "Hello Paula,\n\nshort.\n"}
    response = patch(as_ada, f"pitches/generations/{draft.pk}/content", body)
    assert response.status_code == 200, response.json()
    after = draft.variants.get(number=1)
    assert (after.subject, after.body) == ("Shorter", body["body"])
    assert (after.original_subject, after.original_body) == (before.subject, before.body)
    assert (after.edited_by, response.json()["is_edited"]) == (ada, True)


@pytest.mark.req("S000-060")
def test_what_is_not_named_stays(as_ada, draft):
    friendly = draft.variants.get(number=2)
    body = {"variant": friendly.pk, "subject": "Hello"}
    patch(as_ada, f"pitches/generations/{draft.pk}/content", body)
    friendly.refresh_from_db()
    assert (friendly.subject, friendly.body) == ("Hello", friendly.original_body)
    assert not draft.variants.get(number=1).is_edited


@pytest.mark.req("S000-009")
@pytest.mark.parametrize(
    "body", [{"subject": "x" * 301}, {"body": 7.5, "to": "x"}, {"variant": 0}, {"body": None}]
)
def test_words_that_are_none_are_refused(as_ada, draft, body):
    path = f"pitches/generations/{draft.pk}/content"
    assert patch(as_ada, path, body).status_code == 400
    assert not any(variant.is_edited for variant in draft.variants.all())


def test_a_draft_of_another_message_is_refused_everywhere(as_ada, draft):
    other = VariantFactory()
    body = {"variant": other.pk, "subject": "x"}
    path = f"pitches/generations/{draft.pk}"
    assert patch(as_ada, f"{path}/content", body).status_code == 400
    assert patch(as_ada, f"{path}/approve", {"variant": other.pk}).status_code == 400
    task = f"review-tasks/{task_of(draft).pk}"
    assert post(as_ada, f"{task}/edit", body).status_code == 400
    assert post(as_ada, f"{task}/approve", {"variants": [other.pk]}).status_code == 400
    other.refresh_from_db()
    assert (other.is_edited, Message.objects.filter(status="approved").exists()) == (
        False,
        False,
    )


@pytest.mark.req("S000-061")
def test_approving_changes_draft_pitch_and_task_together(as_ada, ada, draft):
    friendly = draft.variants.get(number=2)
    path = f"pitches/generations/{draft.pk}/approve"
    response = patch(as_ada, path, {"variant": friendly.pk})
    assert (response.status_code, response.json().get("status")) == (200, "approved"), (
        response.json()
    )
    draft.refresh_from_db()
    assert (draft.status, draft.pitch.status, draft.approved_by) == (
        "approved",
        "approved",
        ada,
    )
    assert draft.subject == "Hi"
    task = ReviewTask.objects.get(pitch=draft.pitch)
    assert (task.status, task.decision) == ("completed", "approved")
    assert Pitch.objects.get(pk=draft.pitch_id).status == "approved"


@pytest.mark.req("S000-061", "S001-031")
def test_words_that_must_not_go_out_change_nothing(as_ada, draft):
    for variant in draft.variants.all():
        variant.body = "Hello [Name],"
        variant.save()
    response = patch(as_ada, f"pitches/generations/{draft.pk}/approve")
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (409, "not_approvable")
    assert error["fields"]["problems"]
    draft.refresh_from_db()
    assert (draft.status, draft.pitch.status, task_of(draft).is_open) == (
        "draft",
        "draft",
        True,
    )


@pytest.mark.req("S000-061")
def test_approving_words_by_their_task_or_by_the_message_is_the_same(as_ada, draft):
    task = task_of(draft)
    response = post(as_ada, f"review-tasks/{task.pk}/approve", {"seconds": 7})
    assert (response.status_code, response.json()["decision"]) == (200, "approved")
    draft.refresh_from_db()
    assert (draft.status, draft.pitch.status) == ("approved", "approved")
    assert patch(as_ada, f"pitches/generations/{draft.pk}/approve").status_code == 409


def test_rejecting_words_ends_the_pitch(as_ada, draft):
    path = f"review-tasks/{task_of(draft).pk}/reject"
    assert post(as_ada, path, {"reason": "Too long"}).status_code == 200
    draft.refresh_from_db()
    assert (draft.status, draft.pitch.status) == ("canceled", "rejected")


def test_an_approval_is_taken_back(as_ada, draft):
    task = task_of(draft)
    post(as_ada, f"review-tasks/{task.pk}/approve")
    again = post(as_ada, f"review-tasks/{task.pk}/withdraw")
    assert (again.status_code, again.json()["status"]) == (200, "open")
    draft.refresh_from_db()
    assert (draft.status, again.json()["id"] != task.pk) == ("draft", True)


def test_the_task_edits_its_own_drafts(as_ada, draft):
    variant = draft.variants.get(number=2)
    path = f"review-tasks/{task_of(draft).pk}/edit"
    response = post(as_ada, path, {"variant": variant.pk, "body": "Other words."})
    assert (response.status_code, response.json()["body"]) == (200, "Other words.")
    assert post(as_ada, path, {"body": "x"}).status_code == 400  # which one?


@pytest.mark.req("S000-063")
def test_the_three_lists_of_the_desk(as_ada):
    waiting = MatchFactory(status="approved")
    MatchFactory(pitch=PitchFactory(status="draft"))
    drafted = Pitch.objects.get()
    ready = PitchFactory(status="approved")
    lists = [
        "match-suggestions/?status=approved&is_pitched=false",
        "pitches/?status=draft",
        "pitches/?status=approved",
    ]
    found = [as_ada.get(f"{V1}/{path}").json()["results"] for path in lists]
    assert [[row["id"] for row in rows] for rows in found] == [
        [waiting.pk],
        [drafted.pk],
        [ready.pk],
    ]


@pytest.mark.req("S000-064")
def test_pitches_are_listed_by_campaign(as_ada):
    mine = PitchFactory()
    PitchFactory()
    for name in ("campaign", "campaign_id"):
        found = as_ada.get(f"{V1}/pitches/?{name}={mine.campaign_id}").json()["results"]
        assert [row["id"] for row in found] == [mine.pk]


@pytest.mark.req("S001-034")
def test_the_messages_of_a_campaign_by_status_and_date(as_ada):
    draft = MessageFactory()
    campaign = draft.pitch.campaign
    sent = MessageFactory(pitch=draft.pitch, number=1, status="sent")
    MessageFactory()
    Message.objects.filter(pk=sent.pk).update(created_at=MONDAY)
    path = f"{V1}/campaigns/{campaign.pk}/messages"

    def ids(query):
        return [row["id"] for row in as_ada.get(f"{path}?{query}").json()["results"]]

    assert ids("") == [sent.pk, draft.pk]
    assert ids("status=sent") == [sent.pk]
    assert ids("created_before=2026-06-01T10:00:00Z") == [sent.pk]
    assert ids("created_after=2026-06-01T10:00:00Z") == [draft.pk]
    assert ids("sent_after=2026-06-01T10:00:00Z") == []
    first = as_ada.get(f"{path}?page_size=1").json()
    second = as_ada.get(first["next"]).json()
    assert [row["id"] for row in first["results"] + second["results"]] == [sent.pk, draft.pk]
    assert as_ada.get(f"{V1}/campaigns/{10**9}/messages").status_code == 404
