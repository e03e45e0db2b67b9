"""A burst of webhooks, many of them twice: stored in time, one effect each (F13)."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone

from pitches import deliveries
from pitches.models import Event, Message, WebhookDelivery
from tests.clock import MONDAY
from tests.factories import MessageFactory
from tests.faults.rig import FULL, sized, slowness
from tests.webhooks.callers import BY_NAME, JSON, basic
from tests.webhooks.test_effects import sparkpost

PASSWORD = "overture:word-one"
# RELIABILITY section 7, F13: 10,000 stored within 60 s.
BURST, PER_SECOND = sized(200, 10_000), 10_000 / 60
AT_ONCE = 4


@pytest.mark.fault
@pytest.mark.django_db(transaction=True)
@pytest.mark.req("REL-20", "REL-22")
def test_a_burst_is_stored_in_time_and_has_one_effect_each(settings, record_property):
    settings.PUBLIC_URL, settings.ALLOWED_HOSTS = "https://desk.example.com", ["testserver"]
    caller = BY_NAME["sparkpost"]
    sender = caller.sender(PASSWORD)
    message = MessageFactory(status="sent", pitch__sender=sender)
    path = urlsplit(caller.address(sender)).path
    bodies = [json.dumps([sparkpost(message, "open", number)]) for number in range(BURST)]
    # every tenth comes twice, and one of each hundred is malformed beside a good one
    bodies[::100] = [
        json.dumps([{"msys": {"message_event": number}}, sparkpost(message, "open", number)])
        for number in range(0, BURST, 100)
    ]

    def post(some: list[str]) -> list[int]:
        client = Client()
        try:
            return [
                client.post(path, body, content_type=JSON, headers=basic(PASSWORD)).status_code
                for body in some
            ]
        finally:
            connections.close_all()

    began = time.monotonic()
    shares = [(bodies + bodies[::10])[number::AT_ONCE] for number in range(AT_ONCE)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = [status for share in pool.map(post, shares) for status in share]
    seconds = time.monotonic() - began
    line = {"test": "F13 webhooks", "requests": len(answers), "seconds": round(seconds, 1)}
    record_property("webhooks", json.dumps(line))
    assert set(answers) == {200}
    assert WebhookDelivery.objects.count() == BURST
    began = time.monotonic()
    done = deliveries.work_through(deliveries.waiting(), now=timezone.now())
    line = {"test": "F13 tick", "deliveries": done.deliveries}
    line["seconds"] = round(time.monotonic() - began, 1)
    record_property("webhooks worked through", json.dumps(line))
    assert Event.objects.count() == BURST
    assert deliveries.quarantined().count() == BURST // 100
    assert not deliveries.waiting().exists()
    assert Message.objects.get(pk=message.pk).opened_at >= MONDAY
    assert not FULL or len(answers) / seconds > PER_SECOND / slowness()
