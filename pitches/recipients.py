"""To whom, and from whom: one contact of each lead, one sender of each pitch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db.models import F

from campaigns.models import Campaign, Candidate, Channel, Step
from pitches.models import Sender, SenderCampaign
from pitches.rules import ADDRESS_KINDS
from prospects.addresses import is_nobodys
from prospects.models import Contact, ContactAddress, Lead


def first_channels(campaigns: Iterable[Campaign]) -> dict[int, str]:
    """The channel of each sequence's first message, by sequence id. One query.

    It decides by which kind of address a lead is written to.
    """
    sequences = {campaign.sequence_id for campaign in campaigns if campaign.sequence_id}
    steps = Step.objects.filter(sequence__in=sequences, number=0)
    return dict(steps.values_list("sequence_id", "channel"))


def of_leads(
    leads: Iterable[Lead], *, channel: str = Channel.EMAIL
) -> dict[int, ContactAddress]:
    """The address to write to on ``channel``, by lead id: one person, the primary one first
    (S003-006, C33).

    A lead's own contacts come before the partner contacts of its organization. Leads without
    anybody who has such an address are missing. Two queries.
    """
    leads = list(leads)
    kinds = ADDRESS_KINDS[channel]
    wanted = ContactAddress.objects.filter(kind__in=kinds).select_related(
        "contact__organization"
    )
    own = wanted.filter(contact__leads__in=leads).annotate(lead_id=F("contact__leads"))
    partners = wanted.filter(
        contact__organization__in={
            lead.organization_id for lead in leads if lead.organization_id
        },
        contact__role=Contact.Role.PARTNER,
    )
    by_lead: dict[int, ContactAddress] = {}
    for address in _best_first(own, kinds):
        by_lead.setdefault(address.lead_id, address)  # type: ignore[attr-defined]
    by_organization: dict[int, ContactAddress] = {}
    for address in _best_first(partners, kinds):
        by_organization.setdefault(address.contact.organization_id or 0, address)
    for lead in leads:
        found = by_organization.get(lead.organization_id or 0)
        if lead.pk not in by_lead and found:
            by_lead[lead.pk] = found
    return by_lead


def _best_first(
    rows: Iterable[ContactAddress], kinds: Sequence[str]
) -> Iterable[ContactAddress]:
    """The primary person first; of one person the kind that the channel likes best.

    Without the addresses that no person reads.
    """
    return sorted(
        (row for row in rows if not is_nobodys(row.value)),
        key=lambda row: (
            not row.contact.is_primary,
            row.contact_id,
            kinds.index(row.kind),
            row.pk,
        ),
    )


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
