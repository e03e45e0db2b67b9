"""What the database promises about matches, pitches, messages and what came of them."""

import threading
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction

from pitches.models import Event, Match, Placement
from tests import factories as f
from tests.clock import MONDAY
from tests.violations import (
    Violation,
    named_in_models,
    refusal,
    refused,
    somebody_waits_for_us,
    violated,
)

pytestmark = pytest.mark.django_db

SCOPES = ["contact", "organization", "campaign", "client", "sender"]
MAKE = {
    "contact": f.ContactFactory,
    "organization": f.OrganizationFactory,
    "campaign": f.CampaignFactory,
    "client": f.ClientFactory,
    "sender": f.SenderFactory,
}


def a_new(name: str):
    """The id of a new row of this name, made when the test runs."""
    return lambda: MAKE[name]().pk


def none_but(**kept) -> dict:
    """A stop's targets: these, and no other."""
    return dict.fromkeys((f"{name}_id" for name in SCOPES), None) | kept


TABLE = [
    # senders and limits
    Violation(
        "sender_longest_gap_is_not_shorter", f.SenderFactory, {"gap_min": 9, "gap_max": 8}
    ),
    Violation("sender_once_per_campaign", f.SenderCampaignFactory, ["sender", "campaign"]),
    Violation(
        "campaign_one_default_sender",
        f.SenderCampaignFactory,
        ["campaign"],
        {"is_default": True},
    ),
    Violation("email_limit_window_not_empty", f.EmailLimitFactory, {"hours": 0}),
    Violation(
        "email_limit_window_is_ten_years_at_most", f.EmailLimitFactory, {"hours": 87_601}
    ),
    Violation(
        "email_limit_once_per_target_and_window",
        f.EmailLimitFactory,
        ["organization"],
    ),
    Violation("email_limit_target_fits_scope", f.EmailLimitFactory, {"scope": "contact"}),
    Violation("email_limit_target_fits_scope", f.EmailLimitFactory, {"domain": "example.com"}),
    *[
        Violation(
            "email_limit_target_fits_scope", f.EmailLimitFactory, {f"{name}_id": a_new(name)}
        )
        for name in ["contact", "sender", "campaign"]
    ],
    # stops
    Violation("stop_names_what_it_stops", f.StopFactory, none_but()),
    Violation("stop_names_what_it_stops", f.StopFactory, {"scope": "everything"}),
    Violation(
        "stop_names_what_it_stops", f.StopFactory, {"organization_id": a_new("organization")}
    ),
    *[
        Violation("stop_names_what_it_stops", f.StopFactory, {"scope": scope})
        for scope in ["organization", "campaign", "client", "mailbox"]
    ],
    # breakers
    Violation("breaker_names_what_it_holds", f.BreakerFactory, {"scope": "campaign"}),
    Violation("breaker_names_what_it_holds", f.BreakerFactory, {"scope": "sending_domain"}),
    Violation("breaker_names_what_it_holds", f.BreakerFactory, {"domain": "example.com"}),
    Violation(
        "breaker_one_open_per_target",
        f.BreakerFactory,
        ["scope", "cause", "level", "sender", "campaign", "domain"],
    ),
    Violation("breaker_closed_has_a_reason", f.BreakerFactory, {"closed_at": MONDAY}),
    Violation("sender_provider_is_known", f.SenderFactory, {"provider": "pigeon"}),
    # hearing
    Violation("message_bounce_kind_is_known", f.MessageFactory, {"bounce_kind": "odd"}),
    Violation(
        "message_stop_was_requested_before_it_was_confirmed",
        f.MessageFactory,
        {"stop_confirmed_at": MONDAY},
    ),
    Violation(
        "incoming_bounce_kind_is_known", f.IncomingMessageFactory, {"bounce_kind": "odd"}
    ),
    # matches
    Violation(
        "match_once_per_campaign_and_cycle",
        f.MatchFactory,
        ["campaign", "candidate", "lead", "cycle"],
    ),
    Violation(
        "candidate_pitched_to_lead_once",
        f.MatchFactory,
        ["candidate", "lead", "cycle"],
        {"pitched": True},
    ),
    Violation("pitches_match_score_in_range", f.MatchFactory, {"score": Decimal("100.01")}),
    Violation("pitches_match_score_in_range", f.MatchFactory, {"score": Decimal("-0.01")}),
    Violation("match_cycle_from_one", f.MatchFactory, {"cycle": 0, "cycle_reason": "x"}),
    Violation("match_later_cycle_has_a_reason", f.MatchFactory, {"cycle": 2}),
    Violation("match_pitched_has_a_pitch", f.MatchFactory, {"status": "pitched"}),
    # pitches
    Violation(
        "pitch_round_once",
        f.PitchFactory,
        ["campaign", "lead", "round"],
        {"status": "completed"},
    ),
    Violation("pitch_round_from_one", f.PitchFactory, {"round": 0}),
    # messages
    Violation("message_id_once", f.MessageFactory, ["message_id"]),
    Violation("message_once_per_step", f.MessageFactory, ["pitch", "number"]),
    *[
        Violation(
            "message_beyond_draft_is_approved",
            f.MessageFactory,
            {"approved_sha256": ""},
            {"status": status},
        )
        for status in ["approved", "queued", "claimed", "handing", "sent", "unknown"]
    ],
    *[
        Violation(
            "message_in_hand_has_a_lease", f.MessageFactory, {gone: None}, {"status": status}
        )
        for status in ["claimed", "handing"]
        for gone in ["lease_owner", "leased_until"]
    ],
    *[
        Violation(
            "message_gone_out_is_counted",
            f.MessageFactory,
            {"counted_at": None},
            {"status": status},
        )
        for status in ["handing", "sent", "unknown", "assumed_sent", "delegated"]
    ],
    Violation(
        "message_sent_has_a_receipt", f.MessageFactory, {"receipt": ""}, {"status": "sent"}
    ),
    # variants
    Violation("variant_number_once", f.VariantFactory, ["message", "number"]),
    Violation("pitches_variant_number_in_range", f.VariantFactory, {"number": 0}),
    Violation("pitches_variant_number_in_range", f.VariantFactory, {"number": 6}),
    # follow-ups
    Violation("follow_up_once_per_step", f.FollowUpTaskFactory, ["pitch", "step"]),
    Violation(
        "follow_up_done_or_canceled",
        f.FollowUpTaskFactory,
        {"done_at": MONDAY, "canceled_at": MONDAY, "reason": "x"},
    ),
    Violation(
        "follow_up_canceled_has_a_reason", f.FollowUpTaskFactory, {"canceled_at": MONDAY}
    ),
    # what came in
    Violation(
        "incoming_uid_once_per_mailbox",
        f.IncomingMessageFactory,
        ["sender"],
        {"uid_validity": 7, "uid": 1},
    ),
    Violation(
        "incoming_bytes_once_per_mailbox", f.IncomingMessageFactory, ["sender", "raw_sha256"]
    ),
    Violation(
        "incoming_bytes_once_per_mailbox",
        f.IncomingMessageFactory,
        ["raw_sha256"],
        {"sender": None},
    ),
    Violation("webhook_delivery_once", f.WebhookDeliveryFactory, ["provider", "delivery_id"]),
    # plans, experiments, placements
    Violation("weekly_plan_once", f.WeeklyPlanFactory, ["campaign", "owner", "week"]),
    Violation(
        "weekly_plan_begins_on_monday",
        f.WeeklyPlanFactory,
        {"week": MONDAY.date() + timedelta(days=1)},
    ),
    Violation("experiment_has_two_arms", f.ExperimentFactory, {"arms": ["alone"]}),
    Violation("experiment_has_two_arms", f.ExperimentFactory, {"arms": []}),
    Violation("placement_one_open_per_pair", f.PlacementFactory, ["candidate", "lead"]),
    Violation("placement_value_not_negative", f.PlacementFactory, {"value": Decimal("-0.01")}),
    Violation(
        "placement_ends_after_it_starts",
        f.PlacementFactory,
        {"starts_on": MONDAY.date(), "ends_on": MONDAY.date() - timedelta(days=1)},
    ),
    # decisions owed
    Violation("review_task_names_its_target", f.ReviewTaskFactory, {"pitch": None}),
    *[
        Violation("review_task_names_its_target", f.ReviewTaskFactory, {"kind": kind})
        for kind in ["lead", "match", "match_fit", "reply"]
    ],
    Violation(
        "review_task_names_its_target",
        f.ReviewTaskFactory,
        {"lead_id": lambda: f.LeadFactory().pk},
    ),
    Violation(
        "review_task_completed_has_a_decision", f.ReviewTaskFactory, {"status": "completed"}
    ),
    Violation(
        "review_task_completed_has_a_decision",
        f.ReviewTaskFactory,
        {"status": "completed", "decision": "approved"},
    ),
    Violation(
        "review_task_completed_has_a_decision", f.ReviewTaskFactory, {"decision": "approved"}
    ),
    Violation(
        "review_task_rejected_has_a_reason",
        f.ReviewTaskFactory,
        {"status": "completed", "decision": "rejected", "decided_at": MONDAY},
    ),
    Violation("review_task_one_open_per_target", f.ReviewTaskFactory, ["pitch"]),
    Violation(
        "review_task_one_open_per_target", f.ReviewTaskFactory, ["match"], {"of_match": True}
    ),
]

# Broken by an INSERT: two such rows cannot first stand side by side, or a trigger answers the
# UPDATE before the constraint does.
BY_INSERT = {
    "pitch_one_open_per_lead": lambda: twin_pitch(f.PitchFactory(), round=2),
    "variant_one_chosen": lambda: second_choice(f.VariantFactory(is_chosen=True)),
    "event_once": lambda: twin_event(f.EventFactory()),
    "pitches_event_kind_is_known": lambda: twin_event(
        f.EventFactory(), provider_event_id="other", kind="read"
    ),
}


def twin_pitch(pitch, **changes):
    names = ["campaign", "lead", "address", "sender", "send_mode"]
    twin = {name: getattr(pitch, name) for name in names} | changes
    return lambda: type(pitch).objects.bulk_create([type(pitch)(**twin)])


def second_choice(variant):
    second = f.VariantFactory.build(message=variant.message, number=2, is_chosen=True)
    return lambda: type(variant).objects.bulk_create([second])


def twin_event(event, **changes):
    names = ["provider", "provider_event_id", "kind", "message", "occurred_at"]
    twin = {name: getattr(event, name) for name in names} | changes
    return lambda: Event.objects.bulk_create([Event(**twin)])


@pytest.mark.req("S001-004", "S001-008")
@pytest.mark.parametrize("violation", TABLE, ids=str)
def test_plain_sql_cannot_break_it(violation):
    violation.attempt()


@pytest.mark.parametrize(("name", "spoil"), BY_INSERT.items(), ids=list(BY_INSERT))
def test_a_row_too_many_is_refused(name, spoil):
    assert refusal(spoil()) == name


def test_every_promise_of_the_models_is_broken_here():
    assert named_in_models("pitches") == violated(TABLE, "pitches") | set(BY_INSERT)


# Never twice


@pytest.mark.req("S003-004")
def test_nobody_is_pitched_twice_to_a_lead_even_by_another_client():
    match = f.MatchFactory(pitched=True)
    other = f.MatchFactory(candidate=match.candidate, lead=match.lead)
    pitch = f.PitchFactory(campaign=other.campaign, lead=match.lead)
    assert other.campaign.client != match.campaign.client
    assert (
        refused(other, {"status": "pitched", "pitch": pitch})
        == "candidate_pitched_to_lead_once"
    )


@pytest.mark.req("S003-004")
def test_a_match_that_is_only_wished_for_does_not_stand_in_the_way():
    match = f.MatchFactory()
    f.MatchFactory(candidate=match.candidate, lead=match.lead)
    assert Match.objects.filter(candidate=match.candidate, lead=match.lead).count() == 2


@pytest.mark.req("S003-004", "F-3")
@pytest.mark.django_db(transaction=True)
def test_of_two_campaigns_that_pitch_the_same_pair_at_once_one_is_refused():
    """The second waits for the first to commit, and then meets the constraint."""
    first = f.MatchFactory()
    second = f.MatchFactory(candidate=first.candidate, lead=first.lead)
    pitches = [f.PitchFactory(campaign=m.campaign, lead=m.lead) for m in (first, second)]
    refusals = []

    def pitch_it_too() -> None:
        try:
            second.move("pitched", pitch=pitches[1])
        except IntegrityError as e:
            refusals.append(e.__cause__.diag.constraint_name)
        finally:
            connection.close()

    other = threading.Thread(target=pitch_it_too)
    with transaction.atomic():
        first.move("pitched", pitch=pitches[0])
        other.start()
        while other.is_alive() and not somebody_waits_for_us():
            pass
    other.join()
    assert refusals == ["candidate_pitched_to_lead_once"]
    assert list(Match.objects.filter(pitch__isnull=False)) == [first]


def test_a_canceled_message_makes_room_for_its_step():
    message = f.MessageFactory(status="canceled")
    assert f.MessageFactory(pitch=message.pitch).number == message.number


def test_a_lead_may_be_pitched_again_once_the_first_round_ended():
    pitch = f.PitchFactory(status="completed")
    again = f.PitchFactory(campaign=pitch.campaign, lead=pitch.lead, round=2)
    assert again.round == 2


def test_a_rejected_placement_makes_room_for_another_try():
    placement = f.PlacementFactory(status="rejected")
    f.PlacementFactory(candidate=placement.candidate, lead=placement.lead)
    assert Placement.objects.filter(lead=placement.lead).count() == 2


def test_the_same_webhook_bytes_from_two_mailboxes_are_two_messages():
    first = f.IncomingMessageFactory()
    assert f.IncomingMessageFactory(raw_sha256=first.raw_sha256).pk != first.pk


@pytest.mark.req("F-9")
@pytest.mark.parametrize("score", ["0", "20.00", "50.00", "100"])
def test_a_match_may_score_up_to_a_hundred(score):
    match = f.MatchFactory(score=Decimal(score))
    assert Match.objects.get(pk=match.pk).score == Decimal(score)


# Written by triggers


def history(placement):
    return list(placement.changes.values_list("old_status", "new_status", "user_id"))


@pytest.mark.req("S000-068", "F-18", "C44")
def test_a_placement_changed_in_plain_sql_is_in_its_history():
    placement = f.PlacementFactory()
    before = MONDAY
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE pitches_placement SET status = 'interview' WHERE id = %s", [placement.pk]
        )
    assert history(placement) == [("", "pending", None), ("pending", "interview", None)]
    assert placement.changes.last().changed_at > before


@pytest.mark.req("S000-068", "F-18")
def test_the_history_names_the_user_of_the_transaction(ada):
    placement = f.PlacementFactory()
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('overture.user_id', %s, true)", [str(ada.pk)])
    Placement.objects.filter(pk=placement.pk).update(status="offered")
    assert history(placement)[-1] == ("pending", "offered", ada.pk)


@pytest.mark.req("S000-068")
def test_the_history_keeps_the_time_order_of_many_changes():
    placement = f.PlacementFactory()
    for status in ["responded", "interested", "interview", "responded"]:
        Placement.objects.filter(pk=placement.pk).update(status=status)
    times = list(placement.changes.values_list("changed_at", flat=True))
    assert times == sorted(times)
    assert [new for _, new, _ in history(placement)] == [
        "pending", "responded", "interested", "interview", "responded",
    ]  # fmt: skip


def test_a_change_of_anything_else_is_no_history():
    placement = f.PlacementFactory()
    Placement.objects.filter(pk=placement.pk).update(notes="called", value=Decimal(10))
    assert history(placement) == [("", "pending", None)]


def test_a_history_survives_the_user_who_made_it(ada):
    placement = f.PlacementFactory()
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('overture.user_id', %s, true)", [str(ada.pk)])
    Placement.objects.filter(pk=placement.pk).update(status="offered")
    User.objects.filter(pk=ada.pk).delete()
    assert history(placement)[-1] == ("pending", "offered", None)


def test_an_event_is_never_rewritten():
    event = f.EventFactory()
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        Event.objects.filter(pk=event.pk).update(kind="opened")
    event.refresh_from_db()
    assert event.kind == "delivered"
