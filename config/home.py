"""The first screen and the sidebar: what needs a person, asked of each app."""

from __future__ import annotations

import copy
from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

import campaigns.home
import crm_sync.home
import pitches.home
import prospects.home
from campaigns.access import is_admin
from config import alerts, beats, look
from config.cards import Card, Figure, figure, rows_at
from config.models import TickRun

# A worker beats every few seconds; silence of this length is worth a sentence.
SILENT_SECONDS = 90

MODES = {
    "capture": (
        "good",
        "Rehearsal: nothing leaves this machine.",
        "Mail is caught in a folder, and you can answer it as the recipient.",
    ),
    "allowlist": (
        "wait",
        "Only addresses on the allow-list are written to.",
        "Everything else is held, with that reason.",
    ),
    "live": ("bad", "Live: mail leaves to real people.", "Every message was approved first."),
}


def first_screen(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the cards of every app to the admin's index page."""
    now = timezone.now()
    tone, headline, more = MODES[settings.SEND_MODE]
    return context | {
        "now": now,
        "mode": {
            "tone": tone,
            "headline": headline,
            "more": more,
            "end_rehearsal": is_admin(request.user) and pitches.home.has_rehearsal(),
        },
        "switch": pitches.home.switch(request.user, now),
        "cards": cards(request.user, now),
        "title": "Today",
    }


def cards(user: Any, now: datetime) -> list[Card]:
    """All cards this user may see; decisions first."""
    return [
        *alerts.cards(user),
        *pitches.home.cards(user, now),
        *campaigns.home.cards(user, now),
        *prospects.home.cards(user, now),
        *crm_sync.home.cards(user, now),
        *_machinery(user),
    ]


def _machinery(user: Any) -> list[Card]:
    silence = beats.silence()
    if silence is None or silence > SILENT_SECONDS:
        said = "has not been heard yet" if silence is None else f"is silent for {silence:.0f} s"
        line = f"The worker {said}. Mail is neither sent nor read until it runs: make run."
        state = Figure("workers silent", 1, rows_at(TickRun, {}), "bad")
    else:
        line, state = "The worker is at work.", None
    figures = [state] if state else []
    if user.is_superuser:
        lookups = {"error__gt": ""}
        figures.append(figure("jobs that failed last time", TickRun, lookups, tone="bad"))
    return [Card("Machinery", figures if user.is_superuser else [], lines=[line])]


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar, with the number of decisions that wait and of mail whose fate is unknown."""
    groups = copy.deepcopy(look.SIDEBAR)
    numbers = {
        "Review": (pitches.home.waiting(request.user), "primary"),
        "By hand": (pitches.home.by_hand_today(request.user, timezone.now()), "primary"),
        "To check": (pitches.home.unknown(request.user), "danger"),
    }
    for item in groups[0]["items"]:
        number, color = numbers.get(item["title"], (0, ""))
        if number:
            item |= {"badge": number, "badge_variant": color}
    return groups
