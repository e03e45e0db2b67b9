"""Everything that came in: mail, provider events, webhooks."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from config.db import one_of
from pitches.models.message import BounceKind, Message
from pitches.models.pitch import Pitch
from pitches.models.sender import Sender
from prospects.models import Contact


class IncomingMessageKind(models.TextChoices):
    HUMAN_REPLY = "human_reply"
    OUT_OF_OFFICE = "out_of_office"
    BOUNCE = "bounce"
    DELAY = "delay"
    COMPLAINT = "complaint"
    UNSUBSCRIBE = "unsubscribe"
    AUTOMATIC = "automatic"
    OWN = "own", "own mail"


class IncomingMessageIntent(models.TextChoices):
    INTERESTED = "interested"
    MORE_INFO = "more_info", "wants to know more"
    MEETING_BOOKED = "meeting_booked"
    NOT_INTERESTED = "not_interested"
    OUT_OF_OFFICE = "out_of_office"
    WRONG_PERSON = "wrong_person"
    UNSUBSCRIBE = "unsubscribe"
    OTHER = "other"


class IncomingMessage(models.Model):
    """Read from a mailbox or a webhook, classified; what matches nothing is kept and shown."""

    Kind = IncomingMessageKind
    Intent = IncomingMessageIntent

    sender = models.ForeignKey(
        Sender,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="incoming_messages",
    )
    source = models.CharField(max_length=40, help_text="imap, capture, a provider, or api.")
    uid_validity = models.BigIntegerField(null=True, blank=True)
    uid = models.BigIntegerField(null=True, blank=True)
    raw_sha256 = models.CharField(max_length=64)
    raw = models.BinaryField(blank=True, editable=False)
    message_id = models.CharField(max_length=998, blank=True)
    references = models.TextField(
        blank=True, help_text="In-Reply-To and References, one id per line."
    )
    from_address = models.CharField(max_length=320, blank=True)
    from_name = models.CharField(max_length=200, blank=True)
    subject = models.CharField(max_length=300, blank=True)
    text = models.TextField(blank=True)
    reply_text = models.TextField(
        blank=True, help_text="What the person wrote, without quotation and signature."
    )
    kind = models.CharField(max_length=20, choices=Kind)
    intent = models.CharField(max_length=20, choices=Intent, blank=True)
    classified_by = models.CharField(
        max_length=80, help_text="Rule and version, or the person who corrected it."
    )
    pitch = models.ForeignKey(
        Pitch,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="incoming_messages",
    )
    answers = models.ForeignKey(
        Message,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="incoming_messages",
    )
    contact = models.ForeignKey(
        Contact,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="incoming_messages",
    )
    matched_by = models.CharField(
        max_length=40, blank=True, help_text="How it was joined to its pitch; empty: unmatched."
    )
    possible_pitches = models.ManyToManyField(
        Pitch,
        blank=True,
        related_name="possible_replies",
        help_text="Where several could be meant: all wait until a person said which.",
    )
    bounce_kind = models.CharField(max_length=10, choices=BounceKind, blank=True)
    bounce_status = models.CharField(
        max_length=12, blank=True, help_text="As 5.1.1 (RFC 3463)."
    )
    bounce_recipients = models.JSONField(
        default=list, blank=True, help_text="The addresses that failed, complained or wait."
    )
    returns_on = models.DateField(
        null=True, blank=True, help_text="The day an absent person says they are back."
    )
    received_at = models.DateTimeField()
    handled_at = models.DateTimeField(
        null=True, blank=True, help_text="When a person dealt with it."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-received_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["sender", "uid_validity", "uid"], name="incoming_uid_once_per_mailbox"
            ),
            models.UniqueConstraint(
                fields=["sender", "raw_sha256"],
                nulls_distinct=False,
                name="incoming_bytes_once_per_mailbox",
            ),
            one_of("kind", IncomingMessageKind),
            models.CheckConstraint(
                condition=Q(bounce_kind="") | Q(bounce_kind__in=BounceKind.values),
                name="incoming_bounce_kind_is_known",
            ),
            models.CheckConstraint(
                condition=Q(intent="") | Q(intent__in=IncomingMessageIntent.values),
                name="incoming_intent_is_known",
            ),
        ]
        indexes = [
            # the folder of what nobody could be matched to
            models.Index(
                fields=["-received_at"], condition=Q(pitch=None), name="incoming_unmatched"
            ),
        ]

    def __str__(self) -> str:
        return self.subject or f"{self.kind} from {self.from_address}"


class EventKind(models.TextChoices):
    QUEUED = "queued"
    SENT = "sent"
    REJECTED = "rejected"
    FAILED = "failed"
    BOUNCED = "bounced"
    DEFERRED = "deferred"
    DELIVERED = "delivered"
    AUTORESPONDED = "autoresponded"
    OPENED = "opened"
    CLICKED = "clicked"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    SUBSCRIBED = "subscribed"
    INBOUND = "inbound"
    INBOUND_FAILED = "inbound_failed"
    REPLIED = "replied"
    UNKNOWN = "unknown"


class Event(models.Model):
    """What a provider reports, in anymail's words.

    Append-only; facts with a time, never statuses.
    """

    Kind = EventKind

    provider = models.CharField(max_length=40)
    provider_event_id = models.CharField(max_length=200)
    kind = models.CharField(max_length=20, choices=Kind)
    message = models.ForeignKey(
        Message, on_delete=models.CASCADE, null=True, blank=True, related_name="events"
    )
    occurred_at = models.DateTimeField()
    payload = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-occurred_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "provider_event_id"], name="event_once"
            ),
            one_of("kind", EventKind),
        ]
        indexes = [models.Index(fields=["message", "kind"], name="event_by_message")]

    def __str__(self) -> str:
        return f"{self.kind} from {self.provider}"


class WebhookDeliveryVerdict(models.TextChoices):
    VALID = "valid"
    INVALID = "invalid"
    UNSIGNED = "unsigned"


class WebhookDelivery(models.Model):
    """A webhook as it came, before anybody reads it; replayable."""

    Verdict = WebhookDeliveryVerdict

    provider = models.CharField(max_length=40)
    delivery_id = models.CharField(
        max_length=200, help_text="The provider's id, or the SHA-256 of the body."
    )
    body = models.BinaryField()
    headers = models.JSONField(default=dict)
    verdict = models.CharField(max_length=10, choices=Verdict)
    sender = models.ForeignKey(
        Sender,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="webhook_deliveries",
        help_text="Whose secret address it came to.",
    )
    received_at = models.DateTimeField()
    processed_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True)

    class Meta:
        verbose_name_plural = "webhook deliveries"
        ordering = ["-received_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "delivery_id"], name="webhook_delivery_once"
            ),
            one_of("verdict", WebhookDeliveryVerdict),
        ]
        indexes = [
            # the tick reads what waits
            models.Index(
                fields=["received_at"], condition=Q(processed_at=None), name="webhook_waiting"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.delivery_id}"
