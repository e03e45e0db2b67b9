"""What reports do: one effect each, in any order, however often and however mixed."""

from __future__ import annotations

import itertools
import json
import random
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from pitches import deliveries, sources, tracking
from pitches.models import (
    Breaker,
    Event,
    IncomingMessage,
    Message,
    Pitch,
    Stop,
    WebhookDelivery,
)
from pitches.sources import Delivered, Report, Source
from pitches.tracking import Origin
from prospects import suppressions
from prospects.models import Contact, ContactAddress
from tests.clock import MONDAY
from tests.factories import MessageFactory, PitchFactory, SenderFactory
from tests.races import Aside
from tests.webhooks.callers import BY_NAME, JSON, basic

HOUR = timedelta(hours=1)
NOW = MONDAY + 2 * HOUR
Kind = Event.Kind


@pytest.fixture
def sender(db):
    return BY_NAME["postmark"].sender("overture:word-one")


@pytest.fixture
def message(sender):
    return sent(sender)


def sent(sender, **fields):
    fields.setdefault("status", "sent")
    return MessageFactory(pitch__sender=sender, pitch__status="active", **fields)


def origin(*senders, **options):
    return Origin("postmark", [sender.pk for sender in senders], **options)


def report(kind, message, number=0, **fields):
    fields.setdefault("occurred_at", MONDAY + HOUR)
    fields.setdefault("message_id", message.message_id.strip("<>"))
    return Report(event_id=f"{kind}-{number}-{message.pk}", kind=kind, **fields)


def deliver(sender, events, provider="sparkpost", number=1):
    return WebhookDelivery.objects.create(
        provider=provider,
        delivery_id=f"d{number}",
        body=json.dumps(events).encode(),
        headers={"content-type": JSON},
        verdict="unsigned",
        sender=sender,
        received_at=MONDAY,
    )


def sparkpost(message, kind="delivery", number=1):
    told = {
        "type": kind,
        "event_id": f"e{number}",
        "rcpt_to": "paula@example.com",
        "rcpt_meta": {"message_id": message.message_id},
        "timestamp": str(int(MONDAY.timestamp()) + number),
    }
    return {"msys": {"message_event": told}}


# -- without order -----------------------------------------------------------------------------

SIX = [
    (Kind.DELIVERED, MONDAY + HOUR, ""),
    (Kind.OPENED, MONDAY + 2 * HOUR, ""),
    (Kind.CLICKED, MONDAY + 3 * HOUR, ""),
    (Kind.REPLIED, MONDAY + 4 * HOUR, ""),
    (Kind.BOUNCED, MONDAY + 5 * HOUR, "soft"),
    (Kind.BOUNCED, MONDAY + 6 * HOUR, "hard"),
]


@pytest.mark.req("REL-21")
def test_all_720_orders_of_six_events_end_in_the_same_facts():
    ends = set()
    for order in itertools.permutations(SIX):
        facts = {}
        for kind, at, bounce in order:
            facts = tracking.advance(facts, kind, at, bounce)
        ends.add(tuple(sorted(facts.items())))
    assert len(ends) == 1
    assert dict(ends.pop())["bounce_kind"] == "hard"


@pytest.mark.req("REL-21")
def test_a_late_event_takes_nothing_back():
    facts = {}
    for kind, at, bounce in SIX:
        facts = tracking.advance(facts, kind, at, bounce)
    for kind, bounce in [(Kind.OPENED, ""), (Kind.DELIVERED, ""), (Kind.BOUNCED, "soft")]:
        assert tracking.advance(facts, kind, MONDAY + 9 * HOUR, bounce) == facts


@pytest.mark.req("REL-21")
@pytest.mark.django_db
def test_stops_in_any_order_end_pitch_and_message_the_same(sender):
    told = [
        (Kind.DELIVERED, ""),
        (Kind.OPENED, ""),
        (Kind.BOUNCED, "hard"),
        (Kind.COMPLAINED, ""),
        (Kind.UNSUBSCRIBED, ""),
        (Kind.CLICKED, ""),
    ]
    # every order of the three that stop somebody, each among the others in another order
    orders = list(itertools.permutations(told))
    chosen = random.Random(21).sample(orders, 24)
    ends = set()
    for order in chosen:
        message = sent(sender)
        for kind, bounce in order:
            tracking.record(
                [report(kind, message, bounce_kind=bounce)], origin(sender), now=NOW
            )
        message.refresh_from_db()
        pitch = Pitch.objects.get(pk=message.pitch_id)
        stops = sorted(Stop.objects.filter(contact=pitch.address.contact).values_list("kind"))
        facts = tuple(getattr(message, name) for name in tracking.FIELDS)
        ends.add((facts, message.status, pitch.status, tuple(stops)))
    assert len(ends) == 1
    assert next(iter(ends))[2] == Pitch.Status.BOUNCED


@pytest.mark.django_db
@pytest.mark.req("REL-21", "S000-065")
def test_opened_after_replied_keeps_replied(sender, message):
    Pitch.objects.filter(pk=message.pitch_id).update(status="replied", replied_at=MONDAY)
    tracking.record([report(Kind.OPENED, message)], origin(sender), now=NOW)
    message.refresh_from_db()
    assert message.opened_at == MONDAY + HOUR
    assert Pitch.objects.get(pk=message.pitch_id).status == "replied"


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        (MONDAY - HOUR, MONDAY - timedelta(minutes=5)),
        (MONDAY - timedelta(minutes=4), MONDAY - timedelta(minutes=4)),
        (NOW + HOUR, NOW + timedelta(minutes=5)),
        (None, NOW),
    ],
    ids=["long before", "just before", "in the future", "not told"],
)
@pytest.mark.django_db
@pytest.mark.req("REL-21")
def test_the_time_of_an_event_is_clamped(told, kept, sender, message):
    tracking.record([report(Kind.OPENED, message, occurred_at=told)], origin(sender), now=NOW)
    message.refresh_from_db()
    assert message.opened_at == kept == Event.objects.get().occurred_at


# -- one effect each ---------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.req("REL-20")
def test_twenty_at_once_are_one_row_and_one_effect(settings):
    settings.PUBLIC_URL, settings.ALLOWED_HOSTS = "https://desk.example.com", ["testserver"]
    caller = BY_NAME["postmark"]
    sender = caller.sender("overture:word-one")
    message = sent(sender)
    told = {
        "RecordType": "SpamComplaint",
        "ID": 7,
        "Type": "SpamComplaint",
        "Email": "paula@example.com",
        "BouncedAt": "2026-06-01T10:00:00Z",
        "Metadata": {"message_id": message.message_id},
    }
    path = urlsplit(caller.address(sender)).path

    def post():
        return Client().post(
            path, json.dumps(told), content_type=JSON, headers=basic("overture:word-one")
        )

    answers = [each.done() for each in [Aside(post) for _ in range(20)]]
    assert [answer.status_code for answer in answers] == [200] * 20
    assert sum(not answer.json()["known"] for answer in answers) == 1
    assert WebhookDelivery.objects.count() == Event.objects.count() == 1
    assert Stop.objects.filter(kind="complaint").count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.req("REL-20")
def test_two_who_read_the_same_deliveries_at_once_make_one_effect_each():
    sender = BY_NAME["postmark"].sender("overture:word-one")
    messages = [sent(sender) for _ in range(20)]
    for number, message in enumerate(messages):
        kind = "spam_complaint" if number % 5 == 0 else "open"
        deliver(sender, [sparkpost(message, kind, number)], number=number)

    def read():
        return deliveries.work_through(deliveries.waiting(), now=NOW)

    done = [each.done() for each in [Aside(read) for _ in range(3)]]
    assert sum(each.recorded.new for each in done) == Event.objects.count() == 20
    assert [each.failed for each in done] == [0, 0, 0]
    assert Stop.objects.filter(kind="complaint").count() == 4
    assert Message.objects.filter(opened_at__isnull=False).count() == 16
    assert not deliveries.waiting().exists()


@pytest.mark.django_db
@pytest.mark.req("REL-22")
def test_one_malformed_event_of_ten_is_set_aside(sender, message):
    events = [sparkpost(message, number=number) for number in range(1, 11)]
    events[3] = {"msys": {"message_event": "nonsense"}}
    delivery = deliver(sender, events)
    done = deliveries.take(delivery, now=NOW)
    assert (done.new, len(done.problems)) == (9, 1)
    assert Event.objects.filter(message=message).count() == 9
    delivery.refresh_from_db()
    assert delivery.error.startswith("event 4: ")
    assert delivery in deliveries.quarantined()


@pytest.mark.django_db
@pytest.mark.req("REL-22")
def test_an_event_that_cannot_be_written_does_not_keep_the_others(sender, message):
    reports = [report(Kind.OPENED, message, number) for number in range(3)]
    bad = Report(event_id="x" * 300, kind=Kind.OPENED)  # longer than its column
    done = tracking.record([*reports, bad], origin(sender), now=NOW)
    assert (done.new, done.problems) == (3, ["opened: DataError"])


@pytest.mark.django_db
@pytest.mark.req("REL-20", "S000-066")
def test_working_through_again_changes_nothing(sender, message):
    delivery = deliver(
        sender, [sparkpost(message, "spam_complaint"), sparkpost(message, "open", 2)]
    )
    deliveries.take(delivery, now=NOW)
    before = snapshot()
    again = deliveries.take(delivery, now=NOW + HOUR)
    assert (again.new, again.known) == (0, 2)
    assert snapshot() == before


def snapshot():
    models = (Event, Message, Pitch, Stop, IncomingMessage)
    return [list(model.objects.order_by("pk").values()) for model in models]


@pytest.mark.django_db
def test_a_round_costs_the_same_queries_however_much_is_waiting(sender):
    numbers = itertools.count(1)

    def cost(count):
        for number in itertools.islice(numbers, count):
            deliver(sender, [sparkpost(sent(sender), number=number)], number=number)
        with CaptureQueriesContext(connection) as caught:
            done = deliveries.work_through(deliveries.waiting(), now=NOW)
        assert (done.deliveries, done.recorded.new) == (count, count)
        return len(caught)

    assert cost(2) == cost(40)


@pytest.mark.django_db
def test_a_round_takes_no_more_bytes_at_once_than_it_may(sender, monkeypatch):
    monkeypatch.setattr(deliveries, "MOST_BYTES", 1_000)
    monkeypatch.setattr(deliveries, "ROUND", 3)
    message, other = sent(sender), BY_NAME["postmark"].sender("overture:another")
    for number in range(1, 9):
        deliver(sender, [sparkpost(message, "open", number)], number=number)
    deliver(other, [sparkpost(sent(other), number=9)], number=9)
    done = deliveries.work_through(deliveries.waiting(), now=NOW)
    assert (done.deliveries, done.recorded.new, done.recorded.unmatched) == (9, 9, 0)
    assert not deliveries.waiting().exists()


@pytest.mark.django_db
@pytest.mark.req("REL-22")
def test_a_delivery_that_cannot_be_taken_does_not_keep_the_round_from_the_others(
    sender, message, monkeypatch
):
    for number in range(1, 4):
        deliver(sender, [sparkpost(message, "open", number)], number=number)
    bad, real = deliver(sender, [], number=4), deliveries.read

    def read(delivery, source=None):
        if delivery.pk == bad.pk:
            raise MemoryError
        return real(delivery, source)

    monkeypatch.setattr(deliveries, "read", read)
    done = deliveries.work_through(deliveries.waiting(), now=NOW)
    assert (done.deliveries, done.failed, done.recorded.new) == (3, 1, 3)
    bad.refresh_from_db()
    assert bad.error == "not worked through: MemoryError"
    assert list(deliveries.waiting()) == [bad]


@pytest.mark.django_db
def test_a_batch_costs_the_same_queries_whatever_its_size(sender):
    def cost(count, number):
        rows = [sent(sender) for _ in range(count)]
        told = [report(Kind.OPENED, row, number) for row in rows]
        with CaptureQueriesContext(connection) as caught:
            tracking.record(told, origin(sender), now=NOW)
        return len(caught)

    assert cost(2, 1) == cost(30, 2)


# -- whose they are ----------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_report_from_another_account_has_no_effect(sender):
    stranger = BY_NAME["postmark"].sender("overture:another")
    message = sent(stranger)
    deliveries.take(deliver(sender, [sparkpost(message, "spam_complaint")]), now=NOW)
    message.refresh_from_db()
    assert message.complained_at is None
    assert not Stop.objects.exists()
    assert Event.objects.get().message is None


@pytest.mark.django_db
def test_mailboxes_of_one_account_share_its_reports(sender):
    other = BY_NAME["postmark"].sender("overture:word-one")
    message = sent(other)
    deliveries.take(deliver(sender, [sparkpost(message)]), now=NOW)
    assert Event.objects.get().message == message


@pytest.mark.django_db
def test_a_report_that_overtakes_our_commit_is_joined_later(sender):
    message = sent(sender, status="queued", message_id="early@example.com")
    delivery = deliver(sender, [sparkpost(message, "spam_complaint")])
    soon = MONDAY + timedelta(minutes=1)
    assert deliveries.take(delivery, now=soon).unmatched == 1
    assert (delivery.processed_at, Event.objects.get().message) == (None, None)
    assert list(deliveries.waiting()) == [delivery]
    Message.objects.filter(pk=message.pk).update(
        status="sent", counted_at=MONDAY, sent_at=MONDAY, receipt="250"
    )
    done = deliveries.work_through(deliveries.waiting(), now=soon + timedelta(minutes=1))
    assert done.recorded.new == 1
    message.refresh_from_db()
    assert message.complained_at is not None
    assert Event.objects.get().message == message
    assert not deliveries.waiting().exists()


@pytest.mark.django_db
def test_a_report_about_nobody_is_kept_and_let_go_of(sender):
    """As for an erased contact, or the provider's mail of somebody else."""
    message = MessageFactory.build(
        message_id="gone@example.com",
        pitch=None,
        step=None,
        send_mode="live",
        sender=None,
        to_address="",
    )
    delivery = deliver(sender, [sparkpost(message, "spam_complaint")])
    deliveries.take(delivery, now=MONDAY + HOUR)
    assert delivery.processed_at is not None
    assert "paula" not in json.dumps(Event.objects.get().payload)


def anonymise(message):
    """Nothing of the person is left in the rows that stay."""
    address = message.pitch.address
    gone = f"erased-{address.pk}@erased.invalid"
    Message.objects.filter(pk=message.pk).update(to_address=gone, subject="", body="")
    ContactAddress.objects.filter(pk=address.pk).update(value=gone, canonical=gone)
    Contact.objects.filter(pk=address.contact_id).update(name="", title="")


def remove(message):
    """The rows are gone, as where a backup from before was restored."""
    pitch, address = message.pitch, message.pitch.address
    message.delete()
    pitch.delete()
    address.contact.delete()


@pytest.mark.parametrize("erase", [anonymise, remove])
@pytest.mark.parametrize("kind", ["open", "spam_complaint", "list_unsubscribe", "bounce"])
@pytest.mark.django_db
def test_a_report_about_an_erased_person_brings_nothing_of_them_back(
    kind, erase, sender, settings, client
):
    settings.PUBLIC_URL, settings.ALLOWED_HOSTS = "https://desk.example.com", ["testserver"]
    message = sent(sender)
    person = message.pitch.address.value
    event = sparkpost(message, kind)
    event["msys"]["message_event"] |= {
        "rcpt_to": person, "bounce_class": "10", "raw_reason": f"550 5.1.1 no {person} here"
    }  # fmt: skip
    suppressions.add("email", person, reason="erased", source="asked", now=MONDAY)
    erase(message)
    answer = client.post(
        urlsplit(BY_NAME["sparkpost"].address(sender)).path,
        json.dumps([event]),
        content_type=JSON,
        headers=basic("overture:word-one"),
    )
    assert answer.status_code == 200
    done = deliveries.work_through(deliveries.waiting(), now=timezone.now() + HOUR)
    assert (done.failed, done.recorded.problems) == (0, [])
    assert not deliveries.waiting().exists()
    models = (Contact, ContactAddress, Message, Pitch, Stop, IncomingMessage)
    assert person not in repr([list(model.objects.values()) for model in models])
    assert suppressions.suppressed([person]) == {person: "erased"}
    assert person not in repr(list(Event.objects.values()))


@pytest.mark.django_db
def test_the_senders_own_id_and_the_providers_id_both_join(sender):
    by_ours = sent(sender, message_id="ours@example.com")
    by_theirs = sent(sender, provider_id="<theirs@provider.example>")
    joined = tracking.join(
        [
            Report("1", Kind.OPENED, message_id="ours@example.com"),
            Report("2", Kind.OPENED, provider_id="theirs@provider.example"),
            Report("3", Kind.OPENED, recipient=by_ours.to_address),
        ],
        origin(sender),
        now=NOW,
    )
    assert joined == {"1": by_ours, "2": by_theirs}


# -- what follows ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "bounce", "reason", "status"),
    [
        (Kind.BOUNCED, "hard", "bounced", "bounced"),
        (Kind.COMPLAINED, "", "complained", "stopped"),
        (Kind.UNSUBSCRIBED, "", "unsubscribed", "stopped"),
    ],
    ids=["hard bounce", "complaint", "unsubscribe"],
)
@pytest.mark.django_db
@pytest.mark.req("S001-069")
def test_what_stops_somebody_suppresses_and_ends_the_pitch(
    kind, bounce, reason, status, sender
):
    message = sent(sender)
    tracking.record([report(kind, message, bounce_kind=bounce)], origin(sender), now=NOW)
    assert suppressions.suppressed([message.to_address]) == {message.to_address: reason}
    assert Pitch.objects.get(pk=message.pitch_id).status == status


@pytest.mark.django_db
def test_a_soft_bounce_stops_nobody(sender, message):
    told = report(Kind.BOUNCED, message, bounce_kind="soft")
    tracking.record([told], origin(sender), now=NOW)
    message.refresh_from_db()
    assert message.bounce_kind == "soft"
    assert not Stop.objects.exists()


@pytest.mark.django_db
@pytest.mark.req("SEC-14")
def test_what_stops_somebody_does_not_wait_for_the_tick(sender, settings, client):
    settings.PUBLIC_URL, settings.ALLOWED_HOSTS = "https://desk.example.com", ["testserver"]
    message = sent(sender)
    events = [sparkpost(message, "delivery", number) for number in range(1, 100)]
    events.append(sparkpost(message, "spam_complaint", 100))
    caller = BY_NAME["sparkpost"]
    answer = client.post(
        urlsplit(caller.address(sender)).path,
        json.dumps(events),
        content_type=JSON,
        headers=basic("overture:word-one"),
    )
    assert answer.status_code == 200
    assert Stop.objects.filter(kind="complaint").exists()
    assert Event.objects.count() == 1
    deliveries.work_through(deliveries.waiting(), now=NOW)
    assert Event.objects.count() == 100


# -- Instantly ---------------------------------------------------------------------------------


@pytest.fixture
def instantly(db):
    options = {"api_key": "key-one", "campaign_id": "c1", "webhook_secret": "word"}
    return SenderFactory(transport="instantly", provider_options=json.dumps(options))


def told(event_type, message, **fields):
    return {
        "event_type": event_type,
        "timestamp": (MONDAY + HOUR).isoformat(),
        "campaign_id": "c1",
        "lead_email": message.to_address,
        "email_id": f"id-{event_type}",
        "step": 1,
        "overture_id": message.message_id,
        **fields,
    }


def hear(sender, payload, number=1):
    return deliveries.take(deliver(sender, payload, "instantly", number), now=NOW)


@pytest.mark.django_db
@pytest.mark.req("S000-065")
def test_email_sent_settles_what_was_delegated(instantly):
    pitch = PitchFactory(sender=instantly, status="approved")
    message = MessageFactory(pitch=pitch, status="delegated", receipt="taken over")
    hear(instantly, told("email_sent", message))
    message.refresh_from_db()
    pitch.refresh_from_db()
    assert (message.status, message.provider_id) == ("sent", "id-email_sent")
    assert pitch.status == "active"


@pytest.mark.parametrize("known_by", ["our id", "recipient"])
@pytest.mark.django_db
@pytest.mark.req("S000-065")
def test_a_reply_through_instantly_is_a_reply(known_by, instantly):
    message = sent(instantly)
    payload = told(
        "reply_received", message, reply_text="Yes, tell me more.", reply_subject="Re: x"
    )
    if known_by == "recipient":
        payload.pop("overture_id")
    hear(instantly, payload)
    hear(instantly, payload, number=2)
    incoming = IncomingMessage.objects.get()
    assert (incoming.kind, incoming.source) == ("human_reply", "instantly")
    assert incoming.pitch_id == message.pitch_id
    assert Pitch.objects.get(pk=message.pitch_id).status == "replied"


@pytest.mark.parametrize("word", ["link_clicked", "email_link_clicked"])
@pytest.mark.django_db
def test_both_spellings_of_a_click_count(word, instantly):
    message = sent(instantly)
    hear(instantly, told(word, message))
    message.refresh_from_db()
    assert message.clicked_at is not None


@pytest.mark.parametrize(
    ("words", "kind"),
    [("", "soft"), ("452 4.2.2 mailbox full", "soft"), ("550 5.1.1 no such user", "hard")],
    ids=["not said", "for now", "for good"],
)
@pytest.mark.django_db
def test_a_bounce_of_instantly_may_be_soft(words, kind, instantly):
    message = sent(instantly)
    hear(instantly, told("email_bounced", message, error=words))
    message.refresh_from_db()
    assert message.bounce_kind == kind
    assert Stop.objects.exists() == (kind == "hard")


@pytest.mark.django_db
def test_trouble_with_the_account_pauses_the_mailbox(instantly):
    hear(instantly, {"event_type": "account_error", "error": "login", "timestamp": "x"})
    breaker = Breaker.objects.get(sender=instantly)
    assert (breaker.level, breaker.cause) == ("pause", "login_or_dns")
    assert "login" in breaker.reason


@pytest.mark.django_db
def test_trouble_told_again_does_not_overrule_who_has_looked(instantly):
    trouble = {"event_type": "account_error", "error": "login", "timestamp": "x"}
    delivery = deliver(instantly, trouble, "instantly")
    deliveries.take(delivery, now=MONDAY)
    assert delivery.processed_at == MONDAY
    Breaker.objects.all().delete()
    deliveries.take(delivery, now=NOW)
    assert not Breaker.objects.exists()


@pytest.mark.django_db
def test_an_unknown_kind_is_kept_as_unknown(instantly):
    message = sent(instantly)
    hear(instantly, told("lead_has_a_custom_label", message))
    assert Event.objects.get().kind == "unknown"
    assert Event.objects.get().payload["label"] == "lead_has_a_custom_label"


# -- Twilio ------------------------------------------------------------------------------------


@pytest.fixture
def twilio(db):
    return SenderFactory(transport="twilio", provider_options=json.dumps({"auth_token": "t"}))


def receipt(status, **fields):
    source = sources.find("twilio")
    told = {"MessageSid": "SM1", "MessageStatus": status, "To": "+15550100", **fields}
    body = "&".join(f"{name}={value}" for name, value in told.items()).replace("+", "%2B")
    delivered = Delivered(body.encode(), {"content-type": "application/x-www-form-urlencoded"})
    return source.reports(source.parts(delivered)[0])[0]


@pytest.mark.django_db
@pytest.mark.req("S001-071")
def test_receipts_of_texts_end_the_same_in_any_order(twilio):
    ends = set()
    for number, order in enumerate(itertools.permutations(["queued", "sent", "delivered"])):
        message = sent(twilio, provider_id=f"SM{number}", channel="sms")
        for status in order:
            one = receipt(status, MessageSid=f"SM{number}")
            tracking.record([one], Origin("twilio", [twilio.pk]), now=NOW)
        message.refresh_from_db()
        ends.add((message.status, message.delivered_at))
    assert ends == {("sent", NOW)}


@pytest.mark.parametrize(
    ("fields", "kind", "bounce"),
    [
        ({"ErrorCode": "30005"}, "bounced", "hard"),
        ({"ErrorCode": "30003"}, "bounced", "soft"),
        ({"ErrorCode": "30007"}, "bounced", "policy"),
        ({"ErrorCode": "21610"}, "unsubscribed", ""),
        ({}, "bounced", "soft"),
    ],
    ids=["no such number", "switched off", "filtered", "opted out", "no code"],
)
@pytest.mark.req("S001-071")
def test_a_failed_text_says_why(fields, kind, bounce):
    found = receipt("undelivered", **fields)
    assert (found.kind, found.bounce_kind) == (kind, bounce)


# -- one class and one line --------------------------------------------------------------------


class Tiny(Source):
    """A provider somebody adds."""

    def proves(self, delivered, secret):
        return delivered.headers.get("x-proof") == secret

    def reports(self, part):
        read = json.loads(part.delivered.body)
        return [Report(read["id"], Kind.OPENED, message_id=read["of"])]


@pytest.mark.django_db
def test_another_provider_is_one_class_and_one_line(client, settings):
    settings.WEBHOOK_SOURCES = {"tiny": "tests.webhooks.test_effects.Tiny"}
    settings.ALLOWED_HOSTS = ["testserver"]
    sender = SenderFactory(provider_options='{"webhook_secret": "word"}')
    message = sent(sender)
    answer = client.post(
        urlsplit(deliveries.callbacks.address_of("tiny", sender.pk)).path,
        json.dumps({"id": "1", "of": message.message_id}),
        content_type=JSON,
        headers={"X-Proof": "word"},
    )
    assert answer.status_code == 200
    deliveries.work_through(deliveries.waiting(), now=NOW)
    message.refresh_from_db()
    assert message.opened_at is not None


# -- keeping -----------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.req("SEC-14")
def test_after_thirty_days_only_the_id_is_left(sender, message):
    old = deliver(sender, [sparkpost(message)])
    young = deliver(sender, [sparkpost(message, number=2)], number=2)
    WebhookDelivery.objects.filter(pk=young.pk).update(received_at=MONDAY + timedelta(days=2))
    assert deliveries.forget(now=MONDAY + timedelta(days=31))["deliveries"] == 1
    old.refresh_from_db()
    assert (bytes(old.body), old.headers, old.delivery_id) == (b"", {}, "d1")
    assert list(deliveries.stored()) == [young]
