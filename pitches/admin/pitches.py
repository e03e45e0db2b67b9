"""Pitches: the story of one approach, from the match to the answer, and the plan of all."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from unfold.contrib.filters.admin import RelatedDropdownFilter

from config.desk import STATUS_COLORS, Ledger, WordSearch, display, status_of
from pitches.admin import past, plan, stops, story
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

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("plan/", wrap(plan.view), name="pitches_plan"),
            path("<int:pk>/stop/", wrap(stops.pitch), name="pitches_stop_pitch"),
            path("<int:pk>/stop-person/", wrap(stops.person), name="pitches_stop_person"),
            path(
                "<int:pk>/stop-organization/",
                wrap(stops.organization),
                name="pitches_stop_organization",
            ),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        """The story instead of a form: a pitch is changed by what is done, not by hand."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            raise PermissionDenied
        pitch = story.read(int(object_id)) if object_id.isdecimal() else None
        if pitch is None:
            messages.warning(request, "There is no such pitch.")
            return redirect(reverse("admin:pitches_pitch_changelist"))
        context = {
            **self.admin_site.each_context(request),
            "title": f"Pitch to {pitch.address.contact}, {pitch.lead}",
            "pitch": pitch,
            "now": timezone.now(),
            "moments": story.moments(pitch),
            "before": list(past.pitches_to(pitch.lead, pitch.address, besides=pitch.pk)),
            "may_stop": request.user.has_perm(stops.STOP),
        }
        return TemplateResponse(request, "admin/desk/pitch.html", context)
