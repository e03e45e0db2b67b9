"""What the database promises about clients, candidates, campaigns and the AI ledger."""

from datetime import time, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction

from campaigns.models import AIUsage, Campaign
from tests import factories as f
from tests.clock import MONDAY
from tests.violations import Violation, named_in_models, violated

pytestmark = pytest.mark.django_db
DAY = MONDAY.date()

TABLE = [
    Violation("membership_once_per_client", f.MembershipFactory, ["user", "client"]),
    Violation(
        "candidate_reference_once_per_client", f.CandidateFactory, ["client", "reference"]
    ),
    Violation(
        "candidate_ends_after_it_starts",
        f.CandidateFactory,
        {"starts_on": DAY, "ends_on": DAY - timedelta(days=1)},
    ),
    Violation("angle_topic_once_per_candidate", f.AngleFactory, ["candidate", "topic"]),
    Violation(
        "candidate_fact_once_per_source",
        f.CandidateFactFactory,
        ["candidate", "kind", "source", "value"],
    ),
    Violation(
        "campaigns_candidatefact_confidence_in_range",
        f.CandidateFactFactory,
        {"confidence": Decimal("1.01")},
    ),
    Violation(
        "campaigns_candidatefact_confidence_in_range",
        f.CandidateFactFactory,
        {"confidence": Decimal("-0.01")},
    ),
    Violation("segment_one_default", f.SegmentFactory, {"is_default": True}),
    Violation(
        "template_version_once",
        f.PitchTemplateFactory,
        ["key", "tone", "language", "version"],
    ),
    Violation("sequence_version_once", f.SequenceFactory, ["key", "version"]),
    Violation("step_number_once_per_sequence", f.StepFactory, ["sequence", "number"]),
    Violation("campaigns_step_variant_count_in_range", f.StepFactory, {"variant_count": 0}),
    Violation("campaigns_step_variant_count_in_range", f.StepFactory, {"variant_count": 6}),
    Violation(
        "step_is_due_in_ten_years_at_most", f.StepFactory, {"number": 1, "delay_hours": 87_601}
    ),
    Violation("step_is_due_in_ten_years_at_most", f.StepFactory, {"useful_hours": 87_601}),
    Violation("step_zero_is_the_first_message", f.StepFactory, {"delay_hours": 1}),
    Violation("step_zero_is_the_first_message", f.StepFactory, {"action": "move_on"}),
    Violation("step_message_has_a_template", f.StepFactory, {"template_key": ""}),
    Violation(
        "campaigns_campaign_candidates_per_pitch_in_range",
        f.CampaignFactory,
        {"candidates_per_pitch": 0},
    ),
    Violation(
        "campaigns_campaign_candidates_per_pitch_in_range",
        f.CampaignFactory,
        {"candidates_per_pitch": 11},
    ),
    Violation(
        "campaigns_campaign_match_threshold_in_range",
        f.CampaignFactory,
        {"match_threshold": Decimal("100.01")},
    ),
    Violation(
        "campaigns_campaign_match_threshold_in_range",
        f.CampaignFactory,
        {"match_threshold": Decimal("-0.01")},
    ),
    Violation(
        "campaign_window_opens_before_it_closes",
        f.CampaignFactory,
        {"window_start": time(9), "window_end": time(9)},
    ),
    Violation("campaign_window_has_a_day", f.CampaignFactory, {"window_days": []}),
    Violation(
        "campaign_budget_not_negative", f.CampaignFactory, {"ai_budget": Decimal("-0.01")}
    ),
    Violation(
        "blackout_ends_after_it_starts",
        f.BlackoutFactory,
        {"ends_on": DAY - timedelta(days=1)},
    ),
    Violation("document_has_text_or_url", f.DocumentFactory, {"text": "", "url": ""}),
]

# The ledger's own trigger answers an UPDATE first, so these are broken by an INSERT.
LEDGER = {
    "ai_usage_cost_not_negative": {"cost": Decimal("-0.00000001")},
    "ai_usage_settled_has_a_time": {"status": "settled"},
    "campaigns_aiusage_status_is_known": {"status": "lost", "settled_at": MONDAY},
}


@pytest.mark.req("S001-004", "S001-008")
@pytest.mark.parametrize("violation", TABLE, ids=str)
def test_plain_sql_cannot_break_it(violation):
    if violation.constraint == "segment_one_default":
        f.SegmentFactory(is_default=True)
    violation.attempt()


@pytest.mark.parametrize(("name", "fields"), LEDGER.items(), ids=list(LEDGER))
def test_no_false_entry_reaches_the_ledger(name, fields):
    entry = f.AIUsageFactory.build(**fields)
    with pytest.raises(IntegrityError) as e, transaction.atomic():
        AIUsage.objects.bulk_create([entry])
    assert e.value.__cause__.diag.constraint_name == name


def test_every_promise_of_the_models_is_broken_here():
    assert named_in_models("campaigns") == violated(TABLE, "campaigns") | set(LEDGER)


# The ledger of paid calls


@pytest.fixture
def settled():
    usage = f.AIUsageFactory()
    AIUsage.objects.filter(pk=usage.pk).update(
        status="settled", settled_at=MONDAY, cost=Decimal("0.00001600"), output_tokens=12
    )
    return usage


@pytest.mark.req("S000-086", "S001-050", "F-20")
def test_a_call_is_settled_once_and_its_cost_kept_exactly(settled):
    settled.refresh_from_db()
    assert (settled.status, settled.cost) == ("settled", Decimal("0.000016"))


@pytest.mark.parametrize(
    "change",
    [{"cost": Decimal(0)}, {"status": "reserved", "settled_at": None}, {"error": "x"}],
    ids=str,
)
def test_a_settled_call_never_changes_again(settled, change):
    assert refusing_trigger(settled, **change) == f"AI usage #{settled.pk} is settled"


@pytest.mark.parametrize(
    "change",
    [
        {"cost": Decimal(1)},
        {"status": "settled", "settled_at": MONDAY, "prompt_name": "other/prompt"},
        {"status": "settled", "settled_at": MONDAY, "provider": "other"},
        {"status": "settled", "settled_at": MONDAY, "created_at": MONDAY},
    ],
    ids=str,
)
def test_a_reserved_call_may_only_be_settled(change):
    usage = f.AIUsageFactory()
    assert refusing_trigger(usage, **change) == f"AI usage #{usage.pk} may only be settled"


def test_a_call_is_never_booked_to_another_campaign():
    usage = f.AIUsageFactory(campaign=f.CampaignFactory())
    change = {"status": "settled", "settled_at": MONDAY, "campaign": f.CampaignFactory()}
    assert refusing_trigger(usage, **change) == f"AI usage #{usage.pk} may only be settled"


def test_a_call_is_never_deleted():
    usage = f.AIUsageFactory()
    with pytest.raises(IntegrityError, match="cannot be deleted"), transaction.atomic():
        AIUsage.objects.all()._raw_delete("default")
    assert AIUsage.objects.filter(pk=usage.pk).exists()


def test_a_campaign_that_cost_money_cannot_be_deleted_in_sql():
    campaign = f.CampaignFactory()
    f.AIUsageFactory(campaign=campaign)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        with pytest.raises(IntegrityError, match="campaigns_aiusage"), transaction.atomic():
            cursor.execute("DELETE FROM campaigns_campaign WHERE id = %s", [campaign.pk])


def refusing_trigger(usage: AIUsage, **change) -> str:
    """The words of the trigger that refuses this UPDATE, up to the colon."""
    with pytest.raises(IntegrityError) as e, transaction.atomic():
        AIUsage.objects.filter(pk=usage.pk).update(**change)
    return str(e.value.__cause__.diag.message_primary).split(":")[0]


# Scores


@pytest.mark.req("F-9")
@pytest.mark.parametrize("score", ["0", "50.00", "100"])
def test_a_threshold_on_the_boundary_is_stored(score):
    campaign = f.CampaignFactory(match_threshold=Decimal(score))
    assert Campaign.objects.get(pk=campaign.pk).match_threshold == Decimal(score)
