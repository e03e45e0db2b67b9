"""Pitches: the story of one approach, from the match to the answer."""

from __future__ import annotations

from django.contrib import admin
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from config.desk import STATUS_COLORS, Ledger, WordSearch, status_of
from pitches.models import Pitch


@admin.register(Pitch)
class PitchAdmin(WordSearch, Ledger):
    list_display = (
        "lead",
        "colored_status",
        "status_reason",
        "outcome",
        "campaign",
        "sender",
        "first_sent_at",
        "replied_at",
    )
    list_filter = (
        "status",
        "outcome",
        "urgent",
        "send_mode",
        ("campaign", RelatedDropdownFilter),
        ("sender", RelatedDropdownFilter),
    )
    list_select_related = ("lead", "campaign", "sender")
    search_words = ("lead__name",)
    search_fields = ("address__canonical__startswith",)

    @display(description="status", ordering="status", label=STATUS_COLORS)
    def colored_status(self, pitch: Pitch) -> tuple[str, str]:
        return status_of(pitch)
