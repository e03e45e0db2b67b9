"""Candidate meets lead."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from campaigns.models import Campaign, Candidate
from config.db import ScoreField, Stateful, moves, one_of, within
from pitches.models.pitch import Pitch
from prospects.models import Lead


class MatchStatus(models.TextChoices):
    SUGGESTED = "suggested"
    FIT_CHECK = "fit_check", "in fit check"
    TO_REVIEW = "to_review", "to review"
    APPROVED = "approved"
    PITCHED = "pitched"
    CLOSED = "closed"
    DECLINED = "declined"
    UNFIT = "unfit"
    BLOCKED = "blocked"
    WITHDRAWN = "withdrawn"


class MatchDecision(models.TextChoices):
    APPROVED = "approved"
    DECLINED = "declined"


class Match(Stateful):
    """One candidate for one lead in a campaign.

    With a pitch, the row *is* the outreach history.
    """

    Status = MatchStatus
    Decision = MatchDecision

    MOVES = moves(
        fit_check=[Status.SUGGESTED],
        # approved -> to_review: an approval taken back
        to_review=[Status.SUGGESTED, Status.FIT_CHECK, Status.APPROVED],
        # pitched -> approved: the pitch ended before anything was handed over and gave its
        # matches back
        approved=[Status.TO_REVIEW, Status.PITCHED],
        pitched=[Status.APPROVED],
        closed=[Status.PITCHED],
        declined=[Status.SUGGESTED, Status.FIT_CHECK, Status.TO_REVIEW, Status.APPROVED],
        unfit=[Status.SUGGESTED, Status.FIT_CHECK],
        blocked=[Status.SUGGESTED, Status.FIT_CHECK, Status.TO_REVIEW, Status.APPROVED],
        withdrawn=[
            Status.SUGGESTED,
            Status.FIT_CHECK,
            Status.TO_REVIEW,
            Status.APPROVED,
            Status.PITCHED,
        ],
    )

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="matches")
    candidate = models.ForeignKey(Candidate, on_delete=models.PROTECT, related_name="matches")
    lead = models.ForeignKey(Lead, on_delete=models.PROTECT, related_name="matches")
    cycle = models.PositiveSmallIntegerField(
        default=1, help_text="Above 1 only by a named person, after a cool-down."
    )
    cycle_reason = models.CharField(max_length=300, blank=True)
    status = models.CharField(max_length=12, choices=Status, default=Status.SUGGESTED)
    score = ScoreField()
    parts = models.JSONField(
        default=dict, blank=True, help_text="How the score came about, part by part."
    )
    reasoning = models.TextField(blank=True)
    fit = models.JSONField(default=dict, blank=True)
    urgent = models.BooleanField(default=False)
    is_preview = models.BooleanField(default=False)
    is_merged = models.BooleanField(
        default=False, help_text="Came here when two leads became one."
    )
    client_decision = models.CharField(max_length=10, choices=Decision, blank=True)
    client_decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )
    client_decided_at = models.DateTimeField(null=True, blank=True)
    staff_decision = models.CharField(max_length=10, choices=Decision, blank=True)
    staff_decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )
    staff_decided_at = models.DateTimeField(null=True, blank=True)
    decline_reason = models.CharField(max_length=300, blank=True)
    pitch = models.ForeignKey(
        Pitch, on_delete=models.RESTRICT, null=True, blank=True, related_name="matches"
    )
    raised_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="An earlier pitch of the candidate came to nothing: this one is next.",
    )
    suggested_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "matches"
        ordering = ["-urgent", "-score", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "candidate", "lead", "cycle"],
                name="match_once_per_campaign_and_cycle",
            ),
            # Nobody is pitched twice to the same lead, whatever the campaign.
            models.UniqueConstraint(
                fields=["candidate", "lead", "cycle"],
                condition=Q(pitch__isnull=False),
                name="candidate_pitched_to_lead_once",
            ),
            one_of("status", MatchStatus),
            models.CheckConstraint(
                condition=Q(client_decision="") | Q(client_decision__in=MatchDecision.values),
                name="match_client_decision_is_known",
            ),
            models.CheckConstraint(
                condition=Q(staff_decision="") | Q(staff_decision__in=MatchDecision.values),
                name="match_staff_decision_is_known",
            ),
            within("score", 0, 100),
            models.CheckConstraint(condition=Q(cycle__gte=1), name="match_cycle_from_one"),
            models.CheckConstraint(
                condition=Q(cycle=1) | ~Q(cycle_reason=""),
                name="match_later_cycle_has_a_reason",
            ),
            models.CheckConstraint(
                condition=~Q(status="pitched") | Q(pitch__isnull=False),
                name="match_pitched_has_a_pitch",
            ),
        ]
        indexes = [
            # the planner reads a campaign's approved matches, lead by lead, best first
            models.Index(
                fields=["campaign", "status", "lead", "-score"], name="match_to_pitch"
            ),
            # a candidate's history and its number of open pitches
            models.Index(fields=["candidate", "status"], name="match_by_candidate"),
        ]

    def __str__(self) -> str:
        return f"{self.candidate} for {self.lead}"
