"""Matches."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold.contrib.filters.admin import RelatedDropdownFilter

from config.desk import STATUS_COLORS, Ledger, WordSearch, display, status_of
from pitches.admin import task_pages
from pitches.models import Match, ReviewTask


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

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        """What the review queue shows of it, and where it stands; decided is elsewhere."""
        if not self.has_view_permission(request) or request.method == "POST":
            raise PermissionDenied
        rows = (
            Match.objects.filter(pk=object_id)
            if object_id.isdecimal()
            else Match.objects.none()
        )
        if not rows.exists():
            messages.warning(request, "There is no such match.")
            return redirect(reverse("admin:pitches_match_changelist"))
        now = timezone.now()
        tasks = ReviewTask.objects.filter(match=int(object_id), status=ReviewTask.Status.OPEN)
        page = task_pages.of_match(int(object_id), now=now)
        context = {
            **self.admin_site.each_context(request),
            "title": f"{page.match.candidate} → {page.match.lead}",
            "about_match": page,
            "task": tasks.first(),
            "now": now,
        }
        return TemplateResponse(request, "admin/desk/match.html", context)
