"""What came in: mail, provider events, webhooks."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from config.desk import STATUS_COLORS, Ledger, status_of
from pitches.models import Event, IncomingMessage, WebhookDelivery


@admin.register(IncomingMessage)
class IncomingMessageAdmin(Ledger):
    list_display = (
        "from_address",
        "subject",
        "colored_kind",
        "intent",
        "pitch",
        "sender",
        "received_at",
    )
    list_filter = (
        "kind",
        "intent",
        ("pitch", admin.EmptyFieldListFilter),
        ("handled_at", admin.EmptyFieldListFilter),
        ("sender", RelatedDropdownFilter),
    )
    list_select_related = ("pitch__lead", "sender")
    search_fields = ("from_address__startswith", "message_id__exact")

    @display(description="kind", ordering="kind", label=STATUS_COLORS)
    def colored_kind(self, incoming: IncomingMessage) -> tuple[str, str]:
        return status_of(incoming, "kind")


@admin.register(Event)
class EventAdmin(Ledger):
    list_display = ("kind", "provider", "message", "occurred_at")
    list_filter = ("kind", "provider")
    list_select_related = ("message",)
    search_fields = ("provider_event_id__exact",)


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(Ledger):
    """The body stays out of sight: it is raw, and somebody else wrote it."""

    list_display = (
        "provider",
        "delivery_id",
        "verdict",
        "received_at",
        "processed_at",
        "error",
    )
    list_filter = ("provider", "verdict", ("processed_at", admin.EmptyFieldListFilter))
    search_fields = ("delivery_id__exact",)
    exclude: ClassVar = ("body", "headers")
