"""match_campaign and invent_people: what they print, change, and refuse."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns.models import Campaign, Candidate
from pitches import inventing, matching
from pitches.models import Match, ReviewTask
from prospects.models import Contact, ContactAddress, Lead, Organization
from tests import digests
from tests.clock import MONDAY
from tests.factories import CampaignFactory, CandidateFactory, LeadFactory, OrganizationFactory

NOW = f"--now={MONDAY.isoformat()}"
pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign():
    campaign = CampaignFactory(slug="interns")
    for number in range(3):
        campaign.candidates.add(
            CandidateFactory(client=campaign.client, reference=f"c{number}")
        )
    LeadFactory.create_batch(2)
    LeadFactory(closed_at=MONDAY)
    return campaign


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


@pytest.mark.req("S000-039")
def test_matching_says_what_it_did_and_why_not(campaign):
    told = run("match_campaign", "interns", NOW)
    assert "3 leads and 3 candidates make 9 pairs" in told
    assert "3  closed                 The lead is closed" in told
    assert "6  suggested, 6 of them to review." in told
    assert Match.objects.count() == ReviewTask.objects.count() == 6


def test_a_dry_run_counts_the_same_and_changes_nothing(campaign):
    before = digests.of_tables()
    dry = json.loads(run("match_campaign", "interns", NOW, "--dry-run", "--json"))
    assert digests.of_tables() == before
    real = json.loads(run("match_campaign", "interns", NOW, "--json"))
    assert digests.of_tables() != before
    assert dry.pop("dry_run") is True
    assert real.pop("dry_run") is False
    assert len(dry.pop("best")) == 6
    assert dry == real
    assert "Nothing was changed" in run("match_campaign", "interns", NOW, "--dry-run")


def test_a_dry_run_could_not_write_if_it_tried(campaign, monkeypatch):
    def write(*args, **kwargs):
        Match.objects.update(urgent=True)

    monkeypatch.setattr(matching, "plan", write)
    with pytest.raises(Exception, match="read-only"):
        run("match_campaign", "interns", "--dry-run")


def test_at_most_so_many_are_made(campaign):
    run("match_campaign", "interns", NOW, "--most=2")
    assert Match.objects.count() == 2


def test_the_best_are_shown_on_request(campaign):
    for dry in ([], ["--dry-run"]):
        told = run("match_campaign", "interns", NOW, "--verbose", *dry)
        assert "40.00  candidate #" in told


def test_one_pair_is_explained(campaign):
    closed = Lead.objects.exclude(closed_at=None).get()
    told = run("match_campaign", "interns", NOW, "--explain", "c1", str(closed.pk))
    assert "held by closed: The lead is closed" in told
    assert "40.00  industry_1" in told
    assert "score; 20 is needed" in told
    assert "Not urgent: starts in 180 days" in told
    told = json.loads(
        run("match_campaign", "interns", NOW, "--json", "--explain", "c1", str(closed.pk))
    )
    assert told["score"] == "40.00"
    assert Match.objects.count() == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere"], "There is no campaign 'nowhere'"),
        (["interns", "--most=-1"], "cannot be below 0"),
        (["interns", "--now=yesterday"], "is no time"),
        (["interns", "--now=2026-13-40T00:00"], "is no time"),
        (["interns", "--explain", "c9", "1"], "no candidate 'c9'"),
        (["interns", "--explain", "c1", "x"], "no lead 'x'"),
        (["interns", "--explain", "c1", "99999999999999999999"], "no lead"),
    ],
)
def test_what_cannot_be_done_is_a_sentence_and_exit_code_2(campaign, arguments, sentence):
    with pytest.raises(CommandError, match=sentence) as refused:
        run("match_campaign", *arguments)
    assert refused.value.returncode == 2
    assert Match.objects.count() == 0


def test_a_finished_campaign_is_refused(campaign):
    campaign.cancel(reason="Over")
    with pytest.raises(CommandError, match="gets no new matches"):
        run("match_campaign", "interns")


@pytest.mark.parametrize("command", [["match_campaign", "interns"], ["invent_people"]])
def test_a_rehearsed_time_is_refused_where_mail_could_leave(campaign, settings, command):
    settings.SEND_MODE = "live"
    with pytest.raises(CommandError, match="SEND_MODE=capture"):
        run(*command, *(["--campaign=new"] if "invent" in command[0] else []), NOW)
    assert not Campaign.objects.filter(slug="new").exists()


# Inventing


def test_the_same_seed_invents_the_same_people_once():
    for number in range(10):
        LeadFactory(organization__name=f"Real {number}")
    run("invent_people", "--campaign=rehearsal", "--candidates=50", NOW)
    campaign = Campaign.objects.get(slug="rehearsal")
    assert campaign.candidates.count() == 50
    assert Contact.objects.filter(role=Contact.Role.PARTNER).count() == 8
    before = digests.of_tables()
    told = json.loads(
        run("invent_people", "--campaign=rehearsal", "--candidates=50", NOW, "--json")
    )
    assert told == {"candidates": 0, "contacts": 0, "organizations": 0}
    assert digests.of_tables() == before
    run("invent_people", "--campaign=rehearsal", "--candidates=60", NOW)
    assert campaign.candidates.count() == 60


def test_invented_people_can_be_told_and_never_reached():
    LeadFactory.create_batch(5)
    run("invent_people", "--campaign=rehearsal", "--candidates=20", "--share=1", NOW)
    for address in ContactAddress.objects.all():
        assert address.value.endswith(".example.com")
    for candidate in Candidate.objects.all():
        assert candidate.attributes == {"invented": 1}
        assert "invented person" in candidate.bio


def test_what_is_known_of_an_organization_is_kept():
    ours = OrganizationFactory(country="DE", employees=7, time_zone="")
    LeadFactory(organization=ours)
    run("invent_people", "--campaign=rehearsal", "--candidates=0", "--share=1", NOW)
    ours.refresh_from_db()
    assert (ours.country, ours.employees) == ("DE", 7)
    assert ours.time_zone


def test_inventing_more_people_takes_no_more_queries():
    campaign = inventing.campaign_for("rehearsal")

    def queries(count: int) -> int:
        LeadFactory.create_batch(count)
        with CaptureQueriesContext(connection) as captured:
            inventing.invent(
                campaign, candidates=count, share=1, seed=count, today=MONDAY.date()
            )
        return len(captured)

    assert queries(3) == queries(12)


def test_some_invented_people_are_urgent_and_some_cannot_be_pitched():
    LeadFactory(name="Software Engineer Intern", organization__industry="", industries=[])
    run("invent_people", "--campaign=rehearsal", "--candidates=200", NOW)
    campaign = Campaign.objects.get(slug="rehearsal")
    suggested = matching.suggest(campaign, now=MONDAY + timedelta(hours=1))
    assert suggested.not_pitchable
    assert Match.objects.filter(urgent=True).exists()
    assert Match.objects.filter(urgent=False).exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--campaign=A b"],
        ["--campaign=x", "--share=2"],
        ["--campaign=x", "--candidates=-1"],
        [],
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments):
    with pytest.raises(CommandError):
        run("invent_people", *arguments)
    assert not Campaign.objects.exists()
    assert not Organization.objects.exists()
