"""Between capture and the real thing: everything rehearsed is given back, nothing else."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.urls import reverse

from campaigns import access
from pitches import inbox, outbox, outreach, pitching, rehearsals, stopping
from pitches.channels import capture
from pitches.models import Match, Message, Pitch, RehearsalEnd, Stop
from prospects import suppressions
from prospects.models import Suppression
from tests.clock import MONDAY
from tests.digests import of_tables
from tests.factories import ContactAddressFactory

pytestmark = pytest.mark.django_db
LATER = MONDAY + timedelta(hours=3)


def answered(desk, text: str) -> Pitch:
    """A captured pitch, answered as the recipient."""
    pitch = desk.sent_pitch()
    letter = capture.find(desk.sender, pitch.messages.get(number=0).message_id)
    capture.answer(desk.sender, letter, text=text, now=MONDAY + timedelta(hours=1))
    inbox.read(desk.sender, now=MONDAY + timedelta(hours=2))
    return pitch


def live(settings) -> None:
    settings.SEND_MODE = "live"
    settings.POSTAL_ADDRESS = "1 Example Street, Exampleton"
    settings.PUBLIC_URL = "https://outreach.example.com"


def test_the_plan_changes_nothing_and_says_what_the_end_will_do(desk):
    answered(desk, "Please unsubscribe me.")
    desk.sent_pitch()
    before = of_tables()
    found = rehearsals.plan()
    assert of_tables() == before
    done = rehearsals.end(now=LATER)
    assert done.counts() == found.counts()
    assert done.counts() == {
        "pitches": 2,
        "matches": 2,
        "messages": 3,
        "stops": 2,
        "suppressions": 1,
        "threads": 1,
    }


def test_matches_are_given_back_as_they_were_decided(desk):
    pitch = desk.sent_pitch()
    match = pitch.matches.get()
    rehearsals.end(now=LATER, by=desk.reviewer)
    match.refresh_from_db()
    pitch.refresh_from_db()
    assert (match.status, match.pitch) == (Match.Status.APPROVED, None)
    assert (pitch.status, pitch.status_reason) == ("stopped", "the rehearsal ended")
    assert not Message.objects.filter(status__in=Message.BEFORE_HANDING).exists()
    log = RehearsalEnd.objects.get()
    assert (log.pitches, log.matches, log.by) == (1, 1, desk.reviewer)
    assert log.log == [f"pitch #{pitch.pk} to {pitch.lead}: was active, 1 matches given back"]


def test_a_second_end_does_nothing_more(desk):
    desk.sent_pitch()
    rehearsals.end(now=LATER)
    before = of_tables()
    assert not any(rehearsals.end(now=LATER).counts().values())
    assert of_tables() == before


def test_the_same_pair_can_be_pitched_for_real_under_another_message_id(desk, settings):
    pitch = desk.sent_pitch()
    rehearsed = pitch.messages.get(number=0).message_id
    rehearsals.end(now=LATER)
    live(settings)
    type(desk.sender).objects.update(smtp_host="127.0.0.1", imap_host="127.0.0.1")
    outreach.carry_out(outreach.plan(now=LATER), send=False)
    again = Pitch.objects.get(send_mode="live")
    assert again.matches.get().candidate == pitch.lead.matches.get().candidate
    assert again.messages.get(number=0).message_id != rehearsed


def test_while_a_captured_pitch_is_open_nothing_is_drafted_or_sent_for_real(desk, settings):
    desk.sent_pitch()
    desk.match()
    live(settings)
    type(desk.sender).objects.update(smtp_host="127.0.0.1")
    (draft,) = pitching.plan(now=LATER)
    assert (draft.verdict, draft.reason) == ("hold", "rehearsal_open")
    assert "1 captured pitches are open" in draft.sentence
    message = Message.objects.filter(status="sent").get()
    Message.objects.filter(pk=message.pk).update(
        status="approved", send_mode="live", counted_at=None
    )
    Pitch.objects.update(status="approved")
    (decision,) = outbox.plan(outbox.first_messages(None), now=LATER)
    assert decision.reason == "rehearsal_open"
    rehearsals.end(now=LATER)
    assert not rehearsals.open_pitches().exists()


def test_what_rehearsed_answers_did_is_undone_and_what_people_said_stays(desk):
    pitch = answered(desk, "Please unsubscribe me.")
    address = pitch.address.value
    assert address in suppressions.suppressed([address])
    other = desk.sent_pitch()
    by_hand = stopping.stop(
        scope="person", reason="a call", contact=other.address.contact, by=desk.reviewer
    )
    rehearsals.end(now=LATER)
    assert address not in suppressions.suppressed([address])
    assert list(Stop.objects.filter(lifted_at=None)) == [by_hand]


def test_a_rehearsed_bounce_says_nothing_of_a_persons_other_addresses(desk):
    """One of them was known to be dead before anybody rehearsed."""
    pitch = desk.sent_pitch()
    dead = ContactAddressFactory(contact=pitch.address.contact, verification="invalid")
    message = pitch.messages.get(number=0)
    Message.objects.filter(pk=message.pk).update(bounced_at=MONDAY, bounce_kind="hard")
    stopping.address_is_dead(message, now=MONDAY)
    rehearsals.end(now=LATER)
    dead.refresh_from_db()
    pitch.address.refresh_from_db()
    assert (dead.verification, pitch.address.verification) == ("invalid", "unknown")


@pytest.mark.req("LAW-6")
def test_what_is_said_in_earnest_takes_the_place_of_what_was_rehearsed_and_stays(desk):
    pitch = answered(desk, "Please unsubscribe me.")
    address = pitch.address.value
    suppressions.add("email", address, reason="unsubscribed", source="a letter", now=MONDAY)
    suppressions.add(
        "email", address, reason="complained", source="x", now=MONDAY, rehearsed=True
    )
    rehearsals.end(now=LATER)
    row = Suppression.objects.get()
    assert (row.reason, row.source, row.is_rehearsed) == ("unsubscribed", "a letter", False)


def test_the_command_rehearses_its_own_work_first(desk, capsys):
    desk.sent_pitch()
    call_command("end_rehearsal", dry_run=True, json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["dry_run"], told["pitches"]) == (True, 1)
    assert rehearsals.open_pitches().exists()
    call_command("end_rehearsal")
    assert "Given back: 1 pitches" in capsys.readouterr().out
    assert not rehearsals.open_pitches().exists()


def test_an_admin_ends_it_from_the_first_screen_and_others_may_not(desk, client, ada):
    desk.sent_pitch()
    client.force_login(ada)
    url = reverse("admin:pitches_end_rehearsal")
    assert client.post(url).status_code == 403
    assert url not in client.get(reverse("admin:index")).content.decode()
    ada.groups.add(Group.objects.get_or_create(name=access.ADMINS)[0])
    assert url in client.get(reverse("admin:index")).content.decode()
    assert "1 captured pitches end" in client.get(url).content.decode()
    assert rehearsals.open_pitches().exists()
    client.post(url)
    assert not rehearsals.open_pitches().exists()
    assert url not in client.get(reverse("admin:index")).content.decode()
