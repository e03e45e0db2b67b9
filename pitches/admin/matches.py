"""Matches."""

from __future__ import annotations

from django.contrib import admin
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from config.desk import STATUS_COLORS, Ledger, WordSearch, status_of
from pitches.models import Match


@admin.register(Match)
class MatchAdmin(WordSearch, Ledger):
    """To look at: a match is decided in the review queue."""

    list_display = ("__str__", "score", "colored_status", "urgent", "campaign", "suggested_at")
    list_filter = ("status", "urgent", ("campaign", RelatedDropdownFilter))
    list_select_related = ("candidate", "lead", "campaign")
    search_words = ("candidate__name", "lead__name")

    @display(description="status", ordering="status", label=STATUS_COLORS)
    def colored_status(self, match: Match) -> tuple[str, str]:
        return status_of(match)
