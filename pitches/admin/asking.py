"""The question before a step that matters: what will happen, why, and one button."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse

REASON_LENGTH = 300


class Reason(forms.Form):
    reason = forms.CharField(max_length=REASON_LENGTH, strip=True)


def ask(
    request: HttpRequest,
    *,
    permission: str,
    title: str,
    lines: list[str],
    button: str,
    back: str,
    act: Callable[[str], str],
    with_reason: bool = True,
    is_danger: bool = True,
    reasons: tuple[str, ...] = (),
) -> HttpResponse:
    """Show the question; on POST call ``act(reason)`` and go ``back`` with what it says.

    GET changes nothing. Raises PermissionDenied without ``permission``; what ``act`` raises is
    the caller's.
    """
    if not request.user.has_perm(permission):
        raise PermissionDenied
    form = Reason(request.POST if request.method == "POST" and with_reason else None)
    if request.method == "POST" and (not with_reason or form.is_valid()):
        told = act(form.cleaned_data["reason"] if with_reason else "")
        if told:
            messages.success(request, told)
        return redirect(back)
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": title,
        "lines": lines,
        "button": button,
        "back": back,
        "with_reason": with_reason,
        "is_danger": is_danger,
        "reasons": reasons,
        "form": form,
    }
    return TemplateResponse(request, "admin/desk/ask.html", context)
