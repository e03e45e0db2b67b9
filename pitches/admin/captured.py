"""Captured mail: what would have gone out, and an answer in the recipient's place.

Only where nothing leaves this machine. The answer is a real mail in the mailbox that the inbox
reads, so what follows is what would follow.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format

from pitches import inbox
from pitches.channels import capture
from pitches.models import Message, Sender

VIEW, ANSWER = "pitches.view_message", "pitches.change_message"
MOST_SHOWN = 100
NEVER = datetime.min.replace(tzinfo=UTC)
ANSWERS = (
    "Yes, this sounds interesting. Can we talk on Thursday?",
    "Could you send me more information, please?",
    "Thank you, but we are not interested.",
    "Thank you for your message. I am out of the office and back on {day}. "
    "I will answer when I return.",
    "Please unsubscribe me.",
)


class Answer(forms.Form):
    text = forms.CharField(max_length=10_000)


@dataclass(frozen=True, slots=True)
class Row:
    """One captured mail, with the message it is a copy of."""

    sender: Sender
    captured: capture.Captured
    message: Message | None

    @property
    def subject(self) -> str:
        if self.captured.way == "sms":
            return self.captured.text[:80]
        return str(self.captured.mail["Subject"] or "(no subject)")

    @property
    def to(self) -> str:
        if self.captured.way == "sms":
            return f"SMS to {self.captured.recipient}"
        return str(self.captured.mail["To"] or "")

    @property
    def at(self) -> datetime | None:
        """When the mail says that it was written."""
        header = self.captured.mail["Date"]
        written: datetime | None = header.datetime if header else None
        return written.replace(tzinfo=UTC) if written and not written.tzinfo else written


def is_capture() -> bool:
    """Whether mail stays on this machine."""
    return bool(settings.SEND_MODE == "capture")


def _check(request: HttpRequest, permission: str = VIEW) -> None:
    if not is_capture():
        raise Http404("Mail is captured only where SEND_MODE is capture.")
    if not request.user.has_perm(permission):
        raise PermissionDenied


def index(request: HttpRequest) -> HttpResponse:
    """Every captured mail, newest first."""
    _check(request)
    rows = [
        Row(sender, letter, None)
        for sender in Sender.objects.order_by("name")
        for letter in capture.sent(sender)
    ]
    rows.sort(key=lambda row: (row.at or NEVER, row.captured.key), reverse=True)
    newest = rows[:MOST_SHOWN]
    messages_by_id = _messages(row.captured.message_id for row in newest)
    shown = [
        replace(row, message=messages_by_id.get(row.captured.message_id)) for row in newest
    ]
    context = {
        **admin.site.each_context(request),
        "title": "Captured mail",
        "rows": shown,
        "total": len(rows),
        "most": MOST_SHOWN,
    }
    return TemplateResponse(request, "admin/desk/captured.html", context)


def _messages(ids: Iterable[str]) -> dict[str, Message]:
    rows = Message.objects.filter(message_id__in=list(ids)).select_related(
        "pitch__lead", "step"
    )
    return {row.message_id: row for row in rows}


def letter(request: HttpRequest, sender: int, key: str) -> HttpResponse:
    """One captured mail as text; on POST an answer in its recipient's place."""
    _check(request)
    box = get_object_or_404(Sender, pk=sender)
    found = next((each for each in capture.sent(box) if each.key == key), None)
    if found is None:
        raise Http404("This mail is not in the captured mail.")
    row = Row(box, found, _messages([found.message_id]).get(found.message_id))
    form = Answer(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        _check(request, ANSWER)
        if form.is_valid():
            return _answered(request, row, form.cleaned_data["text"])
    context = {
        **admin.site.each_context(request),
        "title": row.subject,
        "row": row,
        "form": form,
        "answers": [each.format(day=_next_week()) for each in ANSWERS],
        "may_answer": request.user.has_perm(ANSWER),
    }
    return TemplateResponse(request, "admin/desk/letter.html", context)


def _next_week() -> str:
    """The day on which somebody who is away says to be back."""
    return date_format(timezone.localdate() + timedelta(days=7), "j F Y")


def _answered(request: HttpRequest, row: Row, text: str) -> HttpResponse:
    """Drop the reply into the mailbox and read it, as the worker would a minute later."""
    now = timezone.now()
    if row.message and row.message.sent_at:
        # After a rehearsal at a later time than now an answer still follows its mail.
        now = max(now, row.message.sent_at + timedelta(minutes=1))
    capture.answer(row.sender, row.captured, text=text, now=now)
    inbox.read(row.sender, now=now)
    messages.success(request, "Answered, and the inbox was read.")
    if row.message is None:
        return redirect(reverse("admin:pitches_incomingmessage_changelist"))
    return redirect(reverse("admin:pitches_pitch_change", args=[row.message.pitch_id]))


def read(request: HttpRequest, sender: int) -> HttpResponse:
    """Read one mailbox now."""
    _check(request, ANSWER)
    box = get_object_or_404(Sender, pk=sender)
    if request.method == "POST":
        try:
            found = inbox.read(box, now=timezone.now())
        except inbox.InboxUnavailable as e:
            messages.error(request, f"The inbox of {box.address} could not be read: {e}.")
        else:
            news = f"{found.stored} new" if found.stored else "nothing new"
            messages.success(request, f"Read the inbox of {box.address}: {news}.")
    return redirect(reverse("admin:pitches_sender_change", args=[box.pk]))
