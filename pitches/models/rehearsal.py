"""The end of a rehearsal: what was captured is given back, and a log of it stays."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class RehearsalEnd(models.Model):
    """One giving back of captured pitches and their matches."""

    ended_at = models.DateTimeField()
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )
    pitches = models.PositiveIntegerField()
    matches = models.PositiveIntegerField()
    log = models.JSONField(default=list, help_text="One line per pitch that was given back.")

    class Meta:
        ordering = ["-ended_at"]

    def __str__(self) -> str:
        return f"rehearsal ended on {self.ended_at:%Y-%m-%d %H:%M}"
