"""The command that works webhooks through (S000-066)."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import CommandError, call_command

from pitches.models import Event, Message, WebhookDelivery
from tests.webhooks.test_effects import deliver, sent, sparkpost
from tests.webhooks.test_effects import sender as _sender

sender = _sender


def run(*args, **options):
    out = io.StringIO()
    call_command("process_webhooks", *args, stdout=out, **options)
    return out.getvalue()


@pytest.mark.req("S000-066")
def test_a_dry_run_says_what_is_waiting_and_changes_nothing(sender):
    deliver(sender, [sparkpost(sent(sender)), {"msys": {"message_event": 1}}])
    told = json.loads(run(dry_run=True, json=True))
    (row,) = told["deliveries"]
    assert [event["kind"] for event in row["events"]] == ["delivered"]
    assert row["problems"] == ["event 2: TypeError"]
    assert not Event.objects.exists()
    assert WebhookDelivery.objects.get().processed_at is None


@pytest.mark.req("S000-066")
def test_what_was_worked_through_can_be_worked_through_again(sender):
    message = sent(sender)
    delivery = deliver(sender, [sparkpost(message)])
    assert json.loads(run(json=True))["new"] == 1
    assert json.loads(run(json=True))["deliveries"] == 0
    assert json.loads(run(again=True, json=True))["known"] == 1
    assert json.loads(run(str(delivery.pk), json=True))["known"] == 1
    assert Event.objects.count() == 1


@pytest.mark.req("S000-066")
def test_a_saved_payload_is_worked_through(sender, tmp_path):
    message = sent(sender)
    path = tmp_path / "payload.json"
    path.write_text(json.dumps([sparkpost(message)]))
    where = {"file": path, "provider": "sparkpost", "sender": sender.address}
    run(**where, dry_run=True)
    assert not WebhookDelivery.objects.exists()
    for _ in range(2):
        run(**where)
    assert WebhookDelivery.objects.count() == Event.objects.count() == 1
    assert Message.objects.get(pk=message.pk).delivered_at is not None


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"provider": "nobody"}, 2),
        ({"file": "/nowhere", "provider": "postmark", "sender": ""}, 2),
    ],
    ids=["unknown provider", "no sender"],
)
@pytest.mark.django_db
def test_what_cannot_be_done_ends_with_2(options, code):
    with pytest.raises(CommandError) as told:
        run(**options)
    assert told.value.returncode == code


def test_an_event_that_is_not_understood_ends_with_1(sender):
    deliver(sender, [{"msys": {"message_event": 1}}])
    with pytest.raises(CommandError) as told:
        run()
    assert told.value.returncode == 1
