"""A decision somebody owes."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from campaigns.models import Campaign
from config.db import one_of
from pitches.models.inbound import IncomingMessage
from pitches.models.match import Match
from pitches.models.message import Message
from pitches.models.pitch import Pitch
from prospects.models import Lead


class ReviewTaskKind(models.TextChoices):
    LEAD = "lead"
    MATCH_FIT = "match_fit", "fit of a match"
    MATCH = "match"
    MESSAGE = "message"
    REPLY = "reply"


class ReviewTaskStatus(models.TextChoices):
    OPEN = "open"
    COMPLETED = "completed"
    CANCELED = "canceled"


class ReviewTaskDecision(models.TextChoices):
    APPROVED = "approved"
    REJECTED = "rejected"


class ReviewTask(models.Model):
    """Completing it and changing its target are one transaction, whichever door was used."""

    Kind = ReviewTaskKind
    Status = ReviewTaskStatus
    Decision = ReviewTaskDecision

    kind = models.CharField(max_length=10, choices=Kind)
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)
    campaign = models.ForeignKey(
        Campaign, on_delete=models.CASCADE, null=True, blank=True, related_name="review_tasks"
    )
    lead = models.ForeignKey(
        Lead, on_delete=models.CASCADE, null=True, blank=True, related_name="review_tasks"
    )
    match = models.ForeignKey(
        Match, on_delete=models.CASCADE, null=True, blank=True, related_name="review_tasks"
    )
    pitch = models.ForeignKey(
        Pitch,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="review_tasks",
        help_text="The whole sequence of this pitch, unless one message is named.",
    )
    message = models.ForeignKey(
        Message, on_delete=models.CASCADE, null=True, blank=True, related_name="review_tasks"
    )
    incoming = models.ForeignKey(
        IncomingMessage,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="review_tasks",
    )
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="review_tasks",
    )
    due_at = models.DateTimeField(null=True, blank=True)
    risk = models.PositiveSmallIntegerField(default=0, help_text="Higher comes first.")
    decision = models.CharField(max_length=10, choices=Decision, blank=True)
    reason = models.CharField(max_length=300, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_sha256 = models.CharField(
        max_length=64, blank=True, help_text="Of what was decided on."
    )
    seconds_taken = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-risk", "created_at", "pk"]
        constraints = [
            one_of("kind", ReviewTaskKind),
            one_of("status", ReviewTaskStatus),
            models.CheckConstraint(
                condition=Q(
                    kind="lead",
                    lead__isnull=False,
                    match=None,
                    pitch=None,
                    message=None,
                    incoming=None,
                )
                | Q(
                    kind__in=["match", "match_fit"],
                    match__isnull=False,
                    lead=None,
                    pitch=None,
                    message=None,
                    incoming=None,
                )
                | Q(kind="message", pitch__isnull=False, lead=None, match=None, incoming=None)
                | Q(
                    kind="reply",
                    incoming__isnull=False,
                    lead=None,
                    match=None,
                    pitch=None,
                    message=None,
                ),
                name="review_task_names_its_target",
            ),
            models.CheckConstraint(
                condition=Q(
                    status="completed",
                    decision__in=["approved", "rejected"],
                    decided_at__isnull=False,
                )
                | (~Q(status="completed") & Q(decision="")),
                name="review_task_completed_has_a_decision",
            ),
            models.CheckConstraint(
                condition=~Q(decision="rejected") | ~Q(reason=""),
                name="review_task_rejected_has_a_reason",
            ),
            models.UniqueConstraint(
                fields=["kind", "lead", "match", "pitch", "message", "incoming"],
                condition=Q(status="open"),
                nulls_distinct=False,
                name="review_task_one_open_per_target",
            ),
        ]
        indexes = [
            # the queue, riskiest and oldest first
            models.Index(
                fields=["-risk", "created_at", "id"],
                condition=Q(status="open"),
                name="review_queue",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} review #{self.pk}"

    @property
    def is_open(self) -> bool:
        return self.status == self.Status.OPEN

    @property
    def target(self) -> Lead | Match | Pitch | Message | IncomingMessage | None:
        """The row the decision is about."""
        return self.message or self.pitch or self.match or self.incoming or self.lead
