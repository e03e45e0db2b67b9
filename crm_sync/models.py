"""What the CRM is told, by whom over there, and under which id."""

from __future__ import annotations

from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.models import Q

from config.db import Stateful, moves, one_of


class CrmOwner(models.Model):
    """A user of the CRM.

    The round robin takes the active owner who waited longest, so it survives runs.
    """

    provider = models.CharField(max_length=40)
    remote_id = models.CharField(max_length=120)
    name = models.CharField(max_length=120)
    email = models.EmailField(blank=True)
    is_active = models.BooleanField(default=True)
    position = models.PositiveSmallIntegerField(default=1)
    last_assigned_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "CRM owner"
        ordering = ["provider", "position", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["provider", "remote_id"], name="crm_owner_once")
        ]

    def __str__(self) -> str:
        return self.name


class RemoteRecord(models.Model):
    """Our row's id over there, and the hash of what was last told."""

    provider = models.CharField(max_length=40)
    object_type = models.CharField(max_length=40)
    local_type = models.ForeignKey(ContentType, on_delete=models.CASCADE)
    local_id = models.BigIntegerField()
    local = GenericForeignKey("local_type", "local_id")
    remote_id = models.CharField(max_length=200)
    last_sha256 = models.CharField(max_length=64, blank=True)
    synced_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["provider", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "local_type", "local_id"], name="remote_record_once_per_row"
            ),
            models.UniqueConstraint(
                fields=["provider", "object_type", "remote_id"],
                name="remote_record_once_per_remote_id",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.object_type} {self.remote_id}"


class SyncTaskStatus(models.TextChoices):
    WAITING = "waiting"
    DONE = "done"
    STUCK = "stuck"
    CANCELED = "canceled"


class SyncTaskChange(models.TextChoices):
    LEAD_SCORED = "lead_scored"
    PITCH_SENT = "pitch_sent"
    REPLY_RECEIVED = "reply_received"
    PLACEMENT_CHANGED = "placement_changed"
    LEFT_ALONE = "left_alone", "never to be written to again"


class SyncTask(Stateful):
    """A change waiting to be told: the outbox towards the CRM."""

    Status = SyncTaskStatus
    Change = SyncTaskChange

    MOVES = moves(
        done=[Status.WAITING, Status.STUCK],
        stuck=[Status.WAITING],
        waiting=[Status.STUCK],
        canceled=[Status.WAITING, Status.STUCK],
    )

    change = models.CharField(max_length=20, choices=Change)
    about_type = models.ForeignKey(ContentType, on_delete=models.CASCADE)
    about_id = models.BigIntegerField()
    about = GenericForeignKey("about_type", "about_id")
    key = models.CharField(
        max_length=120, help_text="The same change asked for twice is one task."
    )
    status = models.CharField(max_length=10, choices=Status, default=Status.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    reason = models.CharField(
        max_length=500, blank=True, help_text="What a person can do about it."
    )
    next_try_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["created_at", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["key"], name="sync_task_key_once"),
            one_of("status", SyncTaskStatus),
            one_of("change", SyncTaskChange),
        ]
        indexes = [
            # the tick reads what waits, oldest first
            models.Index(
                fields=["next_try_at", "id"],
                condition=Q(status="waiting"),
                name="sync_task_waiting",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.change} #{self.about_id}"
