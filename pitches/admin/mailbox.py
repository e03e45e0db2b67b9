"""The mailbox page: how a sender stands, and the buttons that try it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils import timezone

from config.desk import user_of
from pitches import connections, deliverability, samples, standing
from pitches.admin import breakers, captured
from pitches.models import Sender

VIEW, CHANGE = "pitches.view_sender", "pitches.change_sender"


def view(request: HttpRequest, pk: int) -> HttpResponse:
    """Everything about one mailbox; on POST one of its buttons, then the page again."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    sender, now = get_object_or_404(Sender, pk=pk), timezone.now()
    if request.method == "POST":
        if not request.user.has_perm(CHANGE):
            raise PermissionDenied
        act = ACTS.get(request.POST.get("do", ""))
        if act is not None:
            act(request, sender, now)
        return redirect(request.path)
    stands = standing.of_sender(sender, now=now)
    context = {
        **admin.site.each_context(request),
        "title": f"{sender.name} <{sender.address}>",
        "sender": sender,
        "standing": stands,
        "verdicts": [(row, breakers.sentence(row)) for row in stands.verdicts],
        "findings": sender.dns_report.get("findings", []),
        "writes_mail": sender.transport in Sender.BY_MAIL,
        "may_change": request.user.has_perm(CHANGE),
        "may_try": samples.is_possible(sender),
        "is_capture": captured.is_capture(),
        "now": now,
    }
    return TemplateResponse(request, "admin/desk/mailbox.html", context)


def _connections(request: HttpRequest, sender: Sender, now: datetime) -> None:
    """One sentence for sending, one for reading."""
    for each in connections.check(sender, now=now).tried:
        tell = messages.success if each.works else messages.error
        tell(request, f"{each.name}: {each.sentence}")


def _domain(request: HttpRequest, sender: Sender, now: datetime) -> None:
    report = deliverability.check(sender, now=now)
    if report.is_good:
        messages.success(request, f"{report.domain} is in order.")
    for each in report.wrong:
        messages.warning(request, f"{each.name}: {each.sentence}")


def _sample(request: HttpRequest, sender: Sender, now: datetime) -> None:
    try:
        messages.success(request, samples.send_greeting(sender, by=user_of(request), now=now))
    except samples.NotSent as e:
        messages.error(request, str(e))


ACTS: dict[str, Callable[[HttpRequest, Sender, datetime], None]] = {
    "connections": _connections,
    "domain": _domain,
    "sample": _sample,
}
