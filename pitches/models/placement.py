"""It worked."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from campaigns.models import Campaign, Candidate
from config.db import one_of
from pitches.models.pitch import Pitch
from prospects.models import Lead


class PlacementKind(models.TextChoices):
    PODCAST = "podcast"
    INTERNSHIP = "internship"
    DEAL = "deal"


class PlacementStatus(models.TextChoices):
    PENDING = "pending"
    RESPONDED = "responded"
    INTERESTED = "interested"
    FORM_SUBMITTED = "form_submitted"
    MEETING_BOOKED = "meeting_booked"
    RECORDING_BOOKED = "recording_booked"
    RECORDED = "recorded"
    LIVE = "live"
    INTERVIEW = "interview"
    OFFERED = "offered"
    CONFIRMED = "confirmed"
    STARTED = "started"
    FINISHED = "finished"
    NEGOTIATING = "negotiating"
    WON = "won"
    PAID = "paid"
    REJECTED = "rejected"
    CANCELED = "canceled"


class Placement(models.Model):
    Kind = PlacementKind
    Status = PlacementStatus

    # The order of the stages per kind; rejected and canceled can follow any of them.
    STAGES = {
        Kind.PODCAST: (
            Status.PENDING, Status.RESPONDED, Status.INTERESTED, Status.FORM_SUBMITTED,
            Status.MEETING_BOOKED, Status.RECORDING_BOOKED, Status.RECORDED, Status.LIVE,
            Status.PAID,
        ),
        Kind.INTERNSHIP: (
            Status.PENDING, Status.RESPONDED, Status.INTERESTED, Status.INTERVIEW,
            Status.OFFERED, Status.CONFIRMED, Status.STARTED, Status.FINISHED, Status.PAID,
        ),
        Kind.DEAL: (
            Status.PENDING, Status.RESPONDED, Status.INTERESTED, Status.MEETING_BOOKED,
            Status.NEGOTIATING, Status.WON, Status.PAID,
        ),
    }  # fmt: skip
    # The candidate is taken: everything else written for it stops.
    TAKEN = (Status.CONFIRMED, Status.STARTED, Status.FINISHED)
    # Deals that count against a role (H003-01).
    LOST = (Status.REJECTED, Status.CANCELED)

    kind = models.CharField(max_length=12, choices=Kind)
    campaign = models.ForeignKey(Campaign, on_delete=models.PROTECT, related_name="placements")
    candidate = models.ForeignKey(
        Candidate, on_delete=models.PROTECT, related_name="placements"
    )
    lead = models.ForeignKey(Lead, on_delete=models.PROTECT, related_name="placements")
    pitch = models.ForeignKey(
        Pitch, on_delete=models.PROTECT, null=True, blank=True, related_name="placements"
    )
    status = models.CharField(max_length=20, choices=Status, default=Status.PENDING)
    starts_on = models.DateField(null=True, blank=True)
    ends_on = models.DateField(null=True, blank=True)
    value = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    currency = models.CharField(max_length=3, default="USD")
    notes = models.TextField(blank=True, help_text="Seen by staff only.")
    is_client_visible = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            one_of("kind", PlacementKind),
            one_of("status", PlacementStatus),
            models.UniqueConstraint(
                fields=["candidate", "lead"],
                condition=~Q(status__in=["rejected", "canceled"]),
                name="placement_one_open_per_pair",
            ),
            models.CheckConstraint(
                condition=Q(value__isnull=True) | Q(value__gte=0),
                name="placement_value_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(starts_on__isnull=True)
                | Q(ends_on__isnull=True)
                | Q(ends_on__gte=F("starts_on")),
                name="placement_ends_after_it_starts",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.candidate} with {self.lead}: {self.get_status_display()}"


class PlacementChange(models.Model):
    """Written by a trigger, so that plain SQL leaves its trace too (S000-068)."""

    placement = models.ForeignKey(Placement, on_delete=models.CASCADE, related_name="changes")
    old_status = models.CharField(max_length=20, blank=True)
    new_status = models.CharField(max_length=20)
    changed_at = models.DateTimeField()
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_constraint=False,
    )

    class Meta:
        ordering = ["placement", "changed_at", "pk"]

    def __str__(self) -> str:
        return f"{self.old_status or 'new'} → {self.new_status}"
