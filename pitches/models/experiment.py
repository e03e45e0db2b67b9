"""A question asked across campaigns."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from campaigns.models import Campaign
from config.db import Stateful, moves, one_of


class ExperimentStatus(models.TextChoices):
    DRAFT = "draft"
    RUNNING = "running"
    ENDED = "ended"


class ExperimentMetric(models.TextChoices):
    REPLY = "reply", "first human reply"
    POSITIVE_REPLY = "positive_reply"


class Experiment(Stateful):
    Status = ExperimentStatus
    Metric = ExperimentMetric

    MOVES = moves(running=[Status.DRAFT], ended=[Status.DRAFT, Status.RUNNING])

    name = models.CharField(max_length=120, unique=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.DRAFT)
    metric = models.CharField(max_length=20, choices=Metric, default=Metric.REPLY)
    arms = ArrayField(
        models.CharField(max_length=120),
        help_text="Labels of variants: a tone, a template, a subject.",
    )
    weights = ArrayField(
        models.PositiveSmallIntegerField(),
        default=list,
        blank=True,
        help_text="Empty: equal shares.",
    )
    guardrails = models.JSONField(default=dict, blank=True)
    salt = models.CharField(max_length=64)
    campaigns = models.ManyToManyField(Campaign, related_name="experiments", blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            one_of("status", ExperimentStatus),
            one_of("metric", ExperimentMetric),
            models.CheckConstraint(
                condition=Q(arms__len__gte=2), name="experiment_has_two_arms"
            ),
        ]

    def __str__(self) -> str:
        return self.name
