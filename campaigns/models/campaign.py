"""The effort: one client, a goal, a budget, a plan."""

from __future__ import annotations

from datetime import time
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from campaigns import zones
from campaigns.models.candidate import Candidate
from campaigns.models.client import Client
from campaigns.models.sequence import Sequence
from config.db import EmbeddingField, ScoreField, Stateful, moves, one_of, within


def _weekdays() -> list[int]:
    return [1, 2, 3, 4, 5]


class CampaignPreset(models.TextChoices):
    PODCAST = "podcast"
    PLACEMENT = "placement"
    CREATOR = "creator"
    PRODUCT = "product"


class CampaignStatus(models.TextChoices):
    DRAFT = "draft"
    ACTIVE = "active"
    PAUSED = "paused"
    COMPLETED = "completed"
    CANCELED = "canceled"


class CampaignApprovalPolicy(models.TextChoices):
    STAFF = "staff"
    CLIENT = "client"
    CLIENT_THEN_STAFF = "client_then_staff", "client, then staff"
    BOTH = "both", "both, in any order"


class CampaignReviewPolicy(models.TextChoices):
    ALL = "all", "every message"
    FIRST_MESSAGE = "first_message", "the first message"
    TEMPLATE_ONLY = "template_only", "none, where a template was used unchanged"


class CampaignEmbeddingStatus(models.TextChoices):
    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


class Campaign(Stateful):
    Preset = CampaignPreset
    Status = CampaignStatus
    ApprovalPolicy = CampaignApprovalPolicy
    ReviewPolicy = CampaignReviewPolicy
    EmbeddingStatus = CampaignEmbeddingStatus

    MOVES = moves(
        active=[Status.DRAFT, Status.PAUSED],
        paused=[Status.ACTIVE],
        completed=[Status.ACTIVE, Status.PAUSED],
        canceled=[Status.DRAFT, Status.ACTIVE, Status.PAUSED],
    )

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="campaigns")
    candidates = models.ManyToManyField(Candidate, related_name="campaigns", blank=True)
    name = models.CharField(max_length=200)
    slug = models.SlugField(max_length=80, unique=True)
    preset = models.CharField(max_length=20, choices=Preset)
    status = models.CharField(max_length=20, choices=Status, default=Status.DRAFT)
    status_reason = models.CharField(max_length=300, blank=True)
    candidate_label = models.CharField(
        max_length=40,
        default="candidate",
        help_text="What your people call a candidate: guest, intern…",
    )
    goal = models.TextField(blank=True)
    questionnaire = models.JSONField(default=dict, blank=True)
    questionnaire_keywords = ArrayField(
        models.CharField(max_length=120), default=list, blank=True
    )
    keywords = ArrayField(models.CharField(max_length=120), default=list, blank=True)
    ideal_lead = models.TextField(blank=True)
    targeting = models.JSONField(
        default=dict, blank=True, help_text="min_score, industries, sizes."
    )
    media_kit_url = models.URLField(max_length=2000, blank=True)
    sequence = models.ForeignKey(
        Sequence, on_delete=models.PROTECT, null=True, blank=True, related_name="campaigns"
    )

    approval_policy = models.CharField(
        max_length=20, choices=ApprovalPolicy, default=ApprovalPolicy.STAFF
    )
    review_policy = models.CharField(
        max_length=20, choices=ReviewPolicy, default=ReviewPolicy.ALL
    )
    candidates_per_pitch = models.PositiveSmallIntegerField(default=1)
    max_active_pitches = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        help_text="Open pitches one candidate may be in at a time; empty: 3 for placements, "
        "any number otherwise.",
    )
    match_threshold = ScoreField(
        null=True,
        blank=True,
        help_text="Score a match needs to be pitched; empty: the preset's.",
    )
    enrollment_cap = models.PositiveIntegerField(
        null=True, blank=True, help_text="Leads this campaign may pitch in all."
    )
    attach_resume = models.BooleanField(
        null=True,
        blank=True,
        help_text="Send each candidate's newest resume along; empty: for placements only.",
    )
    urgent_skips_limits = models.BooleanField(
        default=False, help_text="Let urgent pitches pass the organization's limit."
    )

    time_zone = models.CharField(max_length=64, default="UTC", validators=[zones.check])
    window_start = models.TimeField(
        default=time(9),
        help_text="In the recipient's zone, or the campaign's where that is unknown.",
    )
    window_end = models.TimeField(default=time(17))
    window_days = ArrayField(
        models.PositiveSmallIntegerField(
            validators=[MinValueValidator(1), MaxValueValidator(7)]
        ),
        default=_weekdays,
        help_text="ISO weekdays, 1 is Monday.",
    )
    observe_holidays = models.BooleanField(
        default=True, help_text="Do not send on public holidays of the recipient's country."
    )

    ai_budget = models.DecimalField(
        "AI budget, USD", max_digits=18, decimal_places=8, null=True, blank=True
    )
    embedding = EmbeddingField()
    embedding_model = models.CharField(max_length=80, blank=True, editable=False)
    embedding_status = models.CharField(
        max_length=12, choices=EmbeddingStatus, default=EmbeddingStatus.PENDING, editable=False
    )
    is_demo = models.BooleanField(default=False, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            one_of("preset", CampaignPreset),
            one_of("status", CampaignStatus),
            one_of("approval_policy", CampaignApprovalPolicy),
            one_of("review_policy", CampaignReviewPolicy),
            one_of("embedding_status", CampaignEmbeddingStatus),
            within("candidates_per_pitch", 1, 10),
            within("match_threshold", 0, 100),
            models.CheckConstraint(
                condition=Q(window_end__gt=F("window_start")),
                name="campaign_window_opens_before_it_closes",
            ),
            models.CheckConstraint(
                condition=Q(window_days__len__gt=0), name="campaign_window_has_a_day"
            ),
            models.CheckConstraint(
                condition=Q(ai_budget__isnull=True) | Q(ai_budget__gte=0),
                name="campaign_budget_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def activate(self) -> None:
        self.move(self.Status.ACTIVE, status_reason="")

    def pause(self, *, reason: str) -> None:
        self.move(self.Status.PAUSED, status_reason=reason)

    def complete(self) -> None:
        self.move(self.Status.COMPLETED)

    def cancel(self, *, reason: str) -> None:
        self.move(self.Status.CANCELED, status_reason=reason)

    def most_open_pitches(self) -> int | None:
        """How many open pitches a candidate may be in (C31); None: any number."""
        if self.max_active_pitches is None and self.preset == self.Preset.PLACEMENT:
            return 3
        return self.max_active_pitches

    def text(self) -> str:
        """What this campaign is about, for matching."""
        parts: list[Any] = [self.goal, self.ideal_lead, ", ".join(self.keywords)]
        return "\n".join(part for part in parts if part)


class Blackout(models.Model):
    """Days on which a campaign does not write, in the recipient's zone."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="blackouts")
    starts_on = models.DateField()
    ends_on = models.DateField()
    reason = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["starts_on"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_on__gte=F("starts_on")), name="blackout_ends_after_it_starts"
            )
        ]

    def __str__(self) -> str:
        return f"{self.starts_on} to {self.ends_on}"


class DocumentKind(models.TextChoices):
    BIO = "bio"
    ANGLES = "angles"
    MOCK_INTERVIEW = "mock_interview"
    ARTICLE = "article"
    POST = "post"
    MEDIA_KIT = "media_kit"


class Document(models.Model):
    Kind = DocumentKind

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="documents")
    kind = models.CharField(max_length=20, choices=Kind)
    title = models.CharField(max_length=200)
    text = models.TextField(blank=True)
    url = models.URLField(max_length=2000, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["campaign", "kind", "title"]
        constraints = [
            one_of("kind", DocumentKind),
            models.CheckConstraint(
                condition=~Q(text="") | ~Q(url=""), name="document_has_text_or_url"
            ),
        ]

    def __str__(self) -> str:
        return self.title


class MediaKit(models.Model):
    """The press page of a campaign's candidate."""

    campaign = models.OneToOneField(
        Campaign, on_delete=models.CASCADE, related_name="media_kit"
    )
    slug = models.SlugField(max_length=80, unique=True)
    is_public = models.BooleanField(default=False)
    headline = models.CharField(max_length=200, blank=True)
    introduction = models.TextField(blank=True)
    achievements = ArrayField(models.CharField(max_length=300), default=list, blank=True)
    headshot = models.FileField(upload_to="headshots/", blank=True)
    call_to_action = models.CharField(max_length=200, blank=True)
    social = models.JSONField(default=dict, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.headline or self.slug
