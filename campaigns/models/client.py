"""Whom we work for, and who of theirs may look in."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models

from campaigns import zones
from config.db import one_of


class ClientKind(models.TextChoices):
    PERSON = "person"
    ORGANIZATION = "organization"


class ClientPlan(models.TextChoices):
    FREE = "free"
    PAID = "paid"


class Client(models.Model):
    Kind = ClientKind
    Plan = ClientPlan

    # Quality matches a client may look at in a week, unless its own row says otherwise
    # (H000-15).
    WEEKLY_ALLOWANCE = {Plan.FREE: 50, Plan.PAID: 200}

    name = models.CharField(max_length=200)
    slug = models.SlugField(max_length=80, unique=True)
    kind = models.CharField(max_length=20, choices=Kind, default=Kind.ORGANIZATION)
    email = models.EmailField(blank=True)
    website = models.URLField(max_length=2000, blank=True)
    time_zone = models.CharField(max_length=64, default="UTC", validators=[zones.check])
    plan = models.CharField(max_length=10, choices=Plan, default=Plan.FREE)
    weekly_allowance = models.PositiveIntegerField(
        null=True, blank=True, help_text="Empty: what the plan gives."
    )
    notes = models.TextField(blank=True, help_text="Seen by staff only.")
    is_demo = models.BooleanField(default=False, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [one_of("kind", ClientKind), one_of("plan", ClientPlan)]

    def __str__(self) -> str:
        return self.name

    def allowance(self) -> int:
        """Previews this client may open between one Monday and the next."""
        return (
            self.WEEKLY_ALLOWANCE[self.Plan(self.plan)]
            if self.weekly_allowance is None
            else self.weekly_allowance
        )


class MembershipRole(models.TextChoices):
    OWNER = "owner"
    MEMBER = "member"
    VIEWER = "viewer"


class Membership(models.Model):
    Role = MembershipRole

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships"
    )
    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role, default=Role.MEMBER)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "client"], name="membership_once_per_client"
            ),
            one_of("role", MembershipRole),
        ]

    def __str__(self) -> str:
        return f"{self.user} at {self.client}"

    def clean(self) -> None:
        if self.user_id and self.user.is_staff:
            raise ValidationError(
                {
                    "user": "Staff see every client already; "
                    "a membership is for a client's own people."
                }
            )
