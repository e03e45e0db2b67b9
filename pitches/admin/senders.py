"""Mailboxes, limits, and what is stopped."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.contrib.filters.admin import RelatedDropdownFilter

from config.desk import STATUS_COLORS, Kept, Ledger, Page, Rows, display, status_of
from pitches import deliveries, limits, thresholds
from pitches.admin import breakers, captured, mailbox, stops
from pitches.channels import options
from pitches.models import EmailLimit, Sender, SenderCampaign, Stop

# Which way out is meant for mail nobody asked for (LAW-25).
MEANT_FOR = (
    "For cold outreach take your own mailbox: written to one person at a time, at a person's "
    "pace, it is what such mail is meant for, and the default here. Instantly is made for cold "
    "outreach too. Mail providers (Postmark, Mailgun, Amazon SES and others) serve mail that "
    "people asked for: many forbid unsolicited mail in their terms and close accounts for it, "
    "so use one only where its terms allow yours. Twilio needs written consent for every "
    "number. By hand is for LinkedIn and the like, which no machine may work."
)
# Mailboxes whose limits are told above the list of limits.
MOST_MAILBOXES = 20


class SenderCampaignRows(Rows):
    model = SenderCampaign
    autocomplete_fields = ("campaign",)


class SenderForm(forms.ModelForm):
    """With what the provider needs: names what is missing, never what is in it."""

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if self.errors or "transport" not in self.cleaned_data:
            return
        if problem := options.problem(self.instance):
            self.add_error("provider_options", f"It cannot send yet: {problem}.")


@admin.register(Sender)
class SenderAdmin(Kept, Page):
    form = SenderForm
    list_display = (
        "name",
        "address",
        "colored_status",
        "status_reason",
        "transport",
        "daily_limit",
        "inbox_read_at",
        "health",
    )
    list_filter = ("status", "transport")
    search_fields = ("name__istartswith", "address__istartswith")
    autocomplete_fields = ("user",)
    readonly_fields = ("status", "status_reason", "inbox_read_at", "inbox_error")
    change_form_outer_before_template = "admin/desk/sender_actions.html"
    inlines = (SenderCampaignRows,)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("name", "address"),
                    ("user", "time_zone"),
                    ("status", "status_reason"),
                    "signature",
                )
            },
        ),
        (
            "Mailbox",
            {
                "classes": ("tab",),
                "description": MEANT_FOR,
                "fields": (
                    ("transport", "provider"),
                    "provider_options",
                    "smtp_host",
                    ("smtp_port", "smtp_security"),
                    ("imap_host", "imap_port"),
                    "imap_security",
                    ("inbox_folder", "sent_folder"),
                    "login",
                    ("username", "password"),
                    ("oauth_token_url", "oauth_client_id"),
                    ("oauth_client_secret", "oauth_refresh_token"),
                    "dkim_selector",
                    ("inbox_read_at", "inbox_error"),
                ),
            },
        ),
        (
            "How much",
            {
                "classes": ("tab",),
                "fields": (
                    ("daily_limit", "hourly_limit"),
                    "ramp_began_on",
                    ("ramp_start", "ramp_step"),
                    ("gap_min", "gap_max"),
                ),
            },
        ),
    )

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("captured/", wrap(captured.index), name="pitches_captured"),
            path(
                "captured/<int:sender>/<str:key>/",
                wrap(captured.letter),
                name="pitches_captured_letter",
            ),
            path("<int:sender>/read/", wrap(captured.read), name="pitches_read_inbox"),
            path("<int:pk>/pause/", wrap(stops.mailbox), name="pitches_pause_sender"),
            path("<int:pk>/health/", wrap(mailbox.view), name="pitches_sender_health"),
            *super().get_urls(),
        ]

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        sender = self.get_object(request, object_id) if object_id else None
        more = {
            "is_capture": captured.is_capture(),
            "verdicts": breakers.told_of(sender) if sender else [],
            "webhook": self._webhook(request, sender) if sender else None,
        }
        return super().changeform_view(
            request, object_id, form_url, {**(extra_context or {}), **more}
        )

    def _webhook(self, request: HttpRequest, sender: Sender) -> dict[str, str] | None:
        """Where its provider reports to; the address is a secret, for whoever may set it up."""
        address = deliveries.address_of(sender)
        if not address or not self.has_change_permission(request, sender):
            return None
        return {
            "address": address,
            "inbound": deliveries.inbound_address_of(sender),
            "missing": deliveries.missing_option(sender),
        }

    @display(description="")
    def health(self, sender: Sender) -> str:
        url = reverse("admin:pitches_sender_health", args=[sender.pk])
        return format_html('<a href="{}">How it stands</a>', url)

    @display(description="status", ordering="status", label=STATUS_COLORS)
    def colored_status(self, sender: Sender) -> tuple[str, str]:
        return status_of(sender)


@admin.register(SenderCampaign)
class SenderCampaignAdmin(Page):
    list_display = ("sender", "campaign", "is_default")
    list_filter = ("is_default", ("campaign", RelatedDropdownFilter))
    list_select_related = ("sender", "campaign")
    search_fields = ("sender__address__startswith", "campaign__name__istartswith")
    autocomplete_fields = ("sender", "campaign")


@admin.register(EmailLimit)
class EmailLimitAdmin(Page):
    list_before_template = "admin/desk/limits_note.html"
    when_empty = "No limit of your own. The limits above hold; add one to change them."
    list_display = ("__str__", "scope", "target", "counts", "maximum", "hours")
    list_filter = ("scope", "counts")
    list_select_related = ("organization", "contact", "sender", "campaign")
    search_fields = ("domain__startswith",)
    autocomplete_fields = ("organization", "contact", "sender", "campaign")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """With what holds although it is no row: the defaults, and each mailbox's own."""
        today, is_live = timezone.now().date(), settings.SEND_MODE == "live"
        boxes = Sender.objects.filter(status=Sender.Status.ACTIVE)[:MOST_MAILBOXES]
        more = {
            "built_in": [
                (EmailLimit.Scope(scope).label, maximum, EmailLimit.Counts(counts).label, hours)
                for scope, (maximum, counts, hours) in limits.DEFAULTS.items()
            ],
            "mailboxes": [
                (box, limits.of_sender(box, on=today, is_live=is_live)) for box in boxes
            ],
            "warns_at": thresholds.VOLUME_A_DAY,
        }
        return super().changelist_view(request, {**(extra_context or {}), **more})

    @display(description="for")
    def target(self, limit: EmailLimit) -> str:
        named = limit.organization or limit.contact or limit.sender or limit.campaign
        return str(named or limit.domain or "each of them")


@admin.register(Stop)
class StopAdmin(Ledger):
    list_display = (
        "scope",
        "target",
        "kind",
        "reason",
        "begins_at",
        "until",
        "lifted_at",
        "end",
    )
    list_filter = ("scope", "kind", ("lifted_at", admin.EmptyFieldListFilter))
    list_select_related = ("contact", "organization", "campaign", "client", "sender")
    search_fields = ("reason__startswith",)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("everything/", wrap(stops.everything), name="pitches_stop_everything"),
            path("<int:pk>/lift/", wrap(stops.lift), name="pitches_lift_stop"),
            *super().get_urls(),
        ]

    @display(description="")
    def end(self, stop: Stop) -> str:
        if stop.lifted_at:
            return ""
        return format_html(
            '<a href="{}">Lift…</a>', reverse("admin:pitches_lift_stop", args=[stop.pk])
        )

    @display(description="stopped")
    def target(self, stop: Stop) -> str:
        named = stop.contact or stop.organization or stop.campaign or stop.client or stop.sender
        return str(named or "everything")
