"""The plan of messages: segments, sequences of steps, templates."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models, transaction
from django.db.models import Max, Q

from config.db import one_of, within


class Channel(models.TextChoices):
    EMAIL = "email"
    LINKEDIN_NOTE = "linkedin_note", "LinkedIn connection note"
    LINKEDIN_MESSAGE = "linkedin_message", "LinkedIn message"
    LINKEDIN_INMAIL = "linkedin_inmail", "LinkedIn InMail"
    SMS = "sms", "SMS"
    CUSTOM = "custom", "by hand"


class Tone(models.TextChoices):
    PROFESSIONAL = "professional"
    FRIENDLY = "friendly"
    DIRECT = "direct"


class Segment(models.Model):
    """A group of leads with its own tone.

    Weights are shares of a plan, normalised; they never force a lead in.
    """

    key = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    position = models.PositiveSmallIntegerField(
        default=1, help_text="Segments are tried in this order."
    )
    words = ArrayField(
        models.CharField(max_length=80),
        default=list,
        blank=True,
        help_text="Whole words or phrases.",
    )
    is_default = models.BooleanField(
        default=False, help_text="Takes the leads that no other segment claims."
    )
    weight = models.PositiveSmallIntegerField(default=1)
    tone = models.CharField(max_length=20, choices=Tone, default=Tone.PROFESSIONAL)
    guidance = models.TextField(blank=True)

    class Meta:
        ordering = ["position", "pk"]
        constraints = [
            one_of("tone", Tone),
            models.UniqueConstraint(
                fields=["is_default"], condition=Q(is_default=True), name="segment_one_default"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class PitchTemplateKind(models.TextChoices):
    MESSAGE = "message"
    SUBJECT = "subject", "subject line"


class PitchTemplateMode(models.TextChoices):
    TEXT = "text", "Liquid text"
    PROMPT = "prompt", "instructions for a model"


class PitchTemplate(models.Model):
    Kind = PitchTemplateKind
    Mode = PitchTemplateMode

    key = models.CharField(max_length=100, help_text="For example placement/initial.")
    version = models.PositiveSmallIntegerField(default=1)
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.MESSAGE)
    mode = models.CharField(max_length=10, choices=Mode, default=Mode.TEXT)
    channel = models.CharField(max_length=20, choices=Channel, default=Channel.EMAIL)
    tone = models.CharField(max_length=20, choices=Tone, default=Tone.PROFESSIONAL)
    language = models.CharField(max_length=8, default="en")
    subject = models.CharField(max_length=300, blank=True)
    body = models.TextField(blank=True)
    is_active = models.BooleanField(default=True)
    is_preset = models.BooleanField(
        default=False, editable=False, help_text="Shipped, not written by a person."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["key", "tone", "-version"]
        constraints = [
            models.UniqueConstraint(
                fields=["key", "tone", "language", "version"], name="template_version_once"
            ),
            one_of("kind", PitchTemplateKind),
            one_of("mode", PitchTemplateMode),
            one_of("channel", Channel),
            one_of("tone", Tone),
        ]

    def __str__(self) -> str:
        return f"{self.key} ({self.tone}, v{self.version})"


class Sequence(models.Model):
    """A version of a plan.

    A pitch stays on the version it started with; editing makes the next one.
    """

    key = models.SlugField(max_length=60)
    version = models.PositiveSmallIntegerField(default=1)
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    published_at = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="Since when new pitches may use it; empty: still being changed.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["key", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["key", "version"], name="sequence_version_once")
        ]

    def __str__(self) -> str:
        return f"{self.name} (v{self.version})"

    @transaction.atomic
    def next_version(self) -> Sequence:
        """A copy with all steps and the next free number, to be changed."""
        last = Sequence.objects.filter(key=self.key).aggregate(last=Max("version"))["last"]
        copy = Sequence.objects.create(
            key=self.key, version=last + 1, name=self.name, description=self.description
        )
        steps = list(self.steps.all())
        for step in steps:
            step.pk, step.sequence = None, copy
        Step.objects.bulk_create(steps)
        return copy


TEN_YEARS = 10 * 365 * 24  # hours


class StepAction(models.TextChoices):
    MESSAGE = "message"
    MOVE_ON = "move_on", "move to the next leads"
    CHECK_IN = "check_in", "check in by hand"


class Step(models.Model):
    Action = StepAction

    sequence = models.ForeignKey(Sequence, on_delete=models.CASCADE, related_name="steps")
    number = models.PositiveSmallIntegerField(help_text="0 is the first message.")
    action = models.CharField(max_length=10, choices=Action, default=Action.MESSAGE)
    name = models.CharField(max_length=60)
    channel = models.CharField(max_length=20, choices=Channel, default=Channel.EMAIL)
    delay_hours = models.PositiveIntegerField(
        default=0, help_text="Elapsed hours after the first message was sent."
    )
    template_key = models.CharField(max_length=100, blank=True)
    variant_count = models.PositiveSmallIntegerField(default=3)
    days = ArrayField(
        models.PositiveSmallIntegerField(),
        default=list,
        blank=True,
        help_text="ISO weekdays, 1 is Monday; empty: every day.",
    )
    slots = ArrayField(
        models.TimeField(),
        default=list,
        blank=True,
        help_text="Times of day; empty: any time in the window.",
    )
    useful_hours = models.PositiveIntegerField(
        null=True, blank=True, help_text="Expires this many hours after it was due."
    )
    same_thread = models.BooleanField(
        default=True, help_text="Answer the first message instead of starting anew."
    )

    class Meta:
        ordering = ["sequence", "number"]
        constraints = [
            models.UniqueConstraint(
                fields=["sequence", "number"], name="step_number_once_per_sequence"
            ),
            one_of("action", StepAction),
            one_of("channel", Channel),
            within("variant_count", 1, 5),
            # A time that no calendar has would come up when a message has just been sent.
            models.CheckConstraint(
                condition=Q(delay_hours__lte=TEN_YEARS)
                & (Q(useful_hours__isnull=True) | Q(useful_hours__lte=TEN_YEARS)),
                name="step_is_due_in_ten_years_at_most",
            ),
            models.CheckConstraint(
                condition=~Q(number=0) | Q(action="message", delay_hours=0),
                name="step_zero_is_the_first_message",
            ),
            models.CheckConstraint(
                condition=~Q(action="message") | ~Q(template_key=""),
                name="step_message_has_a_template",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number}. {self.name}"
