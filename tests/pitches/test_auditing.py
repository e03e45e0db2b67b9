"""The audit finds what it must find: each invariant is broken on purpose, and named."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from config.db import database_now
from pitches import auditing, journal, settling, stopping
from pitches.models import EmailLimit, Message, Stop
from tests.clock import MONDAY
from tests.factories import EmailLimitFactory

pytestmark = pytest.mark.django_db
SINCE = MONDAY - timedelta(days=1)


def broken() -> set[str]:
    found = auditing.audit(since=SINCE)
    return {name for name, times in found.counts.items() if times}


def test_a_whole_run_keeps_every_promise(desk):
    for _ in range(3):
        desk.sent_pitch()
    desk.follow_up(MONDAY + timedelta(hours=48))
    found = auditing.audit(since=SINCE)
    assert (found.messages, found.violations) == (6, [])
    assert found.journal_lines == 12


@pytest.mark.req("REL-4")
def test_what_was_accepted_twice_is_found(desk):
    message = desk.sent_pitch().messages.get(number=0)
    settling.note_reply(message, journal.ACCEPTED, 250, now=MONDAY)
    assert broken() == {"I1"}


@pytest.mark.req("REL-5")
def test_what_is_stuck_in_hand_is_found_a_minute_after_its_lease(desk):
    message = desk.sent_pitch().messages.get(number=0)
    rows = Message.objects.filter(pk=message.pk)
    lease = {"status": "handing", "lease_owner": "0" * 32}
    rows.update(leased_until=timezone.now() - timedelta(seconds=30), **lease)
    assert broken() == set()
    rows.update(leased_until=timezone.now() - timedelta(seconds=90))
    assert broken() == {"I2"}


def test_what_was_accepted_and_is_called_canceled_is_found(desk):
    message = desk.sent_pitch().messages.get(number=0)
    Message.objects.filter(pk=message.pk).update(status="canceled", counted_at=None)
    assert broken() == {"I3"}


@pytest.mark.req("REL-13")
def test_a_limit_that_was_exceeded_is_found_once_per_target(desk):
    EmailLimit.objects.all().delete()
    EmailLimitFactory(
        scope="campaign", campaign=desk.campaign, organization=None, maximum=3, counts="all"
    )
    for _ in range(3):
        desk.sent_pitch()
    assert broken() == set()
    EmailLimit.objects.update(maximum=2)
    (found,) = auditing.audit(since=SINCE).violations
    assert found.invariant == "I4"
    assert found.sentence.startswith("3 in 168 h")


def test_a_mailbox_over_the_cap_of_its_day_on_the_ramp_is_found(desk):
    type(desk.sender).objects.update(ramp_began_on=MONDAY.date(), ramp_start=2, ramp_step=5)
    for _ in range(2):
        desk.sent_pitch()
    messages = Message.objects.filter(number=0)
    assert broken() == set()
    type(desk.sender).objects.update(ramp_start=1)
    assert broken() == {"I4"}
    messages.update(counted_at=MONDAY + timedelta(days=1))
    assert broken() == set()


@pytest.mark.req("REL-16")
@pytest.mark.parametrize("scope", Stop.Scope.values)
def test_what_was_handed_over_after_a_stop_is_found(desk, scope):
    pitch = desk.sent_pitch()
    target = {
        "person": {"contact": pitch.address.contact},
        "organization": {"organization": pitch.lead.organization},
        "campaign": {"campaign": pitch.campaign},
        "client": {"client": pitch.campaign.client},
        "mailbox": {"sender": pitch.sender},
        "everything": {},
    }
    stopping.stop(scope=scope, reason="for the test", **target[scope])
    assert broken() == set()
    later = database_now() + timedelta(seconds=1)
    Message.objects.filter(pitch=pitch, number=0).update(handed_at=later)
    assert broken() == {"I5"}
    Stop.objects.update(lifted_at=database_now())
    assert broken() == set()


def test_a_stop_of_another_client_does_not_count(desk):
    pitch = desk.sent_pitch()
    other = desk.campaign.client.__class__.objects.create(
        name="Other", slug="other", kind=desk.campaign.client.kind
    )
    stopping.stop(
        scope="person", kind="reply", contact=pitch.address.contact, client=other, reason="x"
    )
    later = database_now() + timedelta(seconds=1)
    Message.objects.filter(pitch=pitch, number=0).update(handed_at=later)
    assert broken() == set()


@pytest.mark.req("REL-26")
def test_words_that_are_not_those_that_went_out_are_found(desk):
    message = desk.sent_pitch().messages.get(number=0)
    Message.objects.filter(pk=message.pk).update(body="Something else.")
    assert broken() == {"I6"}


def test_the_command_says_what_it_looked_at_and_fails_on_a_violation(desk, capsys):
    message = desk.sent_pitch().messages.get(number=0)
    call_command("audit_sends", since="2026-05-30", json=True)
    found = json.loads(capsys.readouterr().out)
    assert (found["messages"], found["violations"]) == (1, [])
    settling.note_reply(message, journal.ACCEPTED, 250, now=MONDAY)
    with pytest.raises(CommandError) as e:
        call_command("audit_sends", since="2026-05-30")
    assert e.value.returncode == 1
    assert "I1" in capsys.readouterr().out


def test_a_journal_that_cannot_be_read_is_told(desk, settings):
    settings.JOURNAL_DIR.mkdir(parents=True, exist_ok=True)
    (settings.JOURNAL_DIR / "2026-06.jsonl").write_bytes(b"not json\n")
    with pytest.raises(CommandError) as e:
        call_command("audit_sends")
    assert e.value.returncode == 2
