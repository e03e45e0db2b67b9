"""Plans on paper: what was asked for is kept with them, and they say what the plan said."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command

from campaigns.models import Campaign
from pitches import outreach, plan_files
from pitches.decisions import Decision, Reason, Verdict
from pitches.models import Message, Pitch
from prospects.models import Contact
from tests.clock import MONDAY
from tests.factories import (
    BlackoutFactory,
    EmailLimitFactory,
    LeadFactory,
    OrganizationFactory,
    SenderFactory,
)

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
OUTREACH, FOLLOW_UP = "run_outreach_automation", "run_follow_up_workflow"


def run(name: str, *options: str, now=MONDAY) -> None:
    call_command(name, *options, "--now", now.isoformat())


def second_campaign(desk) -> Campaign:
    other = Campaign.objects.get(pk=desk.campaign.pk)
    other.pk, other.slug = None, "second"
    other.save()
    desk.sender.sender_campaigns.create(campaign=other, is_default=True)
    return other


# -- the file --------------------------------------------------------------------------------


def test_what_is_read_is_what_was_written(desk, tmp_path):
    desk.match()
    desk.run()
    desk.match()
    desk.match(LeadFactory())
    plan = outreach.plan(now=MONDAY, campaign=desk.campaign)
    plan_files.write(plan, tmp_path / "plan.json")
    stored = plan_files.read(tmp_path / "plan.json")
    assert [row.printed() for row in stored.decisions] == [
        row.printed() for row in plan.decisions
    ]
    assert [row.ids for row in stored.decisions] == [row.ids for row in plan.decisions]
    assert replace(stored, decisions=[]) == replace(plan, decisions=[])


def test_a_time_in_a_sentence_reads_the_same_from_paper(desk, tmp_path):
    row = Decision("message:x", "message", Verdict.HOLD, Reason.NOT_DUE, {"due": MONDAY})
    plan = replace(outreach.plan_follow_ups(now=MONDAY), decisions=[row])
    plan_files.write(plan, tmp_path / "plan.json")
    (stored,) = plan_files.read(tmp_path / "plan.json").decisions
    assert stored.sentence == row.sentence == "Due 2026-06-01 09:00 UTC."


def test_a_plan_that_moves_on_from_many_pitches_is_whole_when_it_is_read(desk, tmp_path):
    """Ids of different length sort differently as numbers and as words."""
    plan = replace(outreach.plan_follow_ups(now=MONDAY), moves={9: "Nine", 10: "Ten", 100: "C"})
    plan_files.write(plan, tmp_path / "plan.json")
    assert plan_files.read(tmp_path / "plan.json").moves == plan.moves


@pytest.mark.parametrize(
    "content",
    [
        {"format": 1},
        {"format": 1, "signature": None},
        {"format": 1, "signature": "\ud800"},
        {"format": 1, "signature": ["a"]},
        {"format": 2},
    ],
    ids=str,
)
def test_a_file_without_a_true_signature_is_refused_with_a_sentence(tmp_path, content):
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(content))
    with pytest.raises(plan_files.PlanFileError, match=r"edited|version"):
        plan_files.read(path)


def test_a_plan_of_another_send_mode_is_refused(desk, tmp_path, settings):
    plan_files.write(outreach.plan(now=MONDAY), tmp_path / "plan.json")
    settings.SEND_MODE = "live"
    with pytest.raises(plan_files.PlanFileError, match="in send mode capture; it is live now"):
        plan_files.read(tmp_path / "plan.json")


@pytest.mark.parametrize("name", ["", "missing/plan.json"])
def test_a_place_that_cannot_be_written_or_read_is_told(desk, tmp_path, name):
    with pytest.raises(plan_files.PlanFileError, match="cannot be written"):
        plan_files.write(outreach.plan(now=MONDAY), tmp_path / name)
    with pytest.raises(plan_files.PlanFileError, match="cannot be read"):
        plan_files.read(tmp_path / name)


# -- plan, then apply ------------------------------------------------------------------------


def test_a_plan_of_one_lead_is_carried_out_without_a_word_about_the_others(desk, tmp_path):
    for score in (90, 80, 70):
        desk.match(score=score)
    path = str(tmp_path / "plan.json")
    run(OUTREACH, "--max-roles", "1", "--plan", path)
    run(OUTREACH, "--apply", path)
    assert Pitch.objects.count() == 1


def test_a_plan_of_one_campaign_says_nothing_about_another(desk, tmp_path):
    desk.match()
    other = second_campaign(desk)
    desk.match(campaign=other)
    path = str(tmp_path / "plan.json")
    run(OUTREACH, "--campaign", "second", "--plan", path)
    with pytest.raises(CommandError, match="was not made for the campaign"):
        run(OUTREACH, "--campaign", desk.campaign.slug, "--apply", path)
    run(OUTREACH, "--apply", path)
    assert [pitch.campaign for pitch in Pitch.objects.all()] == [other]


def test_plan_then_apply_leaves_what_a_run_leaves(desk, tmp_path):
    """Drafts, then mail, then follow-ups and moving on, all from paper."""
    desk.match()
    path = str(tmp_path / "plan.json")

    def from_paper(name, now):
        run(name, "--plan", path, now=now)
        run(name, "--apply", path, now=now)

    from_paper(OUTREACH, MONDAY)
    desk.approve_all()
    from_paper(OUTREACH, MONDAY)
    pitch = Pitch.objects.get()
    assert pitch.messages.get(number=0).status == Message.Status.SENT
    for hours in (48, 96, 144, 192):
        from_paper(FOLLOW_UP, MONDAY + hours * HOUR)
    pitch.refresh_from_db()
    assert pitch.status == Pitch.Status.MOVED
    assert set(pitch.messages.values_list("status", flat=True)) == {"sent"}


@pytest.mark.req("S003-051")
def test_at_most_so_many_leads_are_written_to_and_held_ones_do_not_count(desk):
    for _ in range(3):
        desk.match()
    desk.run()
    desk.approve_all()
    first = Message.objects.filter(number=0).order_by("approved_at", "pk").first()
    Contact.objects.filter(pk=first.pitch.address.contact_id).update(name="Held Hannah")
    first.pitch.address.verification = "invalid"
    first.pitch.address.save()
    rows = outreach.plan(now=MONDAY, most=1).decisions
    assert [row.verdict for row in rows] == ["hold", "send"]
    assert desk.run(most=1).sending.sent == 1
    desk.run()
    due = MONDAY + 48 * HOUR
    follow_ups = outreach.plan_follow_ups(now=due, most=1).decisions
    assert [row.verdict for row in follow_ups] == ["send"]


# -- every reason has its sentence -----------------------------------------------------------


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_sentence_with_names_in_it_that_people_read(reason):
    decision = Decision("k", "message", Verdict.HOLD, reason, {})
    assert decision.sentence.endswith(".")
    assert decision.sentence[0].isupper() or decision.sentence.startswith("(")
    assert "{" not in decision.sentence
    assert reason.value == reason.name.lower()


def test_no_sentence_of_a_varied_desk_leaves_a_number_open(desk):
    """As many reasons as a small desk can have, and each sentence complete."""
    desk.match(urgent=True, candidate=desk.candidate(visa="yes"))
    organization = OrganizationFactory()
    desk.match(desk.lead(organization=organization))
    desk.match(LeadFactory(organization=organization))
    desk.match(LeadFactory())
    desk.match(candidate=desk.candidate(status="paused"))
    shut = desk.match()
    shut.lead.organization.do_not_contact = True
    shut.lead.organization.save()
    later = desk.match()
    later.lead.organization.follow_up_date = (MONDAY + timedelta(days=5)).date()
    later.lead.organization.save()
    paused = SenderFactory(status="paused", status_reason="complaints")
    desk.match(candidate=desk.candidate(responsible=paused.user))
    rows = outreach.plan(now=MONDAY).decisions
    desk.run()
    rows += outreach.plan(now=MONDAY).decisions
    desk.approve_all()
    rows += outreach.plan(now=MONDAY).decisions
    for scope in ("sender", "campaign", "all"):
        limit = EmailLimitFactory(scope=scope, organization=None, counts="all", maximum=0)
        rows += outreach.plan(now=MONDAY).decisions
        limit.delete()
    blackout = BlackoutFactory(
        campaign=desk.campaign,
        reason="moving house",
        ends_on=(MONDAY + timedelta(days=9)).date(),
    )
    rows += outreach.plan(now=MONDAY).decisions
    blackout.delete()
    Campaign.objects.update(window_days=[4])
    rows += outreach.plan(now=MONDAY).decisions
    Campaign.objects.update(status="paused")
    rows += outreach.plan(now=MONDAY, campaign=Campaign.objects.get()).decisions
    reasons = {row.reason for row in rows}
    assert len(reasons) >= 12, reasons
    open_numbers = [row.sentence for row in rows if "unknown)" in row.sentence]
    assert open_numbers == []
    assert [row.sentence for row in rows if not row.sentence.strip()] == []
