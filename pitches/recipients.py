"""To whom, and from whom: one contact of each lead, one sender of each pitch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db.models import F

from campaigns.models import Campaign, Candidate
from pitches.models import Sender, SenderCampaign
from prospects.models import Contact, ContactAddress, Lead


def of_leads(leads: Iterable[Lead]) -> dict[int, ContactAddress]:
    """The address to write to, by lead id: one person, the primary one first (S003-006, C33).

    A lead's own contacts come before the partner contacts of its organization. Leads without
    anybody are missing. Two queries.
    """
    leads = list(leads)
    emails = ContactAddress.objects.filter(kind=ContactAddress.Kind.EMAIL).select_related(
        "contact__organization"
    )
    own = (
        emails.filter(contact__leads__in=leads)
        .annotate(lead_id=F("contact__leads"))
        .order_by("-contact__is_primary", "contact__pk", "pk")
    )
    partners = emails.filter(
        contact__organization__in={
            lead.organization_id for lead in leads if lead.organization_id
        },
        contact__role=Contact.Role.PARTNER,
    ).order_by("-contact__is_primary", "contact__pk", "pk")

    by_lead: dict[int, ContactAddress] = {}
    for address in own:
        by_lead.setdefault(address.lead_id, address)
    by_organization: dict[int, ContactAddress] = {}
    for address in partners:
        by_organization.setdefault(address.contact.organization_id, address)
    for lead in leads:
        if lead.pk not in by_lead and (found := by_organization.get(lead.organization_id)):
            by_lead[lead.pk] = found
    return by_lead


class Senders:
    """Who may write for a set of campaigns, read in two queries."""

    def __init__(self, campaigns: Iterable[Campaign], candidates: Iterable[Candidate]) -> None:
        links = SenderCampaign.objects.filter(campaign__in=campaigns).select_related("sender")
        self._defaults = {link.campaign_id: link.sender for link in links if link.is_default}
        linked = {(link.campaign_id, link.sender_id) for link in links}
        users = {
            candidate.responsible_id for candidate in candidates if candidate.responsible_id
        }
        self._by_user: dict[int, list[Sender]] = {}
        for sender in Sender.objects.filter(user__in=users).order_by("pk"):
            self._by_user.setdefault(sender.user_id or 0, []).append(sender)
        self._linked = linked

    def of_pitch(self, campaign: Campaign, candidates: Sequence[Candidate]) -> Sender | None:
        """The sender of the best candidate's responsible person that is active, else the
        campaign's default.

        Where all of them are paused the first one is named, so that the plan can say so (C33,
        S003-008, S003-009).
        """
        own = [
            sender for candidate in candidates for sender in self._of_user(campaign, candidate)
        ]
        default = self._defaults.get(campaign.pk)
        everybody = [*own, *([default] if default else [])]
        return next(
            (sender for sender in everybody if sender.is_active), next(iter(everybody), None)
        )

    def _of_user(self, campaign: Campaign, candidate: Candidate) -> list[Sender]:
        senders = self._by_user.get(candidate.responsible_id or 0, [])
        return sorted(senders, key=lambda sender: (campaign.pk, sender.pk) not in self._linked)
