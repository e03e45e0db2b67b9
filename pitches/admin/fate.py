"""Sent or not? One message of unknown fate: the evidence, and an admin's two buttons."""

from __future__ import annotations

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from campaigns import access
from config.desk import user_of
from pitches import resolving
from pitches.admin.asking import ask
from pitches.models import Message

VIEW = "pitches.view_message"
DECIDE = "pitches.change_message"
REASONS = ("Found it in the Sent folder", "The recipient has it", "The recipient never got it")


def _message(pk: int) -> Message:
    rows = Message.objects.select_related(
        "sender", "pitch__lead", "pitch__campaign", "pitch__address__contact", "step"
    )
    return get_object_or_404(rows, pk=pk)


def view(request: HttpRequest, pk: int) -> HttpResponse:
    """What is known of it, and from when an admin may decide. Asks, and sends nothing."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    message, now = _message(pk), timezone.now()
    opens = resolving.may_be_decided_at(message)
    context = {
        **admin.site.each_context(request),
        "title": f"Sent or not? {message.subject}",
        "message": message,
        "is_open": message.status == Message.Status.UNKNOWN,
        "evidence": resolving.evidence(message, now=now),
        "opens": opens,
        "may_be_decided": opens is not None and now >= opens,
        "is_admin": access.is_admin(request.user),
    }
    return TemplateResponse(request, "admin/desk/fate.html", context)


def mark_sent(request: HttpRequest, pk: int) -> HttpResponse:
    """An admin says that it went out."""
    return _decide(
        request,
        pk,
        title="It went out",
        lines=[
            "It counts as sent at the time it was handed over, and its follow-ups get their "
            "times from then. Say how you know."
        ],
        button="It went out",
        is_danger=False,
    )


def send_again(request: HttpRequest, pk: int) -> HttpResponse:
    """An admin takes the risk of a second copy."""
    return _decide(
        request,
        pk,
        title="Send it again",
        lines=[
            "If the first copy arrived after all, this person gets the same mail twice. It "
            "goes into the queue and through every check again. Say why it cannot have arrived."
        ],
        button="Send it again",
        is_danger=True,
    )


def _decide(
    request: HttpRequest,
    pk: int,
    *,
    title: str,
    lines: list[str],
    button: str,
    is_danger: bool,
) -> HttpResponse:
    if not access.is_admin(request.user):
        raise PermissionDenied
    message = _message(pk)
    back = reverse("admin:pitches_fate", args=[pk])
    decide = resolving.send_again if is_danger else resolving.mark_sent

    def act(reason: str) -> str:
        decide(message, by=user_of(request), reason=reason, now=timezone.now())
        return "It is in the queue again." if is_danger else "It counts as sent."

    try:
        return ask(
            request,
            permission=DECIDE,
            title=f"{title}: {message.subject}",
            lines=lines,
            button=button,
            back=back,
            act=act,
            is_danger=is_danger,
            reasons=REASONS[2:] if is_danger else REASONS[:2],
        )
    except resolving.NotResolvable as e:
        messages.error(request, str(e))
        return redirect(back)
