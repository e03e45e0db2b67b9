"""The ledger of paid calls to models."""

from __future__ import annotations

from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.models import Q

from campaigns.models.campaign import Campaign
from config.db import one_of


class AIUsageStatus(models.TextChoices):
    RESERVED = "reserved"
    SETTLED = "settled"
    FAILED = "failed"


class AIUsage(models.Model):
    """One call, failed ones too: reserved before it, settled exactly once after it.

    A trigger refuses every other change, so the sum of this table is the money spent.
    """

    Status = AIUsageStatus

    status = models.CharField(max_length=10, choices=Status, default=Status.RESERVED)
    prompt_name = models.CharField(max_length=120)
    prompt_sha256 = models.CharField(max_length=64)
    provider = models.CharField(max_length=40)
    model = models.CharField(max_length=120)
    input_tokens = models.PositiveIntegerField(default=0)
    cached_tokens = models.PositiveIntegerField(default=0)
    output_tokens = models.PositiveIntegerField(default=0)
    cost = models.DecimalField("cost, USD", max_digits=18, decimal_places=8)
    seconds = models.DecimalField(max_digits=9, decimal_places=3, default=0)
    error = models.TextField(blank=True)
    campaign = models.ForeignKey(
        Campaign, on_delete=models.PROTECT, null=True, blank=True, related_name="ai_usage"
    )
    about_type = models.ForeignKey(ContentType, on_delete=models.PROTECT, null=True, blank=True)
    about_id = models.BigIntegerField(null=True, blank=True)
    about = GenericForeignKey("about_type", "about_id")
    created_at = models.DateTimeField(auto_now_add=True)
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "AI usage"
        verbose_name_plural = "AI usage"
        ordering = ["-created_at"]
        constraints = [
            one_of("status", AIUsageStatus),
            models.CheckConstraint(condition=Q(cost__gte=0), name="ai_usage_cost_not_negative"),
            models.CheckConstraint(
                condition=Q(status="reserved", settled_at__isnull=True)
                | (~Q(status="reserved") & Q(settled_at__isnull=False)),
                name="ai_usage_settled_has_a_time",
            ),
        ]
        indexes = [
            # budgets sum a campaign's calls since a time
            models.Index(fields=["campaign", "created_at"], name="ai_usage_by_campaign"),
            # the cost page of one message reads its calls
            models.Index(fields=["about_type", "about_id"], name="ai_usage_about"),
        ]

    def __str__(self) -> str:
        return f"{self.prompt_name} on {self.model}: {self.cost} USD"
