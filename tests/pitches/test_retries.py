"""What a server puts off is tried again: later each time, and not for ever (RFC 5321)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pitches import settling
from pitches.channels import ChannelError
from pitches.models import Message
from tests.clock import MONDAY
from tests.factories import MessageFactory

DAY = timedelta(days=1)


@pytest.mark.req("REL-12")
@hypothesis_settings(max_examples=300, deadline=None)
@given(message_id=st.text(min_size=1, max_size=80), attempt=st.integers(1, 12))
def test_each_wait_is_a_third_longer_within_a_tenth_and_always_the_same(message_id, attempt):
    wait = settling.retry_delay(attempt, message_id)
    share = wait / (timedelta(minutes=5) * 1.3 ** (attempt - 1))
    assert 0.9 - 1e-6 <= share <= 1.1 + 1e-6
    assert wait == settling.retry_delay(attempt, message_id)


def put_off(message, *, now):
    Message.objects.filter(pk=message.pk).update(
        status="claimed",
        lease_owner="12345678-1234-5678-1234-567812345678",
        leased_until=now + DAY,
    )
    message = Message.objects.get(pk=message.pk)
    settling.refused(message, ChannelError("450 4.2.1 busy"), now=now)
    message.refresh_from_db()
    return message


@pytest.mark.django_db
@pytest.mark.req("REL-12")
def test_the_twelfth_no_is_the_last_and_each_wait_is_the_planned_one():
    message, now = MessageFactory(status="approved"), MONDAY
    for attempt in range(1, 12):
        message = put_off(message, now=now)
        planned = timedelta(minutes=5) * 1.3 ** (attempt - 1)
        assert (message.status, message.attempts) == ("queued", attempt)
        assert 0.9 <= (message.send_at - now) / planned <= 1.1
        now = message.send_at
    assert put_off(message, now=now).status == "expired"


@pytest.mark.django_db
@pytest.mark.req("REL-12")
def test_after_five_days_there_is_no_further_try_however_few_there_were():
    message = put_off(MessageFactory(status="approved"), now=MONDAY)
    assert put_off(message, now=MONDAY + 5 * DAY).status == "queued"
    assert put_off(message, now=MONDAY + 5 * DAY + timedelta(seconds=1)).status == "expired"
