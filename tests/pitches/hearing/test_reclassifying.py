import json

import pytest
from django.core.management import call_command

from pitches import classification, reclassifying
from pitches.models import IncomingMessage, Message, Pitch
from tests.clock import MONDAY
from tests.factories import IncomingMessageFactory
from tests.pitches.conftest import HOUR
from tests.pitches.hearing import mails

pytestmark = pytest.mark.django_db
KINDS = IncomingMessage.Kind


def stored(raw, kind, **fields):
    fields.setdefault("classified_by", "rules 1")
    fields.setdefault("source", "imap")
    return IncomingMessageFactory(raw=raw, kind=kind, **fields)


def answer(pitch):
    to = pitch.messages.get(status=Message.Status.SENT).message_id
    return mails.mail("Yes please", "Subject: Re: Three interns", f"In-Reply-To: <{to}>")


def test_a_reply_that_older_rules_missed_stops_the_person(desk):
    pitch = desk.sent_pitch()
    incoming = stored(answer(pitch), KINDS.AUTOMATIC, sender=desk.sender)
    (change,) = reclassifying.reclassify(now=MONDAY + HOUR)
    assert (change.old_kind, change.new_kind, change.stops_more) == (
        KINDS.AUTOMATIC,
        KINDS.HUMAN_REPLY,
        True,
    )
    incoming.refresh_from_db()
    pitch.refresh_from_db()
    assert incoming.classified_by == classification.RULES
    assert incoming.pitch == pitch
    assert pitch.status == Pitch.Status.REPLIED
    assert reclassifying.reclassify(now=MONDAY + HOUR) == []


def test_what_was_stopped_by_mistake_stays_stopped(desk):
    pitch = desk.sent_pitch()
    raw = answer(pitch).replace(
        b"MIME-Version", b"Auto-Submitted: auto-generated\r\nMIME-Version"
    )
    incoming = stored(raw, KINDS.HUMAN_REPLY, sender=desk.sender, pitch=pitch)
    Pitch.objects.filter(pk=pitch.pk).update(status=Pitch.Status.REPLIED)
    (change,) = reclassifying.reclassify(now=MONDAY + HOUR)
    incoming.refresh_from_db()
    pitch.refresh_from_db()
    assert (incoming.kind, change.stops_more) == (KINDS.AUTOMATIC, False)
    assert pitch.status == Pitch.Status.REPLIED


def test_what_a_person_decided_stays():
    incoming = stored(mails.REPORTS[0][1], KINDS.HUMAN_REPLY, classified_by="ada")
    assert reclassifying.reclassify(now=MONDAY) == []
    incoming.refresh_from_db()
    assert incoming.kind == KINDS.HUMAN_REPLY


def test_the_command_shows_and_changes_nothing_unless_asked(capsys):
    incoming = stored(mails.REPORTS[0][1], KINDS.HUMAN_REPLY)
    call_command("reclassify", "--json")
    told = json.loads(capsys.readouterr().out)
    assert (told["applied"], told["changes"][0]["new_kind"]) == (False, "bounce")
    incoming.refresh_from_db()
    assert incoming.kind == KINDS.HUMAN_REPLY
    call_command("reclassify", "--apply")
    assert "1 mails changed" in capsys.readouterr().out
    incoming.refresh_from_db()
    assert (incoming.kind, incoming.bounce_kind) == (KINDS.BOUNCE, "hard")
