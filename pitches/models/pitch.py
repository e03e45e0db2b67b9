"""One approach to one lead."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from campaigns.models import Campaign, Sequence
from config.db import Stateful, StatefulQuerySet, moves, one_of
from pitches.models.sender import Sender, SendMode
from prospects.models import ContactAddress, Lead


class PitchQuerySet(StatefulQuerySet):
    def open(self) -> PitchQuerySet:
        """Pitches that still occupy their lead."""
        return self.filter(status__in=Pitch.OPEN)


class PitchStatus(models.TextChoices):
    DRAFT = "draft"
    APPROVED = "approved"
    ACTIVE = "active"
    REPLIED = "replied"
    COMPLETED = "completed"
    MOVED = "moved"
    BOUNCED = "bounced"
    STOPPED = "stopped"
    REJECTED = "rejected"


class PitchOutcome(models.TextChoices):
    INTERESTED = "interested"
    MORE_INFO = "more_info", "wants to know more"
    MEETING_BOOKED = "meeting_booked"
    NOT_INTERESTED = "not_interested"
    WRONG_PERSON = "wrong_person"
    UNSUBSCRIBE = "unsubscribe"
    OTHER = "other"
    NO_RESPONSE = "no_response"


class Pitch(Stateful):
    Status = PitchStatus
    Outcome = PitchOutcome

    OPEN = (Status.DRAFT, Status.APPROVED, Status.ACTIVE)
    MOVES = moves(
        draft=[Status.APPROVED],  # a change after approval sends it back
        approved=[Status.DRAFT],
        active=[Status.APPROVED],
        # a reply may still come after we stopped, moved on or gave up
        replied=[Status.ACTIVE, Status.COMPLETED, Status.MOVED, Status.STOPPED, Status.BOUNCED],
        completed=[Status.ACTIVE],
        moved=[Status.ACTIVE],
        bounced=[Status.ACTIVE],
        stopped=OPEN,
        rejected=[Status.DRAFT, Status.APPROVED],
    )

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="pitches")
    lead = models.ForeignKey(Lead, on_delete=models.PROTECT, related_name="pitches")
    round = models.PositiveSmallIntegerField(default=1)
    address = models.ForeignKey(
        ContactAddress, on_delete=models.PROTECT, related_name="pitches"
    )
    sender = models.ForeignKey(
        Sender,
        on_delete=models.PROTECT,
        related_name="pitches",
        help_text="Stays the same through the thread.",
    )
    sequence = models.ForeignKey(
        Sequence, on_delete=models.PROTECT, null=True, blank=True, related_name="pitches"
    )
    send_mode = models.CharField(max_length=10, choices=SendMode)
    status = models.CharField(max_length=10, choices=Status, default=Status.DRAFT)
    status_reason = models.CharField(max_length=300, blank=True)
    outcome = models.CharField(max_length=20, choices=Outcome, blank=True)
    urgent = models.BooleanField(default=False)
    is_imported = models.BooleanField(
        default=False, help_text="Written before this system was in use."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    first_sent_at = models.DateTimeField(null=True, blank=True)
    replied_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = PitchQuerySet.as_manager()  # type: ignore[misc]  # knows more than its base

    class Meta:
        verbose_name_plural = "pitches"
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "lead", "round"], name="pitch_round_once"
            ),
            models.UniqueConstraint(
                fields=["campaign", "lead"],
                condition=Q(status__in=["draft", "approved", "active"]),
                name="pitch_one_open_per_lead",
            ),
            models.CheckConstraint(condition=Q(round__gte=1), name="pitch_round_from_one"),
            one_of("status", PitchStatus),
            one_of("send_mode", SendMode),
            models.CheckConstraint(
                condition=Q(outcome="") | Q(outcome__in=PitchOutcome.values),
                name="pitch_outcome_is_known",
            ),
        ]
        indexes = [
            # nothing goes out for real while a captured pitch is open
            models.Index(
                fields=["send_mode"],
                condition=Q(send_mode="capture", status__in=["draft", "approved", "active"]),
                name="pitch_rehearsed_open",
            ),
            # a campaign's board, newest first
            models.Index(
                fields=["campaign", "status", "-created_at"], name="pitch_by_campaign_status"
            ),
        ]

    def __str__(self) -> str:
        return f"pitch #{self.pk} to {self.lead}"
