"""The one page for the people we write to: how to hear no more from us.

No login, no cookie, no script. A look at it changes nothing, whoever looks: mail gateways open
every link (LAW-2). Only a POST unsubscribes, and that is what the button sends and what a mail
program sends by itself (RFC 8058 section 3.1).
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import path
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from config import visitors
from pitches import stopping, unsubscribing
from pitches.unsubscribing import BadToken, Opened
from prospects import suppressions
from prospects.addresses import AddressError
from prospects.models import Suppression

# Calls by one caller in a minute (SEC-10). A true POST is never counted: large mail providers
# send the clicks of all their users from a few machines, and each must be heard.
PER_MINUTE = 60

HEADERS = {
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex, nofollow",
    # the address of this page is somebody's own
    "Referrer-Policy": "no-referrer",
}


# Exempt: the token in the address is what entitles to it, and a mail program has no cookie.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "OPTIONS", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """GET shows one button; POST unsubscribes, at once and as often as one likes."""
    said = _opened(token)
    if said is not None and request.method == "POST":
        # What the body says does not matter, so it is not even read.
        stopping.way_out_taken(said, source="unsubscribe link", now=timezone.now())
        return _page("done", said)
    if _calls_too_often(request):
        answer = _page("slowly", status=429)
        answer["Retry-After"] = "60"
        return answer
    if said is None:
        return _page("unknown", status=404)
    if request.method == "OPTIONS":
        return HttpResponse(headers=HEADERS | {"Allow": "GET, HEAD, OPTIONS, POST"})
    return _page("ask", said)


def _opened(token: str) -> Opened | None:
    try:
        return unsubscribing.opened(token)
    except BadToken:
        return None


def _calls_too_often(request: HttpRequest) -> bool:
    who = visitors.neighbourhood(visitors.caller(request))
    return visitors.is_too_often("unsubscribe", who, per_minute=PER_MINUTE)


def _page(name: str, said: Opened | None = None, *, status: int = 200) -> HttpResponse:
    shown: dict[str, Any] = {
        "brand": settings.BRAND_NAME,
        "website": settings.BRAND_WEBSITE,
        "postal_address": settings.POSTAL_ADDRESS,
        "email": settings.UNSUBSCRIBE_EMAIL,
        "address": _hint(said.address) if said else "",
    }
    # without the request: nothing of a login or a session can get into it
    words = render_to_string(f"public/{name}.html", shown)
    return HttpResponse(words, status=status, headers=HEADERS)


def _hint(address: str) -> str:
    """The address so that its owner knows it and nobody else learns it."""
    try:
        return suppressions.hint(Suppression.Kind.EMAIL, address)
    except AddressError:
        return "your address"


# The second one without its last slash: some mail programs leave it away, and a redirect would
# turn the POST into a GET.
urlpatterns = [
    path("u/<str:token>/", unsubscribe, name="unsubscribe"),
    path("u/<str:token>", unsubscribe),
]
