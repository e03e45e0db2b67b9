"""What worked, and the weekly plans and experiments on the way there."""

from __future__ import annotations

from django.contrib import admin
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from config.desk import STATUS_COLORS, Kept, Ledger, LedgerRows, Page, WordSearch, status_of
from pitches.models import Experiment, Placement, PlacementChange, WeeklyPlan


class ChangeRows(LedgerRows):
    model = PlacementChange
    fields = ("changed_at", "old_status", "new_status", "user")


@admin.register(Placement)
class PlacementAdmin(Kept, WordSearch, Page):
    list_display = (
        "candidate",
        "lead",
        "colored_status",
        "kind",
        "campaign",
        "value",
        "starts_on",
    )
    list_filter = ("status", "kind", ("campaign", RelatedDropdownFilter))
    list_select_related = ("candidate", "lead", "campaign")
    search_words = ("candidate__name", "lead__name")
    autocomplete_fields = ("campaign", "candidate", "lead", "pitch")
    inlines = (ChangeRows,)

    @display(description="status", ordering="status", label=STATUS_COLORS)
    def colored_status(self, placement: Placement) -> tuple[str, str]:
        return status_of(placement)


@admin.register(PlacementChange)
class PlacementChangeAdmin(Ledger):
    list_display = ("placement", "old_status", "new_status", "changed_at", "user")
    list_filter = ("new_status",)
    list_select_related = ("placement__candidate", "placement__lead", "user")
    search_fields = ("placement__candidate__name__startswith",)


@admin.register(Experiment)
class ExperimentAdmin(Kept, Page):
    list_display = ("name", "colored_status", "metric", "started_at", "ended_at")
    list_filter = ("status", "metric")
    search_fields = ("name__istartswith",)
    autocomplete_fields = ("campaigns",)
    readonly_fields = ("status", "started_at", "ended_at")

    @display(description="status", ordering="status", label=STATUS_COLORS)
    def colored_status(self, experiment: Experiment) -> tuple[str, str]:
        return status_of(experiment)


@admin.register(WeeklyPlan)
class WeeklyPlanAdmin(Page):
    list_display = ("campaign", "owner", "week", "target_requests", "target_follow_ups")
    list_filter = (("campaign", RelatedDropdownFilter),)
    list_select_related = ("campaign", "owner")
    search_fields = ("campaign__name__istartswith", "owner__username__startswith")
    autocomplete_fields = ("campaign", "owner")
