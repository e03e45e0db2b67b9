"""The company behind a lead, and the people who open the mail."""

from __future__ import annotations

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models

from campaigns import zones
from config.db import one_of


class Organization(models.Model):
    name = models.CharField(max_length=200)
    name_key = models.CharField(
        max_length=200, editable=False, help_text="The name as dedupe sees it."
    )
    domain = models.CharField(max_length=253, blank=True, help_text="example.com, without www.")
    industry = models.CharField(max_length=200, blank=True)
    employees = models.PositiveIntegerField(null=True, blank=True)
    country = models.CharField(max_length=2, blank=True, help_text="ISO 3166, two letters.")
    time_zone = models.CharField(max_length=64, blank=True, validators=[zones.check])
    do_not_contact = models.BooleanField(default=False)
    do_not_contact_reason = models.CharField(max_length=300, blank=True)
    follow_up_date = models.DateField(
        null=True, blank=True, help_text="Nothing new before this day."
    )
    attributes = models.JSONField(default=dict, blank=True)
    is_demo = models.BooleanField(default=False, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            # One domain can hold two companies and one name two domains: only both together say
            # "the same".
            models.UniqueConstraint(
                fields=["name_key", "domain"], name="organization_once_per_name_and_domain"
            ),
        ]
        indexes = [
            models.Index(fields=["domain"], name="organization_by_domain"),
            # the search box finds words of names by their beginnings
            GinIndex(SearchVector("name", config="simple"), name="organization_name_words"),
        ]

    def __str__(self) -> str:
        return self.name


class ContactRole(models.TextChoices):
    PARTNER = "partner"
    HOST = "host"
    OWNER = "owner"
    CREATOR = "creator"
    OTHER = "other"


class Contact(models.Model):
    Role = ContactRole

    organization = models.ForeignKey(
        Organization, on_delete=models.SET_NULL, null=True, blank=True, related_name="contacts"
    )
    name = models.CharField(max_length=200, blank=True)
    role = models.CharField(max_length=20, choices=Role, default=Role.OTHER)
    title = models.CharField(max_length=200, blank=True)
    is_primary = models.BooleanField(
        default=False, help_text="The one person of the organization we write to."
    )
    country = models.CharField(max_length=2, blank=True)
    time_zone = models.CharField(max_length=64, blank=True, validators=[zones.check])
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-is_primary", "pk"]
        constraints = [one_of("role", ContactRole)]
        indexes = [
            # the planner reads the partners of many organizations at once
            models.Index(fields=["organization", "role"], name="contact_by_organization_role"),
            # the search box finds words of names by their beginnings
            GinIndex(SearchVector("name", config="simple"), name="contact_name_words"),
        ]

    def __str__(self) -> str:
        return self.name or f"contact #{self.pk}"


class ContactAddressKind(models.TextChoices):
    EMAIL = "email"
    PHONE = "phone"
    LINKEDIN = "linkedin", "LinkedIn"
    PROFILE = "profile"


class ContactAddressVerification(models.TextChoices):
    UNKNOWN = "unknown"
    VALID = "valid"
    RISKY = "risky"
    INVALID = "invalid"


def mail_domain(path: str = "canonical") -> models.Func:
    """The domain of an address, as the index has it; ``path`` leads to ``canonical``."""
    return models.Func(
        models.F(path),
        models.Value("@"),
        models.Value(2),
        function="split_part",
        output_field=models.CharField(),
    )


class ContactAddress(models.Model):
    Kind = ContactAddressKind
    Verification = ContactAddressVerification

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="addresses")
    kind = models.CharField(max_length=10, choices=Kind)
    value = models.CharField(max_length=320)
    canonical = models.CharField(
        max_length=320, help_text="One spelling for every way to write it."
    )
    verification = models.CharField(
        max_length=10, choices=Verification, default=Verification.UNKNOWN
    )
    verified_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "contact addresses"
        ordering = ["contact", "pk"]
        constraints = [
            # One address is one contact, however many leads it serves: limits and stops hang on
            # it.
            models.UniqueConstraint(
                fields=["kind", "canonical"], name="address_belongs_to_one_contact"
            ),
            one_of("kind", ContactAddressKind),
            one_of("verification", ContactAddressVerification),
        ]
        indexes = [
            # limits and verdicts per recipient domain find its people, and over them their mail
            models.Index(mail_domain(), name="address_by_mail_domain"),
        ]

    def __str__(self) -> str:
        return self.value


class ConsentKind(models.TextChoices):
    SMS = "sms", "SMS"


class Consent(models.Model):
    """Prior express written consent to be written to in a way that needs one (LAW-22).

    Kept after it was revoked: the record is the proof of both.
    """

    Kind = ConsentKind

    address = models.ForeignKey(
        ContactAddress, on_delete=models.CASCADE, related_name="consents"
    )
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.SMS)
    text = models.TextField(help_text="The words they agreed to.")
    source = models.CharField(max_length=300, help_text="Where: a form, a paper, a mail.")
    obtained_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_reason = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-obtained_at"]
        constraints = [
            one_of("kind", ConsentKind),
            models.CheckConstraint(
                condition=~models.Q(text="") & ~models.Q(source=""),
                name="consent_has_words_and_source",
            ),
            models.UniqueConstraint(
                fields=["address", "kind"],
                condition=models.Q(revoked_at=None),
                name="consent_one_in_force",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} consent of {self.address}"
