"""What was written before counts like any other mail."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from config import tables
from pitches import history
from pitches.history import matches
from pitches.models import Match, Message, Pitch, ReviewTask, Sender
from pitches.models.sender import SendMode
from prospects import suppressions
from prospects.models import Lead, Organization, Suppression
from tests import digests
from tests.clock import MONDAY
from tests.factories import (
    CampaignFactory,
    CandidateFactory,
    ContactAddressFactory,
    LeadFactory,
    MatchFactory,
    SenderCampaignFactory,
    reachable_lead,
)

pytestmark = pytest.mark.django_db
HEADER = "to,role,company,candidate,from,date,step,subject,response\n"


@pytest.fixture
def campaign():
    return CampaignFactory(preset="placement")


def bring(text, campaign, *, now=MONDAY, **options):
    table = tables.read(text.encode(), "past.csv")
    return history.import_history(table, campaign, now=now, **options)


def counts(report):
    return {name: number for name, number in report.counts.items() if number}


def row(
    to="kim@acme.example.com", role="Intern", candidate="", day="2026-05-04", step="", say=""
):
    return f"{to},{role},Acme,{candidate},ana@example.com,{day},{step},Hello,{say}\n"


def test_a_row_is_a_sent_message_of_an_imported_pitch(campaign):
    report = bring(HEADER + row(), campaign)
    assert counts(report) == {"rows": 1, "created": 1}
    message = Message.objects.select_related("pitch").get()
    day = datetime(2026, 5, 4, 23, 59, 59, tzinfo=UTC)
    assert (message.status, message.send_mode, message.receipt) == ("sent", "live", "imported")
    assert message.counted_at == message.sent_at == day
    assert message.number == 0
    pitch = message.pitch
    assert (pitch.status, pitch.is_imported, pitch.send_mode) == ("completed", True, "live")
    assert pitch.address.canonical == "kim@acme.example.com"
    assert pitch.lead.organization == Organization.objects.get(name="Acme")


def test_it_counts_in_limits_of_every_mode(campaign):
    bring(HEADER + row(day="2026-05-31"), campaign)
    week = MONDAY - timedelta(days=7)
    for mode in SendMode:
        counted = Message.objects.counted(since=week, mode=mode).initial()
        assert counted.filter(pitch__lead__organization__name="Acme").count() == 1


@pytest.mark.req("S003-004", "S003-005")
def test_nobody_is_pitched_again_to_a_lead_of_the_past(campaign):
    candidate = CandidateFactory(client=campaign.client, reference="c1")
    bring(HEADER + row(candidate="c1"), campaign)
    match = Match.objects.get()
    assert (match.candidate, match.status, match.pitch.is_imported) == (
        candidate,
        "closed",
        True,
    )
    again = {"candidate": candidate, "lead": match.lead, "pitch": match.pitch}
    elsewhere = CampaignFactory(client=campaign.client)
    with pytest.raises(IntegrityError, match="pitched_to_lead_once"), transaction.atomic():
        MatchFactory(campaign=elsewhere, **again)


def test_a_match_that_waits_is_closed_with_its_task(campaign):
    lead = reachable_lead(name="Intern")
    candidate = CandidateFactory(client=campaign.client)
    waiting = MatchFactory(
        campaign=campaign, lead=lead, candidate=candidate, status="to_review"
    )
    task = ReviewTask.objects.create(kind="match", match=waiting, campaign=campaign)
    to = lead.contacts.get().addresses.get().value
    bring(HEADER + row(to=to, candidate=candidate.reference), campaign)
    waiting.refresh_from_db()
    task.refresh_from_db()
    assert (waiting.status, waiting.pitch.is_imported) == ("closed", True)
    assert task.status == ReviewTask.Status.CANCELED
    assert Match.objects.count() == 1


@pytest.mark.req("SEC-28")
def test_what_the_database_refuses_of_one_person_leaves_the_others_alone(campaign, monkeypatch):
    record = matches.record

    def refusing(past, told, pitches):
        record(past, told, pitches)
        if any(each.email.startswith("bad@") for each in told):
            raise IntegrityError("no such thing\nDETAIL: secret@example.com")

    monkeypatch.setattr(matches, "record", refusing)
    CandidateFactory(client=campaign.client, reference="c1")
    bad = row(to="bad@acme.example.com", candidate="c1", say="unsubscribe")
    report = bring(HEADER + row(candidate="c1") + bad, campaign)
    assert counts(report) == {"rows": 2, "created": 1, "matches": 1}
    assert report.problems == [(3, "the database refused it: no such thing")]
    assert report.notes == ["New senders, paused: ana@example.com."]
    assert [message.to_address for message in Message.objects.all()] == ["kim@acme.example.com"]
    assert not Suppression.objects.exists()


def test_several_candidates_of_one_mail_are_one_message(campaign):
    for reference in ("c1", "c2"):
        CandidateFactory(client=campaign.client, reference=reference)
    report = bring(HEADER + row(candidate="c1") + row(candidate="C2"), campaign)
    assert counts(report) == {"rows": 2, "created": 1, "unchanged": 1, "matches": 2}
    assert Pitch.objects.get().matches.count() == 2


def test_a_later_step_belongs_to_the_pitch_before_it(campaign):
    text = (
        HEADER
        + row(step="0")
        + row(step="1", day="2026-05-06")
        + row(step="0", day="2026-05-20")
    )
    bring(text, campaign)
    pitches = Pitch.objects.order_by("round")
    assert [pitch.messages.count() for pitch in pitches] == [2, 1]
    assert [pitch.round for pitch in pitches] == [1, 2]
    bring(HEADER + row(step="1", day="2026-05-22"), campaign)
    assert [pitch.messages.count() for pitch in pitches.all()] == [2, 2]


def test_a_second_time_counts_nothing_twice(campaign):
    CandidateFactory(client=campaign.client, reference="c1")
    text = (
        HEADER
        + row(candidate="c1")
        + row(to="lee@example.org", role="")
        + row(step="1", day="2026-05-06")
    )
    bring(text, campaign)
    before = {t: d for t, d in digests.of_tables().items() if t != "prospects_lead"}
    report = bring(text, campaign, now=MONDAY + timedelta(days=3))
    assert counts(report) == {"rows": 3, "unchanged": 3}
    after = {t: d for t, d in digests.of_tables().items() if t != "prospects_lead"}
    assert after == before


def test_a_candidate_that_comes_later_is_matched_when_the_file_comes_again(campaign):
    report = bring(HEADER + row(candidate="c1"), campaign)
    assert "unknown" in report.warnings[0].reason
    CandidateFactory(client=campaign.client, reference="c1")
    assert counts(bring(HEADER + row(candidate="c1"), campaign))["matches"] == 1
    assert Message.objects.count() == 1


def test_the_lead_is_the_one_the_person_stands_behind(campaign):
    lead = reachable_lead(name="Analyst")
    to = lead.contacts.get().addresses.get().value
    bring(HEADER + row(to=to, role=""), campaign)
    assert Pitch.objects.get().lead == lead
    assert Lead.objects.count() == 1


def test_the_lead_is_the_one_of_this_title_at_this_company(campaign):
    organization = Organization.objects.create(name="ACME Inc.", name_key="acme")
    lead = LeadFactory(name="intern", organization=organization)
    LeadFactory(name="Intern")
    bring(HEADER + row(), campaign)
    assert Pitch.objects.get().lead == lead
    assert lead.contacts.get().addresses.get().value == "kim@acme.example.com"


def test_where_nobody_knows_the_lead_a_closed_one_stands_for_it(campaign):
    bring(HEADER + row(role=""), campaign)
    lead = Lead.objects.get()
    assert lead.name == "Acme"
    assert lead.closed_at is not None


def test_an_unknown_sender_is_kept_paused(campaign):
    report = bring(HEADER + row(), campaign)
    sender = Sender.objects.get()
    assert (sender.address, sender.status, sender.transport) == (
        "ana@example.com",
        "paused",
        "by_hand",
    )
    assert "New senders, paused: ana@example.com." in report.notes


def test_without_a_sender_the_default_of_the_campaign_wrote_it(campaign):
    text = "to,role,date\nkim@acme.example.com,Intern,2026-05-04\n"
    assert "has no sender" in bring(text, campaign).problems[0].reason
    link = SenderCampaignFactory(campaign=campaign, is_default=True)
    bring(text, campaign)
    assert Message.objects.get().sender == link.sender


def test_answers_are_kept_and_who_unsubscribed_has_unsubscribed(campaign):
    text = (
        HEADER
        + row(say="interested")
        + row(to="lee@example.org", role="Analyst", say="Unsubscribed")
    )
    bring(text, campaign)
    kim, lee = Pitch.objects.order_by("address__canonical")
    assert (kim.status, kim.outcome) == ("replied", "interested")
    assert kim.replied_at == kim.first_sent_at
    assert lee.lead.suppressed_at is not None
    assert Suppression.objects.get().reason == "unsubscribed"


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (row(day="2026-06-02"), "lies in the future"),
        (row(day="2027-01-01T10:00:00Z"), "lies in the future"),
        (row(day=""), "there is no date"),
        (row(day="someday"), "is not a date"),
        (row(day="1850-01-01"), "not a date of this age"),
        (row(to="nope"), "is not an e-mail address"),
        (row(step="99"), "more than a sequence has"),
    ],
)
def test_a_row_that_cannot_be_true_is_refused(campaign, wrong, reason):
    report = bring(HEADER + wrong + row(), campaign)
    assert [problem.line for problem in report.problems] == [2]
    assert reason in report.problems[0].reason
    assert Message.objects.count() == 1


def test_today_is_no_future(campaign):
    bring(HEADER + row(day="2026-06-01"), campaign)
    assert Message.objects.get().sent_at == MONDAY


@pytest.mark.req("LAW-6")
def test_of_whoever_was_erased_nothing_is_stored(campaign):
    suppressions.add(
        "email", "kim@acme.example.com", reason="erased", source="test", now=MONDAY
    )
    report = bring(HEADER + row(), campaign)
    assert "erased" in report.problems[0].reason
    assert not Message.objects.exists()


def test_a_message_id_of_the_file_is_kept(campaign):
    text = (
        "to,role,from,date,message id\n"
        "k@example.com,Intern,a@example.com,2026-05-04,<x1@example.com>\n"
    )
    bring(text, campaign)
    assert Message.objects.get().message_id == "x1@example.com"


def test_the_command_needs_a_campaign_that_exists(campaign, tmp_path, capsys):
    path = tmp_path / "past.csv"
    path.write_text(HEADER + row())
    with pytest.raises(CommandError, match=r"no campaign .none.\."):
        call_command("import_history", str(path), campaign="none")
    before = digests.of_tables()
    call_command("import_history", str(path), campaign=campaign.slug, dry_run=True)
    assert digests.of_tables() == before
    assert "1 created" in capsys.readouterr().out


def test_the_number_of_queries_does_not_grow(campaign, django_assert_max_num_queries):
    ContactAddressFactory()
    text = HEADER + "".join(
        row(to=f"p{n}@example.com", role=f"Role {n}", say="interested") for n in range(300)
    )
    with django_assert_max_num_queries(60):
        bring(text, campaign)
    assert Message.objects.count() == 300
