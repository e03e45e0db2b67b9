"""The send journal: on disk before anything leaves, and believed more than the database."""

from __future__ import annotations

import errno
import json
import os
import threading
from datetime import UTC, datetime

import pytest
from django.db import connection

from pitches import journal, reaping, sending
from pitches.channels import capture
from pitches.channels.capture import CaptureChannel
from pitches.models import Message
from tests.clock import MONDAY

NAME = "0123abcd@example.com"


@pytest.fixture
def folder(settings):
    return settings.JOURNAL_DIR


def intend(name: str = NAME, *, owner: str = "one", at: datetime = MONDAY) -> None:
    journal.record_intent(
        name, recipient="Paula@Example.com", owner=owner, mode="capture", at=at
    )


def reply(outcome: str, name: str = NAME, *, at: datetime = MONDAY) -> None:
    journal.record_reply(name, outcome=outcome, code=250, at=at, mode="capture")


def the_file(folder):
    (path,) = folder.glob("*.jsonl")
    return path


# -- what it knows ---------------------------------------------------------------------------


def test_it_tells_what_became_of_a_message_and_under_whose_lease(folder):
    assert journal.outcome_of(NAME) is None
    intend(owner="one")
    assert (journal.outcome_of(NAME), journal.owner_of_intent(NAME)) == ("intent", "one")
    reply(journal.RELEASED)
    assert (journal.outcome_of(NAME), journal.owner_of_intent(NAME)) == ("released", None)
    intend(owner="two")
    assert journal.owner_of_intent(NAME) == "two"
    reply(journal.ACCEPTED)
    assert journal.outcome_of(NAME) == "accepted"
    assert [line["phase"] for line in journal.lines()] == ["intent", "reply", "intent", "reply"]


def test_a_month_has_a_file_and_an_answer_after_midnight_is_found(folder):
    intend(at=datetime(2026, 6, 30, 23, 59, 59, tzinfo=UTC))
    reply(journal.ACCEPTED, at=datetime(2026, 7, 1, 0, 0, 1, tzinfo=UTC))
    assert [path.name for path in sorted(folder.iterdir())] == [
        "2026-06.jsonl",
        "2026-07.jsonl",
    ]
    journal._Index._cache.clear()
    assert journal.outcome_of(NAME) == "accepted"


@pytest.mark.req("REL-9")
def test_recipients_appear_as_keyed_hashes_and_nobody_else_may_read(folder):
    intend()
    text = the_file(folder).read_text()
    assert "paula" not in text.lower()
    assert len(json.loads(text)["recipient"]) == 64
    assert the_file(folder).stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    first = json.loads(text)["recipient"]
    journal.record_intent(
        "x@example.com", recipient="paula@example.com", owner="o", mode="live", at=MONDAY
    )
    assert [line["recipient"] for line in journal.lines()] == [first, first]


# -- torn, full, spoiled ---------------------------------------------------------------------


@pytest.mark.req("REL-9")
def test_a_line_that_a_crash_tore_is_passed_over_and_the_next_one_stands(folder):
    intend("first@example.com")
    path = the_file(folder)
    path.write_bytes(path.read_bytes() + b'{"at": "2026-06-01T09:00:00", "message_id": "torn@')
    assert journal.outcome_of("first@example.com") == "intent"
    assert len(list(journal.lines())) == 1
    intend("second@example.com")
    assert [line["message_id"] for line in journal.lines()] == [
        "first@example.com",
        "second@example.com",
    ]
    assert journal.outcome_of("second@example.com") == "intent"


@pytest.mark.req("REL-9", "REL-35")
def test_a_line_of_which_only_a_part_fits_on_the_disk_is_no_line(folder, monkeypatch):
    intend("first@example.com")
    write = os.write
    with monkeypatch.context() as m:
        m.setattr(os, "write", lambda descriptor, raw: write(descriptor, raw[:20]))
        with pytest.raises(journal.JournalUnavailable, match="disk"):
            intend("second@example.com")
    assert journal.outcome_of("second@example.com") is None
    intend("third@example.com")
    assert [line["message_id"] for line in journal.lines()] == [
        "first@example.com",
        "third@example.com",
    ]


def test_several_threads_write_whole_lines_and_read_them_all(folder):
    names = [f"{n}@example.com" for n in range(40)]

    def work(mine):
        for name in mine:
            intend(name)
            assert journal.outcome_of(name) == "intent"

    threads = [threading.Thread(target=work, args=[names[n::4]]) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {journal.outcome_of(name) for name in names} == {"intent"}
    assert len(list(journal.lines())) == 40


# -- in the gate -----------------------------------------------------------------------------


@pytest.fixture
def queued(desk):
    desk.match()
    desk.run()
    desk.approve_all()
    Message.objects.filter(number=0).update(status="queued", send_at=MONDAY)
    return Message.objects.get(number=0)


@pytest.mark.req("REL-9")
@pytest.mark.django_db
def test_the_intent_is_forced_to_disk_before_the_gate_commits_and_the_answer_after(
    desk, queued, monkeypatch
):
    story = []
    fsync, hand_over = os.fsync, CaptureChannel.hand_over

    def syncs(descriptor):
        story.append(("fsync", Message.objects.get(pk=queued.pk).status))
        fsync(descriptor)

    def hands_over(self, letter, *, now):
        story.append(("handed over", Message.objects.get(pk=queued.pk).status))
        with monkeypatch.context() as m:
            m.setattr(os, "fsync", fsync)  # the maildir's own
            return hand_over(self, letter, now=now)

    monkeypatch.setattr(os, "fsync", syncs)
    monkeypatch.setattr(CaptureChannel, "hand_over", hands_over)
    assert sending.send_due(now=MONDAY).sent == 1
    moments = [moment for moment in story if moment != ("fsync", "claimed")]
    assert story[0] == ("fsync", "claimed")
    assert moments == [("handed over", "handing"), ("fsync", "handing")]


def _file_instead_of_folder(settings, monkeypatch):
    settings.JOURNAL_DIR.parent.mkdir(parents=True, exist_ok=True)
    settings.JOURNAL_DIR.write_text("in the way")


def _disk_full(settings, monkeypatch):
    def full(descriptor, raw):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)


def _disk_that_does_not_sync(settings, monkeypatch):
    def broken(descriptor):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)


def _unreadable_line(settings, monkeypatch):
    settings.JOURNAL_DIR.mkdir(parents=True)
    (settings.JOURNAL_DIR / "2026-05.jsonl").write_text("this is no journal\n")


@pytest.mark.req("REL-9", "REL-35")
@pytest.mark.parametrize(
    "trouble",
    [_file_instead_of_folder, _disk_full, _disk_that_does_not_sync, _unreadable_line],
)
@pytest.mark.django_db
def test_without_a_journal_nothing_leaves_and_the_reason_is_kept(
    desk, queued, settings, monkeypatch, trouble
):
    with monkeypatch.context() as m:
        trouble(settings, m)
        done = sending.send_due(now=MONDAY)
    assert (done.sent, done.held) == (0, 1)
    assert list(capture.sent(desk.sender)) == []
    queued.refresh_from_db()
    assert (queued.status, queued.hold_reason) == ("queued", "journal_unavailable")
    assert (queued.counted_at, queued.lease_owner, queued.claims) == (None, None, 0)
    assert queued.send_at > MONDAY
    assert "journal" in done.lines[0]


@pytest.mark.req("REL-9")
@pytest.mark.django_db
def test_once_the_journal_is_back_the_message_goes(desk, queued, settings, monkeypatch):
    with monkeypatch.context() as m:
        _disk_full(settings, m)
        sending.send_due(now=MONDAY)
    queued.refresh_from_db()
    assert sending.send_due(now=queued.send_at).sent == 1


@pytest.mark.req("REL-9", "F-4")
@pytest.mark.django_db
@pytest.mark.parametrize("last", [journal.INTENT, journal.ACCEPTED])
def test_a_database_that_forgot_is_not_believed(desk, queued, last):
    """The row says queued, as after a restore; the journal says that it was on its way out."""
    intend(queued.message_id)
    if last == journal.ACCEPTED:
        reply(last, queued.message_id)
    assert sending.send_due(now=MONDAY).held == 1
    queued.refresh_from_db()
    assert (queued.status, list(capture.sent(desk.sender))) == ("unknown", [])
    assert "handed over before" in queued.last_error
    assert queued.counted_at is not None


@pytest.mark.django_db
@pytest.mark.parametrize("last", [journal.REFUSED, journal.RELEASED])
def test_what_was_refused_or_taken_back_may_go(desk, queued, last):
    intend(queued.message_id)
    reply(last, queued.message_id)
    assert sending.send_due(now=MONDAY).sent == 1


@pytest.mark.django_db
def test_with_a_spoiled_journal_the_reaper_leaves_everything_as_it_is(
    desk, queued, settings, monkeypatch
):
    sending._claim(MONDAY)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE pitches_message SET leased_until = now() - interval '1 hour'"
            " WHERE leased_until IS NOT NULL"
        )
    _unreadable_line(settings, monkeypatch)
    assert reaping.reap(now=MONDAY) == reaping.Reaped()
    queued.refresh_from_db()
    assert queued.status == "claimed"
