"""Leads from files: found again, never made twice, never overwritten, never half applied."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from config import tables
from prospects import importing, leads, suppressions
from prospects.importing import Job, carrying
from prospects.models import (
    Contact,
    ContactAddress,
    Fact,
    Lead,
    LeadIdentity,
    Organization,
    Suppression,
)
from tests import digests
from tests.clock import MONDAY
from tests.factories import CampaignFactory, FactFactory

pytestmark = pytest.mark.django_db
LATER = MONDAY + timedelta(hours=3)


def bring(text, kind="podcast", *, platform="listing", now=MONDAY, dry_run=False, **chosen):
    job = Job.of(kind, "file.csv", platform=platform, now=now)
    table = tables.read(text.encode(), "file.csv")
    return importing.carry_out(table, job, chosen=chosen, dry_run=dry_run)


def counts(report):
    return {name: number for name, number in report.counts.items() if number}


def shows(*rows):
    header = "id,title,description,feed_url,website,email"
    return "\n".join([header, *(",".join(row) for row in rows)]) + "\n"


def show(
    n, title="Law and Code", text="On law", feed=None, site="https://law.example.com", email=""
):
    return [f"p{n}", title, text, feed or f"https://law.example.com/{n}.xml", site, email]


def everything():
    """Digests of all tables, with leads as they are but for when they were last seen."""
    found = digests.of_tables()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT md5(string_agg((to_jsonb(l) - 'last_seen_at')::text, '' ORDER BY id)) "
            "FROM prospects_lead l"
        )
        found["prospects_lead"] = cursor.fetchone()
    return found


# Once


@pytest.mark.req("S002-029")
def test_a_lead_that_is_seen_again_is_the_same_row_seen_later():
    bring(shows(show(1)))
    before = everything()
    report = bring(shows(show(1)), now=LATER)
    lead = Lead.objects.get()
    assert counts(report) == {"rows": 1, "unchanged": 1}
    assert (lead.first_seen_at, lead.last_seen_at) == (MONDAY, LATER)
    assert everything() == before


@pytest.mark.req("S000-027", "F-21")
def test_the_same_feed_from_two_sources_is_one_lead_with_both_identities():
    bring(shows(show(1)), platform="one")
    row = ["x9", "Law & Code", "", "http://www.law.example.com/1.xml/", "", ""]
    report = bring(shows(row), platform="two")
    lead = Lead.objects.get()
    assert counts(report) == {"rows": 1, "updated": 1}
    names = set(lead.identities.values_list("platform", "platform_id"))
    assert {("one", "p1"), ("two", "x9"), ("feed", "law.example.com/1.xml")} <= names


@pytest.mark.req("F-21")
def test_the_same_domain_and_name_is_one_lead():
    bring(shows(show(1)), platform="one")
    other = show(2, title="LAW AND CODE!", site="http://www.law.example.com/home")
    bring(shows(other), platform="two")
    assert Lead.objects.count() == 1


def test_the_same_name_elsewhere_is_another_lead():
    bring(shows(show(1)), platform="one")
    bring(shows(show(2, site="https://code.example.org")), platform="two")
    assert Lead.objects.count() == 2


def test_shows_of_one_name_on_a_shared_site_are_told_apart():
    bring(shows(show(1, site="https://spreaker.com/a"), show(2, site="https://spreaker.com/b")))
    assert Lead.objects.count() == 2


def test_roles_of_one_title_at_one_company_are_told_apart():
    text = "id,title,company,company_url\nr1,Intern,Acme,acme.example.com\n"
    report = bring(text + "r2,Intern,Acme,acme.example.com\n", "role")
    assert counts(report) == {"rows": 2, "created": 2}
    assert Organization.objects.count() == 1


def test_roles_without_ids_are_found_again_by_what_they_are():
    text = "title,company,locations\nIntern,Acme,Berlin\nIntern,Acme,Paris\n"
    assert counts(bring(text, "role")) == {"rows": 2, "created": 2}
    assert counts(bring(text, "role")) == {"rows": 2, "unchanged": 2}


def test_a_row_that_claims_two_leads_changes_neither():
    bring(shows(show(1), show(2, title="Other", site="https://other.example.com")))
    before = everything()
    both = show(1, feed="https://law.example.com/2.xml", text="New")
    report = bring(shows(both))
    assert everything() == before
    assert "belongs to two leads" in report.problems[0].reason
    assert "merge them" in report.problems[0].reason


def test_a_row_follows_a_merged_lead_to_the_one_that_is_left():
    bring(shows(show(1), show(2, title="Other", site="https://other.example.com")))
    gone, left = Lead.objects.order_by("pk")
    Lead.objects.filter(pk=gone.pk).update(merged_into=left)
    bring(shows(show(1)), now=LATER)
    left.refresh_from_db()
    assert left.last_seen_at == LATER
    assert Lead.objects.count() == 2


def test_a_lead_does_not_change_its_kind():
    bring(shows(show(1)))
    report = bring("id,title\np1,Intern\n", "role")
    assert "is here already as a podcast, not a role" in report.problems[0].reason


def test_rows_of_one_file_about_one_lead_are_counted_as_duplicates():
    report = bring(shows(show(1), show(2), show(1)))
    assert counts(report) == {"rows": 3, "created": 1, "duplicate": 2}
    before = everything()
    bring(shows(show(1), show(2, text="Else"), show(1)), now=LATER)
    after = everything()
    assert {name for name in after if after[name] != before[name]} == {"prospects_fact"}
    assert Lead.objects.get().text == "On law"


def test_what_comes_later_in_a_file_fills_gaps_and_replaces_nothing(monkeypatch):
    monkeypatch.setattr(carrying, "BATCH", 1)  # so that each row meets the one before it
    text = shows(show(1), show(2, text="Else"), show(1, text="More"))
    bring(text)
    before = everything()
    report = bring(text, now=LATER)
    assert counts(report) == {"rows": 3, "unchanged": 1, "duplicate": 2}
    assert Lead.objects.get().text == "On law"
    assert everything() == before


# Whose word


@pytest.mark.req("F-21")
def test_a_source_changes_its_own_words_and_nobody_elses():
    bring(shows(show(1)), platform="one")
    bring(shows(show(1, text="On code")), platform="two")  # knows the feed
    assert Lead.objects.get().text == "On law"
    bring(shows(show(1, text="On law every week")), platform="one")
    assert Lead.objects.get().text == "On law every week"


@pytest.mark.req("F-21")
def test_what_a_person_wrote_stays():
    bring(shows(show(1)))
    Lead.objects.update(text="Ask Ada first")
    bring(shows(show(1, text="New words")))
    assert Lead.objects.get().text == "Ask Ada first"


@pytest.mark.req("F-21")
def test_a_manual_fact_fixes_its_field():
    bring(shows(show(1)))
    FactFactory(lead=Lead.objects.get(), kind="description", value="On law", source="manual")
    bring(shows(show(1, text="New words")))
    assert Lead.objects.get().text == "On law"


def test_an_empty_cell_erases_nothing_and_a_gap_is_filled():
    bring(shows(show(1, text="")), platform="one")
    bring(shows(show(1, text="On law")), platform="two")
    bring(shows(show(1, text="")), platform="one")
    assert Lead.objects.get().text == "On law"


def test_what_a_person_emptied_stays_empty():
    bring(shows(show(1)))
    Lead.objects.update(text="")
    bring(shows(show(1)))
    assert Lead.objects.get().text == ""


def test_a_change_of_words_asks_for_a_new_embedding():
    bring(shows(show(1)))
    Lead.objects.update(embedding=[0.5] * 256, embedding_model="m")
    bring(shows(show(1)))
    assert Lead.objects.get().embedding_model == "m"
    bring(shows(show(1, text="New words")))
    lead = Lead.objects.get()
    assert (lead.embedding, lead.embedding_model) == (None, "")


# People


def test_one_address_is_one_contact_however_many_leads_it_serves():
    rows = [
        show(n, title=f"Show {n}", email=email)
        for n, email in enumerate(
            ["ada@gmail.com", "A.Da+x@googlemail.com"] + 48 * ["ada@gmail.com"]
        )
    ]
    bring(shows(*rows))
    address = ContactAddress.objects.get()
    assert (address.value, address.canonical) == ("ada@gmail.com", "ada@gmail.com")
    assert address.contact.leads.count() == 50


def test_a_known_address_brings_its_contact():
    contact = Contact.objects.create(name="Ada")
    contact.addresses.create(kind="email", value="Ada@example.com", canonical="ada@example.com")
    bring(shows(show(1, email="ada@EXAMPLE.com")))
    assert Lead.objects.get().contacts.get() == contact
    assert Contact.objects.count() == 1


@pytest.mark.req("H000-16", "SEC-23")
@pytest.mark.parametrize(
    "email",
    [
        '"ada@example.com, bob@example.com"',
        "ada@localhost",
        "+49 170 1234567",
        "ada@[127.0.0.1]",
    ],
)
def test_a_row_whose_address_cannot_be_used_is_refused_whole(email):
    report = bring(shows(show(1, email=email), show(2, title="Other", site="")))
    assert [problem.line for problem in report.problems] == [2]
    assert Lead.objects.get().name == "Other"
    assert not ContactAddress.objects.exists()


@pytest.mark.req("LAW-7")
def test_a_suppressed_person_is_marked_and_counted():
    add_suppression("ada@example.com")
    report = bring(
        shows(show(1, email="A.D.A+x@example.com"), show(2, email="Ada+new@example.com"))
    )
    assert report.counts["suppressed"] == 1
    assert report.suppressed == [(3, "unsubscribed")]
    lead = Lead.objects.get()  # the same site and name: one show with two hosts
    assert lead.suppressed_at is None
    bring(shows(show(3, title="Solo", email="ada@example.com")))
    assert Lead.objects.get(name="Solo").suppressed_at == MONDAY


@pytest.mark.req("LAW-7")
@pytest.mark.parametrize(
    ("kind", "value"), [("domain", "law.example.com"), ("organization", "Acme")]
)
def test_a_suppressed_company_marks_its_leads(kind, value):
    add_suppression(value, kind)
    text = "id,name,website,email\nb1,Acme Inc.,https://law.example.com,kim@other.example.org\n"
    report = bring(text, "buyer")
    assert report.counts["suppressed"] == 1
    assert Lead.objects.get().suppressed_at == MONDAY


@pytest.mark.req("LAW-6")
def test_whoever_was_erased_is_not_stored_again():
    add_suppression("ada@example.com", reason="erased")
    bring(shows(show(1, email="ADA+again@example.com")))
    assert not Contact.objects.exists()
    assert Lead.objects.get().suppressed_at == MONDAY
    bring("id,name,email\nc1,Ada Lovelace,ada@example.com\n", "creator")
    assert not Lead.objects.filter(kind="creator").exists()
    assert not Fact.objects.filter(value__icontains="ada").exists()


def add_suppression(value, kind="email", reason="unsubscribed"):
    suppressions.add(kind, value, reason=reason, source="test", now=MONDAY)


@pytest.mark.req("LAW-7")
def test_a_list_of_suppressions_marks_the_leads_that_are_here():
    bring(
        shows(
            show(1, email="ada@example.com"), show(2, title="B", site="", email="b@example.org")
        )
    )
    table = tables.read(
        b"Ada+list@example.com\n+49 170 1234567\nnobody\n", "s.csv", only_column="value"
    )
    report = importing.import_suppressions(table, now=LATER)
    assert counts(report) == {"rows": 3, "created": 2, "leads marked": 1}
    assert [problem.line for problem in report.problems] == [3]
    assert Lead.objects.get(suppressed_at__isnull=False).name == "Law and Code"
    again = importing.import_suppressions(table, now=LATER)
    assert counts(again) == {"rows": 3, "known": 2}


def test_columns_of_a_suppression_list_say_kind_and_reason():
    text = (
        b"email,domain,reason,date\na@example.com,,Spam complaint,2026-01-02\n,example.org,,\n"
    )
    importing.import_suppressions(tables.read(text, "s.csv"), now=MONDAY)
    found = Suppression.objects.order_by("kind").values_list("kind", "reason", "created_at")
    assert list(found) == [
        ("domain", "imported", MONDAY),
        ("email", "complained", datetime(2026, 1, 2, tzinfo=UTC)),
    ]


@pytest.mark.req("LAW-6")
def test_a_reason_that_is_none_of_ours_is_kept_in_its_words():
    text = (
        "email,reason\na@example.com,Competitor\nb@example.com,Opted out\n"
        "c@example.com,see d@example.com\ne@example.com,\n"
    )
    report = importing.import_suppressions(
        tables.read(text.encode(), "s.csv"), reason="do_not_contact", now=MONDAY
    )
    found = Suppression.objects.order_by("pk").values_list("reason", "source")
    assert list(found) == [
        ("do_not_contact", "Competitor (s.csv)"),
        ("unsubscribed", "s.csv"),
        ("do_not_contact", "see … (s.csv)"),
        ("do_not_contact", "s.csv"),
    ]
    assert [warning.line for warning in report.warnings] == [2, 4]
    assert "“Competitor” is none of ours" in report.warnings[0].reason


# Facts


@pytest.mark.req("F-23")
def test_what_a_column_says_is_a_fact_with_its_source():
    text = "id,name,website,one_liner,description,industry,team_size\n"
    bring(text + "b1,Acme,https://acme.example.com,Boxes,We make boxes,Paper,51-200\n", "buyer")
    facts = Fact.objects.filter(organization__name="Acme", source="listing")
    assert dict(facts.values_list("kind", "value")) == {
        "one_liner": "Boxes",
        "description": "We make boxes",
        "industry": "Paper",
        "employees": "51-200",
    }
    assert facts.first().source_url == "https://acme.example.com"
    assert Organization.objects.get().employees == 51


def test_a_value_that_comes_back_is_the_newest_again():
    for text, hours in (("A", 0), ("B", 1), ("A", 2)):
        bring(shows(show(1, text=text)), now=MONDAY + timedelta(hours=hours))
    facts = Fact.objects.filter(kind="description").order_by("-observed_at")
    assert [fact.value for fact in facts] == ["A", "B"]


# Roles


def role(**cells):
    cells = {"id": "r1", "title": "Intern", "company": "Acme"} | cells
    bring(f"{','.join(cells)}\n{','.join(cells.values())}\n", "role")
    return Lead.objects.get()


@pytest.mark.parametrize(
    ("terms", "starts_on", "ends_on"),
    [
        ("Summer 2026 | Fall 2026", date(2026, 9, 1), date(2026, 12, 31)),  # it is 1 June
        ("Fall 2026 | Winter 2027", date(2026, 9, 1), date(2026, 12, 31)),
        ("Winter 2027", date(2027, 1, 1), date(2027, 4, 30)),
        ("Spring 2025 | Summer 2025", date(2025, 6, 1), date(2025, 8, 31)),
        ("", None, None),
    ],
)
def test_a_role_begins_with_its_first_term_that_has_not_begun(terms, starts_on, ends_on):
    lead = role(terms=terms)
    assert (lead.starts_on, lead.ends_on) == (starts_on, ends_on)


@pytest.mark.parametrize(
    ("said", "sponsors"),
    {
        "Offers Sponsorship": "yes",
        "Does Not Offer Sponsorship": "no",
        "U.S. Citizenship is Required": "no",
        "Other": "unknown",
        "": "unknown",
        "yes": "yes",
    }.items(),
)
def test_sponsorship_is_yes_no_or_unknown(said, sponsors):
    assert role(sponsorship=said).visa_sponsorship == sponsors


def test_a_withdrawn_role_is_closed_and_opens_again_only_by_its_own_source():
    lead = role(is_visible="false", date_updated="2026-05-20")
    assert lead.closed_at == datetime(2026, 5, 20, tzinfo=UTC)
    assert role(is_visible="true").closed_at is None
    Lead.objects.update(closed_at=MONDAY)  # by a person
    assert role(is_visible="true").closed_at == MONDAY


@pytest.mark.parametrize(
    ("location", "country", "zone", "remote"),
    [
        ("Chicago, IL", "US", "America/Chicago", False),
        ("SF | San Jose, CA", "US", "America/Los_Angeles", False),
        ("NYC | SF", "US", "", False),
        ("Remote in USA", "US", "", True),
        ("Toronto, ON, Canada", "CA", "America/Toronto", False),
        ("London, UK", "GB", "Europe/London", False),
        ("London, ON", "CA", "", False),
        ("Multiple Locations", "", "", False),
        ("Berlin, Germany; Remote", "DE", "Europe/Berlin", True),
        ("Tbilisi, Georgia", "", "", False),
    ],
)
def test_country_and_zone_are_set_only_where_the_place_leaves_no_doubt(
    location, country, zone, remote
):
    lead = role(location=f'"{location}"')
    assert (lead.country, lead.time_zone, lead.is_remote) == (country, zone, remote)


def test_a_job_board_is_not_the_domain_of_the_company():
    assert role(company_url="https://simplify.jobs/c/Acme").organization.domain == ""


# Bad rows


@pytest.mark.req("SEC-28")
def test_a_bad_row_is_reported_by_its_line_and_leaves_the_others_alone():
    rows = [
        show(1),
        ["p2", "", "", "", "", ""],
        show(3, title="C", site="", email="x"),
        show(4, title="D", site=""),
    ]
    report = bring(shows(*rows))
    assert [problem.line for problem in report.problems] == [3, 4]
    assert Lead.objects.count() == 2


@pytest.mark.req("SEC-28")
def test_a_row_the_database_refuses_leaves_the_others_alone(monkeypatch):
    upsert = leads.upsert

    def refusing(found, **options):
        done = upsert(found, **options)
        if any(each.values["name"] == "Bad" for each in found):
            raise IntegrityError("no such thing\nDETAIL: secret@example.com")
        return done

    monkeypatch.setattr(leads, "upsert", refusing)
    report = bring(shows(show(1), show(2, title="Bad"), show(3, title="Good", site="")))
    assert [tuple(problem) for problem in report.problems] == [
        (3, "the database refused it: no such thing")
    ]
    assert set(Lead.objects.values_list("name", flat=True)) == {"Law and Code", "Good"}
    assert not LeadIdentity.objects.filter(platform_id="p2").exists()


def test_a_site_that_is_none_is_left_out_with_a_warning():
    rows = [
        show(n, site=site)
        for n, site in enumerate(["javascript:alert(1)", "http://127.0.0.1/"])
    ]
    report = bring(shows(*rows))
    assert [warning.line for warning in report.warnings] == [2, 3]
    assert set(Lead.objects.values_list("website", flat=True)) == {""}


@pytest.mark.req("SEC-21")
def test_hostile_text_is_stored_as_text():
    title = "=cmd|' /C calc'!A0 <script>\u202ealert(1)</script>\x00"
    bring(shows(show(1, title=title)))
    assert Lead.objects.get().name == "=cmd|' /C calc'!A0 <script>alert(1)</script>"


# Dry run, command


@pytest.mark.req("F-16")
def test_a_dry_run_tells_the_same_and_changes_nothing():
    bring(shows(show(1)))
    before = digests.of_tables()
    text = shows(show(1, text="New"), show(2, title="Other", site="", email="ada@example.com"))
    told = bring(text, dry_run=True)
    assert digests.of_tables() == before
    assert told.as_dict() == bring(text).as_dict()


def test_the_number_of_queries_does_not_grow_with_the_rows():
    def queries(first, last):
        rows = [
            show(n, title=f"Show {n}", email=f"p{n}@example.com") for n in range(first, last)
        ]
        with CaptureQueriesContext(connection) as captured:
            bring(shows(*rows))
        return len(captured)

    assert queries(1, 3) == queries(10, 400)
    assert queries(1, 3) == queries(10, 400)  # found again


def test_the_command_says_what_is_wrong_and_changes_nothing(tmp_path):
    path = tmp_path / "f.csv"
    path.write_text(shows(show(1)))
    before = digests.of_tables()
    for options, sentence in (
        ({"kind": "planet"}, "no kind .planet."),
        ({"kind": "role", "map": ["x=id"]}, "no field .x."),
        ({"kind": "podcast", "map": ["email=nope"]}, "no column .nope."),
        ({"kind": "podcast", "map": ["name="]}, "has no column for name"),
        ({"kind": "podcast", "campaign": "none"}, "no campaign .none."),
        ({"kind": "podcast", "now": "yesterday"}, "is not a date"),
    ):
        with pytest.raises(CommandError, match=sentence) as caught:
            call_command("import_leads", str(path), **options)
        assert caught.value.returncode == 2
    with pytest.raises(CommandError, match="no file"):
        call_command("import_leads", str(tmp_path / "none.csv"), kind="podcast")
    assert digests.of_tables() == before


def test_leads_are_for_a_campaign_of_their_kind(tmp_path, capsys):
    path = tmp_path / "f.csv"
    path.write_text(shows(show(1)))
    campaign = CampaignFactory(preset="podcast")
    call_command("import_leads", str(path), kind="podcast", campaign=campaign.slug)
    assert f"match_campaign {campaign.slug}" in capsys.readouterr().out
    with pytest.raises(CommandError, match="of the kind podcast, not role"):
        call_command("import_leads", str(path), kind="role", campaign=campaign.slug)


def test_a_file_of_which_nothing_can_be_used_ends_with_1(tmp_path):
    path = tmp_path / "f.csv"
    path.write_text(shows(["p1", "", "", "", "", ""]))
    with pytest.raises(SystemExit) as caught:
        call_command("import_leads", str(path), kind="podcast", json=True)
    assert caught.value.code == 1


def test_another_time_is_for_rehearsals_only(tmp_path, settings):
    path = tmp_path / "f.csv"
    path.write_text(shows(show(1)))
    call_command("import_leads", str(path), kind="podcast", now="2025-01-13T15:00:00+00:00")
    assert Lead.objects.get().first_seen_at == datetime(2025, 1, 13, 15, tzinfo=UTC)
    settings.SEND_MODE = "live"
    with pytest.raises(CommandError, match="for rehearsals"):
        call_command("import_leads", str(path), kind="podcast", now="2025-01-13")


# Real files

REAL = {
    "podcasts/podcasts_2000.csv": ("podcast", {"rows": 2000, "created": 1998, "duplicate": 2}),
    "podcasts/developer_podcasts.csv": (
        "podcast",
        {"rows": 202, "created": 201, "duplicate": 1},
    ),
    "roles/roles_1096.csv": ("role", {"rows": 1096, "created": 1096}),
    "companies/companies.csv": ("buyer", {"rows": 1881, "created": 1855, "duplicate": 26}),
}


@pytest.mark.parametrize(("file", "kind", "expected"), [(f, *rest) for f, rest in REAL.items()])
def test_a_real_file_comes_in_whole_and_a_second_time_changes_nothing(
    real_data, file, kind, expected
):
    path = real_data / file
    job = Job.of(kind, path.name, now=MONDAY)
    report = importing.carry_out_file(path.read_bytes(), path.name, job)
    assert counts(report) == expected
    assert report.problems == []
    before = everything()
    later = Job.of(kind, path.name, now=LATER)
    again = importing.carry_out_file(path.read_bytes(), path.name, later)
    assert again.counts["created"] == again.counts["updated"] == 0
    assert everything() == before
    assert Lead.objects.filter(last_seen_at=LATER).count() == Lead.objects.count()


def test_companies_known_to_be_one_or_two_are_told_apart_as_far_as_name_and_domain_do(
    real_data,
):
    """Where name and domain agree they are one; where one of them differs they stay two."""
    companies = real_data / "companies" / "companies.csv"
    job = Job.of("buyer", companies.name, now=MONDAY)
    importing.carry_out_file(companies.read_bytes(), companies.name, job)
    rows = LeadIdentity.objects.filter(platform="companies").values_list("platform_id", "lead")
    lead_of = dict(rows)
    pairs = tables.read(
        (real_data / "companies" / "duplicate_pairs.csv").read_bytes(), "pairs.csv"
    )
    at = {column: place for place, column in enumerate(pairs.columns)}
    merged = same = right = 0
    for row in pairs.rows:
        pair = [lead_of.get(row.cells[at[name]]) for name in ("id_a", "id_b")]
        is_same = row.cells[at["label"]] == "1"
        same += is_same
        merged += pair[0] == pair[1]
        right += is_same and pair[0] == pair[1]
    assert right == merged  # never two that are different
    assert right >= 0.6 * same
