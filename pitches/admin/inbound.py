"""What came in: mail, provider events, webhooks."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold.contrib.filters.admin import RelatedDropdownFilter

from config.desk import STATUS_COLORS, Ledger, display, status_of
from pitches import inbox
from pitches.models import Event, IncomingMessage, WebhookDelivery

HANDLE = "pitches.change_incomingmessage"


@admin.register(IncomingMessage)
class IncomingMessageAdmin(Ledger):
    list_display = (
        "from_address",
        "subject",
        "colored_kind",
        "intent",
        "pitch",
        "sender",
        "received_at",
        "handled_at",
    )
    list_filter = (
        "kind",
        "intent",
        ("pitch", admin.EmptyFieldListFilter),
        ("handled_at", admin.EmptyFieldListFilter),
        ("sender", RelatedDropdownFilter),
    )
    list_select_related = ("pitch__lead", "sender")
    search_fields = ("from_address__startswith", "message_id__exact")

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).defer("raw", "text")

    @display(description="kind", ordering="kind", label=STATUS_COLORS)
    def colored_kind(self, incoming: IncomingMessage) -> tuple[str, str]:
        return status_of(incoming, "kind")

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        """The mail as text, what it was taken for, and the button that closes the thread."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = IncomingMessage.objects.defer("raw").select_related(
            "pitch__lead", "pitch__campaign__client", "sender", "answers__step", "contact"
        )
        incoming = rows.filter(pk=object_id).first() if object_id.isdecimal() else None
        if incoming is None:
            messages.warning(request, "There is no such mail.")
            return redirect(reverse("admin:pitches_incomingmessage_changelist"))
        if request.method == "POST":
            if not request.user.has_perm(HANDLE):
                raise PermissionDenied
            inbox.close(incoming, now=timezone.now())
            messages.success(request, "Dealt with. The thread is closed.")
            return redirect(request.path)
        context = {
            **self.admin_site.each_context(request),
            "title": incoming.subject or str(incoming),
            "incoming": incoming,
            "may_handle": request.user.has_perm(HANDLE) and not incoming.handled_at,
        }
        return TemplateResponse(request, "admin/desk/incoming.html", context)


@admin.register(Event)
class EventAdmin(Ledger):
    list_display = ("kind", "provider", "message", "occurred_at")
    list_filter = ("kind", "provider")
    list_select_related = ("message",)
    search_fields = ("provider_event_id__exact",)


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(Ledger):
    """The body stays out of sight: it is raw, and somebody else wrote it."""

    list_display = (
        "provider",
        "delivery_id",
        "verdict",
        "received_at",
        "processed_at",
        "error",
    )
    list_filter = ("provider", "verdict", ("processed_at", admin.EmptyFieldListFilter))
    search_fields = ("delivery_id__exact",)
    exclude: ClassVar = ("body", "headers")
