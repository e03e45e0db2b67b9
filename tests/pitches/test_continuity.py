"""A journal that was lost, or another desk's: nothing leaves until an admin says so (F9)."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from config import doctor
from pitches import continuity, home, journal, sending
from pitches.continuity import NotBegun
from pitches.journal import JournalUnavailable
from pitches.models import Message
from tests.clock import MONDAY
from tests.factories import MessageFactory
from tests.pitches import sink as sinks
from tests.pitches.test_smtp import set_up

pytestmark = pytest.mark.django_db

LATER = MONDAY + timedelta(minutes=10)
REASON = "The disk of the host was lost."


@pytest.fixture(scope="module")
def server():
    sink, controller = sinks.started()
    yield sink
    controller.stop()


@pytest.fixture
def live(desk, server, settings):
    """A desk in earnest that has sent one message; another one is queued."""
    settings.SEND_MODE = "live"
    settings.POSTAL_ADDRESS = "Example Placements, 1 Example Street, Exampleton"
    server.forget()
    set_up(desk.sender, server)
    desk.sent_pitch()
    desk.match()
    desk.run()
    desk.approve_all()
    due = Message.objects.filter(number=0, status="approved")
    due.update(status="queued", send_at=MONDAY)
    return desk


@pytest.fixture
def chief(db):
    return User.objects.create_superuser("chief")


def lose(settings) -> None:
    shutil.rmtree(settings.JOURNAL_DIR)


def the_queued() -> Message:
    return Message.objects.exclude(status="sent").get(number=0)


# -- the gate ----------------------------------------------------------------------------------


@pytest.mark.req("REL-9")
def test_while_the_journal_is_whole_it_is_asked_about_once_and_mail_leaves(
    live, server, django_assert_num_queries
):
    continuity.confirm()
    with django_assert_num_queries(0):
        continuity.confirm()
    assert sending.send_due(now=MONDAY).sent == 1
    assert len(server.received) == 2


@pytest.mark.req("REL-9")
def test_after_the_journal_was_lost_nothing_leaves_until_an_admin_begins_it_anew(
    live, server, settings, chief
):
    lose(settings)
    assert sending.send_due(now=LATER).sent == 0
    waits = the_queued()
    assert (waits.status, waits.hold_reason) == ("queued", "journal_unavailable")
    assert len(server.received) == 1
    continuity.begin_anew(by=chief, reason=REASON, now=LATER)
    assert sending.send_due(now=LATER + timedelta(minutes=1)).sent == 1
    assert len(server.received) == 2


@pytest.mark.req("REL-9")
def test_the_journal_of_another_desk_is_not_believed(live, server, settings):
    settings.JOURNAL_DIR = settings.STATE_DIR / "theirs"
    journal.record_intent("x@example.org", recipient="", owner="one", mode="live", at=MONDAY)
    assert sending.send_due(now=LATER).sent == 0
    assert len(server.received) == 1


@pytest.mark.req("REL-9")
def test_a_line_that_slipped_into_the_lost_journal_hides_nothing(live, settings):
    lose(settings)
    slipped = MessageFactory(
        status="sent", send_mode="live", counted_at=LATER, handed_at=LATER, sent_at=LATER
    )
    journal.record_intent(slipped.message_id, recipient="", owner="one", mode="live", at=LATER)
    with pytest.raises(JournalUnavailable, match="went out on 2026-06-01"):
        continuity.confirm()


def test_an_answer_without_its_intent_is_not_knowing(live, settings):
    lose(settings)
    sent = Message.objects.get(status="sent")
    journal.record_reply(
        sent.message_id, outcome=journal.ACCEPTED, code=250, at=LATER, mode="live"
    )
    assert continuity.gap() is not None


def test_what_was_imported_was_never_in_it(settings):
    settings.SEND_MODE = "live"
    MessageFactory(
        status="sent",
        send_mode="live",
        pitch__is_imported=True,
        pitch__send_mode="live",
        counted_at=MONDAY,
    )
    assert continuity.gap() is None


def test_a_rehearsal_asks_for_nothing(live, settings):
    lose(settings)
    settings.SEND_MODE = "capture"
    continuity.confirm()
    assert continuity.gap() is None


# -- beginning it anew -------------------------------------------------------------------------


def test_it_is_begun_anew_only_for_a_reason_and_only_where_something_is_missing(
    live, settings, chief
):
    with pytest.raises(NotBegun, match="nothing to begin"):
        continuity.begin_anew(by=chief, reason=REASON, now=LATER)
    lose(settings)
    with pytest.raises(NotBegun, match="Say why"):
        continuity.begin_anew(by=chief, reason="  why \n", now=LATER)
    assert not list(journal.lines())


def test_what_goes_out_after_the_new_beginning_is_asked_for_again(live, settings, chief):
    lose(settings)
    continuity.begin_anew(by=chief, reason=REASON, now=LATER)
    assert sending.send_due(now=LATER + timedelta(minutes=1)).sent == 1
    assert continuity.gap() is None
    (path,) = settings.JOURNAL_DIR.glob("*.jsonl")
    path.write_text(path.read_text().partition("\n")[0] + "\n")
    with pytest.raises(JournalUnavailable):
        continuity.confirm()


def test_the_command_tells_begins_and_refuses(live, settings, chief, ada, capsys):
    call_command("journal")
    assert "knows what went out" in capsys.readouterr().out
    lose(settings)
    with pytest.raises(CommandError, match="lost, or is another") as refused:
        call_command("journal")
    assert refused.value.returncode == 1
    with pytest.raises(CommandError, match="no admin") as refused:
        call_command("journal", "--begin-anew", "--as", "ada", "--reason", REASON)
    assert refused.value.returncode == 2
    with pytest.raises(CommandError, match="Say who"):
        call_command("journal", "--begin-anew", "--reason", REASON)
    with pytest.raises(CommandError):
        call_command(
            "journal", "--begin-anew", "--as", "chief", "--reason", REASON, "--dry-run"
        )
    assert not settings.JOURNAL_DIR.exists()
    call_command("journal", "--begin-anew", "--as", "chief", "--reason", REASON)
    (line,) = journal.lines()
    assert (line["phase"], line["by"], line["reason"]) == ("begun", "chief", REASON)
    capsys.readouterr()
    call_command("journal", "--json")
    assert json.loads(capsys.readouterr().out)["believed"]


# -- whom it is shown to -----------------------------------------------------------------------


def test_doctor_and_the_first_screen_say_that_nothing_goes_out_and_what_to_do(
    live, settings, ada, stranger
):
    def shown(user):
        cards = home.cards(user, LATER)
        return [" ".join(card.lines) for card in cards if card.title == "Nothing goes out"]

    def found():
        (finding,) = [each for each in doctor.examine() if each.name == "journal"]
        return finding

    assert (found().state, shown(ada)) == ("ok", [])
    lose(settings)
    assert found().state == "broken"
    assert "lost, or is another one's" in found().about
    assert "journal --begin-anew" in shown(ada)[0]
    assert shown(stranger) == []
    settings.JOURNAL_DIR.mkdir()
    (settings.JOURNAL_DIR / "2026-05.jsonl").write_text("this is no journal\n")
    assert found().state == "broken"
    assert "cannot be read" in shown(ada)[0]
