"""What a campaign pitches: a guest, an intern, a product."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import MD5

from campaigns.models.client import Client
from campaigns.models.fact import BaseFact
from config.db import EmbeddingField, one_of


def _words() -> ArrayField:
    return ArrayField(models.CharField(max_length=120), default=list, blank=True)


class CandidateKind(models.TextChoices):
    GUEST = "guest"
    INTERN = "intern"
    PRODUCT = "product"


class CandidateStatus(models.TextChoices):
    ACTIVE = "active"
    PAUSED = "paused"
    PLACED = "placed"
    INACTIVE = "inactive"


class CandidateVisa(models.TextChoices):
    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Candidate(models.Model):
    Kind = CandidateKind
    Status = CandidateStatus
    Visa = CandidateVisa

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="candidates")
    reference = models.CharField(
        max_length=120,
        help_text="The client's own id of this row; an import finds it again by it.",
    )
    kind = models.CharField(max_length=10, choices=Kind)
    name = models.CharField(max_length=200)
    headline = models.CharField(max_length=300, blank=True)
    bio = models.TextField(blank=True)
    bio_refined = models.TextField(
        blank=True,
        help_text="A rewriting of the bio, kept beside it; used once a person accepts it.",
    )
    bio_refined_accepted_at = models.DateTimeField(null=True, blank=True)
    bio_summary = models.TextField(blank=True)
    bio_short = models.CharField(max_length=280, blank=True)
    skills = _words()
    keywords = _words()
    industries = ArrayField(
        models.CharField(max_length=120),
        default=list,
        blank=True,
        help_text="First choice first.",
    )
    starts_on = models.DateField("available from", null=True, blank=True)
    ends_on = models.DateField("available until", null=True, blank=True)
    visa = models.CharField("visa required", max_length=10, choices=Visa, default=Visa.UNKNOWN)
    location = models.CharField(max_length=200, blank=True)
    remote_only = models.BooleanField(default=False)
    resume = models.FileField(upload_to="resumes/", blank=True)
    resume_sha256 = models.CharField(max_length=64, blank=True, editable=False)
    resume_size = models.PositiveIntegerField(
        null=True, blank=True, editable=False, help_text="In bytes."
    )
    responsible = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="candidates",
    )
    status = models.CharField(max_length=10, choices=Status, default=Status.ACTIVE)
    attributes = models.JSONField(default=dict, blank=True)
    is_demo = models.BooleanField(default=False, editable=False)
    embedding = EmbeddingField()
    embedding_model = models.CharField(max_length=80, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["client", "reference"], name="candidate_reference_once_per_client"
            ),
            one_of("kind", CandidateKind),
            one_of("status", CandidateStatus),
            one_of("visa", CandidateVisa),
            models.CheckConstraint(
                condition=Q(starts_on__isnull=True)
                | Q(ends_on__isnull=True)
                | Q(ends_on__gte=F("starts_on")),
                name="candidate_ends_after_it_starts",
            ),
        ]
        indexes = [
            # matching reads the pitchable candidates of a client
            models.Index(fields=["client", "status"], name="candidate_by_client_status"),
            GinIndex(fields=["skills"], name="candidate_skills"),
            # the search box finds words of names by their beginnings
            GinIndex(SearchVector("name", config="simple"), name="candidate_name_words"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def bio_to_use(self) -> str:
        """The refined bio once a person has accepted it, the original until then (S003-015,
        S003-016).
        """
        return (
            self.bio_refined if self.bio_refined and self.bio_refined_accepted_at else self.bio
        )


class Angle(models.Model):
    """One thing a candidate can talk about, and what the listener has from it."""

    candidate = models.ForeignKey(Candidate, on_delete=models.CASCADE, related_name="angles")
    position = models.PositiveSmallIntegerField(default=1)
    topic = models.CharField(max_length=200)
    outcome = models.CharField(max_length=300, blank=True)
    description = models.TextField(blank=True)

    class Meta:
        ordering = ["candidate", "position"]
        constraints = [
            models.UniqueConstraint(
                fields=["candidate", "topic"], name="angle_topic_once_per_candidate"
            )
        ]

    def __str__(self) -> str:
        return self.topic


class CandidateFact(BaseFact):
    candidate = models.ForeignKey(Candidate, on_delete=models.CASCADE, related_name="facts")

    class Meta(BaseFact.Meta):
        constraints = [
            *BaseFact.Meta.constraints,
            models.UniqueConstraint(
                "candidate",
                "kind",
                "source",
                MD5("value"),
                name="candidate_fact_once_per_source",
            ),
        ]
