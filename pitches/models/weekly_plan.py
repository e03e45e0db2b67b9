"""A week of by-hand work."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from campaigns.models import Campaign


class WeeklyPlan(models.Model):
    """Targets and slots of one week for channels that a person works.

    Its entries are messages.
    """

    campaign = models.ForeignKey(
        Campaign, on_delete=models.CASCADE, related_name="weekly_plans"
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="weekly_plans"
    )
    week = models.DateField(help_text="Its Monday, in the campaign's zone.")
    target_requests = models.PositiveSmallIntegerField(default=40)
    target_follow_ups = models.PositiveSmallIntegerField(default=30)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-week"]
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "owner", "week"], name="weekly_plan_once"
            ),
            models.CheckConstraint(
                condition=Q(week__iso_week_day=1), name="weekly_plan_begins_on_monday"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.campaign}, week of {self.week}"
