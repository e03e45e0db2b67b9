"""The identity that writes, how often it may, and what makes it stop."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q

from campaigns import zones
from campaigns.models import Campaign, Client
from config.db import one_of
from config.encrypted import EncryptedTextField
from prospects.models import Contact, Organization


class SendMode(models.TextChoices):
    """How far a message may go.

    Each is an explicit act; what was captured never counts for live.
    """

    CAPTURE = "capture"
    ALLOWLIST = "allowlist"
    LIVE = "live"

    def counting(self) -> list[str]:
        """The modes whose messages count against a limit in this one.

        A rehearsal feels the real past, not the reverse.
        """
        order = list(SendMode)
        return [mode.value for mode in order[order.index(self) :]]


class SenderTransport(models.TextChoices):
    MAILBOX = "mailbox", "own mailbox (SMTP and IMAP)"
    PROVIDER = "provider", "mail provider"
    INSTANTLY = "instantly", "Instantly"
    TWILIO = "twilio", "Twilio"
    BY_HAND = "by_hand", "by hand"


class SenderStatus(models.TextChoices):
    ACTIVE = "active"
    PAUSED = "paused"


class SenderSecurity(models.TextChoices):
    STARTTLS = "starttls", "STARTTLS"
    TLS = "tls", "TLS"
    NONE = "none", "none (loopback only)"


class SenderLogin(models.TextChoices):
    PASSWORD = "password"
    OAUTH2 = "oauth2", "OAuth 2 token"


class SenderProvider(models.TextChoices):
    """The mail providers of django-anymail, by its own names."""

    AMAZON_SES = "amazon_ses", "Amazon SES"
    BREVO = "brevo"
    MAILERSEND = "mailersend", "MailerSend"
    MAILGUN = "mailgun"
    MAILJET = "mailjet"
    MAILTRAP = "mailtrap"
    MANDRILL = "mandrill"
    POSTAL = "postal"
    POSTMARK = "postmark"
    RESEND = "resend"
    SCALEWAY = "scaleway"
    SPARKPOST = "sparkpost", "SparkPost"
    UNISENDER_GO = "unisender_go", "Unisender Go"


class Sender(models.Model):
    Transport = SenderTransport
    Status = SenderStatus
    Security = SenderSecurity
    Login = SenderLogin
    Provider = SenderProvider
    # What these send is mail, for which the address's domain has to vouch.
    BY_MAIL = (Transport.MAILBOX, Transport.PROVIDER, Transport.INSTANTLY)

    name = models.CharField(max_length=120, help_text="The person's name as recipients see it.")
    address = models.EmailField(unique=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="senders",
    )
    campaigns = models.ManyToManyField(
        Campaign, through="SenderCampaign", related_name="senders"
    )
    transport = models.CharField(max_length=12, choices=Transport, default=Transport.MAILBOX)
    status = models.CharField(max_length=10, choices=Status, default=Status.ACTIVE)
    status_reason = models.CharField(max_length=300, blank=True)
    signature = models.TextField(blank=True)
    time_zone = models.CharField(max_length=64, default="UTC", validators=[zones.check])

    smtp_host = models.CharField(max_length=253, blank=True)
    smtp_port = models.PositiveIntegerField(default=587)
    smtp_security = models.CharField(max_length=10, choices=Security, default=Security.STARTTLS)
    imap_host = models.CharField(max_length=253, blank=True)
    imap_port = models.PositiveIntegerField(default=993)
    imap_security = models.CharField(max_length=10, choices=Security, default=Security.TLS)
    inbox_folder = models.CharField(max_length=120, default="INBOX")
    sent_folder = models.CharField(
        max_length=120, blank=True, help_text="Empty: the one the server marks as Sent."
    )
    username = models.CharField(max_length=253, blank=True)
    login = models.CharField(max_length=10, choices=Login, default=Login.PASSWORD)
    password = EncryptedTextField(blank=True)
    oauth_token_url = models.URLField("token address", blank=True)
    oauth_client_id = models.CharField("client id", max_length=253, blank=True)
    oauth_client_secret = EncryptedTextField("client secret", blank=True)
    oauth_refresh_token = EncryptedTextField("refresh token", blank=True)
    oauth_access_token = EncryptedTextField(blank=True, editable=False)
    oauth_expires_at = models.DateTimeField(null=True, blank=True, editable=False)

    provider = models.CharField(max_length=20, choices=Provider, blank=True)
    provider_options = EncryptedTextField(
        blank=True,
        help_text="JSON with the keys of the provider, of Instantly or of Twilio.",
    )

    daily_limit = models.PositiveIntegerField(default=30, help_text="Messages in any 24 hours.")
    hourly_limit = models.PositiveIntegerField(null=True, blank=True)
    ramp_start = models.PositiveIntegerField(default=5, help_text="Messages on the first day.")
    ramp_step = models.PositiveIntegerField(
        default=5, help_text="More messages on each following day, up to the daily limit."
    )
    ramp_began_on = models.DateField(null=True, blank=True, help_text="Empty: no ramp.")
    gap_min = models.PositiveIntegerField("shortest gap, seconds", default=540)
    gap_max = models.PositiveIntegerField("longest gap, seconds", default=840)

    inbox_read_began_at = models.DateTimeField(
        null=True, blank=True, help_text="When the last complete read of the inbox began."
    )
    inbox_read_at = models.DateTimeField(null=True, blank=True, help_text="When it ended.")
    inbox_error = models.CharField(max_length=300, blank=True)
    inbox_uid_validity = models.BigIntegerField(null=True, blank=True)
    inbox_mark = models.BigIntegerField(
        default=0, help_text="Highest UID up to which everything is stored."
    )
    inbox_stuck_uid = models.BigIntegerField(
        null=True, blank=True, help_text="The mail that could not be fetched; the mark waits."
    )
    inbox_stuck_reads = models.PositiveSmallIntegerField(default=0)
    inbox_stuck_since = models.DateTimeField(null=True, blank=True)
    checked_at = models.DateTimeField(
        null=True, blank=True, help_text="When its connections were last tried."
    )
    check_error = models.CharField(max_length=300, blank=True)
    dkim_selector = models.CharField(
        "DKIM selector",
        max_length=120,
        blank=True,
        validators=[RegexValidator(r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$")],
        help_text="As in SELECTOR._domainkey; empty: the usual ones are tried.",
    )
    dns_checked_at = models.DateTimeField(null=True, blank=True)
    dns_report = models.JSONField(
        default=dict, blank=True, help_text="SPF, DKIM and DMARC as they were last found."
    )
    is_demo = models.BooleanField(default=False, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            one_of("transport", SenderTransport),
            one_of("status", SenderStatus),
            one_of("smtp_security", SenderSecurity),
            one_of("imap_security", SenderSecurity),
            one_of("login", SenderLogin),
            models.CheckConstraint(
                condition=Q(provider="") | Q(provider__in=SenderProvider.values),
                name="sender_provider_is_known",
            ),
            models.CheckConstraint(
                condition=Q(gap_max__gte=F("gap_min")), name="sender_longest_gap_is_not_shorter"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} <{self.address}>"

    @property
    def is_active(self) -> bool:
        return self.status == self.Status.ACTIVE

    @property
    def is_vouched_for(self) -> bool:
        """Whether all that DNS was asked about its domain was found in order (LAW-5).

        True where it writes no mail.
        """
        found = self.dns_report
        in_order = found.get("domain") == self.domain and found.get("is_good") is True
        return self.transport not in self.BY_MAIL or in_order

    @property
    def domain(self) -> str:
        """What stands behind the @ of its address, in small letters."""
        return self.address.rpartition("@")[2].lower()


class SenderCampaign(models.Model):
    sender = models.ForeignKey(
        Sender, on_delete=models.CASCADE, related_name="sender_campaigns"
    )
    campaign = models.ForeignKey(
        Campaign, on_delete=models.CASCADE, related_name="sender_campaigns"
    )
    is_default = models.BooleanField(
        default=False, help_text="Writes where no candidate has a sender of its own."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["sender", "campaign"], name="sender_once_per_campaign"
            ),
            models.UniqueConstraint(
                fields=["campaign"],
                condition=Q(is_default=True),
                name="campaign_one_default_sender",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sender} for {self.campaign}"


TEN_YEARS = 10 * 365 * 24  # hours


class EmailLimitScope(models.TextChoices):
    ORGANIZATION = "organization"
    CONTACT = "contact"
    SENDER = "sender"
    DOMAIN = "domain"
    CAMPAIGN = "campaign"
    ALL = "all", "everything"


class EmailLimitCounts(models.TextChoices):
    INITIAL = "initial", "new pitches"
    ALL = "all", "all mail"


class EmailLimit(models.Model):
    """At most ``maximum`` in any ``hours``. Counted in the ledger of messages, never in a
    counter.

    A row with a target overrides the row of its scope without one.
    """

    Scope = EmailLimitScope
    Counts = EmailLimitCounts

    scope = models.CharField(max_length=12, choices=Scope)
    organization = models.ForeignKey(
        Organization,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="email_limits",
    )
    contact = models.ForeignKey(
        Contact, on_delete=models.CASCADE, null=True, blank=True, related_name="email_limits"
    )
    sender = models.ForeignKey(
        Sender, on_delete=models.CASCADE, null=True, blank=True, related_name="email_limits"
    )
    campaign = models.ForeignKey(
        Campaign, on_delete=models.CASCADE, null=True, blank=True, related_name="email_limits"
    )
    domain = models.CharField(max_length=253, blank=True)
    counts = models.CharField(max_length=10, choices=Counts, default=Counts.INITIAL)
    maximum = models.PositiveIntegerField()
    hours = models.PositiveIntegerField(default=168, help_text="Rolling window.")

    class Meta:
        ordering = ["scope", "pk"]
        constraints = [
            one_of("scope", EmailLimitScope),
            one_of("counts", EmailLimitCounts),
            models.CheckConstraint(
                condition=Q(hours__gt=0), name="email_limit_window_not_empty"
            ),
            # Every plan looks back as far as the longest window, and there is a first date.
            models.CheckConstraint(
                condition=Q(hours__lte=TEN_YEARS),
                name="email_limit_window_is_ten_years_at_most",
            ),
            models.UniqueConstraint(
                fields=[
                    "scope",
                    "organization",
                    "contact",
                    "sender",
                    "campaign",
                    "domain",
                    "counts",
                    "hours",
                ],
                nulls_distinct=False,
                name="email_limit_once_per_target_and_window",
            ),
            models.CheckConstraint(
                condition=(Q(organization__isnull=True) | Q(scope="organization"))
                & (Q(contact__isnull=True) | Q(scope="contact"))
                & (Q(sender__isnull=True) | Q(scope="sender"))
                & (Q(campaign__isnull=True) | Q(scope="campaign"))
                & (Q(domain="") | Q(scope="domain")),
                name="email_limit_target_fits_scope",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.maximum} {self.get_counts_display()} per {self.scope} in {self.hours} h"


class BreakerScope(models.TextChoices):
    MAILBOX = "mailbox"
    SENDING_DOMAIN = "sending_domain"
    RECIPIENT_DOMAIN = "recipient_domain"
    CAMPAIGN = "campaign"


class BreakerCause(models.TextChoices):
    COMPLAINTS = "complaints"
    HARD_BOUNCES = "hard_bounces"
    UNKNOWN = "unknown", "messages of unknown fate"
    LOGIN_OR_DNS = "login_or_dns", "our login or DNS"
    DEFERRALS = "deferrals", "one provider keeps putting us off"
    ERRORS = "errors", "errors in a row"
    VOLUME = "volume", "much mail to personal addresses"


class BreakerLevel(models.TextChoices):
    WARNING = "warning"
    PAUSE = "pause"


class Breaker(models.Model):
    """A verdict on how sending goes: a warning, or a pause that nothing passes (LAW-14..17).

    Rows are kept, so that they are the log of verdicts too. Where ``until`` is empty only an
    admin closes it, with a reason.
    """

    Scope = BreakerScope
    Cause = BreakerCause
    Level = BreakerLevel

    scope = models.CharField(max_length=20, choices=Scope)
    cause = models.CharField(max_length=20, choices=Cause)
    level = models.CharField(max_length=10, choices=Level)
    sender = models.ForeignKey(
        Sender, on_delete=models.CASCADE, null=True, blank=True, related_name="breakers"
    )
    campaign = models.ForeignKey(
        Campaign, on_delete=models.CASCADE, null=True, blank=True, related_name="breakers"
    )
    domain = models.CharField(max_length=253, blank=True)
    reason = models.CharField(max_length=300, help_text="With its numbers, for a person.")
    numbers = models.JSONField(default=dict, blank=True)
    tripped_at = models.DateTimeField()
    until = models.DateTimeField(
        null=True, blank=True, help_text="Empty: until an admin closes it."
    )
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )
    closing_reason = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-tripped_at", "-pk"]
        constraints = [
            one_of("scope", BreakerScope),
            one_of("cause", BreakerCause),
            one_of("level", BreakerLevel),
            models.CheckConstraint(
                condition=Q(scope="mailbox", sender__isnull=False, campaign=None, domain="")
                | Q(scope="campaign", campaign__isnull=False, sender=None, domain="")
                | (
                    Q(
                        scope__in=["sending_domain", "recipient_domain"],
                        sender=None,
                        campaign=None,
                    )
                    & ~Q(domain="")
                ),
                name="breaker_names_what_it_holds",
            ),
            models.UniqueConstraint(
                fields=["scope", "cause", "level", "sender", "campaign", "domain"],
                condition=Q(closed_at=None),
                nulls_distinct=False,
                name="breaker_one_open_per_target",
            ),
            models.CheckConstraint(
                condition=Q(closed_at__isnull=True) | ~Q(closing_reason=""),
                name="breaker_closed_has_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_level_display()}: {self.reason}"

    @property
    def target(self) -> str:
        """What it holds, by the name a person knows it by."""
        return str(self.sender or self.campaign or self.domain)

    @staticmethod
    def in_force(now: datetime) -> Q:
        """The condition under which it holds (or warns) at ``now``."""
        return Q(closed_at__isnull=True) & (Q(until__isnull=True) | Q(until__gt=now))


class StopScope(models.TextChoices):
    PERSON = "person"
    ORGANIZATION = "organization"
    CAMPAIGN = "campaign"
    CLIENT = "client"
    MAILBOX = "mailbox"
    EVERYTHING = "everything"


class StopKind(models.TextChoices):
    REPLY = "reply"
    HARD_BOUNCE = "hard_bounce"
    SOFT_BOUNCE = "soft_bounce", "bounces for the time being"
    UNSUBSCRIBE = "unsubscribe"
    COMPLAINT = "complaint"
    DO_NOT_CONTACT = "do_not_contact"
    PLACEMENT = "placement"
    STAFF = "staff"
    CLIENT = "client"


class Stop(models.Model):
    """From now on nothing goes out to, for or from this.

    Sending takes the same locks, so nothing slips past.
    """

    Scope = StopScope
    Kind = StopKind

    scope = models.CharField(max_length=12, choices=Scope)
    kind = models.CharField(max_length=20, choices=Kind)
    contact = models.ForeignKey(
        Contact, on_delete=models.CASCADE, null=True, blank=True, related_name="stops"
    )
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, null=True, blank=True, related_name="stops"
    )
    campaign = models.ForeignKey(
        Campaign, on_delete=models.CASCADE, null=True, blank=True, related_name="stops"
    )
    client = models.ForeignKey(
        Client,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="stops",
        help_text="With a person: only this client's mail to them.",
    )
    sender = models.ForeignKey(
        Sender, on_delete=models.CASCADE, null=True, blank=True, related_name="stops"
    )
    reason = models.CharField(max_length=300)
    is_rehearsed = models.BooleanField(
        default=False,
        help_text="Caused by an answer to captured mail; lifted when the rehearsal ends.",
    )
    begins_at = models.DateTimeField(help_text="By the database's clock.")
    until = models.DateTimeField(null=True, blank=True, help_text="Empty: for ever.")
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )

    class Meta:
        ordering = ["-begins_at"]
        constraints = [
            one_of("scope", StopScope),
            one_of("kind", StopKind),
            models.CheckConstraint(
                condition=Q(
                    scope="person",
                    contact__isnull=False,
                    organization=None,
                    campaign=None,
                    sender=None,
                )
                | Q(
                    scope="organization",
                    organization__isnull=False,
                    contact=None,
                    campaign=None,
                    client=None,
                    sender=None,
                )
                | Q(
                    scope="campaign",
                    campaign__isnull=False,
                    contact=None,
                    organization=None,
                    client=None,
                    sender=None,
                )
                | Q(
                    scope="client",
                    client__isnull=False,
                    contact=None,
                    organization=None,
                    campaign=None,
                    sender=None,
                )
                | Q(
                    scope="mailbox",
                    sender__isnull=False,
                    contact=None,
                    organization=None,
                    campaign=None,
                    client=None,
                )
                | Q(
                    scope="everything",
                    contact=None,
                    organization=None,
                    campaign=None,
                    client=None,
                    sender=None,
                ),
                name="stop_names_what_it_stops",
            ),
        ]
        indexes = [
            # the gate asks for the stops in force over one message, the planner over many
            models.Index(
                fields=["scope", "contact"], condition=Q(lifted_at=None), name="stop_in_force"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.scope} stopped: {self.reason}"

    @staticmethod
    def in_force(now: datetime) -> Q:
        """The condition under which a stop holds at ``now``."""
        return Q(lifted_at__isnull=True) & (Q(until__isnull=True) | Q(until__gt=now))
