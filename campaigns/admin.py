"""Clients, what they pitch, their campaigns, and the plan of messages, as staff see them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db.models import Count, Max, Model, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from unfold.contrib.filters.admin import RelatedDropdownFilter

from campaigns import resumes
from campaigns.import_views import CandidateImport
from campaigns.models import (
    AIUsage,
    Angle,
    Blackout,
    Campaign,
    Candidate,
    CandidateFact,
    Client,
    Document,
    MediaKit,
    Membership,
    PitchTemplate,
    Segment,
    Sequence,
    Step,
)
from config.desk import STATUS_COLORS, Kept, Ledger, Page, Rows, WordSearch, display, status_of
from config.import_page import WithImport


class MembershipRows(Rows):
    model = Membership
    autocomplete_fields = ("user",)


@admin.register(Client)
class ClientAdmin(Kept, Page):
    list_display = ("name", "kind", "plan", "time_zone", "campaign_count")
    list_filter = ("kind", "plan")
    search_fields = ("name__istartswith", "slug__startswith", "email__istartswith")
    prepopulated_fields = {"slug": ("name",)}
    inlines = (MembershipRows,)

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).annotate(campaigns_total=Count("campaigns"))

    @display(description="campaigns", ordering="campaigns_total")
    def campaign_count(self, client: Any) -> int:
        return client.campaigns_total


@admin.register(Membership)
class MembershipAdmin(Page):
    list_display = ("user", "client", "role", "created_at")
    list_filter = ("role", ("client", RelatedDropdownFilter))
    list_select_related = ("user", "client")
    search_fields = ("user__username__startswith", "client__name__istartswith")
    autocomplete_fields = ("user", "client")


class BlackoutRows(Rows):
    model = Blackout
    tab = True


class DocumentRows(Rows):
    model = Document
    fields = ("kind", "title", "url", "text")
    tab = True


@admin.register(Campaign)
class CampaignAdmin(Kept, Page):
    """The campaign's own settings; its figures are added by the floor that has them."""

    list_display = ("name", "colored_status", "status_reason", "client", "preset", "updated_at")
    list_filter = ("status", "preset", ("client", RelatedDropdownFilter))
    list_select_related = ("client",)
    search_fields = ("name__istartswith", "slug__startswith", "client__name__istartswith")
    prepopulated_fields = {"slug": ("name",)}
    autocomplete_fields = ("client", "candidates", "sequence")
    readonly_fields = ("status", "status_reason", "created_at", "updated_at")
    inlines = (BlackoutRows, DocumentRows)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("name", "slug"),
                    ("client", "preset"),
                    ("status", "status_reason"),
                    ("candidate_label", "sequence"),
                    "candidates",
                )
            },
        ),
        (
            "What for",
            {
                "classes": ("tab",),
                "fields": (
                    "goal",
                    "ideal_lead",
                    "keywords",
                    "targeting",
                    "media_kit_url",
                    "questionnaire",
                    "questionnaire_keywords",
                ),
            },
        ),
        (
            "Rules",
            {
                "classes": ("tab",),
                "fields": (
                    ("approval_policy", "review_policy"),
                    ("candidates_per_pitch", "max_active_pitches"),
                    ("match_threshold", "enrollment_cap"),
                    ("attach_resume", "urgent_skips_limits"),
                    "ai_budget",
                ),
            },
        ),
        (
            "When",
            {
                "classes": ("tab",),
                "fields": (
                    "time_zone",
                    ("window_start", "window_end"),
                    ("window_days", "observe_holidays"),
                ),
            },
        ),
    )

    @display(description="status", ordering="status", label=STATUS_COLORS)
    def colored_status(self, campaign: Campaign) -> tuple[str, str]:
        return status_of(campaign)


@admin.register(Blackout)
class BlackoutAdmin(Page):
    list_display = ("campaign", "starts_on", "ends_on", "reason")
    list_filter = (("campaign", RelatedDropdownFilter),)
    list_select_related = ("campaign",)
    search_fields = ("campaign__name__istartswith",)
    autocomplete_fields = ("campaign",)


@admin.register(Document)
class DocumentAdmin(Page):
    list_display = ("title", "kind", "campaign", "updated_at")
    list_filter = ("kind", ("campaign", RelatedDropdownFilter))
    list_select_related = ("campaign",)
    search_fields = ("title__istartswith", "campaign__name__istartswith")
    autocomplete_fields = ("campaign",)


@admin.register(MediaKit)
class MediaKitAdmin(Page):
    list_display = ("slug", "headline", "campaign", "is_public", "updated_at")
    list_filter = ("is_public",)
    list_select_related = ("campaign",)
    search_fields = ("slug__startswith", "campaign__name__istartswith")
    autocomplete_fields = ("campaign",)


class AngleRows(Rows):
    model = Angle
    fields = ("position", "topic", "outcome", "description")
    tab = True


class CandidateFactRows(Rows):
    model = CandidateFact
    fields = ("kind", "value", "source", "source_url", "confidence", "observed_at")
    tab = True


class CandidateForm(ModelForm):
    """With a resume that is what it says to be."""

    def clean_resume(self) -> Any:
        """Refuse what is no PDF or Word file, by its content, and what no mail may carry."""
        file = self.cleaned_data["resume"]
        if isinstance(file, UploadedFile):
            if file.size and file.size > settings.ATTACHMENTS_MAX_BYTES:
                most = resumes.megabytes(settings.ATTACHMENTS_MAX_BYTES)
                raise ValidationError(f"A mail may carry {most}: store a smaller file.")
            try:
                resumes.check(file.read())
            except resumes.NotAResume as e:
                raise ValidationError(str(e)) from e
            file.seek(0)
        return file


@admin.register(Candidate)
class CandidateAdmin(WithImport, Kept, WordSearch, Page):
    form = CandidateForm
    import_page = CandidateImport
    list_display = ("name", "headline", "client", "kind", "colored_status", "starts_on")
    list_filter = ("status", "kind", "visa", ("client", RelatedDropdownFilter))
    list_select_related = ("client",)
    search_words = ("name",)
    search_fields = ("reference",)
    autocomplete_fields = ("client", "responsible")
    readonly_fields = ("created_at", "updated_at")
    inlines = (AngleRows, CandidateFactRows)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("name", "reference"),
                    ("client", "kind"),
                    ("status", "responsible"),
                    "headline",
                )
            },
        ),
        (
            "In words",
            {
                "classes": ("tab",),
                "fields": (
                    "bio",
                    "bio_refined",
                    "bio_refined_accepted_at",
                    "bio_summary",
                    "bio_short",
                    "resume",
                ),
            },
        ),
        (
            "To match by",
            {
                "classes": ("tab",),
                "fields": (
                    "skills",
                    "industries",
                    "keywords",
                    ("starts_on", "ends_on"),
                    ("visa", "remote_only"),
                    "location",
                    "attributes",
                ),
            },
        ),
    )

    def save_model(
        self, request: HttpRequest, candidate: Candidate, form: ModelForm, change: bool
    ) -> None:
        """A new resume is kept under its own hash, and the old one stays where it lies."""
        if "resume" in form.changed_data:
            file = form.cleaned_data["resume"]
            if file:
                resumes.put(candidate, file.read())
            else:
                resumes.take_away(candidate)
        super().save_model(request, candidate, form, change)

    @display(description="status", ordering="status", label=STATUS_COLORS)
    def colored_status(self, candidate: Candidate) -> tuple[str, str]:
        return status_of(candidate)


@admin.register(Angle)
class AngleAdmin(Page):
    list_display = ("topic", "candidate", "position", "outcome")
    list_select_related = ("candidate",)
    search_fields = ("topic__istartswith", "candidate__name__istartswith")
    autocomplete_fields = ("candidate",)


@admin.register(CandidateFact)
class CandidateFactAdmin(Page):
    list_display = ("candidate", "kind", "value", "source", "confidence", "observed_at")
    list_filter = ("kind", "source")
    list_select_related = ("candidate",)
    search_fields = ("candidate__name__istartswith",)
    autocomplete_fields = ("candidate",)


@admin.register(Segment)
class SegmentAdmin(Page):
    list_display = ("name", "position", "tone", "weight", "is_default")
    search_fields = ("name__istartswith", "key__startswith")
    prepopulated_fields = {"key": ("name",)}


class StepRows(Rows):
    model = Step
    fields = (
        "number",
        "name",
        "action",
        "channel",
        "delay_hours",
        "template_key",
        "variant_count",
        "same_thread",
    )


@admin.register(Sequence)
class SequenceAdmin(Kept, Page):
    """A version is made once; the floor that uses it decides from when it is fixed."""

    list_display = ("name", "key", "version", "step_count", "created_at")
    search_fields = ("name__istartswith", "key__startswith")
    inlines = (StepRows,)

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).annotate(steps_total=Count("steps"))

    @display(description="steps")
    def step_count(self, sequence: Any) -> int:
        return sequence.steps_total


@admin.register(Step)
class StepAdmin(Ledger):
    """To look at; a step is changed on its sequence's page, with its neighbours in sight."""

    list_display = ("name", "sequence", "number", "action", "channel", "delay_hours")
    list_filter = ("action", "channel", ("sequence", RelatedDropdownFilter))
    list_select_related = ("sequence",)
    search_fields = ("name__istartswith", "template_key__startswith")


@admin.register(PitchTemplate)
class PitchTemplateAdmin(Kept, Page):
    """Words that were used stay as they are: saving changed ones makes the next version."""

    list_display = ("key", "tone", "version", "channel", "language", "mode", "is_active")
    list_filter = ("is_active", "channel", "tone", "mode", "language")
    search_fields = ("key__startswith", "subject__istartswith")
    readonly_fields = ("version", "created_at")
    WORDS = frozenset({"subject", "body", "mode"})

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        names = super().get_readonly_fields(request, obj)
        return names if obj is None else (*names, "key", "tone", "language")

    def save_model(
        self, request: HttpRequest, obj: PitchTemplate, form: ModelForm, change: bool
    ) -> None:
        if change and not self.WORDS & set(form.changed_data):
            super().save_model(request, obj, form, change)
            return
        same = PitchTemplate.objects.filter(key=obj.key, tone=obj.tone, language=obj.language)
        if change:
            PitchTemplate.objects.filter(pk=obj.pk).update(is_active=False)
            obj.pk, obj._state.adding = None, True
        obj.version = (same.aggregate(last=Max("version"))["last"] or 0) + 1
        super().save_model(request, obj, form, change)
        if change:
            self.message_user(
                request,
                f"Saved as version {obj.version}. What was written with an earlier version "
                "keeps its words.",
                messages.INFO,
            )


@admin.register(AIUsage)
class AIUsageAdmin(Ledger):
    list_display = (
        "created_at",
        "prompt_name",
        "model",
        "status",
        "input_tokens",
        "output_tokens",
        "cost",
        "campaign",
    )
    list_filter = ("status", "provider", ("campaign", RelatedDropdownFilter))
    list_select_related = ("campaign",)
    search_fields = ("prompt_name__startswith", "model__startswith")
