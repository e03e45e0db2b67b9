"""What we know of a lead, a contact or an organization, and from where."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import MD5

from campaigns.models import BaseFact
from config.db import exactly_one_of
from prospects.models.lead import Lead
from prospects.models.organization import Contact, Organization


class Fact(BaseFact):
    lead = models.ForeignKey(
        Lead, on_delete=models.CASCADE, null=True, blank=True, related_name="facts"
    )
    contact = models.ForeignKey(
        Contact, on_delete=models.CASCADE, null=True, blank=True, related_name="facts"
    )
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, null=True, blank=True, related_name="facts"
    )

    class Meta(BaseFact.Meta):
        constraints = [
            *BaseFact.Meta.constraints,
            exactly_one_of("lead", "contact", "organization", name="fact_is_about_one_thing"),
            models.UniqueConstraint(
                "lead",
                "contact",
                "organization",
                "kind",
                "source",
                MD5("value"),
                nulls_distinct=False,
                name="fact_once_per_source",
            ),
        ]
        indexes = [models.Index(fields=["kind", "-observed_at"], name="fact_newest_of_a_kind")]
