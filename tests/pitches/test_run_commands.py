"""The two run commands as a person or cron meets them: what they print, keep and answer."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from campaigns.models import Candidate
from config.models import Installation
from pitches.channels import ChannelError
from pitches.channels.capture import CaptureChannel
from pitches.models import Message, Pitch
from tests import digests
from tests.clock import MONDAY
from tests.factories import LeadFactory, OrganizationFactory

pytestmark = pytest.mark.django_db
OUTREACH, FOLLOW_UP = "run_outreach_automation", "run_follow_up_workflow"
NOW = MONDAY.isoformat()


def run(name: str = OUTREACH, *arguments, now: str = NOW) -> str:
    out = StringIO()
    call_command(name, *arguments, "--now", now, stdout=out)
    return out.getvalue()


def refused(name: str = OUTREACH, *arguments, now: str = NOW) -> tuple[int, str]:
    """The exit code of a run that ends badly, with its sentence."""
    with pytest.raises(CommandError) as e:
        run(name, *arguments, now=now)
    return e.value.returncode, str(e.value)


@pytest.fixture
def three(desk):
    """Two leads that can be pitched, one of them urgent, and one with nobody to write to."""
    desk.match(desk.lead(name="Role A"), desk.candidate(name="Cora Ames"), score=71)
    desk.match(desk.lead(name="Role B"), desk.candidate(name="Ben Ode"), score=64, urgent=True)
    desk.match(LeadFactory(name="Role C"), desk.candidate(name="Lia Moss"))
    desk.campaign.candidates.set(Candidate.objects.all())
    return desk


# Dry


@pytest.mark.req("S003-048", "S003-049", "S003-052", "F-16")
@pytest.mark.parametrize("name", [OUTREACH, FOLLOW_UP])
@pytest.mark.parametrize("options", [[], ["--verbose"], ["--json"]], ids=str)
def test_a_dry_run_changes_no_row_and_tells_the_totals(three, name, options):
    before = digests.of_tables()
    told = run(name, "--dry-run", *options)
    assert digests.of_tables() == before
    assert "3" in told if "--json" in options else "3 leads / 3 candidates" in told


@pytest.mark.req("S003-050", "S003-012")
def test_verbose_names_lead_candidates_scores_urgency_and_reason(three):
    first, second, third = run(OUTREACH, "--dry-run", "--verbose").splitlines()[1:4]
    assert "URGENT" in first
    assert "Role B" in first
    assert "Ben Ode (64.00)" in first
    assert "URGENT" not in second
    assert "Cora Ames (71.00)" in second
    assert third.startswith("hold")
    assert "No contact with an e-mail address is known" in third


def test_json_is_one_object_in_the_agreed_form(three):
    told = json.loads(run(OUTREACH, "--dry-run", "--json"))
    assert set(told) == {"totals", "decisions"}
    assert told["totals"]["pitch"] == 2
    assert told["totals"]["hold"] == 1
    held = next(row for row in told["decisions"] if row["verdict"] == "hold")
    assert (held["reason"], held["subject"], held["send_at"]) == (
        "no_company_contacts",
        None,
        None,
    )


@pytest.mark.req("S003-051")
def test_a_run_ends_after_as_many_roles_as_were_asked_for(three):
    run(OUTREACH, "--max-roles", "1")
    assert [pitch.lead.name for pitch in Pitch.objects.all()] == ["Role B"]


# Real


@pytest.mark.req("S003-048", "F-16")
def test_the_run_does_what_the_dry_run_said(three):
    said = json.loads(run(OUTREACH, "--dry-run", "--json"))
    told = json.loads(run(OUTREACH, "--json"))
    assert told["decisions"] == said["decisions"]
    wanted = [row["key"] for row in said["decisions"] if row["verdict"] == "pitch"]
    assert told["done"]["pitched"] == wanted
    assert Pitch.objects.count() == 2


@pytest.mark.req("S003-053")
def test_a_repeated_run_does_nothing(three):
    run()
    three.approve_all()
    assert "2 queued, 2 sent" in run()
    later = (MONDAY + timedelta(hours=48)).isoformat()
    assert "2 sent" in run(FOLLOW_UP, now=later)
    before = Message.objects.filter(status="sent").count()
    assert "0 drafted, 0 queued, 0 sent" in run(now=later)
    assert "0 drafted, 0 queued, 0 sent" in run(FOLLOW_UP, now=later)
    assert Message.objects.filter(status="sent").count() == before


@pytest.mark.req("S003-054")
def test_a_run_in_which_something_failed_says_so_in_its_exit_status(three, monkeypatch):
    def refuse(self, letter, *, now):
        raise ChannelError("550 no", permanent=True, code=550)

    run()
    three.approve_all()
    monkeypatch.setattr(CaptureChannel, "hand_over", refuse)
    code, sentence = refused()
    assert code == 1
    assert sentence == "2 messages failed or their fate is unknown."


# Asked for what cannot be


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--campaign", "nowhere"], "There is no campaign “nowhere”. There are: campaign-"),
        (["--dry-run", "--plan", "x"], "exclude each other"),
        (["--max-roles", "0"], "--max-roles"),
        (["--max-roles", "many"], "--max-roles"),
        (["--apply", "nothing.json"], "cannot be read"),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_said_and_ends_with_two(three, arguments, sentence):
    before = digests.of_tables()
    code, said = refused(OUTREACH, *arguments)
    assert sentence in said
    assert code in (1, 2)
    assert digests.of_tables() == before


def test_another_time_is_for_rehearsals_only(three, settings):
    settings.SEND_MODE = "live"
    assert refused() == (2, "--now is for rehearsals: it needs SEND_MODE=capture.")


# A plan on paper


@pytest.fixture
def paper(three, tmp_path):
    """A stored plan over two pitches."""
    path = tmp_path / "plan.json"
    before = digests.of_tables()
    run(OUTREACH, "--plan", str(path))
    after = digests.of_tables()
    # only the name of this database may have been written down, for the plan to carry it
    assert {t for t in before if before[t] != after[t]} <= {"config_installation"}
    return path


def test_a_stored_plan_is_carried_out_as_it_stands(paper):
    run(OUTREACH, "--apply", str(paper))
    assert Pitch.objects.count() == 2


def test_a_plan_that_was_carried_out_does_nothing_the_second_time(paper):
    run(OUTREACH, "--apply", str(paper))
    code, sentence = refused(OUTREACH, "--apply", str(paper))
    assert (code, sentence) == (3, "2 planned rows had changed.")
    assert Pitch.objects.count() == 2


def test_what_changed_is_left_alone_and_told_with_its_cause(paper):
    Candidate.objects.filter(name="Ben Ode").update(status="paused")
    out = StringIO()
    with pytest.raises(CommandError) as e:
        call_command(OUTREACH, "--apply", str(paper), "--now", NOW, stdout=out)
    assert e.value.returncode == 3
    assert "ben ode is paused" in out.getvalue().lower()
    assert [pitch.lead.name for pitch in Pitch.objects.all()] == ["Role A"]


def test_what_came_up_later_is_no_part_of_the_plan(paper, three):
    three.match(three.lead(name="Role D"))
    code, _ = refused(OUTREACH, "--apply", str(paper))
    assert code == 3
    assert {pitch.lead.name for pitch in Pitch.objects.all()} == {"Role A", "Role B"}


def edited(path, old: str, new: str):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_an_edited_plan_is_refused(paper):
    edited(paper, "Role A", "Role Z")
    code, sentence = refused(OUTREACH, "--apply", str(paper))
    assert code == 2
    assert "was edited after it was written" in sentence
    assert not Pitch.objects.exists()


def test_a_plan_of_another_database_is_refused(paper):
    Installation.objects.all().delete()
    code, sentence = refused(OUTREACH, "--apply", str(paper))
    assert code == 2
    assert "another database" in sentence


def test_a_plan_of_the_other_command_is_refused(paper):
    code, sentence = refused(FOLLOW_UP, "--apply", str(paper))
    assert code == 2
    assert "a plan of another command" in sentence


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", "[" * 100_000], ids=repr)
def test_a_file_that_is_no_plan_is_refused(paper, text):
    paper.write_text(text)
    code, sentence = refused(OUTREACH, "--apply", str(paper))
    assert code == 2
    assert "plan" in sentence
    assert not Pitch.objects.exists()


def test_a_plan_with_two_leads_of_a_company_says_when_the_second_may_come(desk):
    organization = OrganizationFactory()
    desk.match(desk.lead(organization=organization), score=80)
    desk.match(LeadFactory(organization=organization), score=60)
    rows = json.loads(run(OUTREACH, "--dry-run", "--json"))["decisions"]
    assert [row["verdict"] for row in rows] == ["pitch", "hold"]
    assert rows[1]["reason"] == "organization_limit"
    assert rows[1]["not_before"] > NOW
