"""A campaign is run over months in seconds by the engine itself, and nothing real changes."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from pitches import simulating
from pitches.models import Match, Message
from pitches.simulating import NotApart, Rates
from tests import digests
from tests.clock import MONDAY

pytestmark = pytest.mark.django_db(transaction=True)

NOBODY = Rates(0, 0, 0, 0)


@pytest.fixture
def ada():
    return User.objects.create_user("ada", "ada@example.com", is_staff=True)


@pytest.fixture
def matched(desk):
    """Twelve leads with an approved match each, one of which cannot be reached."""
    for _ in range(12):
        desk.match()
    silent = desk.leads[-1]
    silent.organization.contacts.all().delete()
    return desk


def files(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def run(desk, *, days=12, rates=None, seed=1):
    return simulating.simulate(
        now=MONDAY, days=days, campaign=desk.campaign, seed=seed, rates=rates
    )


@pytest.mark.req("REL-28")
@pytest.mark.parametrize("mode", ["capture", "live"])
def test_nothing_changes_no_row_and_no_file(matched, settings, mode):
    pitch = matched.sent_pitch()
    settings.SEND_MODE = mode
    before, kept = digests.of_tables(), files(settings.STATE_DIR)
    found = run(matched, days=5, rates=Rates(0.4, 0.2, 0.3, 0.1))
    assert found.totals["sent"] > 0
    assert found.totals["replied"] > 0
    assert (digests.of_tables(), files(settings.STATE_DIR)) == (before, kept)
    assert mode == settings.SEND_MODE
    pitch.refresh_from_db()


def test_no_real_table_can_be_written_while_it_runs(matched, monkeypatch):
    def writes(*args, **kwargs):
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM prospects_fact")

    monkeypatch.setattr("pitches.reaping.reap", writes)
    before = digests.of_tables()
    with pytest.raises(Exception, match="read-only"):
        run(matched, days=1)
    assert digests.of_tables() == before


def test_it_does_not_begin_inside_of_a_transaction(matched):
    with transaction.atomic(), pytest.raises(NotApart):
        run(matched)


def test_where_nobody_answers_everybody_gets_the_whole_sequence(matched):
    found = run(matched, rates=NOBODY)
    steps = matched.campaign.sequence.steps.filter(action="message").count()
    assert found.totals["sent"] == 11 * steps
    assert found.totals["moved on"] == 11
    assert not Message.objects.exists()


def test_nobody_who_answers_at_once_is_followed_up(matched):
    found = run(matched, days=8, rates=Rates(replies=1, bounces=0, absences=0, unsubscribes=0))
    assert found.totals["replied"] >= 11
    # whoever takes longer than two days to answer gets one follow-up, and no more
    assert 11 <= found.totals["sent"] <= 22
    assert {row.fate for row in found.fates} <= {"replied", "not pitched", "Replied"}


def test_every_lead_has_a_fate_and_every_fate_a_reason(matched):
    Match.objects.filter(lead=matched.leads[0]).update(status="declined")
    found = run(matched, days=9, rates=Rates(0.2, 0.1, 0.2, 0.1))
    assert sorted(row.lead for row in found.fates) == sorted(
        lead.name for lead in matched.leads
    )
    assert all(row.reason and "unknown" not in row.reason.lower() for row in found.fates)
    silent = next(row for row in found.fates if row.lead == matched.leads[-1].name)
    assert "No contact" in silent.reason


def test_one_seed_is_one_story_and_another_is_another(matched):
    rates = Rates(0.3, 0.1, 0.2, 0.05)
    one, again, other = (run(matched, days=4, rates=rates, seed=n).as_dict() for n in (1, 1, 2))
    assert one == again
    assert one != other


def test_bounces_end_their_address_and_absences_only_move_it(matched):
    found = run(matched, rates=Rates(replies=0, bounces=0, absences=1, unsubscribes=0), days=40)
    assert found.totals["away"] == found.totals["sent"]
    assert found.totals["moved on"] > 0


def test_the_command_shows_every_day_and_says_that_nothing_was_sent(matched, capsys):
    call_command("simulate", "--days=5", f"--campaign={matched.campaign.slug}")
    out = capsys.readouterr().out
    assert "Nothing was changed and nothing was sent." in out
    assert "sent" in out
    call_command("simulate", "--days=2", "--json")
    assert len(json.loads(capsys.readouterr().out)["fates"]) == 12


@pytest.mark.parametrize("options", [["--days=367"], ["--replies=2"], ["--campaign=none"]])
def test_the_command_refuses_what_it_cannot_do(desk, options):
    with pytest.raises(CommandError) as refused:
        call_command("simulate", *options)
    assert refused.value.returncode == 2


def test_a_day_is_a_day_of_the_run(matched):
    found = run(matched, days=3, rates=NOBODY)
    assert [day.date for day in found.days] == ["2026-06-01", "2026-06-02", "2026-06-03"]
    assert found.began_at + timedelta(days=3) > MONDAY
