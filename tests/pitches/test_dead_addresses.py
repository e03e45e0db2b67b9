"""A hard bounce and a complaint end things whole or not at all, and wait for their person."""

from __future__ import annotations

import pytest
from django.db import transaction

from pitches import stopping
from pitches.models import Message, Stop
from prospects.models import ContactAddress, Suppression
from tests.clock import MONDAY
from tests.factories import MessageFactory
from tests.races import Aside, await_lock_wait

pytestmark = pytest.mark.django_db(transaction=True)


def bounced(message: Message) -> None:
    stopping.address_is_dead(message, now=MONDAY)


def complained(message: Message) -> None:
    stopping.complained(message.pitch, source="a test", now=MONDAY)


@pytest.mark.req("REL-16")
@pytest.mark.parametrize("happens", [bounced, complained])
def test_what_cannot_be_recorded_whole_is_not_recorded_at_all(monkeypatch, happens):
    message = MessageFactory(status="sent")

    def fails(**fields):
        raise ConnectionError("the database is gone")

    monkeypatch.setattr(stopping, "stop", fails)
    with pytest.raises(ConnectionError):
        happens(message)
    address = ContactAddress.objects.get(pk=message.pitch.address_id)
    assert address.verification != ContactAddress.Verification.INVALID
    assert not Suppression.objects.exists()


@pytest.mark.req("REL-16")
@pytest.mark.parametrize("happens", [bounced, complained])
def test_two_that_end_the_same_person_at_once_wait_and_never_deadlock(happens):
    """Who wrote the suppression first, and asked for the person then, would block the other."""
    message = MessageFactory(status="sent")
    pitch = message.pitch
    with transaction.atomic():
        stopping.lock_person(pitch.address.contact_id)
        other = Aside(lambda: happens(message))
        await_lock_wait()
        stopping.unsubscribed(pitch, source="a test", now=MONDAY)
    other.done()
    assert Stop.objects.filter(contact=pitch.address.contact).count() == 2
