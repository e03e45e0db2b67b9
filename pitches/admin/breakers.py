"""Breakers: what sending tripped, with its numbers, and the way to let it go on."""

from __future__ import annotations

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html

from campaigns import access
from campaigns.models import Campaign
from config.desk import Ledger, display, user_of
from pitches import breakers
from pitches.admin.asking import ask
from pitches.models import Breaker, Sender

COLORS = {"pause": "danger", "warning": "warning"}
REASONS = ("The list was cleaned", "Login and DNS are set right", "The cause is known and over")


def told_of(target: Sender | Campaign) -> list[tuple[Breaker, str]]:
    """The verdicts in force on a mailbox (its domain's too) or a campaign, in its page's words.

    One query.
    """
    rows = Breaker.objects.filter(Breaker.in_force(timezone.now()))
    return [(row, sentence(row)) for row in rows.filter(breakers.concerning(target))]


def sentence(row: Breaker) -> str:
    """As in “Paused: 5.2 % hard bounces, limit 5 %”."""
    word = "Paused" if row.level == Breaker.Level.PAUSE else "Warning"
    until = f" Until {timezone.localtime(row.until):%d %b %H:%M}." if row.until else ""
    return f"{word}: {row.reason}.{until}"


@admin.register(Breaker)
class BreakerAdmin(Ledger):
    list_display = (
        "target",
        "colored_level",
        "cause",
        "reason",
        "tripped_at",
        "until",
        "closed_at",
        "closing_reason",
        "end",
    )
    list_filter = (("closed_at", admin.EmptyFieldListFilter), "level", "cause", "scope")
    list_select_related = ("sender", "campaign")
    search_fields = ("domain__startswith", "sender__address__startswith")
    when_empty = "Nothing has tripped. Bounces, complaints and rows of errors stand here."

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/close/", wrap(close), name="pitches_close_breaker"),
            *super().get_urls(),
        ]

    @display(description="for")
    def target(self, row: Breaker) -> str:
        return row.target

    @display(description="level", ordering="level", label=COLORS)
    def colored_level(self, row: Breaker) -> tuple[str, str]:
        return row.level, row.get_level_display()

    @display(description="")
    def end(self, row: Breaker) -> str:
        if row.closed_at:
            return ""
        url = reverse("admin:pitches_close_breaker", args=[row.pk])
        return format_html('<a href="{}">Close…</a>', url)


def close(request: HttpRequest, pk: int) -> HttpResponse:
    """Let it go on: for admins, with a reason."""
    if not access.is_admin(request.user):
        raise PermissionDenied
    row = get_object_or_404(Breaker.objects.select_related("sender", "campaign"), pk=pk)
    back = reverse("admin:pitches_breaker_changelist")

    def act(reason: str) -> str:
        breakers.close(row, by=user_of(request), reason=reason, now=timezone.now())
        return "Closed. What waited goes out at the pace of limits and gaps, never in a burst."

    try:
        return ask(
            request,
            permission="pitches.change_breaker",
            title=f"Let {row.target} go on",
            lines=[
                f"{sentence(row)} Tripped {timezone.localtime(row.tripped_at):%d %b %H:%M}.",
                "What happened until now is not held against it again; what happens from now "
                "on is. Mend the cause first: providers remember.",
                f"Say why in {breakers.SHORTEST_REASON} characters or more. It is kept.",
            ],
            button="Close the breaker",
            back=back,
            act=act,
            reasons=REASONS,
        )
    except breakers.CannotClose as e:
        messages.error(request, str(e))
        return redirect(back)
