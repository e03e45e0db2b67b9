"""What we may pitch to: a podcast, an open role, a creator, a buyer."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import Q

from campaigns import zones
from campaigns.models import Segment
from config.db import EmbeddingField, ScoreField, one_of, within
from prospects.models.organization import Contact, Organization


def _words() -> ArrayField:
    return ArrayField(models.CharField(max_length=120), default=list, blank=True)


class LeadKind(models.TextChoices):
    PODCAST = "podcast"
    ROLE = "role"
    CREATOR = "creator"
    BUYER = "buyer"


class LeadVisa(models.TextChoices):
    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class LeadTier(models.TextChoices):
    AUTO_ENROLL = "auto_enroll"
    STANDARD = "standard_priority_review"
    LOW = "low_priority_review"


class Lead(models.Model):
    Kind = LeadKind
    Visa = LeadVisa
    Tier = LeadTier

    kind = models.CharField(max_length=10, choices=Kind)
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, null=True, blank=True, related_name="leads"
    )
    contacts = models.ManyToManyField(Contact, related_name="leads", blank=True)
    name = models.CharField(max_length=300)
    text = models.TextField(blank=True, help_text="Description, as found.")
    url = models.URLField(max_length=2000, blank=True)
    website = models.URLField(max_length=2000, blank=True)
    feed_url = models.URLField(max_length=2000, blank=True)
    language = models.CharField(max_length=16, blank=True)
    location = models.CharField(max_length=300, blank=True)
    is_remote = models.BooleanField(default=False)
    country = models.CharField(max_length=2, blank=True)
    time_zone = models.CharField(max_length=64, blank=True, validators=[zones.check])
    keywords = _words()
    industries = _words()
    visa_sponsorship = models.CharField(max_length=10, choices=Visa, default=Visa.UNKNOWN)
    starts_on = models.DateField(null=True, blank=True)
    ends_on = models.DateField(null=True, blank=True)
    posted_on = models.DateField(null=True, blank=True)
    closed_at = models.DateTimeField(
        null=True, blank=True, help_text="Filled, withdrawn, no longer published."
    )
    audience = models.PositiveBigIntegerField(null=True, blank=True)
    segment = models.ForeignKey(
        Segment, on_delete=models.SET_NULL, null=True, blank=True, related_name="leads"
    )
    segment_is_manual = models.BooleanField(
        default=False, help_text="Chosen by a person: no rule overwrites it."
    )
    score = ScoreField(null=True, blank=True)
    quality = ScoreField(null=True, blank=True)
    tier = models.CharField(max_length=30, choices=Tier, blank=True)
    tags = models.JSONField(default=dict, blank=True)
    attributes = models.JSONField(default=dict, blank=True)
    suppressed_at = models.DateTimeField(
        null=True, blank=True, help_text="Nobody of this lead may be written to."
    )
    merged_into = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="merged"
    )
    embedding = EmbeddingField()
    embedding_model = models.CharField(max_length=80, blank=True, editable=False)
    is_demo = models.BooleanField(default=False, editable=False)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            one_of("kind", LeadKind),
            one_of("visa_sponsorship", LeadVisa),
            models.CheckConstraint(
                condition=Q(tier="") | Q(tier__in=LeadTier.values),
                name="prospects_lead_tier_is_known",
            ),
            within("score", 0, 100),
            within("quality", 0, 100),
        ]
        indexes = [
            # matching reads the open leads of a kind
            models.Index(
                fields=["kind", "id"],
                condition=Q(
                    closed_at__isnull=True, suppressed_at__isnull=True, merged_into__isnull=True
                ),
                name="lead_open_by_kind",
            ),
            # the admin list's default order, page by page
            models.Index(fields=["name", "id"], name="lead_by_name"),
            # the search box finds words of names by their beginnings
            GinIndex(SearchVector("name", config="simple"), name="lead_name_words"),
        ]

    def __str__(self) -> str:
        return self.name


class LeadIdentity(models.Model):
    """A name by which some platform knows a lead.

    The same show found twice is one lead with two of these.
    """

    lead = models.ForeignKey(Lead, on_delete=models.CASCADE, related_name="identities")
    platform = models.CharField(max_length=40)
    platform_id = models.CharField(max_length=500)
    url = models.URLField(max_length=2000, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "lead identities"
        ordering = ["lead", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["platform", "platform_id"], name="identity_belongs_to_one_lead"
            )
        ]

    def __str__(self) -> str:
        return f"{self.platform}: {self.platform_id}"


class ContentItemKind(models.TextChoices):
    EPISODE = "episode"
    POST = "post"
    ARTICLE = "article"


class ContentItem(models.Model):
    """What a lead has made: an episode, a post, an article."""

    Kind = ContentItemKind

    lead = models.ForeignKey(Lead, on_delete=models.CASCADE, related_name="content_items")
    kind = models.CharField(max_length=10, choices=Kind)
    guid = models.CharField(max_length=500)
    title = models.CharField(max_length=500)
    url = models.URLField(max_length=2000, blank=True)
    text = models.TextField(blank=True)
    published_at = models.DateTimeField(null=True, blank=True)
    seconds = models.PositiveIntegerField("length, seconds", null=True, blank=True)
    keywords = _words()
    summary = models.TextField(blank=True)
    transcript = models.TextField(blank=True)
    transcribe = models.BooleanField(default=False)
    transcription_error = models.TextField(blank=True)
    embedding = EmbeddingField()
    embedding_model = models.CharField(max_length=80, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["lead", "-published_at"]
        constraints = [
            models.UniqueConstraint(fields=["lead", "guid"], name="content_item_once_per_lead"),
            one_of("kind", ContentItemKind),
        ]
        indexes = [
            # matching reads the latest items of each lead
            models.Index(fields=["lead", "-published_at"], name="content_item_latest"),
        ]

    def __str__(self) -> str:
        return self.title
