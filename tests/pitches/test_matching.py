"""Filters with reasons, scores that add up, and rows written once."""

import dataclasses
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns.ai import embeddings
from campaigns.models import Campaign, Candidate
from pitches import matching
from pitches.matching import (
    choosing,
    guest_scores,
    likeness,
    locations,
    placement_scores,
    scores,
)
from pitches.models import Match, Placement, ReviewTask
from prospects.models import Lead
from tests.clock import MONDAY
from tests.factories import (
    CampaignFactory,
    CandidateFactory,
    ContentItemFactory,
    LeadFactory,
    MatchFactory,
    OrganizationFactory,
    PitchFactory,
    PlacementFactory,
)

TODAY = MONDAY.date()


@pytest.fixture
def campaign(db):
    return CampaignFactory()


def candidate_of(campaign, **fields) -> Candidate:
    candidate = CandidateFactory(client=campaign.client, **fields)
    campaign.candidates.add(candidate)
    return candidate


def outcomes(suggested) -> dict[str, int]:
    return {row.reason: row.pairs for row in suggested.filtered}


def placement_score(seeker, role) -> Decimal:
    parts = placement_scores.PlacementScores([seeker], [role]).parts(0, 0)
    whole = placement_scores.PlacementScores([seeker], [role]).block(slice(0, 1))
    assert sum(part.hundredths for part in parts) == whole[0, 0]
    return scores.points(whole[0, 0])


# Guests


@pytest.mark.req("H000-01")
@pytest.mark.parametrize(
    ("cosine", "overlap", "score"),
    [(0.62, 0.20, "49.40"), (0.70, 0.05, "50.50"), (1, 1, "100.00"), (-0.4, 0, "0.00")],
)
def test_the_golden_scores_of_guests(cosine, overlap, score):
    assert guest_scores.guest_score(cosine, overlap) == Decimal(score)


def podcast_campaign(**fields) -> Campaign:
    fields = {
        "goal": "Rowing across oceans",
        "keywords": ["rowing", "ocean", "endurance"],
        "preset": Campaign.Preset.PODCAST,
    } | fields
    campaign = CampaignFactory(**fields)
    candidate_of(campaign, kind=Candidate.Kind.GUEST)
    return campaign


def unit(cosine: float) -> list[float]:
    """A vector whose cosine with the first axis is this."""
    vector = [0.0] * 256
    vector[0], vector[1] = cosine, (1 - cosine**2) ** 0.5
    return vector


def embedded(row, vector):
    row.embedding, row.embedding_model = vector, embeddings.embedder().model
    row.save()
    return row


@pytest.mark.req("H000-01", "H000-02")
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("cosine", "keywords", "score", "suggested"),
    [
        (0.62, ["rowing", "sea", "boats"], "49.40", False),
        (0.70, ["rowing", *(f"word {n}" for n in range(17))], "50.50", True),
    ],
)
def test_a_guest_passes_the_gate_at_fifty(cosine, keywords, score, suggested):
    campaign = podcast_campaign(match_threshold=50)
    embedded(campaign, unit(1))
    lead = LeadFactory(kind=Lead.Kind.PODCAST)
    embedded(ContentItemFactory(lead=lead, keywords=keywords), unit(cosine))
    candidate = campaign.candidates.get()
    told = matching.explain(candidate, lead, campaign, now=MONDAY)
    assert told.score == Decimal(score)
    matching.suggest(campaign, now=MONDAY)
    assert Match.objects.filter(lead=lead, score=Decimal(score)).exists() is suggested


@pytest.mark.req("H000-01")
@pytest.mark.django_db
def test_only_the_ten_latest_items_of_a_lead_count():
    campaign = podcast_campaign(match_threshold=50)
    embedded(campaign, unit(1))
    lead = LeadFactory(kind=Lead.Kind.PODCAST)
    old = MONDAY - timedelta(days=100)
    embedded(ContentItemFactory(lead=lead, published_at=old), unit(1))
    for day in range(10):
        item = ContentItemFactory(lead=lead, published_at=MONDAY - timedelta(days=day))
        embedded(item, unit(0.1 + day / 100))
    told = matching.explain(campaign.candidates.get(), lead, campaign, now=MONDAY)
    assert told.score == Decimal("13.30")


@pytest.mark.django_db
def test_a_vector_of_another_model_is_never_compared():
    campaign = podcast_campaign()
    lead = LeadFactory(kind=Lead.Kind.PODCAST, name="Knitting", text="Wool.", industries=[])
    lead.embedding, lead.embedding_model = unit(1), "another"
    lead.save()
    matching.suggest(campaign, now=MONDAY)
    lead.refresh_from_db()
    assert lead.embedding_model == embeddings.embedder().model
    assert lead.embedding[0] != 1


@pytest.mark.django_db
def test_a_lead_without_items_is_compared_by_its_own_text():
    campaign = podcast_campaign()
    ours = LeadFactory(
        kind=Lead.Kind.PODCAST, name="Rowing oceans", text="Ocean rowing.", industries=[]
    )
    LeadFactory(kind=Lead.Kind.PODCAST, name="Tax law", text="Deductions.", industries=[])
    matching.suggest(campaign, now=MONDAY)
    assert list(Match.objects.values_list("lead", flat=True)) == [ours.pk]


@pytest.mark.django_db
@pytest.mark.parametrize("told_by", ["item", "lead"])
def test_a_text_without_keywords_has_those_of_the_campaign_that_it_contains(told_by):
    campaign = podcast_campaign(keywords=["rowing", "deep sea", "tax", "C++"])
    lead = LeadFactory(
        kind=Lead.Kind.PODCAST, name="Oceans", text="Rowing the deep sea.", industries=[]
    )
    if told_by == "item":
        ContentItemFactory(lead=lead, title="Rowing", text="About the deep sea. Syntax.")
    told = matching.explain(campaign.candidates.get(), lead, campaign, now=MONDAY)
    assert told.parts["keywords"] == "15.00"
    assert "2 keywords shared: deep sea, rowing" in told.reasoning


# Placements


SEEKER = placement_scores.Seeker(["Finance", "Marketing"], ["Excel", "SQL", "Python"], TODAY)


@pytest.mark.req("H003-01")
@pytest.mark.parametrize(
    ("role", "score"),
    [
        (placement_scores.Role(["Finance"], ["Intern"]), "40.00"),
        (placement_scores.Role(["Marketing"], ["Intern"]), "20.00"),
        (placement_scores.Role(["Finance", "Marketing"], ["Intern"]), "60.00"),
        (placement_scores.Role(["Finance"], ["Intern", "Excel"]), "48.33"),
        (placement_scores.Role(["Finance"], ["Intern"], "Excel and SQL"), "56.67"),
        (placement_scores.Role(["Finance"], ["Intern"], "Excel, SQL, Python"), "65.00"),
        (placement_scores.Role(["Finance"], ["Intern"], endings=[TODAY]), "55.00"),
        (placement_scores.Role(["Finance"], [""], endings=[TODAY + timedelta(14)]), "55.00"),
        (placement_scores.Role(["Finance"], [""], endings=[TODAY + timedelta(15)]), "40.00"),
        (placement_scores.Role(["Finance"], [""], endings=[TODAY - timedelta(1)]), "40.00"),
        (placement_scores.Role(["Finance"], ["Intern"], lost_deals=1), "40.00"),
        (placement_scores.Role(["Finance"], ["Intern"], lost_deals=2), "25.00"),
        (placement_scores.Role(["Law"], ["Intern"], lost_deals=2), "0.00"),
        (
            placement_scores.Role(
                ["Finance", "Marketing"], ["Intern"], "Excel SQL Python", endings=[TODAY]
            ),
            "100.00",
        ),
    ],
)
def test_the_parts_of_a_placement_score(role, score):
    assert placement_score(SEEKER, role) == Decimal(score)


@pytest.mark.req("H003-01")
@pytest.mark.parametrize(
    ("asked", "text", "expected"),
    [
        ("Finance", "finance", True),
        ("Finance", "Corporate Finance", True),
        ("Software Engineering", "Software", True),
        ("Software Engineering", "Software Engineer", True),
        ("Finance", "Medicine", False),
        ("C", "Customer care", False),
        ("C", "C, C++ or Rust", True),
        ("C", "C++", False),
        ("C++", "C++ developer", True),
        ("C#", "C developer", False),
        ("R", "R and Python", True),
        ("R", "R&D department", False),
        ("", "anything", False),
    ],
)
def test_texts_match_exactly_then_inside_then_by_likeness(asked, text, expected):
    assert likeness.alike([asked], [text])[0, 0] == expected


@pytest.mark.req("H003-02")
@pytest.mark.parametrize(
    ("wanted", "offered", "expected"),
    [
        ("", "London, UK", True),
        ("London", "London, UK", True),
        ("London, UK", "Paris, France", False),
        ("New York, NY", "NYC", True),
        ("USA", "Austin, TX", True),
        ("USA", "Toronto, Canada", False),
        ("Portland, OR", "Portland, ME", False),
        ("Berlin; Madrid", "Madrid, Spain | Rome, Italy", True),
        ("Berlin", "Multiple US Locations", True),
        ("Berlin", "Remote in USA", True),
        ("USA", "SF", True),
        ("United States", "London, UK", False),
        ("USA", "Atlantis", True),
        ("CA", "San Mateo, CA", True),
        ("Austin", "Boston", False),
    ],
)
def test_places_meet(wanted, offered, expected):
    assert locations.meet(wanted, offered) is expected


# Filters


TOMORROW = TODAY + timedelta(days=1)
LEAD_FILTERS = [
    ("closed", {"closed_at": MONDAY}),
    ("suppressed", {"suppressed_at": MONDAY}),
    ("merged", {}),
    ("demo_mixed", {"is_demo": True}),
    ("do_not_contact", {"organization__do_not_contact": True}),
    ("follow_up_date", {"organization__follow_up_date": TOMORROW}),
    ("no_industry_match", {"industries": ["Beekeeping"]}),
    ("location_mismatch", {"location": "Oslo, Norway"}),
    ("visa_mismatch", {"visa_sponsorship": Lead.Visa.NO}),
]


@pytest.mark.req("H003-02", "S000-048")
@pytest.mark.parametrize(("reason", "fields"), LEAD_FILTERS)
def test_each_lead_that_must_not_be_matched_has_its_reason(campaign, reason, fields):
    candidate = candidate_of(campaign, location="Madrid, Spain", visa=Candidate.Visa.YES)
    if reason == "merged":
        fields = {"merged_into": LeadFactory(closed_at=MONDAY)}
    lead = LeadFactory(**fields)
    suggested = matching.suggest(campaign, now=MONDAY)
    assert outcomes(suggested)[reason] == 1
    assert suggested.created == 0
    told = matching.explain(candidate, lead, campaign, now=MONDAY)
    assert (reason, matching.REASONS[reason]) in told.filters


@pytest.mark.req("H003-02")
@pytest.mark.parametrize(
    ("reason", "fields"),
    [
        ("wrong_candidate_kind", {"kind": Candidate.Kind.GUEST}),
        ("placed", {"status": Candidate.Status.PLACED}),
        ("not_active", {"status": Candidate.Status.PAUSED}),
        ("not_active", {"status": Candidate.Status.INACTIVE}),
        ("remote_only", {"remote_only": True}),
    ],
)
def test_each_candidate_that_must_not_be_matched_has_its_reason(campaign, reason, fields):
    candidate = candidate_of(campaign, **fields)
    lead = LeadFactory()
    assert outcomes(matching.suggest(campaign, now=MONDAY)) == {reason: 1}
    told = matching.explain(candidate, lead, campaign, now=MONDAY)
    assert reason in dict(told.filters)


@pytest.mark.req("C34", "S003-013")
def test_a_candidate_whose_start_is_past_is_listed_for_staff(campaign):
    late = candidate_of(campaign, starts_on=TODAY - timedelta(days=1))
    candidate_of(campaign, starts_on=TODAY)
    LeadFactory()
    suggested = matching.suggest(campaign, now=MONDAY)
    assert [reference for reference, _ in suggested.not_pitchable] == [late.reference]
    assert outcomes(suggested) == {"start_passed": 1}
    assert suggested.created == 1


@pytest.mark.req("H003-02")
def test_a_placed_candidate_is_known_by_the_placement_too(campaign):
    candidate = candidate_of(campaign)
    PlacementFactory(
        candidate=candidate, campaign=campaign, status="confirmed", lead=LeadFactory()
    )
    assert outcomes(matching.suggest(campaign, now=MONDAY)) == {"placed": 1}


@pytest.mark.req("H003-02")
@pytest.mark.parametrize(("interviews", "suggested"), [(3, 1), (4, 0)])
def test_more_than_three_open_interviews_hold_the_organization(campaign, interviews, suggested):
    candidate_of(campaign)
    lead = LeadFactory()
    for _ in range(interviews):
        other = LeadFactory(organization=lead.organization, closed_at=MONDAY)
        PlacementFactory(lead=other, status=Placement.Status.INTERVIEW, campaign=campaign)
    assert matching.suggest(campaign, now=MONDAY).created == suggested


@pytest.mark.req("H003-02")
@pytest.mark.parametrize(("employees", "suggested"), [(4, 1), (3, 0), (None, 1)])
def test_more_than_one_intern_for_four_employees_is_too_many(campaign, employees, suggested):
    candidate = candidate_of(campaign)
    organization = OrganizationFactory(employees=employees)
    LeadFactory(organization=organization)
    there = LeadFactory(organization=organization, closed_at=MONDAY)
    PlacementFactory(
        lead=there,
        status=Placement.Status.CONFIRMED,
        campaign=campaign,
        starts_on=candidate.starts_on - timedelta(days=30),
        ends_on=candidate.starts_on,
    )
    assert matching.suggest(campaign, now=MONDAY).created == suggested


@pytest.mark.req("H003-01")
def test_who_starts_when_a_confirmed_intern_leaves_scores_more(campaign):
    candidate = candidate_of(campaign)
    organization = OrganizationFactory(employees=100)
    lead = LeadFactory(organization=organization)
    there = LeadFactory(organization=organization, closed_at=MONDAY)
    PlacementFactory(
        lead=there,
        status=Placement.Status.STARTED,
        campaign=campaign,
        ends_on=candidate.starts_on + timedelta(days=14),
    )
    told = matching.explain(candidate, lead, campaign, now=MONDAY)
    assert told.parts["start_date"] == "15.00"


@pytest.mark.req("S001-041")
@pytest.mark.parametrize(("score", "suggested"), [("70.00", 1), ("69.99", 0), (None, 0)])
def test_only_leads_at_or_above_the_minimum_score_are_matched(campaign, score, suggested):
    Campaign.objects.filter(pk=campaign.pk).update(targeting={"min_score": 70.0})
    campaign.refresh_from_db()
    candidate_of(campaign)
    LeadFactory(score=score)
    assert matching.suggest(campaign, now=MONDAY).created == suggested


@pytest.mark.parametrize(
    ("targeting", "suggested"),
    [
        ({"industries": ["Finance"]}, 1),
        ({"industries": ["Law"]}, 0),
        ({"sizes": ["11-50", "1000+"]}, 1),
        ({"sizes": ["51-200"]}, 0),
        ({"sizes": [[10, 30]]}, 1),
    ],
)
def test_targeting_by_industry_and_size(campaign, targeting, suggested):
    Campaign.objects.filter(pk=campaign.pk).update(targeting=targeting)
    campaign.refresh_from_db()
    candidate_of(campaign)
    LeadFactory(organization__employees=20)
    assert matching.suggest(campaign, now=MONDAY).created == suggested


@pytest.mark.req("S003-003")
def test_a_candidate_pitched_by_another_campaign_is_not_suggested_again(campaign):
    candidate = candidate_of(campaign)
    lead = LeadFactory()
    elsewhere = CampaignFactory(client=campaign.client)
    MatchFactory(candidate=candidate, pitch=PitchFactory(lead=lead, campaign=elsewhere))
    assert outcomes(matching.suggest(campaign, now=MONDAY)) == {"already_pitched": 1}


@pytest.mark.req("S000-045")
def test_a_declined_pair_is_not_suggested_again(campaign):
    candidate = candidate_of(campaign)
    MatchFactory(
        campaign=campaign,
        candidate=candidate,
        lead=LeadFactory(),
        status=Match.Status.DECLINED,
        decline_reason="Too far",
    )
    suggested = matching.suggest(campaign, now=MONDAY)
    assert outcomes(suggested) == {"declined_before": 1}
    assert Match.objects.count() == 1


# Rows


@pytest.mark.req("S000-039")
def test_a_suggestion_says_how_its_score_came_about(campaign):
    candidate_of(campaign, industries=["Finance", "Law"], skills=["Excel"])
    lead = LeadFactory(industries=["Finance"], text="You know Excel.")
    matching.suggest(campaign, now=MONDAY)
    match = Match.objects.get(lead=lead)
    assert match.score == Decimal("48.33")
    assert sum(map(Decimal, match.parts.values())) == match.score
    assert match.parts["industry_1"] == "40.00"
    assert match.reasoning == (
        "Industry “Finance” (first choice) fits; 1 skill matched: Excel."
    )
    assert match.suggested_at == MONDAY


@pytest.mark.req("S000-040", "S000-042")
def test_each_suggestion_has_one_open_decision(campaign):
    candidate_of(campaign)
    LeadFactory.create_batch(3)
    for _ in range(2):
        matching.suggest(campaign, now=MONDAY)
    assert set(Match.objects.values_list("status", flat=True)) == {"to_review"}
    tasks = ReviewTask.objects.filter(kind=ReviewTask.Kind.MATCH, status="open")
    assert tasks.count() == 3


@pytest.mark.req("H003-01", "C23")
def test_a_match_below_the_threshold_is_kept_and_nobody_is_asked(campaign):
    candidate_of(campaign, industries=["Law", "Finance"], skills=[])
    lead = LeadFactory(industries=["Finance"])
    PlacementFactory.create_batch(2, lead=lead, campaign=campaign, status="rejected")
    other = LeadFactory(industries=["Finance"])
    matching.suggest(campaign, now=MONDAY)
    # 20 - 15 is not above 10: not even kept; 20.00 is enough to be pitched
    match = Match.objects.get()
    assert (match.lead, match.score, match.status) == (other, Decimal("20.00"), "to_review")
    Campaign.objects.filter(pk=campaign.pk).update(match_threshold=Decimal("20.01"))
    Match.objects.all().delete()
    campaign.refresh_from_db()
    assert matching.suggest(campaign, now=MONDAY).to_review == 0
    assert Match.objects.get().status == "suggested"
    assert not ReviewTask.objects.exists()


@pytest.mark.req("H000-02")
@pytest.mark.parametrize(
    ("before", "updated"), [("48.32", 0), ("48.34", 0), ("48.31", 1), ("48.35", 1)]
)
def test_a_score_is_written_again_only_if_it_moved_by_more_than_a_hundredth(
    campaign, before, updated
):
    candidate = candidate_of(campaign, skills=["Excel"])
    lead = LeadFactory(text="Excel")
    MatchFactory(
        campaign=campaign,
        candidate=candidate,
        lead=lead,
        score=Decimal(before),
        status=Match.Status.TO_REVIEW,
    )
    suggested = matching.suggest(campaign, now=MONDAY)
    assert (suggested.updated, suggested.unchanged) == (updated, 1 - updated)
    assert Match.objects.get().score == Decimal("48.33" if updated else before)


def test_what_was_decided_keeps_the_score_it_was_decided_on(campaign):
    candidate = candidate_of(campaign)
    MatchFactory(campaign=campaign, candidate=candidate, lead=LeadFactory(), score=99)
    matching.suggest(campaign, now=MONDAY)
    assert Match.objects.get().score == 99


@pytest.mark.req("S003-012")
def test_urgency_is_stored_and_renewed(campaign):
    candidate_of(campaign, starts_on=TODAY + timedelta(days=61), visa=Candidate.Visa.NO)
    LeadFactory()
    matching.suggest(campaign, now=MONDAY)
    assert not Match.objects.get().urgent
    matching.suggest(campaign, now=MONDAY + timedelta(days=2))
    assert Match.objects.get().urgent


def test_the_counts_add_up(campaign):
    candidate_of(campaign)
    candidate_of(campaign, status=Candidate.Status.PAUSED)
    candidate_of(campaign, industries=[])
    LeadFactory.create_batch(2)
    LeadFactory(closed_at=MONDAY)
    suggested = matching.suggest(campaign, now=MONDAY, most=1)
    assert suggested.pairs == 9
    assert suggested.pairs == suggested.created + sum(row.pairs for row in suggested.filtered)
    assert suggested.created == 1


def test_no_more_leads_are_suggested_than_anybody_looks_at(campaign, monkeypatch):
    few = matching.PRESETS[Campaign.Preset.PLACEMENT]
    few = dataclasses.replace(few, leads_per_candidate=2, candidates_per_lead=3)
    monkeypatch.setitem(matching.PRESETS, Campaign.Preset.PLACEMENT, few)
    for _ in range(6):
        candidate_of(campaign)
    LeadFactory.create_batch(6)
    matching.suggest(campaign, now=MONDAY)
    pairs = list(Match.objects.values_list("candidate", "lead"))
    assert max(np.unique([c for c, _ in pairs], return_counts=True)[1]) <= 2
    assert max(np.unique([lead for _, lead in pairs], return_counts=True)[1]) <= 3
    # ties are spread: not the same two leads for everybody
    assert len({lead for _, lead in pairs}) >= 4


def test_a_second_run_makes_nothing_new_until_something_is_decided(campaign, monkeypatch):
    few = matching.PRESETS[Campaign.Preset.PLACEMENT]
    few = dataclasses.replace(few, leads_per_candidate=2, candidates_per_lead=2)
    monkeypatch.setitem(matching.PRESETS, Campaign.Preset.PLACEMENT, few)
    candidate_of(campaign)
    LeadFactory.create_batch(5)
    assert matching.suggest(campaign, now=MONDAY).created == 2
    assert matching.suggest(campaign, now=MONDAY).created == 0
    Match.objects.first().move(Match.Status.DECLINED)
    assert matching.suggest(campaign, now=MONDAY).created == 1
    better = LeadFactory(text="Excel and English")
    matching.suggest(campaign, now=MONDAY)
    assert Match.objects.filter(lead=better).exists()


def test_planning_in_small_blocks_finds_the_same(campaign, monkeypatch):
    for _ in range(3):
        candidate_of(campaign)
    LeadFactory.create_batch(7)
    whole = matching.plan(campaign, now=MONDAY)
    monkeypatch.setattr(choosing, "PAIRS_AT_ONCE", 6)
    assert matching.plan(campaign, now=MONDAY) == whole


@pytest.mark.parametrize("preset", ["placement", "podcast", "product"])
def test_the_number_of_queries_does_not_grow_with_the_rows(db, preset):
    kinds = {"placement": "role", "podcast": "podcast", "product": "buyer"}
    people = {"placement": "intern", "podcast": "guest", "product": "product"}
    campaign = CampaignFactory(preset=preset, goal="Finance", match_threshold=10)

    def queries(rows: int) -> int:
        for _ in range(rows):
            candidate_of(campaign, kind=people[preset])
            lead = LeadFactory(kind=kinds[preset])
            if preset == "podcast":
                ContentItemFactory(lead=lead, title="Finance")
        with CaptureQueriesContext(connection) as captured:
            matching.suggest(campaign, now=MONDAY)
        return len(captured)

    queries(1)  # the first run embeds the campaign too
    assert queries(2) == queries(9)
    assert Match.objects.count() > 20


@pytest.mark.django_db
def test_a_product_is_matched_by_words_and_likeness():
    campaign = CampaignFactory(preset=Campaign.Preset.PRODUCT)
    candidate_of(
        campaign,
        kind=Candidate.Kind.PRODUCT,
        headline="Payroll for restaurants",
        bio="Pays waiters.",
        skills=[],
        keywords=["payroll", "restaurants", "shift planning"],
        industries=[],
    )
    ours = LeadFactory(
        kind=Lead.Kind.BUYER,
        name="Trattoria",
        text="Restaurants with shift planning and payroll for waiters.",
        industries=[],
    )
    LeadFactory(kind=Lead.Kind.BUYER, name="Law", text="We sue people.", industries=[])
    matching.suggest(campaign, now=MONDAY)
    match = Match.objects.get()
    assert match.lead == ours
    assert match.parts["keywords"] == "30.00"
    assert "payroll" in match.reasoning


@pytest.mark.django_db
def test_hostile_texts_do_no_harm():
    campaign = podcast_campaign()
    LeadFactory(
        kind=Lead.Kind.PODCAST,
        name="rowing \ud7ff<script>" + "ocean " * 40,
        text="rowing ocean endurance " * 10_000,
        keywords=["rowing", "ocean"],
    )
    LeadFactory(kind=Lead.Kind.PODCAST, name="…", text="", industries=[])
    matching.suggest(campaign, now=MONDAY)
    assert len(Match.objects.get().reasoning) < 400


def test_a_campaign_that_is_over_gets_no_matches(campaign):
    campaign.cancel(reason="Done")
    with pytest.raises(matching.CampaignOver, match="canceled"):
        matching.suggest(campaign, now=MONDAY)


def test_nothing_to_match_is_no_error(campaign):
    assert matching.suggest(campaign, now=MONDAY).pairs == 0
    candidate_of(campaign)
    assert matching.suggest(campaign, now=MONDAY).pairs == 0


def test_today_is_the_campaigns_today(db):
    campaign = CampaignFactory(time_zone="Pacific/Auckland")
    candidate_of(campaign, starts_on=date(2026, 6, 1))
    LeadFactory()
    evening = datetime(2026, 6, 1, 13, tzinfo=UTC)  # the 2nd in Auckland
    assert outcomes(matching.suggest(campaign, now=evening)) == {"start_passed": 1}


def test_the_documented_reasons_are_those_there_are():
    page = (settings.BASE_DIR / "docs" / "matching.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", page, re.MULTILINE)
    assert rows == list(matching.REASONS.items())
