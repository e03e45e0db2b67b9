"""Ending the rehearsal: what it gives back, asked first, done by ``pitches.rehearsals``."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from campaigns import access
from config.desk import Ledger, user_of
from pitches import rehearsals
from pitches.admin.asking import ask
from pitches.models import RehearsalEnd


def end(request: HttpRequest) -> HttpResponse:
    """Show what would be given back; an admin's POST gives it back."""
    if not access.is_admin(request.user):
        raise PermissionDenied
    found = rehearsals.plan()

    def act(reason: str) -> str:
        done = rehearsals.end(now=timezone.now(), by=user_of(request))
        return f"{done.pitches} pitches and {done.matches} matches are given back."

    return ask(
        request,
        permission="pitches.add_rehearsalend",
        title="End the rehearsal",
        lines=[
            f"{found.pitches} captured pitches end and give {found.matches} matches back, as "
            "decided as they were; they can be pitched anew. "
            f"{found.messages} messages that wait are canceled.",
            f"What rehearsed answers did is undone: {found.stops} stops, {found.suppressions} "
            f"addresses never to write to, {found.threads} open threads.",
            "Captured mail stays readable. "
            + (
                "Then set SEND_MODE to allowlist or live and start anew."
                if settings.SEND_MODE == "capture"
                else "Until then nothing goes out for real."
            ),
        ],
        button="End the rehearsal",
        back=reverse("admin:index"),
        act=act,
        with_reason=False,
    )


@admin.register(RehearsalEnd)
class RehearsalEndAdmin(Ledger):
    list_display = ("ended_at", "by", "pitches", "matches")
    list_select_related = ("by",)
    when_empty = "No rehearsal was ended yet."

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(end)
        return [path("end/", page, name="pitches_end_rehearsal"), *super().get_urls()]
