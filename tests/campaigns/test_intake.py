"""Candidates and clients from files."""

from datetime import date, timedelta

import pytest
from django.core.management import CommandError, call_command

from campaigns import intake, presets
from campaigns.models import Campaign, Candidate, CandidateFact, Client
from config import tables
from config.tables import UnreadableFile
from tests import digests
from tests.clock import MONDAY
from tests.factories import CampaignFactory, CandidateFactory, ClientFactory

pytestmark = pytest.mark.django_db


def bring(text, client, name="people.csv", *, kind="intern", now=MONDAY, **options):
    table = tables.read(text.encode(), name)
    return intake.import_candidates(table, client, kind=kind, now=now, **options)


def counts(report):
    return {name: number for name, number in report.counts.items() if number}


FULL = (
    "id;name;email;skills;industry 1;industry 2;start date;end date;visa required;status;"
    "owner;topics\n"
    "c1;Ada Example;ada@example.com;Python, SQL;Software;Data;2026-09-01;2026-12-31;yes;"
    "ACTIVE: Placement;ada;Law | Code\n"
)


def test_a_row_becomes_a_candidate_with_everything_it_states(ada):
    client = ClientFactory()
    report = bring(FULL, client)
    assert counts(report) == {"rows": 1, "created": 1}
    candidate = Candidate.objects.get()
    assert (candidate.reference, candidate.name, candidate.kind) == (
        "c1",
        "Ada Example",
        "intern",
    )
    assert candidate.skills == ["Python", "SQL"]
    assert candidate.industries == ["Software", "Data"]
    assert (candidate.starts_on, candidate.ends_on) == (date(2026, 9, 1), date(2026, 12, 31))
    assert (candidate.visa, candidate.status) == ("yes", "active")
    assert candidate.responsible == ada
    assert candidate.attributes["email"] == "ada@example.com"
    assert list(candidate.angles.values_list("topic", flat=True)) == ["Law", "Code"]


@pytest.mark.req("F-23")
def test_what_a_row_states_is_a_fact_with_the_file_as_its_source():
    bring(FULL, ClientFactory())
    facts = CandidateFact.objects.filter(source="people.csv").values_list("kind", "value")
    assert ("skills", "Python, SQL") in facts
    assert ("availability", "2026-09-01 to 2026-12-31") in facts
    assert ("topic", "Law") in facts


def test_a_second_time_changes_nothing(ada):
    client = ClientFactory()
    campaign = CampaignFactory(client=client)
    bring(FULL, client, campaign=campaign)
    before = digests.of_tables()
    later = MONDAY + timedelta(hours=3)
    assert counts(bring(FULL, client, campaign=campaign, now=later)) == {
        "rows": 1,
        "unchanged": 1,
    }
    assert digests.of_tables() == before


def test_the_reference_finds_a_candidate_again():
    client = ClientFactory()
    bring(FULL, client)
    bring(FULL.replace("Ada Example", "Ada Sample").replace("Python", "Rust"), client)
    candidate = Candidate.objects.get()
    assert (candidate.name, candidate.skills) == ("Ada Sample", ["Rust", "SQL"])


def test_the_address_finds_a_candidate_that_has_no_reference_there():
    client = ClientFactory()
    bring("name,email\nAda,ada@example.com\n", client)
    bring("name,email,bio\nAda Lovelace,ADA@example.com,Counts\n", client)
    bring("id,name,email\nc1,Ada,ada@example.com\n", client)
    candidate = Candidate.objects.get()
    assert (candidate.reference, candidate.bio) == ("c1", "Counts")


def test_the_name_finds_a_candidate_with_nothing_else():
    client = ClientFactory()
    bring("name\nAda Lovelace\n", client)
    report = bring("name\nada  LOVELACE\nBob\n", client)
    assert Candidate.objects.count() == 2
    assert counts(report)["rows"] == 2


def test_two_references_with_one_address_are_two_candidates():
    client = ClientFactory()
    bring(
        "id,name,email\nc1,Blue Chair,shop@example.com\nc2,Red Chair,shop@example.com\n", client
    )
    assert Candidate.objects.count() == 2


def test_the_same_reference_belongs_to_each_client_by_itself():
    for client in (ClientFactory(), ClientFactory()):
        bring(FULL, client)
    assert Candidate.objects.count() == 2


def test_what_a_person_wrote_stays():
    client = ClientFactory()
    bring("id,name,bio\nc1,Ada,Counts\n", client)
    Candidate.objects.update(bio="Computes", status="placed")
    bring("id,name,bio,status\nc1,Ada,Calculates,active\n", client)
    assert Candidate.objects.values_list("bio", "status").get() == ("Computes", "placed")


def test_bad_rows_are_reported_and_leave_the_others_alone():
    report = bring(
        "id,name,email,status,start date\n"
        'c1,Ada,"a@example.com, b@example.com",,\n'
        "c2,,x@example.com,,\n"
        "c3,Cy,nope,,\n"
        "c4,Dee,,nobody knows,\n"
        "c5,Eve,,,03/04/2026\n"
        "c5,Fay,,,\n",
        ClientFactory(),
    )
    assert [problem.line for problem in sorted(report.problems)] == [2, 3, 4, 5, 7]
    assert "several addresses" in sorted(report.problems)[0].reason
    assert "same reference as in line 6" in report.problems[-1].reason
    assert Candidate.objects.get().name == "Eve"
    assert "two ways" in report.warnings[0].reason


def test_candidates_join_the_campaign_and_take_its_kind():
    client = ClientFactory()
    campaign = CampaignFactory(client=client, preset="podcast")
    bring("name\nAda\n", client, kind="", campaign=campaign)
    assert campaign.candidates.get().kind == "guest"
    with pytest.raises(UnreadableFile, match="What are these candidates"):
        bring("name\nBob\n", ClientFactory(), kind="")


def test_a_campaign_of_another_client_is_refused():
    campaign = CampaignFactory()
    with pytest.raises(UnreadableFile, match="'s, not "):
        intake.find_campaign(campaign.slug, ClientFactory())


def test_the_number_of_queries_does_not_grow(django_assert_max_num_queries):
    client = ClientFactory()
    CandidateFactory(client=client)
    text = "id,name,skills,topics\n" + "".join(
        f"c{n},Person {n},Python,Law | Code\n" for n in range(300)
    )
    with django_assert_max_num_queries(25):
        bring(text, client)
    with django_assert_max_num_queries(25):
        bring(text, client)


def test_the_command_finds_or_makes_the_client(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text("name\nAda\n")
    with pytest.raises(CommandError, match="no client “Acme”"):
        call_command("import_candidates", str(path), client="Acme", kind="intern")
    options = {"client": "Acme", "kind": "intern", "new_client": True}
    call_command("import_candidates", str(path), dry_run=True, **options)
    assert not Client.objects.exists()
    call_command("import_candidates", str(path), **options)
    assert Candidate.objects.get().client.name == "Acme"


# Clients

CLIENTS = (
    "client,email,website,time_zone,campaign,campaign slug,preset,keywords\n"
    "Bright Interns,hello@example.com,example.com,America/New_York,Summer,summer,placement,"
    "a; b\n"
    "Bright Interns,,,,Autumn,,placement,\n"
    "Pod Agency,,,,,,,\n"
)


@pytest.mark.req("S000-012")
def test_clients_and_campaigns_come_in_once_however_often():
    table = tables.read(CLIENTS.encode(), "clients.csv")
    assert counts(intake.import_clients(table)) == {"rows": 3, "created": 3}
    client = Client.objects.get(name="Bright Interns")
    assert (client.email, client.website) == ("hello@example.com", "https://example.com")
    campaign = Campaign.objects.get(slug="summer")
    assert (campaign.status, campaign.keywords) == ("draft", ["a", "b"])
    assert campaign.sequence == presets.sequence("placement")
    assert set(client.campaigns.values_list("name", flat=True)) == {"Summer", "Autumn"}
    before = digests.of_tables()
    assert counts(intake.import_clients(table)) == {"rows": 3, "unchanged": 3}
    assert digests.of_tables() == before


@pytest.mark.req("S000-012")
def test_clients_may_come_as_json_and_keep_what_they_have(tmp_path):
    ClientFactory(name="Acme", slug="acme", website="https://acme.example.com", email="")
    path = tmp_path / "clients.json"
    path.write_text('[{"name": "ACME", "email": "a@example.com", "website": "x.example.org"}]')
    call_command("import_clients", str(path))
    client = Client.objects.get()
    assert (client.email, client.website) == ("a@example.com", "https://acme.example.com")


@pytest.mark.req("S000-012")
def test_bad_clients_are_reported_by_their_line():
    text = (
        "client,email,time_zone,campaign,preset\n,x@example.com,,,\nA,nope,,,\nB,,Mars/Base,,\n"
        "C,,,Camp,\nD,,,Camp,comet\nE,,,,\n"
    )
    report = intake.import_clients(tables.read(text.encode(), "clients.csv"))
    assert [problem.line for problem in report.problems] == [2, 3, 4, 5, 6]
    assert list(Client.objects.values_list("name", flat=True)) == ["E"]
    assert not Campaign.objects.exists()
