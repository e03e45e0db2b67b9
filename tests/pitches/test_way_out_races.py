"""A click and a message meet at the gate, in both orders: none is handed over after the 200."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from django.test import Client

from pitches import sending, stopping, unsubscribing
from pitches.models import FollowUpTask, Message, Stop
from prospects.models import Suppression
from tests.clock import MONDAY
from tests.pitches.test_gate import copies, halted_in_the_gate, halting_channel, queue
from tests.races import Aside, Halt, await_lock_wait

pytestmark = pytest.mark.django_db(transaction=True)


def click(message: Message):
    return Client(enforce_csrf_checks=True).post(
        f"/u/{unsubscribing.token(message)}/",
        "List-Unsubscribe=One-Click",
        content_type="application/x-www-form-urlencoded",
    )


@pytest.mark.req("LAW-2", "LAW-4")
def test_a_message_between_data_and_gate_stays_once_the_click_is_answered(desk):
    message = queue(desk)
    halt = Halt()
    worker = Aside(lambda: sending.send_due(now=MONDAY, channel_of=halting_channel(halt)))
    halt.wait()
    assert click(message).status_code == 200
    halt.go()
    assert worker.done().sent == 0
    message.refresh_from_db()
    assert (message.status, copies(desk)) == ("canceled", {})


@contextmanager
def half_way(monkeypatch, message):
    """A click holds its locks and has written nothing yet; the block ends with its answer."""
    begun, go_on = Halt(), Halt()
    add = stopping.suppressions.add

    def stands_and_adds(*args, **kwargs):
        begun.go()
        go_on.here()
        return add(*args, **kwargs)

    with monkeypatch.context() as m:
        m.setattr(stopping.suppressions, "add", stands_and_adds)
        clicked = Aside(lambda: click(message))
        begun.here()
        yield
        go_on.go()
        assert clicked.done().status_code == 200


@pytest.mark.req("LAW-2", "LAW-4")
def test_a_message_that_comes_to_the_gate_while_a_click_is_worked_on_waits_for_it(
    desk, monkeypatch
):
    message = queue(desk)
    with half_way(monkeypatch, message):
        worker = Aside(lambda: sending.send_due(now=MONDAY))
        await_lock_wait()
    assert worker.done().sent == 0
    message.refresh_from_db()
    assert (message.status, copies(desk)) == ("canceled", {})


def test_control_without_the_locks_the_message_does_not_wait_for_the_click(desk, monkeypatch):
    message = queue(desk)
    monkeypatch.setattr(stopping, "lock_for_sending", lambda message: None)
    with half_way(monkeypatch, message):
        assert Aside(lambda: sending.send_due(now=MONDAY)).done().sent == 1
    assert copies(desk)[message.message_id] == 1


@pytest.mark.req("LAW-2", "LAW-4")
def test_a_click_that_meets_a_message_in_the_gate_is_answered_after_it_and_ends_the_rest(
    desk, monkeypatch
):
    message = queue(desk)
    halt = Halt()
    with halted_in_the_gate(monkeypatch, halt):
        worker = Aside(lambda: sending.send_due(now=MONDAY))
        halt.wait()
        clicked = Aside(lambda: click(message))
        await_lock_wait()
        halt.go()
        assert worker.done().sent == 1
        assert clicked.done().status_code == 200
    message.refresh_from_db()
    assert message.handed_at < Stop.objects.get().begins_at
    later = message.pitch.messages.filter(number__gt=0)
    assert set(later.values_list("status", flat=True)) == {"canceled"}
    assert not FollowUpTask.objects.filter(FollowUpTask.is_open()).exists()


@pytest.mark.req("LAW-2")
def test_ten_clicks_at_once_are_one_row(desk):
    message = queue(desk)
    clicks = [Aside(lambda: click(message)) for _ in range(10)]
    assert [each.done().status_code for each in clicks] == [200] * 10
    assert (Suppression.objects.count(), Stop.objects.count()) == (1, 1)
