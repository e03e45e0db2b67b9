"""Webhooks at the desk."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from pitches import callbacks, home
from pitches.models import Event
from tests.clock import MONDAY
from tests.webhooks.callers import BY_NAME
from tests.webhooks.test_effects import deliver, sent, sparkpost


@pytest.fixture
def sender(db):
    return BY_NAME["sparkpost"].sender("overture:word-one")


@pytest.fixture
def page(client, ada):
    client.force_login(ada)
    return client


def test_the_sender_shows_the_address_and_what_is_missing(sender, page):
    path = reverse("admin:pitches_sender_change", args=[sender.pk])
    html = page.get(path).content.decode()
    assert callbacks.address_of("sparkpost", sender.pk) in html
    assert callbacks.address_of("sparkpost_inbound", sender.pk) in html
    assert "Its reports are refused" not in html
    sender.provider_options = "{}"
    sender.save()
    assert "Its reports are refused" in page.get(path).content.decode()


def test_who_may_only_look_does_not_see_the_address(sender, page, ada):
    ada.user_permissions.remove(Permission.objects.get(codename="change_sender"))
    html = page.get(reverse("admin:pitches_sender_change", args=[sender.pk])).content.decode()
    assert callbacks.address_of("sparkpost", sender.pk) not in html
    assert callbacks.address_of("sparkpost_inbound", sender.pk) not in html


def test_no_address_for_mail_is_shown_where_the_provider_hands_none_on(page, db):
    sender = BY_NAME["brevo"].sender("overture:word-one")
    html = page.get(reverse("admin:pitches_sender_change", args=[sender.pk])).content.decode()
    assert callbacks.address_of("brevo", sender.pk) in html
    assert "brevo_inbound" not in html


def test_a_delivery_shows_what_it_says_and_its_text_escaped(sender, page):
    bad = {"msys": {"message_event": "<script>alert(1)</script>"}}
    delivery = deliver(sender, [sparkpost(sent(sender)), bad])
    path = reverse("admin:pitches_webhookdelivery_change", args=[delivery.pk])
    html = page.get(path).content.decode()
    assert "delivered" in html
    assert "event 2: TypeError" in html
    assert "<script>alert(1)" not in html
    assert "&lt;script&gt;alert(1)" in html


def test_a_delivery_can_be_read_again_from_the_list(sender, page):
    delivery = deliver(sender, [sparkpost(sent(sender))])
    path = reverse("admin:pitches_webhookdelivery_changelist")
    for _ in range(2):
        told = {"action": "read_again", "_selected_action": [delivery.pk]}
        assert page.post(path, told, follow=True).status_code == 200
    assert Event.objects.count() == 1


def test_the_first_screen_counts_what_was_not_understood(sender, ada):
    delivery = deliver(sender, [])
    delivery.error = "event 1: TypeError"
    delivery.save()
    figures = {f.label: f.count for card in home.cards(ada, MONDAY) for f in card.figures}
    assert figures["webhooks not understood"] == 1
