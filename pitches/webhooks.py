"""The door for providers: POST /webhooks/<provider>/<secret>/."""

from __future__ import annotations

import logging

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from pitches import deliveries, sources
from pitches.callbacks import BadAddress
from pitches.models import Sender
from pitches.sources import Delivered, NotConfigured, Refused, Source, Unreadable

log = logging.getLogger(__name__)


@method_decorator(csrf_exempt, name="dispatch")
class Webhook(View):
    """Anybody may knock: the address, the provider's proof and the limits decide.

    404 nobody's address · 415 another content type · 413 too long, too many events · 400 not
    readable, too deep · 503 no secret configured · 403 not proven · 200 stored, now or before.
    """

    http_method_names = ("post", "head", "options")

    def head(self, request: HttpRequest, provider: str, secret: str) -> HttpResponse:
        """Some providers look whether somebody is there before they take the address."""
        return HttpResponse(status=200 if _source(provider, secret) else 404)

    def post(self, request: HttpRequest, provider: str, secret: str) -> HttpResponse:
        """Verify and store it, and answer within a second."""
        found = _source(provider, secret)
        if found is None:
            return _no(404, "There is nothing here.")
        source, sender = found
        delivered, problem = _read(request, source)
        if delivered is None:
            return problem
        try:
            is_new = deliveries.accept(provider, sender, source, delivered, now=timezone.now())
        except NotConfigured:
            return _no(503, "This webhook is not set up yet.")
        except Refused:
            return _challenge(request, source)
        except deliveries.TooMuch as e:
            return _no(413, f"At most {sources.MOST_EVENTS} events are taken: {e}.")
        except Unreadable as e:
            return _no(400, f"It cannot be read: {e}.")
        return JsonResponse({"stored": True, "known": not is_new})


def _source(provider: str, secret: str) -> tuple[Source, Sender] | None:
    source = sources.find(provider)
    if source is None:
        return None
    try:
        return source, deliveries.sender_of(provider, secret)
    except BadAddress:
        return None


def _read(request: HttpRequest, source: Source) -> tuple[Delivered | None, HttpResponse]:
    """The request within the limits (SEC-15), or the answer that refuses it."""
    fine = HttpResponse()
    if (request.content_type or "").lower() not in source.content_types:
        return None, _no(415, f"It takes {', '.join(source.content_types)}.")
    body = request.read(sources.MOST_BYTES + 1)
    if len(body) > sources.MOST_BYTES:
        return None, _no(413, f"It takes at most {sources.MOST_BYTES} bytes.")
    headers = {name.lower(): value for name, value in request.headers.items()}
    delivered = Delivered(body, headers, settings.PUBLIC_URL + request.get_full_path())
    if not delivered.is_form and sources.is_too_deep(body):
        return None, _no(400, f"It nests deeper than {sources.MOST_DEPTH}.")
    return delivered, fine


def _challenge(request: HttpRequest, source: Source) -> HttpResponse:
    """Amazon SNS shows its password only after it was asked for it."""
    if source.wants_challenge and "authorization" not in request.headers:
        answer = _no(401, "The password is missing.")
        answer["WWW-Authenticate"] = 'Basic realm="webhooks"'
        return answer
    return _no(403, "The signature is missing, wrong or too old.")


def _no(status: int, why: str) -> JsonResponse:
    answer = JsonResponse({"error": why}, status=status)
    # Django would log the address, which is a secret.
    answer._has_been_logged = True  # type: ignore[attr-defined]
    log.info("a webhook was answered with %s: %s", status, why)
    return answer


urlpatterns = [
    path("<slug:provider>/<slug:secret>/", Webhook.as_view(), name="webhook"),
]
