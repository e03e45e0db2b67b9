"""What somebody got from us before, whichever client it was for."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from pitches.models import Match, Pitch
from prospects.models import ContactAddress, Lead

SHOWN = 20


def pitches_to(
    lead: Lead, address: ContactAddress | None, *, besides: int | None = None
) -> QuerySet[Pitch]:
    """Pitches to this lead, its organization and this person, newest first. Two queries."""
    same = Q(lead=lead)
    if lead.organization_id:
        same |= Q(lead__organization=lead.organization_id)
    if address is not None:
        same |= Q(address__contact=address.contact_id)
    return (
        Pitch.objects.filter(same)
        .exclude(pk=besides)
        .select_related("campaign__client", "lead", "sender", "address__contact")
        .prefetch_related("matches__candidate")
        .defer("lead__text", "lead__embedding", "campaign__embedding")
        .order_by("-created_at", "-pk")[:SHOWN]
    )


def matches_of(candidate_id: int, *, besides: int | None = None) -> QuerySet[Match]:
    """Where else this candidate stands or stood, newest first."""
    rows = Match.objects.filter(candidate=candidate_id, pitch__isnull=False)
    rows = rows.exclude(pk=besides) if besides else rows
    return (
        rows.select_related("lead", "campaign__client", "pitch")
        .defer("lead__text", "lead__embedding", "campaign__embedding")
        .order_by("-pitch__created_at", "-pk")[:SHOWN]
    )
