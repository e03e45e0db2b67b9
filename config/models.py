"""What the project knows about itself: its workers, its jobs, and special logins."""

import uuid

from django.conf import settings
from django.db import models


class Beat(models.Model):
    """The last sign of life of one process, in the database's time."""

    name = models.CharField(max_length=50)
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    beaten_at = models.DateTimeField()
    # Set by who cannot beat for a while: somebody waiting for a mail server's last word.
    valid_until = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["host", "pid"], name="beat_one_per_process"),
        ]

    def __str__(self) -> str:
        return f"{self.name} on {self.host} ({self.pid})"


class TickRun(models.Model):
    """The last run of one kind of job: one row per kind."""

    name = models.CharField(max_length=50, primary_key=True)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    result = models.JSONField(null=True)
    error = models.TextField(blank=True)
    failed_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name


class LoginRule(models.Model):
    """What is special about one user's login."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="login_rule"
    )
    must_change_password = models.BooleanField(default=False)
    # For users whose password is printed in the documentation.
    loopback_only = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"Login of {self.user}"


class Installation(models.Model):
    """This database's own name, so that what was planned over one is not carried out over
    another.
    """

    key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return str(self.key)

    @classmethod
    def current(cls) -> str:
        """The key of this database, made when it is first asked for.

        It travels with its backups.
        """
        first = cls.objects.order_by("pk").first() or cls.objects.create()
        return str(first.key)


class Alert(models.Model):
    """Something a person should hear of by mail or chat; told once, however often it is raised.

    The key names the occasion; raising it again while it stands changes nothing.
    """

    key = models.CharField(max_length=200, unique=True)
    kind = models.CharField(max_length=40)
    title = models.CharField(max_length=200)
    text = models.TextField(blank=True)
    path = models.CharField(
        max_length=300, blank=True, help_text="The page that shows it, without the host."
    )
    created_at = models.DateTimeField()
    told_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    last_error = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            # the tick tells what has not been told yet
            models.Index(
                fields=["created_at"], condition=models.Q(told_at=None), name="alert_to_tell"
            ),
        ]

    def __str__(self) -> str:
        return self.title
