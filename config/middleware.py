"""What every answer passes through."""

from collections.abc import Callable

from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect
from django.urls import reverse

from . import logins
from .models import LoginRule

Answer = Callable[[HttpRequest], HttpResponse]

POLICY = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'; img-src 'self' data:"
)
# The admin's theme evaluates expressions in attributes and sets its colors in the page.
ADMIN_POLICY = f"{POLICY}; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'"


def content_security_policy(get_response: Answer) -> Answer:
    """Scripts and forms are ours or they do not run, whatever a scraped text contains."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        policy = ADMIN_POLICY if request.path.startswith(reverse("admin:index")) else POLICY
        response.headers.setdefault("Content-Security-Policy", policy)
        return response

    return answer


def no_nul(get_response: Answer) -> Answer:
    """PostgreSQL stores no NUL and nobody types one: what carries it is answered here."""

    def answer(request: HttpRequest) -> HttpResponse:
        told = f"{request.path}?{request.META.get('QUERY_STRING', '')}"
        # the API has its own words for it
        is_api = request.path.startswith("/api/")
        if not is_api and ("\0" in told or "%00" in told):
            return HttpResponseBadRequest(
                "The address holds a character that no text can hold."
            )
        return get_response(request)

    return answer


def login_rules(get_response: Answer) -> Answer:
    """Hold sessions to the rules of their login, also after these change."""

    def answer(request: HttpRequest) -> HttpResponse:
        user = request.user
        rule = LoginRule.objects.filter(user=user.pk).first() if user.is_authenticated else None
        if rule and rule.loopback_only and not logins.is_local(request):
            logout(request)
            return HttpResponse(logins.ONLY_HERE, status=403, content_type="text/plain")
        if rule and rule.must_change_password:
            change = reverse("admin:password_change")
            if request.path not in (change, reverse("admin:logout"), reverse("admin:jsi18n")):
                return redirect(change)
        return get_response(request)

    return answer
