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

from config.desk import STATUS_COLORS, Ledger, display, status_of, user_of
from config.text import clean_text
from pitches import deliveries, inbox
from pitches.models import Event, IncomingMessage, Pitch, WebhookDelivery

HANDLE = "pitches.change_incomingmessage"
MOST_POSSIBLE = 20
MOST_LINES, MOST_SHOWN, MOST_AT_ONCE = 50, 4_000, 100


@admin.register(IncomingMessage)
class IncomingMessageAdmin(Ledger):
    list_display = (
        "from_address",
        "subject",
        "colored_kind",
        "intent",
        "said",
        "pitch",
        "sender",
        "received_at",
        "handled_at",
    )
    list_filter = (
        "kind",
        "intent",
        "bounce_kind",
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

    @display(description="says")
    def said(self, incoming: IncomingMessage) -> str:
        """Of a bounce what kind it is, of an absence until when."""
        if incoming.returns_on:
            return f"back {incoming.returns_on:%d %b}"
        return incoming.get_bounce_kind_display() if incoming.bounce_kind else ""

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
            messages.success(request, self._act(request, incoming))
            return redirect(request.path)
        context = {
            **self.admin_site.each_context(request),
            "title": incoming.subject or str(incoming),
            "incoming": incoming,
            "possible": _possible(incoming),
            "may_handle": request.user.has_perm(HANDLE) and not incoming.handled_at,
        }
        return TemplateResponse(request, "admin/desk/incoming.html", context)

    def _act(self, request: HttpRequest, incoming: IncomingMessage) -> str:
        """What the pressed button asks for, and the sentence that says it was done."""
        moment, user = timezone.now(), user_of(request)
        named = request.POST.get("pitch", "")
        if not named:
            inbox.close(incoming, now=moment, by=user)
            return "Dealt with. The thread is closed."
        pitch = _pitches().filter(pk=named).first() if named.isdecimal() else None
        try:
            inbox.settle_meaning(incoming, pitch, by=user, now=moment)
        except inbox.MeaningSettled as e:
            return str(e)
        if pitch is None:
            return "It belongs to none of our pitches. What it held goes on."
        return f"It belongs to the pitch to {pitch.lead}. What follows from it is done."


def _pitches() -> QuerySet[Pitch]:
    return Pitch.objects.select_related(
        "lead", "campaign__client", "address__contact__organization"
    )


def _possible(incoming: IncomingMessage) -> list[Pitch]:
    """The pitches it may mean, while nobody has said which."""
    if incoming.pitch_id:
        return []
    return list(_pitches().filter(possible_replies=incoming)[:MOST_POSSIBLE])


@admin.register(Event)
class EventAdmin(Ledger):
    list_display = ("kind", "provider", "message", "occurred_at")
    list_filter = ("kind", "provider")
    list_select_related = ("message",)
    search_fields = ("provider_event_id__exact",)


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(Ledger):
    """What providers sent: what it says first, and the raw text as text."""

    list_display = (
        "provider",
        "colored_verdict",
        "sender",
        "received_at",
        "processed_at",
        "error",
    )
    list_filter = (
        "provider",
        "verdict",
        ("processed_at", admin.EmptyFieldListFilter),
        ("error", admin.EmptyFieldListFilter),
    )
    list_select_related = ("sender",)
    search_fields = ("delivery_id__exact",)
    exclude: ClassVar = ("body", "headers")
    actions = ("read_again",)
    when_empty = (
        "No provider has reported yet. A sender's page shows the address to enter there."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).defer("body")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [*super().get_readonly_fields(request, obj), "says", "as_it_came"]

    def has_read_again_permission(self, request: HttpRequest) -> bool:
        """Who may deal with what came in may have it read again."""
        return request.user.has_perm(HANDLE)

    @display(description="verdict", ordering="verdict", label=STATUS_COLORS)
    def colored_verdict(self, delivery: WebhookDelivery) -> tuple[str, str]:
        return status_of(delivery, "verdict")

    @display(description="what it says")
    def says(self, delivery: WebhookDelivery) -> str:
        if delivery.verdict == WebhookDelivery.Verdict.INVALID:
            refused = delivery.headers.get("refused", 0)
            return f"{refused} refused this day; the last: {delivery.headers.get('why', '')}"
        told = deliveries.read(delivery) if delivery.body else deliveries.Understood()
        lines = [f"{each.kind} {each.reason}".strip() for each in told.reports[:MOST_LINES]]
        return "\n".join([*lines, *told.problems]) or "nothing, or it was emptied after 30 days"

    @display(description="as it came")
    def as_it_came(self, delivery: WebhookDelivery) -> str:
        return clean_text(bytes(delivery.body).decode(errors="replace"), MOST_SHOWN)

    @admin.action(description="Read again", permissions=["read_again"])
    def read_again(self, request: HttpRequest, rows: QuerySet) -> None:
        """What was done is not done twice."""
        ids = list(rows.values_list("pk", flat=True)[:MOST_AT_ONCE])
        chosen = deliveries.stored().filter(pk__in=ids)
        done = deliveries.work_through(chosen, now=timezone.now())
        told = f"{done.deliveries} read again: {done.recorded.new} new events."
        if problems := len(done.recorded.problems) + done.failed:
            messages.warning(request, f"{told} {problems} could not be understood.")
        else:
            messages.success(request, told)
