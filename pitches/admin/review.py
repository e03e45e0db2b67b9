"""The review queue: every decision somebody owes."""

from __future__ import annotations

from django.contrib import admin
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from config.desk import STATUS_COLORS, Ledger, status_of
from pitches.models import ReviewTask


@admin.register(ReviewTask)
class ReviewTaskAdmin(Ledger):
    list_display = (
        "__str__",
        "kind",
        "colored_status",
        "campaign",
        "risk",
        "due_at",
        "created_at",
    )
    list_filter = ("status", "kind", ("campaign", RelatedDropdownFilter))
    list_select_related = ("campaign",)
    search_fields = ("campaign__name__istartswith",)

    @display(description="status", ordering="status", label=STATUS_COLORS)
    def colored_status(self, task: ReviewTask) -> tuple[str, str]:
        return status_of(task)
