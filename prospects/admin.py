"""Leads, the people behind them, and what is known of both, as staff see them."""

from __future__ import annotations

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RelatedDropdownFilter

from config.desk import (
    STATUS_COLORS,
    Kept,
    Ledger,
    LedgerRows,
    Page,
    Rows,
    WordSearch,
    display,
    status_of,
)
from config.import_page import WithImport
from prospects import suppressions
from prospects.addresses import AddressError
from prospects.import_views import LeadImport
from prospects.models import (
    Assessment,
    Consent,
    Contact,
    ContactAddress,
    ContentItem,
    Fact,
    Lead,
    LeadIdentity,
    Organization,
    PipelineRun,
    SavedSearch,
    StageRun,
    Suppression,
)


class ContactRows(Rows):
    model = Contact
    fields = ("name", "role", "title", "is_primary", "country", "time_zone")
    tab = True


class FactRows(Rows):
    model = Fact
    fields = ("kind", "value", "source", "source_url", "confidence", "observed_at")
    tab = True


@admin.register(Organization)
class OrganizationAdmin(Kept, WordSearch, Page):
    list_display = ("name", "domain", "industry", "country", "do_not_contact", "follow_up_date")
    list_filter = ("do_not_contact",)
    search_words = ("name",)
    search_fields = ("domain__startswith",)
    readonly_fields = ("name_key", "created_at", "updated_at")
    inlines = (ContactRows, FactRows)


class AddressRows(Rows):
    model = ContactAddress
    fields = ("kind", "value", "canonical", "verification", "verified_at")


@admin.register(Contact)
class ContactAdmin(Kept, WordSearch, Page):
    list_display = ("name", "title", "role", "organization", "is_primary", "time_zone")
    list_filter = ("role", "is_primary", ["organization", AutocompleteSelectFilter])
    list_select_related = ("organization",)
    search_words = ("name",)
    search_fields = ("addresses__canonical__startswith",)
    autocomplete_fields = ("organization",)
    inlines = (AddressRows, FactRows)


@admin.register(ContactAddress)
class ContactAddressAdmin(Kept, Page):
    list_display = ("value", "kind", "contact", "verification", "verified_at")
    list_filter = ("kind", "verification")
    list_select_related = ("contact",)
    search_fields = ("canonical__startswith",)
    autocomplete_fields = ("contact",)


class ConsentForm(forms.ModelForm):
    def clean_address(self) -> ContactAddress:
        """Only a number can be texted."""
        address: ContactAddress = self.cleaned_data["address"]
        if address.kind != ContactAddress.Kind.PHONE:
            raise forms.ValidationError("Choose a telephone number: this is for texts.")
        return address


@admin.register(Consent)
class ConsentAdmin(Page):
    """Nobody is texted without one (LAW-22); revoked ones stay as the proof of both."""

    form = ConsentForm
    when_empty = "Nobody may be texted yet. Record the words they agreed to, where and when."
    list_display = ("address", "kind", "source", "obtained_at", "revoked_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    list_select_related = ("address",)
    search_fields = ("address__canonical__startswith",)
    autocomplete_fields = ("address",)


class IdentityRows(Rows):
    model = LeadIdentity
    fields = ("platform", "platform_id", "url")
    tab = True


class ContentRows(LedgerRows):
    model = ContentItem
    fields = ("published_at", "kind", "title", "url")
    ordering = ("-published_at",)
    per_page = 20
    tab = True


@admin.register(Lead)
class LeadAdmin(WithImport, Kept, WordSearch, Page):
    import_page = LeadImport
    list_display = ("name", "kind", "organization", "score", "tier", "segment", "last_seen_at")
    list_filter = (
        "kind",
        "tier",
        ("segment", RelatedDropdownFilter),
        ("closed_at", admin.EmptyFieldListFilter),
        ("suppressed_at", admin.EmptyFieldListFilter),
    )
    list_select_related = ("organization", "segment")
    search_words = ("name", "organization__name")
    search_fields = ("identities__platform_id__exact",)
    autocomplete_fields = ("organization", "contacts", "segment", "merged_into")
    readonly_fields = ("first_seen_at", "last_seen_at", "suppressed_at", "merged_into")
    inlines = (FactRows, IdentityRows, ContentRows)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("name", "kind"),
                    ("organization", "contacts"),
                    ("url", "website"),
                    ("score", "quality"),
                    ("tier", "segment"),
                    "segment_is_manual",
                )
            },
        ),
        (
            "As found",
            {
                "classes": ("tab",),
                "fields": (
                    "text",
                    "feed_url",
                    ("keywords", "industries"),
                    ("language", "audience"),
                    ("location", "is_remote"),
                    ("country", "time_zone"),
                    ("visa_sponsorship", "posted_on"),
                    ("starts_on", "ends_on"),
                    "attributes",
                    "tags",
                ),
            },
        ),
        (
            "State",
            {
                "classes": ("tab",),
                "fields": (
                    ("closed_at", "suppressed_at"),
                    "merged_into",
                    ("first_seen_at", "last_seen_at"),
                ),
            },
        ),
    )

    def has_add_permission(self, request: object, obj: object = None) -> bool:
        """Leads come by import and discovery, which find a known one again by its identity."""
        return False


@admin.register(LeadIdentity)
class LeadIdentityAdmin(Ledger):
    list_display = ("platform", "platform_id", "lead", "created_at")
    list_filter = ("platform",)
    list_select_related = ("lead",)
    search_fields = ("platform_id__startswith",)


@admin.register(ContentItem)
class ContentItemAdmin(Ledger):
    list_display = ("title", "kind", "lead", "published_at", "transcribe")
    list_filter = ("kind", "transcribe")
    list_select_related = ("lead",)
    search_fields = ("guid__startswith", "title__startswith")


@admin.register(Fact)
class FactAdmin(Page):
    list_display = ("kind", "value", "about", "source", "confidence", "observed_at")
    list_filter = ("kind", "source")
    list_select_related = ("lead", "contact", "organization")
    search_fields = ("kind__startswith", "source__startswith")
    autocomplete_fields = ("lead", "contact", "organization")

    @display(description="about")
    def about(self, fact: Fact) -> str:
        return str(fact.lead or fact.contact or fact.organization)


@admin.register(SavedSearch)
class SavedSearchAdmin(Page):
    list_display = ("name", "platform", "campaign", "cron", "is_active", "last_run_at")
    list_filter = ("platform", "is_active")
    list_select_related = ("campaign",)
    search_fields = ("name__istartswith",)
    autocomplete_fields = ("campaign",)
    readonly_fields = ("last_run_at",)


class StageRows(LedgerRows):
    model = StageRun
    fields = ("stage", "status", "done", "total", "passed", "failed", "cost", "seconds", "note")


@admin.register(PipelineRun)
class PipelineRunAdmin(Ledger):
    list_display = (
        "__str__",
        "platform",
        "colored_status",
        "campaign",
        "created_at",
        "finished_at",
    )
    list_filter = ("status", "platform", ("campaign", RelatedDropdownFilter))
    list_select_related = ("campaign",)
    search_fields = ("platform__startswith",)
    inlines = (StageRows,)

    @display(description="status", ordering="status", label=STATUS_COLORS)
    def colored_status(self, run: PipelineRun) -> tuple[str, str]:
        return status_of(run)


@admin.register(StageRun)
class StageRunAdmin(Ledger):
    list_display = ("stage", "run", "status", "done", "total", "passed", "failed", "seconds")
    list_filter = ("stage", "status")
    list_select_related = ("run",)
    search_fields = ("run__platform__startswith",)


@admin.register(Assessment)
class AssessmentAdmin(WordSearch, Ledger):
    list_display = ("lead", "run", "stage_reached", "outcome", "reason", "score", "tier")
    list_filter = ("outcome", "stage_reached", "tier")
    list_select_related = ("lead", "run")
    search_words = ("lead__name",)


class SuppressionForm(forms.Form):
    """What must not be written to. Only its hash is kept."""

    kind = forms.ChoiceField(choices=Suppression.Kind.choices)
    value = forms.CharField(max_length=320)
    reason = forms.ChoiceField(choices=Suppression.Reason.choices)


def suppress(request: HttpRequest) -> HttpResponse:
    """Put one address, domain, number or name on the list."""
    if not request.user.has_perm("prospects.add_suppression"):
        raise PermissionDenied
    form = SuppressionForm(request.POST or None)
    back = reverse("admin:prospects_suppression_changelist")
    if request.method == "POST" and form.is_valid():
        source = f"entered by {request.user.get_username()}"
        try:
            is_new = suppressions.add(**form.cleaned_data, source=source, now=timezone.now())
        except AddressError as e:
            form.add_error("value", str(e))
        else:
            told = "It is on the list." if is_new else "It was on the list already."
            messages.success(request, told)
            return redirect(back)
    context = {
        **admin.site.each_context(request),
        "title": "Never write to",
        "form": form,
        "back": back,
    }
    return TemplateResponse(request, "admin/desk/suppress.html", context)


@admin.register(Suppression)
class SuppressionAdmin(Ledger):
    """Rows are added by a page of their own, hashed, and never taken away."""

    list_before_template = "admin/desk/suppression_actions.html"
    list_display = ("hint", "kind", "reason", "source", "created_at")
    list_filter = ("kind", "reason")
    search_fields = ("hint__startswith",)

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(suppress)
        return [path("suppress/", page, name="prospects_suppress"), *super().get_urls()]
