"""Messages, their drafts, and the steps planned next."""

from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, path
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    RangeDateTimeFilter,
    RelatedDropdownFilter,
)

from config.desk import STATUS_COLORS, Ledger, LedgerRows, display, status_of
from pitches.admin import check, fate
from pitches.models import FollowUpTask, Message, Variant


class VariantRows(LedgerRows):
    model = Variant
    fields = ("number", "label", "author", "subject", "body", "is_chosen", "edited_by")


@admin.register(Message)
class MessageAdmin(Ledger):
    list_display = (
        "subject_or_step",
        "colored_status",
        "to_address",
        "sender",
        "send_at",
        "sent_at",
        "hold_reason",
    )
    list_filter = (
        "status",
        "send_mode",
        "channel",
        ("sender", RelatedDropdownFilter),
        ("pitch__campaign", RelatedDropdownFilter),
        ("pitch__is_imported", admin.BooleanFieldListFilter),
        ("sent_at", RangeDateTimeFilter),
    )
    list_select_related = ("sender", "step")
    search_fields = ("to_address__startswith", "message_id__exact")
    inlines = (VariantRows,)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("check/", wrap(check.view), name="pitches_check"),
            path("<int:pk>/fate/", wrap(fate.view), name="pitches_fate"),
            path("<int:pk>/fate/sent/", wrap(fate.mark_sent), name="pitches_mark_sent"),
            path("<int:pk>/fate/again/", wrap(fate.send_again), name="pitches_send_again"),
            *super().get_urls(),
        ]

    @display(description="message")
    def subject_or_step(self, message: Message) -> str:
        return message.subject or (message.step and message.step.name) or str(message)

    @display(description="status", ordering="status", label=STATUS_COLORS)
    def colored_status(self, message: Message) -> tuple[str, str]:
        return status_of(message)


@admin.register(Variant)
class VariantAdmin(Ledger):
    list_display = ("subject", "label", "author", "message", "is_chosen", "edited_by")
    list_filter = ("author", "tone", "is_chosen")
    list_select_related = ("message", "edited_by")
    search_fields = ("subject__startswith",)


@admin.register(FollowUpTask)
class FollowUpTaskAdmin(Ledger):
    list_display = ("step", "pitch", "due_at", "done_at", "canceled_at", "reason")
    list_filter = (
        ["pitch__sender", AutocompleteSelectFilter],
        ("done_at", admin.EmptyFieldListFilter),
        ("canceled_at", admin.EmptyFieldListFilter),
    )
    list_select_related = ("step", "pitch__lead")
    search_fields = ("pitch__address__canonical__startswith",)
