"""By hand: the list of a day, worked by a person with two windows side by side."""

from __future__ import annotations

from datetime import datetime

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from config.db import WrongStatus
from config.desk import user_of
from pitches import by_hand, inbox, situations
from pitches.admin.plan import Group
from pitches.decisions import Decision, Reason
from pitches.gate import Held
from pitches.models import IncomingMessage, Message

VIEW, ACT, NOTE = (
    "pitches.view_message",
    "pitches.change_message",
    "pitches.add_incomingmessage",
)
SKIP_REASONS = ("Already connected", "No such profile", "Not the right person", "Not today")


class Whose(forms.Form):
    owner = forms.CharField(max_length=150, required=False)


class Why(forms.Form):
    reason = forms.CharField(max_length=250)


class Answer(forms.Form):
    """An answer that a person read elsewhere."""

    intent = forms.ChoiceField(choices=IncomingMessage.Intent.choices)
    text = forms.CharField(max_length=50_000, required=False, widget=forms.Textarea)


NOBODY = "-"


def index(request: HttpRequest) -> HttpResponse:
    """Today's list of one person; their own unless another is asked for."""
    _check(request, VIEW)
    now = timezone.now()
    owner = _owner(request)
    day = by_hand.today(owner, now=now)
    context = {
        **admin.site.each_context(request),
        "title": "By hand",
        "owner": owner,
        "owner_name": owner.username if owner else NOBODY,
        "owners": [
            (user.username if user else NOBODY, n) for user, n in by_hand.owners(now=now)
        ],
        "day": day,
        "groups": _groups(day.held),
        "now": now,
        "is_rehearsal": situations.mode() == "capture",
        "may_act": request.user.has_perm(ACT),
        "may_note": request.user.has_perm(NOTE),
        "reasons": SKIP_REASONS,
    }
    return TemplateResponse(request, "admin/desk/by_hand.html", context)


def _check(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied


def _owner(request: HttpRequest) -> User | None:
    asked = Whose(request.GET)
    name = asked.cleaned_data["owner"] if asked.is_valid() else ""
    if name == NOBODY:
        return None
    return User.objects.filter(username=name).first() if name else user_of(request)


def _groups(held: list[Decision]) -> list[Group]:
    groups: dict[Reason, Group] = {}
    for row in held:
        groups.setdefault(row.reason, Group(row.reason)).rows.append(row)
    return sorted(groups.values(), key=lambda group: -len(group.rows))


def sheet(request: HttpRequest) -> HttpResponse:
    """Today's list as CSV."""
    _check(request, VIEW)
    now = timezone.now()
    day = by_hand.today(_owner(request), now=now)
    name = f"by-hand-{now:%Y-%m-%d}.csv"
    response = HttpResponse(by_hand.sheet(day.entries), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def sent(request: HttpRequest, pk: int) -> HttpResponse:
    """It is sent; or what speaks against it, and the question whether it was sent already."""
    _check(request, ACT)
    message = _message(pk)
    back = _back(message)
    if request.method != "POST":
        return redirect(back)
    try:
        by_hand.record_sent(message, by=user_of(request), now=timezone.now())
    except Held as held:
        return _held(request, message, str(held))
    except WrongStatus as e:
        message.refresh_from_db()
        if message.status in (Message.Status.CANCELED, Message.Status.EXPIRED):
            return _held(request, message, message.canceled_reason or "It expired.")
        messages.warning(request, str(e))
        return redirect(back)
    messages.success(request, f"Sent to {message.pitch.address.contact}, and written down.")
    return redirect(back)


def _held(request: HttpRequest, message: Message, cause: str) -> HttpResponse:
    context = {
        **admin.site.each_context(request),
        "title": "Do not send it",
        "message": message,
        "cause": cause,
        "back": _back(message),
    }
    return TemplateResponse(request, "admin/desk/by_hand_held.html", context, status=409)


def past(request: HttpRequest, pk: int) -> HttpResponse:
    """It had been sent before the reason came up: what is true is written down."""
    _check(request, ACT)
    message = _message(pk)
    form = Why(request.POST)
    if request.method == "POST" and form.is_valid():
        note = form.cleaned_data["reason"]
        try:
            by_hand.record_past(message, by=user_of(request), note=note, now=timezone.now())
        except (WrongStatus, Held) as e:
            messages.warning(request, str(e))
        else:
            messages.success(request, "Written down as sent. What holds the rest stays.")
    return redirect(_back(message))


def skipped(request: HttpRequest, pk: int) -> HttpResponse:
    """This step is left out, with a reason."""
    _check(request, ACT)
    message = _message(pk)
    form = Why(request.POST)
    if request.method == "POST" and not form.is_valid():
        messages.warning(request, "Say why it is left out: the reason is kept.")
    elif request.method == "POST":
        reason = form.cleaned_data["reason"]
        try:
            by_hand.skip(message, by=user_of(request), reason=reason, now=timezone.now())
        except (WrongStatus, by_hand.NoReason) as e:
            messages.warning(request, str(e))
        else:
            messages.success(request, "Left out. The sequence goes on with the next step.")
    return redirect(_back(message))


def replied(request: HttpRequest, pk: int) -> HttpResponse:
    """They answered over there: note it, and everything else to them stops."""
    _check(request, NOTE)
    message = _message(pk)
    form = Answer(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        _note(message, form, by=user_of(request), now=timezone.now())
        messages.success(request, "Noted. Nothing more goes to them from this client.")
        return redirect(reverse("admin:pitches_pitch_change", args=[message.pitch_id]))
    context = {
        **admin.site.each_context(request),
        "title": f"{message.pitch.address.contact} replied",
        "message": message,
        "form": form,
        "back": _back(message),
    }
    return TemplateResponse(request, "admin/desk/by_hand_replied.html", context)


def _note(message: Message, form: Answer, *, by: User, now: datetime) -> None:
    gone_out = message.status in Message.GONE_OUT
    inbox.record_reply(
        message.pitch,
        message=message if gone_out else None,
        intent=form.cleaned_data["intent"],
        text=form.cleaned_data["text"],
        by=by,
        now=now,
    )


def _message(pk: int) -> Message:
    return get_object_or_404(situations.readable(Message.objects.by_hand()), pk=pk)


def _back(message: Message) -> str:
    user = message.sender.user
    return f"{reverse('admin:pitches_by_hand')}?owner={user.username if user else NOBODY}"
