"""One text on its way; its drafts; and the step that is planned next."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q

from campaigns import channels
from campaigns.models import AIUsage, Channel, Step, Tone
from config.db import Stateful, StatefulQuerySet, moves, one_of, within
from pitches.models.pitch import Pitch
from pitches.models.sender import Sender, SendMode
from pitches.models.weekly_plan import WeeklyPlan


class MessageQuerySet(StatefulQuerySet):
    def counted(self, *, since: datetime, mode: str) -> MessageQuerySet:
        """The ledger.

        What occupies a slot of a limit since ``since`` when sending in ``mode``.
        """
        return self.filter(
            status__in=Message.COUNTED,
            counted_at__gt=since,
            send_mode__in=SendMode(mode).counting(),
        )

    def initial(self) -> MessageQuerySet:
        """First messages only: new pitches."""
        return self.filter(number=0)

    def by_hand(self) -> MessageQuerySet:
        """What a person takes to its recipient: the same rule as ``Message.is_by_hand``."""
        by_person = Q(sender__transport=Sender.Transport.BY_HAND)
        return self.filter(Q(channel__in=channels.BY_HAND) | by_person)


def cascade_unless_gone_out(
    collector: Any, field: models.Field, messages: MessageQuerySet, using: str
) -> None:
    """Messages go with their pitch, unless one reached the world: what was sent is the history
    that keeps anybody from being written to twice (S001-006).

    Captured mail reached nobody. Raises ProtectedError, which every door tells.
    """
    gone_out = messages.filter(status__in=Message.COUNTED).exclude(send_mode=SendMode.CAPTURE)
    if kept := list(gone_out[:100]):
        raise models.ProtectedError("A message of it was sent.", set(kept))
    models.CASCADE(collector, field, messages, using)


class MessageStatus(models.TextChoices):
    DRAFT = "draft"
    APPROVED = "approved"
    QUEUED = "queued"
    CLAIMED = "claimed"
    HANDING = "handing"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"
    ASSUMED_SENT = "assumed_sent"
    DELEGATED = "delegated"
    CANCELED = "canceled"
    EXPIRED = "expired"


class BounceKind(models.TextChoices):
    HARD = "hard", "the address does not exist"
    SOFT = "soft", "for the time being"
    POLICY = "policy", "the server does not want it"
    OURS = "ours", "our own login or DNS"


class Message(Stateful):
    Status = MessageStatus
    BounceKind = BounceKind

    # Before the point of no return: a stop can still reach these.
    BEFORE_HANDING = (Status.DRAFT, Status.APPROVED, Status.QUEUED, Status.CLAIMED)
    # What occupies a slot of every limit; `unknown` too, for it may have gone out.
    COUNTED = (
        Status.HANDING,
        Status.SENT,
        Status.UNKNOWN,
        Status.ASSUMED_SENT,
        Status.DELEGATED,
    )
    # Gone out as far as we can know.
    GONE_OUT = (Status.SENT, Status.UNKNOWN, Status.ASSUMED_SENT, Status.DELEGATED)

    # The policies by which a text may leave that nobody approved (LAW-22, see ``texting``).
    OPT_OUT_CONFIRMATION = "opt_out_confirmation"
    HELP_ANSWER = "help_answer"
    BY_ITSELF = (OPT_OUT_CONFIRMATION, HELP_ANSWER)

    MOVES = moves(
        draft=[Status.APPROVED, Status.QUEUED],  # edited after approval
        approved=[Status.DRAFT, Status.QUEUED],  # taken out of the queue, words unchanged
        queued=[
            Status.APPROVED,
            Status.CLAIMED,
            Status.HANDING,
            Status.UNKNOWN,
        ],  # released before the dot, definitely refused, or sent again by an admin's word
        claimed=[Status.QUEUED],
        handing=[Status.CLAIMED],
        sent=[Status.HANDING, Status.UNKNOWN, Status.ASSUMED_SENT, Status.DELEGATED],
        failed=[
            Status.QUEUED,
            Status.CLAIMED,
            Status.HANDING,
            Status.UNKNOWN,
            Status.ASSUMED_SENT,
            Status.DELEGATED,
        ],
        # claimed -> unknown: the journal says it went out, the database has forgotten
        unknown=[Status.CLAIMED, Status.HANDING],
        assumed_sent=[Status.UNKNOWN],
        # unknown -> delegated: the other sender says that it has it
        delegated=[Status.HANDING, Status.UNKNOWN],
        # delegated -> canceled: the other sender confirmed that it will not send it
        canceled=(*BEFORE_HANDING, Status.DELEGATED),
        expired=[Status.APPROVED, Status.QUEUED, Status.CLAIMED],
    )

    pitch = models.ForeignKey(Pitch, on_delete=cascade_unless_gone_out, related_name="messages")
    step = models.ForeignKey(
        Step, on_delete=models.PROTECT, null=True, blank=True, related_name="messages"
    )
    number = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        help_text="The step's number, 0 first; empty for an answer written by hand.",
    )
    channel = models.CharField(max_length=20, choices=Channel, default=Channel.EMAIL)
    status = models.CharField(max_length=12, choices=Status, default=Status.DRAFT)
    send_mode = models.CharField(max_length=10, choices=SendMode)
    sender = models.ForeignKey(Sender, on_delete=models.PROTECT, related_name="messages")
    to_address = models.CharField(max_length=320)
    message_id = models.CharField(
        max_length=200,
        help_text="Names the logical message: the same after a crash, a restore, a re-import.",
    )
    revision = models.PositiveSmallIntegerField(default=1)

    # Frozen words, once approved.
    subject = models.CharField(max_length=300, blank=True)
    body = models.TextField(blank=True)
    html = models.TextField(blank=True)
    approved_sha256 = models.CharField(
        max_length=64,
        blank=True,
        help_text="Of recipient, sender, subject, body, footer and policy.",
    )
    approved_at = models.DateTimeField(null=True, blank=True)
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )
    approved_policy = models.CharField(
        max_length=20, blank=True, help_text="The rule under which nobody had to read it."
    )

    attachments = models.JSONField(
        default=list, blank=True, help_text="Name, SHA-256 and size of each, as approved."
    )

    # When.
    not_before = models.DateTimeField(null=True, blank=True)
    send_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    hold_reason = models.CharField(max_length=40, blank=True)
    hold_until = models.DateTimeField(null=True, blank=True)
    weekly_plan = models.ForeignKey(
        WeeklyPlan, on_delete=models.SET_NULL, null=True, blank=True, related_name="messages"
    )

    # Under way. Leases are kept by the database's clock.
    lease_owner = models.UUIDField(null=True, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    claims = models.PositiveSmallIntegerField(
        default=0, help_text="Claims that settled nothing; three are one too many."
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    first_attempt_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=500, blank=True)
    failure = models.CharField(max_length=20, blank=True)

    # What became of it.
    counted_at = models.DateTimeField(
        null=True, blank=True, help_text="When it took its slot in the limits."
    )
    handed_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When the gate let it through, by the database's clock.",
    )
    sent_at = models.DateTimeField(null=True, blank=True)
    provider_id = models.CharField(max_length=300, blank=True)
    receipt = models.CharField(
        max_length=500,
        blank=True,
        help_text="The server's answer, or the evidence that replaced it.",
    )
    delivered_at = models.DateTimeField(null=True, blank=True)
    opened_at = models.DateTimeField(null=True, blank=True)
    clicked_at = models.DateTimeField(null=True, blank=True)
    replied_at = models.DateTimeField(null=True, blank=True)
    bounced_at = models.DateTimeField(null=True, blank=True)
    bounce_kind = models.CharField(max_length=10, choices=BounceKind, blank=True)
    complained_at = models.DateTimeField(null=True, blank=True)
    unsubscribed_at = models.DateTimeField(null=True, blank=True)
    # Handed to another sender: a stop has to be asked for there, and confirmed (REL-37).
    stop_requested_at = models.DateTimeField(null=True, blank=True)
    stop_confirmed_at = models.DateTimeField(null=True, blank=True)
    # Of unknown fate: who decided what became of it, and on what evidence.
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )
    resolution = models.CharField(max_length=300, blank=True)
    canceled_reason = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = MessageQuerySet.as_manager()  # type: ignore[misc]  # knows more than its base

    class Meta:
        ordering = ["pitch", "number", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["message_id"], name="message_id_once"),
            models.UniqueConstraint(
                fields=["pitch", "number"],
                condition=~Q(status="canceled"),
                name="message_once_per_step",
            ),
            one_of("status", MessageStatus),
            one_of("channel", Channel),
            one_of("send_mode", SendMode),
            models.CheckConstraint(
                condition=Q(bounce_kind="") | Q(bounce_kind__in=BounceKind.values),
                name="message_bounce_kind_is_known",
            ),
            models.CheckConstraint(
                condition=Q(stop_confirmed_at__isnull=True)
                | Q(stop_requested_at__isnull=False),
                name="message_stop_was_requested_before_it_was_confirmed",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["draft", "canceled", "expired"])
                | ~Q(approved_sha256=""),
                name="message_beyond_draft_is_approved",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["claimed", "handing"])
                | Q(lease_owner__isnull=False, leased_until__isnull=False),
                name="message_in_hand_has_a_lease",
            ),
            models.CheckConstraint(
                condition=~Q(
                    status__in=["handing", "sent", "unknown", "assumed_sent", "delegated"]
                )
                | Q(counted_at__isnull=False),
                name="message_gone_out_is_counted",
            ),
            models.CheckConstraint(
                condition=~Q(status="sent") | ~Q(receipt=""), name="message_sent_has_a_receipt"
            ),
        ]
        indexes = [
            # the tick claims what has come due
            models.Index(
                fields=["send_at", "id"], condition=Q(status="queued"), name="message_due"
            ),
            # the planner reads what is approved and not yet queued
            models.Index(
                fields=["hold_until", "id"],
                condition=Q(status="approved"),
                name="message_to_plan",
            ),
            # the reaper looks for leases that ran out
            models.Index(
                fields=["leased_until"],
                condition=Q(status__in=["claimed", "handing"]),
                name="message_leased",
            ),
            # limits count a sender's mail over a rolling window
            models.Index(
                fields=["sender", "counted_at"],
                condition=Q(
                    status__in=["handing", "sent", "unknown", "assumed_sent", "delegated"]
                ),
                name="message_ledger_sender",
            ),
            # … and everybody's, for the scopes that join to the pitch
            models.Index(
                fields=["counted_at"],
                include=["pitch", "number"],
                condition=Q(
                    status__in=["handing", "sent", "unknown", "assumed_sent", "delegated"]
                ),
                name="message_ledger",
            ),
            # verdicts count what came back and what was complained of in the last days
            models.Index(
                fields=["bounced_at"],
                condition=Q(bounced_at__isnull=False),
                name="message_bounced",
            ),
            models.Index(
                fields=["complained_at"],
                condition=Q(complained_at__isnull=False),
                name="message_complained",
            ),
            # the list of those whose fate nobody knows
            models.Index(
                fields=["handed_at"], condition=Q(status="unknown"), name="message_unknown"
            ),
            # a provider's report names its own id
            models.Index(
                fields=["provider_id"],
                condition=Q(provider_id__gt=""),
                name="message_provider_id",
            ),
            # what another sender was asked to leave, and has not confirmed
            models.Index(
                fields=["stop_requested_at", "id"],
                condition=Q(stop_requested_at__isnull=False, stop_confirmed_at__isnull=True),
                name="message_stop_waits",
            ),
            # what another sender holds
            models.Index(
                fields=["sender", "id"],
                condition=Q(status="delegated"),
                name="message_delegated_to",
            ),
        ]

    def __str__(self) -> str:
        return self.subject or f"message #{self.pk}"

    def claimed_by(self, owner: uuid.UUID) -> Q:
        """Fencing: only the holder of the lease may write."""
        return Q(lease_owner=owner)

    @property
    def is_follow_up(self) -> bool:
        return bool(self.number)

    @property
    def is_by_hand(self) -> bool:
        """Whether a person takes it to its recipient; no machine may (LAW-23)."""
        by_person = self.sender.transport == Sender.Transport.BY_HAND
        return self.channel in channels.BY_HAND or by_person

    def cancel(self, *, reason: str) -> None:
        """Take it out for good; raises WrongStatus once it was handed over."""
        self.move(self.Status.CANCELED, canceled_reason=reason[:300], **LET_GO)


# What a message no longer has once nobody holds it.
LET_GO: dict[str, Any] = {"lease_owner": None, "leased_until": None}


class VariantAuthor(models.TextChoices):
    OFFLINE = "offline", "offline writer"
    MODEL = "model"
    PERSON = "person"


class Variant(models.Model):
    """An alternative draft. The original words stay beside the edited ones."""

    Author = VariantAuthor

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="variants")
    number = models.PositiveSmallIntegerField()
    label = models.CharField(
        max_length=120, help_text="Tone or template: what an experiment compares."
    )
    tone = models.CharField(max_length=20, choices=Tone, default=Tone.PROFESSIONAL)
    author = models.CharField(max_length=10, choices=Author, default=Author.OFFLINE)
    subject = models.CharField(max_length=300, blank=True)
    body = models.TextField()
    original_subject = models.CharField(max_length=300, blank=True)
    original_body = models.TextField()
    claims = models.JSONField(
        default=list, blank=True, help_text="Sentences, each with the facts it rests on."
    )
    problems = models.JSONField(
        default=list, blank=True, help_text="What keeps it from being approved."
    )
    prompt_name = models.CharField(max_length=120, blank=True)
    prompt_sha256 = models.CharField(max_length=64, blank=True)
    ai_usage = models.ForeignKey(
        AIUsage, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    is_chosen = models.BooleanField(default=False)
    edited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )
    edited_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["message", "number"]
        constraints = [
            models.UniqueConstraint(fields=["message", "number"], name="variant_number_once"),
            models.UniqueConstraint(
                fields=["message"], condition=Q(is_chosen=True), name="variant_one_chosen"
            ),
            within("number", 1, 5),
            one_of("tone", Tone),
            one_of("author", VariantAuthor),
        ]

    def __str__(self) -> str:
        return f"{self.label} of {self.message}"

    @property
    def is_edited(self) -> bool:
        return (self.subject, self.body) != (self.original_subject, self.original_body)


class FollowUpTask(models.Model):
    """The planned next step of a pitch; made when its first message is sent."""

    pitch = models.ForeignKey(Pitch, on_delete=models.CASCADE, related_name="follow_up_tasks")
    step = models.ForeignKey(Step, on_delete=models.PROTECT, related_name="follow_up_tasks")
    due_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True, blank=True)
    canceled_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["due_at", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["pitch", "step"], name="follow_up_once_per_step"),
            models.CheckConstraint(
                condition=Q(done_at__isnull=True) | Q(canceled_at__isnull=True),
                name="follow_up_done_or_canceled",
            ),
            models.CheckConstraint(
                condition=Q(canceled_at__isnull=True) | ~Q(reason=""),
                name="follow_up_canceled_has_a_reason",
            ),
        ]
        indexes = [
            # the run reads what is due and still open
            models.Index(
                fields=["due_at"],
                condition=Q(done_at=None, canceled_at=None),
                name="follow_up_open",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.step} of {self.pitch}"

    @staticmethod
    def is_open() -> Q:
        return Q(done_at__isnull=True, canceled_at__isnull=True)
