"""A run of the pipeline: its stages, and a verdict for every lead it saw."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from campaigns.models import Campaign
from config.db import ScoreField, Stateful, moves, one_of, within
from prospects.models.lead import Lead


class Stage(models.TextChoices):
    DISCOVERY = "discovery"
    PRESCREEN = "prescreen", "pre-screen"
    ENRICHMENT = "enrichment"
    ANALYSIS = "analysis"
    SCORING = "scoring"
    CRM_SYNC = "crm_sync", "CRM sync"


class SavedSearch(models.Model):
    """Filters that a schedule can run."""

    name = models.CharField(max_length=120, unique=True)
    platform = models.CharField(max_length=40)
    filters = models.JSONField(default=dict, blank=True)
    campaign = models.ForeignKey(
        Campaign, on_delete=models.CASCADE, null=True, blank=True, related_name="saved_searches"
    )
    budget = models.DecimalField(
        "budget, USD", max_digits=14, decimal_places=2, default=Decimal(10)
    )
    cron = models.CharField(
        max_length=100, blank=True, help_text="Empty: only when a person starts it."
    )
    is_active = models.BooleanField(default=True)
    last_run_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "saved searches"
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(budget__gte=0), name="saved_search_budget_not_negative"
            )
        ]

    def __str__(self) -> str:
        return self.name


class PipelineRunStatus(models.TextChoices):
    QUEUED = "queued"
    DISCOVERING = "discovering"
    PRESCREENING = "prescreening"
    ENRICHING = "enriching"
    ANALYZING = "analyzing"
    SCORING = "scoring"
    SYNCING = "syncing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"


class PipelineRun(Stateful):
    Status = PipelineRunStatus

    # A run only goes forward; an empty stage ends it, so every stage may lead to completed.
    _ORDER = (
        Status.QUEUED, Status.DISCOVERING, Status.PRESCREENING, Status.ENRICHING,
        Status.ANALYZING, Status.SCORING, Status.SYNCING,
    )  # fmt: skip
    MOVES = moves(
        discovering=[Status.QUEUED],
        prescreening=[Status.QUEUED, Status.DISCOVERING],
        enriching=[Status.QUEUED, Status.PRESCREENING],
        analyzing=[Status.QUEUED, Status.ENRICHING],
        scoring=[Status.QUEUED, Status.ANALYZING],
        syncing=[Status.QUEUED, Status.SCORING],
        completed=_ORDER,
        failed=_ORDER,
        canceled=_ORDER,
    )

    platform = models.CharField(max_length=40)
    campaign = models.ForeignKey(
        Campaign, on_delete=models.PROTECT, null=True, blank=True, related_name="pipeline_runs"
    )
    saved_search = models.ForeignKey(
        SavedSearch, on_delete=models.SET_NULL, null=True, blank=True, related_name="runs"
    )
    parent = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="retries"
    )
    first_stage = models.CharField(max_length=20, choices=Stage, default=Stage.DISCOVERY)
    filters = models.JSONField(default=dict, blank=True)
    filters_sha256 = models.CharField(max_length=64, blank=True)
    owners = ArrayField(
        models.CharField(max_length=80),
        default=list,
        blank=True,
        help_text="CRM owners chosen for this run.",
    )
    budget = models.DecimalField(
        "budget, USD", max_digits=14, decimal_places=2, default=Decimal(10)
    )
    status = models.CharField(max_length=20, choices=Status, default=Status.QUEUED)
    error = models.TextField(blank=True)
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            one_of("status", PipelineRunStatus),
            one_of("first_stage", Stage),
            models.CheckConstraint(condition=Q(budget__gte=0), name="run_budget_not_negative"),
        ]
        indexes = [models.Index(fields=["platform", "-created_at"], name="run_by_platform")]

    def __str__(self) -> str:
        return f"{self.platform} run #{self.pk}"


class StageRunStatus(models.TextChoices):
    WAITING = "waiting"
    RUNNING = "running"
    COMPLETED = "completed"
    SKIPPED = "skipped"
    FAILED = "failed"


class StageRun(models.Model):
    """Progress, seconds and cost of one stage of one run."""

    Status = StageRunStatus

    run = models.ForeignKey(PipelineRun, on_delete=models.CASCADE, related_name="stages")
    stage = models.CharField(max_length=20, choices=Stage)
    status = models.CharField(max_length=10, choices=Status, default=Status.WAITING)
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    passed = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    cost = models.DecimalField("cost, USD", max_digits=18, decimal_places=8, default=0)
    seconds = models.DecimalField(max_digits=12, decimal_places=3, default=0)
    note = models.TextField(blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["run", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["run", "stage"], name="stage_once_per_run"),
            one_of("stage", Stage),
            one_of("status", StageRunStatus),
            models.CheckConstraint(
                condition=Q(done__lte=F("total")), name="stage_run_done_within_total"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.stage} of {self.run}"


class AssessmentOutcome(models.TextChoices):
    PENDING = "pending"
    PASSED = "passed"
    DUPLICATE = "duplicate"
    DISQUALIFIED = "disqualified"
    REJECTED = "rejected"
    FAILED = "failed"


class Assessment(models.Model):
    """What a run concluded about a lead.

    One row for EVERY lead it saw, rejected and duplicate ones too.
    """

    Outcome = AssessmentOutcome

    run = models.ForeignKey(PipelineRun, on_delete=models.CASCADE, related_name="assessments")
    lead = models.ForeignKey(Lead, on_delete=models.CASCADE, related_name="assessments")
    stage_reached = models.CharField(max_length=20, choices=Stage, default=Stage.DISCOVERY)
    outcome = models.CharField(max_length=20, choices=Outcome, default=Outcome.PENDING)
    reason = models.CharField(max_length=500, blank=True)
    evidence = models.JSONField(default=dict, blank=True)
    section_scores = models.JSONField(default=dict, blank=True)
    adjustments = models.JSONField(default=dict, blank=True)
    manual_score = ScoreField(null=True, blank=True)
    score = ScoreField(null=True, blank=True)
    tier = models.CharField(max_length=30, choices=Lead.Tier, blank=True)
    reasoning = models.TextField(blank=True)
    scoring_version = models.CharField(max_length=40, blank=True)
    cost = models.DecimalField("cost, USD", max_digits=18, decimal_places=8, default=0)
    synced_at = models.DateTimeField(null=True, blank=True)
    sync_result = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["run", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["run", "lead"], name="assessment_once_per_run_and_lead"
            ),
            one_of("stage_reached", Stage),
            one_of("outcome", AssessmentOutcome),
            models.CheckConstraint(
                condition=Q(tier="") | Q(tier__in=Lead.Tier.values),
                name="prospects_assessment_tier_is_known",
            ),
            within("score", 0, 100),
            within("manual_score", 0, 100),
        ]
        indexes = [
            # the funnel groups a run's verdicts by stage
            models.Index(fields=["run", "stage_reached", "outcome"], name="assessment_funnel"),
        ]

    def __str__(self) -> str:
        return f"{self.lead} in {self.run}: {self.outcome}"
