"""Several workers at once, and workers that die at every point of a message's way."""

import threading
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from pitches import journal, reaping, sending, settling
from pitches.channels import capture
from pitches.channels.capture import CaptureChannel
from pitches.models import Message
from tests.clock import MONDAY
from tests.factories import EmailLimitFactory, LeadFactory, OrganizationFactory

HOUR = timedelta(hours=1)


class Killed(BaseException):
    """The process is gone: nothing catches this, and nothing is cleaned up."""


def all_sent(sender) -> Counter:
    """How often each message lies in the captured mail."""
    return Counter(captured.message_id for captured in capture.sent(sender))


def queue_all() -> list[Message]:
    """Put every approved first message into the queue, whatever a plan would say."""
    Message.objects.filter(number=0).update(status="queued", send_at=MONDAY)
    return list(Message.objects.filter(number=0).order_by("pk"))


# Several at once


@pytest.mark.req("F-2", "S003-031", "REL-2", "REL-13")
@pytest.mark.django_db(transaction=True)
def test_four_workers_keep_the_limit_and_send_nothing_twice(desk):
    """Three organizations with two first messages each, all queued past the planner."""
    for _ in range(3):
        organization = OrganizationFactory()
        desk.match(desk.lead(organization=organization))
        desk.match(LeadFactory(organization=organization))
    drafted_before_there_was_a_limit(desk)
    messages = queue_all()
    assert len(messages) == 6
    reports, errors = [], []

    def work() -> None:
        try:
            reports.append(sending.send_due(now=MONDAY))
        except Exception as e:  # pragma: no cover
            errors.append(e)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert errors == []
    assert sum(report.sent for report in reports) == 3
    out = Message.objects.filter(status="sent").select_related("pitch__lead")
    assert len({message.pitch.lead.organization_id for message in out}) == 3
    assert all_sent(desk.sender) == Counter({message.message_id: 1 for message in out})
    held = Message.objects.filter(number=0).exclude(status="sent")
    assert {message.hold_reason for message in held} == {"organization_limit"}


def drafted_before_there_was_a_limit(desk) -> None:
    """So that two messages of one organization stand in the queue at all."""
    limit = EmailLimitFactory(organization=None, maximum=9)
    desk.run()
    desk.approve_all()
    type(limit).objects.filter(pk=limit.pk).update(maximum=1)


# Killed


@pytest.fixture
def queued(desk):
    """One approved first message, due."""
    desk.match()
    desk.run()
    desk.approve_all()
    (message,) = queue_all()
    return message


def lease_ends(message) -> None:
    """By the database's clock, which no test can turn."""
    Message.objects.filter(pk=message.pk).update(
        leased_until=timezone.now() - timedelta(seconds=1)
    )


def carry_on(desk, message) -> Message:
    """The lease runs out, and everything that runs by itself runs for two weeks."""
    lease_ends(message)
    for hours in (0, 1, 50, 100, 200, 336):
        reaping.reap(now=MONDAY + hours * HOUR)
        desk.run(MONDAY + hours * HOUR)
        desk.follow_up(MONDAY + hours * HOUR)
        sending.send_due(now=MONDAY + hours * HOUR)
    message.refresh_from_db()
    return message


def dies(*args, **kwargs):
    raise Killed


@pytest.mark.req("REL-5")
@pytest.mark.django_db
def test_killed_after_the_claim_it_is_sent_by_the_next_worker(desk, queued, monkeypatch):
    with monkeypatch.context() as m:
        m.setattr(CaptureChannel, "open", dies)
        with pytest.raises(Killed):
            sending.send_due(now=MONDAY)
    queued.refresh_from_db()
    assert queued.status == "claimed"
    assert carry_on(desk, queued).status == "sent"
    assert all_sent(desk.sender)[queued.message_id] == 1


@pytest.mark.req("REL-5", "REL-9")
@pytest.mark.django_db
def test_killed_between_intent_and_commit_it_is_sent_by_the_next_worker(
    desk, queued, monkeypatch
):
    """The journal has an intent, the database has not: nothing was handed over."""
    write = journal.record_intent

    def writes_and_dies(*args, **kwargs):
        write(*args, **kwargs)
        raise Killed

    with monkeypatch.context() as m:
        m.setattr(journal, "record_intent", writes_and_dies)
        with pytest.raises(Killed):
            sending.send_due(now=MONDAY)
    queued.refresh_from_db()
    assert queued.status == "claimed"
    assert journal.outcome_of(queued.message_id) == journal.INTENT
    assert carry_on(desk, queued).status == "sent"
    assert all_sent(desk.sender)[queued.message_id] == 1


@pytest.mark.req("F-4", "REL-4", "REL-6")
@pytest.mark.django_db
def test_killed_after_acceptance_and_before_the_answer_was_noted_it_is_never_sent_again(
    desk, queued, monkeypatch
):
    hand_over = CaptureChannel.hand_over

    def delivers_and_dies(self, letter, *, now):
        hand_over(self, letter, now=now)
        raise Killed

    with monkeypatch.context() as m:
        m.setattr(CaptureChannel, "hand_over", delivers_and_dies)
        with pytest.raises(Killed):
            sending.send_due(now=MONDAY)
    queued.refresh_from_db()
    assert queued.status == "handing"
    assert carry_on(desk, queued).status == "unknown"
    assert all_sent(desk.sender)[queued.message_id] == 1
    # it may have arrived, so it keeps its slot in every limit
    assert queued.counted_at is not None


@pytest.mark.req("F-4", "REL-4", "REL-9")
@pytest.mark.django_db
def test_killed_after_the_answer_was_noted_it_is_settled_from_the_journal(
    desk, queued, monkeypatch
):
    with monkeypatch.context() as m:
        m.setattr(settling, "settle", dies)
        with pytest.raises(Killed):
            sending.send_due(now=MONDAY)
    queued.refresh_from_db()
    assert queued.status == "handing"
    lease_ends(queued)
    assert reaping.reap(now=MONDAY).settled == 1
    queued.refresh_from_db()
    assert (queued.status, all_sent(desk.sender)[queued.message_id]) == ("sent", 1)
    assert queued.pitch.follow_up_tasks.count() == 4


@pytest.mark.req("F-4", "REL-4", "REL-9")
@pytest.mark.django_db
def test_a_database_put_back_to_before_the_sending_sends_nothing_again(desk, queued):
    """Scar 7: a restored snapshot sends again. The journal is newer than the database."""
    before = Message.objects.filter(pk=queued.pk).values().get()
    assert sending.send_due(now=MONDAY).sent == 1
    Message.objects.filter(pk=queued.pk).update(**before)
    assert carry_on(desk, queued).status == "unknown"
    assert all_sent(desk.sender)[queued.message_id] == 1


@pytest.mark.req("REL-31")
@pytest.mark.django_db
def test_a_message_that_kills_three_workers_is_set_aside(desk, queued, monkeypatch):
    with monkeypatch.context() as m:
        m.setattr(CaptureChannel, "open", dies)
        for claims in (1, 2, 3):
            with pytest.raises(Killed):
                sending.send_due(now=MONDAY)
            queued.refresh_from_db()
            assert queued.claims == claims
            lease_ends(queued)
            reaping.reap(now=MONDAY)
    queued.refresh_from_db()
    assert (queued.status, queued.failure) == ("failed", "poison")
