"""What the database promises about leads, contacts, facts and runs."""

from decimal import Decimal

import pytest

from prospects.models import Fact, Lead, Suppression
from tests import factories as f
from tests.clock import MONDAY
from tests.violations import Violation, named_in_models, refusal, violated

pytestmark = pytest.mark.django_db
ABOVE, BELOW = Decimal("100.01"), Decimal("-0.01")

TABLE = [
    Violation(
        "organization_once_per_name_and_domain", f.OrganizationFactory, ["name_key", "domain"]
    ),
    Violation("address_belongs_to_one_contact", f.ContactAddressFactory, ["kind", "canonical"]),
    Violation("consent_has_words_and_source", f.ConsentFactory, {"text": ""}),
    Violation("consent_has_words_and_source", f.ConsentFactory, {"source": ""}),
    Violation("consent_one_in_force", f.ConsentFactory, ["address", "kind"]),
    Violation("prospects_lead_score_in_range", f.LeadFactory, {"score": ABOVE}),
    Violation("prospects_lead_score_in_range", f.LeadFactory, {"score": BELOW}),
    Violation("prospects_lead_quality_in_range", f.LeadFactory, {"quality": ABOVE}),
    Violation("prospects_lead_quality_in_range", f.LeadFactory, {"quality": BELOW}),
    Violation(
        "identity_belongs_to_one_lead", f.LeadIdentityFactory, ["platform", "platform_id"]
    ),
    Violation("content_item_once_per_lead", f.ContentItemFactory, ["lead", "guid"]),
    Violation("prospects_fact_confidence_in_range", f.FactFactory, {"confidence": BELOW}),
    Violation(
        "prospects_fact_confidence_in_range", f.FactFactory, {"confidence": Decimal("1.01")}
    ),
    Violation("fact_is_about_one_thing", f.FactFactory, {"lead": None}),
    Violation(
        "fact_is_about_one_thing",
        f.FactFactory,
        {"organization_id": lambda: f.OrganizationFactory().pk},
    ),
    Violation("fact_once_per_source", f.FactFactory, ["lead", "kind", "source", "value"]),
    Violation("saved_search_budget_not_negative", f.SavedSearchFactory, {"budget": BELOW}),
    Violation("run_budget_not_negative", f.PipelineRunFactory, {"budget": BELOW}),
    Violation("stage_once_per_run", f.StageRunFactory, ["run", "stage"]),
    Violation("stage_run_done_within_total", f.StageRunFactory, {"total": 1, "done": 2}),
    Violation("assessment_once_per_run_and_lead", f.AssessmentFactory, ["run", "lead"]),
    Violation("prospects_assessment_score_in_range", f.AssessmentFactory, {"score": ABOVE}),
    Violation("prospects_assessment_score_in_range", f.AssessmentFactory, {"score": BELOW}),
    Violation(
        "prospects_assessment_manual_score_in_range",
        f.AssessmentFactory,
        {"manual_score": ABOVE},
    ),
    Violation(
        "prospects_assessment_manual_score_in_range",
        f.AssessmentFactory,
        {"manual_score": BELOW},
    ),
    Violation("suppression_once_per_value", f.SuppressionFactory, ["kind", "exact_hash"]),
]


@pytest.mark.req("S001-004", "S001-008", "S002-029")
@pytest.mark.parametrize("violation", TABLE, ids=str)
def test_plain_sql_cannot_break_it(violation):
    violation.attempt()


def test_every_promise_of_the_models_is_broken_here():
    assert named_in_models("prospects") == violated(TABLE, "prospects")


@pytest.mark.parametrize(
    "about", [{"contact": f.ContactFactory}, {"organization": f.OrganizationFactory}], ids=str
)
def test_a_fact_about_anything_is_known_once_per_source(about):
    """Three of the columns are empty in every row, and empty must count as equal."""
    (name, make), subject = next(iter(about.items())), {}
    subject = {"lead": None, name: make()}
    fact = f.FactFactory(**subject)
    twin = f.FactFactory.build(**subject, value=fact.value)
    assert refusal(lambda: Fact.objects.bulk_create([twin])) == "fact_once_per_source"


@pytest.mark.req("F-9")
@pytest.mark.parametrize("score", ["0", "50.00", "65.00", "80.00", "100"])
def test_a_score_on_a_boundary_is_stored_exactly(score):
    lead = f.LeadFactory(score=Decimal(score), quality=Decimal(score))
    stored = Lead.objects.get(pk=lead.pk)
    assert (stored.score, stored.quality) == (Decimal(score), Decimal(score))


def test_a_suppression_outlives_everything():
    """No foreign key, so nothing that is deleted takes it along."""
    assert [field.name for field in Suppression._meta.fields if field.is_relation] == []


def test_a_lead_seen_by_two_platforms_is_one_lead():
    lead = f.LeadFactory()
    f.LeadIdentityFactory(lead=lead, platform="itunes", platform_id="1")
    f.LeadIdentityFactory(lead=lead, platform="feed", platform_id="1")
    assert lead.identities.count() == 2
    assert lead.first_seen_at == MONDAY
