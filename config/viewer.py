"""Whose clock the desk shows: the viewer's own zone, as their browser tells it."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

# Written by overture/desk.js; nothing is stored about anybody.
COOKIE = "viewer_zone"
LONGEST_NAME = 64


def zone_of(request: HttpRequest) -> zoneinfo.ZoneInfo | None:
    """The zone the browser named, or None where it named none that exists."""
    name = request.COOKIES.get(COOKIE, "").replace("%2F", "/")
    if not name or len(name) > LONGEST_NAME:
        return None
    try:
        return zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        return None


def viewers_zone(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Show and read times in the viewer's zone; in UTC until the browser has named one."""

    def answer(request: HttpRequest) -> HttpResponse:
        with timezone.override(zone_of(request) or timezone.get_default_timezone()):
            return get_response(request)

    return answer
