"""Deciding while something else happens to the same pitch."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction

from config.db import WrongStatus
from pitches import review, stopping
from pitches.models import FollowUpTask, Message, Pitch, ReviewTask, Stop
from tests.clock import MONDAY
from tests.races import Aside, await_lock_wait


@pytest.mark.req("REL-14", "REL-16")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("decide", ["approve", "reject"])
def test_a_decision_that_meets_a_stop_waits_for_it_and_is_told(desk, decide):
    """The stop holds the person and comes to the task last; the other order would deadlock."""
    desk.match()
    desk.run()
    task = ReviewTask.objects.get(kind=ReviewTask.Kind.MESSAGE)
    contact = task.pitch.address.contact
    wanted = {"by": desk.reviewer, "now": MONDAY} | (
        {"reason": "no"} if decide == "reject" else {}
    )
    with transaction.atomic():
        stopping.lock_person(contact.pk)
        decision = Aside(lambda: getattr(review, decide)(task, **wanted))
        await_lock_wait()
        stopping.stop(scope=Stop.Scope.PERSON, reason="asked us to", contact=contact)
    with pytest.raises(WrongStatus):
        decision.done()
    task.refresh_from_db()
    assert task.status == ReviewTask.Status.CANCELED
    assert not Message.objects.exclude(status=Message.Status.CANCELED).exists()


@pytest.mark.django_db
def test_rejecting_the_last_open_step_ends_the_pitch(desk):
    pitch = desk.sent_pitch()
    open_tasks = FollowUpTask.objects.filter(FollowUpTask.is_open(), pitch=pitch)
    last = open_tasks.filter(step__action="message").latest("due_at")
    open_tasks.exclude(pk=last.pk).update(canceled_at=MONDAY, reason="for the test")
    message = pitch.messages.get(step=last.step)
    variant = message.variants.first()
    review.edit(variant, by=desk.reviewer, now=MONDAY, subject="Re: hello", body="A new text.")
    task = ReviewTask.objects.get(status=ReviewTask.Status.OPEN, message=message)
    now = MONDAY + timedelta(hours=1)
    review.reject(task, by=desk.reviewer, now=now, reason="enough of it")
    pitch.refresh_from_db()
    assert (pitch.status, pitch.ended_at) == (Pitch.Status.COMPLETED, now)
