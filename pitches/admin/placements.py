"""What worked, and the weekly plans and experiments on the way there."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from unfold.contrib.filters.admin import RelatedDropdownFilter

from config.db import WrongStatus
from config.desk import (
    STATUS_COLORS,
    Kept,
    Ledger,
    LedgerRows,
    Page,
    WordSearch,
    display,
    status_of,
    user_of,
)
from pitches import placing
from pitches.models import Experiment, Placement, PlacementChange

CHANGE = "pitches.change_placement"


class ChangeRows(LedgerRows):
    model = PlacementChange
    fields = ("changed_at", "old_status", "new_status", "user")
    show_change_link = False


class PlacementForm(forms.ModelForm):
    """A new placement; its kind follows from the campaign, its first stage is the first."""

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if not self.instance.pk and {"campaign", "candidate", "lead"} <= given.keys():
            named = ("campaign", "candidate", "lead", "pitch")
            placing.check_belongs(Placement(**{name: given.get(name) for name in named}))
        return given


@admin.register(Placement)
class PlacementAdmin(Kept, WordSearch, Page):
    """What is recorded may be corrected; the stage is moved by a button, with its history."""

    form = PlacementForm
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
    change_form_outer_before_template = "admin/desk/placement_actions.html"
    WHO = ("campaign", "candidate", "lead", "pitch")
    WHAT = ("value", "currency", "starts_on", "ends_on", "is_client_visible", "notes")

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        return (*self.WHO, *(("kind", "status") if obj else ()), *self.WHAT)

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        return (*self.WHO, "kind", "status") if obj else ()

    @display(description="status", ordering="status", label=STATUS_COLORS)
    def colored_status(self, placement: Placement) -> tuple[str, str]:
        return status_of(placement)

    def get_urls(self) -> list[URLPattern]:
        move = self.admin_site.admin_view(move_view)
        return [
            path("<int:pk>/move/", move, name="pitches_move_placement"),
            *super().get_urls(),
        ]

    def save_model(self, request: HttpRequest, obj: Placement, form: Any, change: bool) -> None:
        told = {
            name: form.cleaned_data[name] for name in self.WHAT if name in form.cleaned_data
        }
        if change:
            placing.change(obj, by=user_of(request), now=timezone.now(), **told)
            return
        who = {name: form.cleaned_data[name] for name in self.WHO}
        made = placing.place(by=user_of(request), now=timezone.now(), **who, **told)
        obj.pk, obj.kind, obj.status = made.pk, made.kind, made.status
        obj._state.adding = False


def move_view(request: HttpRequest, pk: int) -> HttpResponse:
    """Move a placement to another stage; going back needs a reason."""
    if not request.user.has_perm(CHANGE):
        raise PermissionDenied
    rows = Placement.objects.select_related("candidate", "lead", "campaign")
    placement = get_object_or_404(rows, pk=pk)
    back = reverse("admin:pitches_placement_change", args=[pk])
    if request.method == "POST":
        try:
            placing.move(
                placement,
                request.POST.get("to", ""),
                by=user_of(request),
                now=timezone.now(),
                reason=request.POST.get("reason", "")[:300],
            )
        except (ValidationError, WrongStatus) as e:
            told = e.messages if isinstance(e, ValidationError) else [str(e)]
            for sentence in told:
                messages.warning(request, sentence)
            return redirect(request.path)
        messages.success(request, f"{placement}.")
        return redirect(back)
    kind = Placement.Kind(placement.kind)
    context = {
        **admin.site.each_context(request),
        "title": f"Move {placement}",
        "placement": placement,
        "stages": [*Placement.STAGES[kind], *Placement.LOST],
        "back": back,
    }
    return TemplateResponse(request, "admin/desk/move_placement.html", context)


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
