"""Whom we may not write."""

from __future__ import annotations

from django.db import models

from config.db import one_of


class SuppressionKind(models.TextChoices):
    EMAIL = "email"
    DOMAIN = "domain"
    PHONE = "phone"
    LINKEDIN = "linkedin", "LinkedIn"
    ORGANIZATION = "organization"


class SuppressionReason(models.TextChoices):
    UNSUBSCRIBED = "unsubscribed"
    COMPLAINED = "complained"
    BOUNCED = "bounced"
    DO_NOT_CONTACT = "do_not_contact"
    ERASED = "erased"
    IMPORTED = "imported"


class Suppression(models.Model):
    """A keyed hash, never the value itself, and no foreign key: it outlives erasure, re-import
    and restore.

    Nothing expires by itself. The hint is masked, for a person to recognise (LAW-6).
    """

    Kind = SuppressionKind
    Reason = SuppressionReason

    kind = models.CharField(max_length=12, choices=Kind)
    exact_hash = models.CharField(max_length=64)
    canonical_hash = models.CharField(max_length=64)
    hint = models.CharField(max_length=80)
    reason = models.CharField(max_length=20, choices=Reason)
    source = models.CharField(max_length=200)
    is_rehearsed = models.BooleanField(
        default=False,
        help_text="Said in answer to captured mail; goes when the rehearsal ends.",
    )
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "exact_hash"], name="suppression_once_per_value"
            ),
            one_of("kind", SuppressionKind),
            one_of("reason", SuppressionReason),
        ]
        indexes = [
            # the gate asks for one canonical spelling, an import for thousands
            models.Index(fields=["kind", "canonical_hash"], name="suppression_canonical"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.hint}"
