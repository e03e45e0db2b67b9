"""What the models cost, out of the ledger."""

from __future__ import annotations

from decimal import Decimal

from django.db.models import DecimalField, OuterRef, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from campaigns.models import AIUsage, Campaign

USD = DecimalField(max_digits=18, decimal_places=8)


def with_spent(campaigns: QuerySet[Campaign]) -> QuerySet[Campaign]:
    """Each campaign with ``spent``: USD for models, exact to eight places (S001-001).

    Reserved calls count with what was reserved, failed ones with what they cost.
    """
    calls = AIUsage.objects.filter(campaign=OuterRef("pk")).order_by().values("campaign")
    spent = Subquery(calls.annotate(spent=Sum("cost")).values("spent"), output_field=USD)
    return campaigns.annotate(spent=Coalesce(spent, Value(Decimal(0)), output_field=USD))


def of_campaign(campaign: Campaign) -> Decimal:
    """USD spent on models for one campaign."""
    spent: Decimal = with_spent(Campaign.objects.filter(pk=campaign.pk)).get().spent  # type: ignore[attr-defined]
    return spent
