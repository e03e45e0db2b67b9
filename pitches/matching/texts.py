"""The texts that are embedded, and storing their vectors."""

from __future__ import annotations

from typing import Any

from django.db.models import F, QuerySet, Window
from django.db.models.functions import RowNumber

from campaigns.ai import embeddings
from campaigns.models import Campaign, Candidate
from pitches.matching.presets import Preset, looked_for
from prospects.models import ContentItem, Lead

# Items of a lead that are looked at, newest first (H000-01 says 5 to 10).
LATEST_ITEMS = 10


def of_campaign(campaign: Campaign) -> str:
    """What a campaign is about."""
    words = ", ".join(campaign.questionnaire_keywords)
    return "\n".join(filter(None, [campaign.text(), words]))


def of_candidate(candidate: Candidate) -> str:
    """What a candidate offers."""
    lists = (candidate.skills, candidate.keywords, candidate.industries)
    return "\n".join([candidate.headline, candidate.bio_to_use, *map(", ".join, lists)])


def of_lead(lead: Lead) -> str:
    """What a lead says of itself."""
    return "\n".join(
        [lead.name, lead.text, ", ".join(lead.keywords), ", ".join(lead.industries)]
    )


def of_item(item: ContentItem) -> str:
    """What an episode, post or article is about: its summary if there is one."""
    return "\n".join([item.title, item.summary or item.text, ", ".join(item.keywords)])


def embed(campaign: Campaign) -> None:
    """Store the vectors this campaign's scores need and the database lacks."""
    if campaign.preset == Preset.PLACEMENT:
        return  # its formula compares words
    leads = Lead.objects.filter(
        kind=looked_for(campaign).lead_kind,
        closed_at=None,
        suppressed_at=None,
        merged_into=None,
        is_demo=campaign.is_demo,
    )
    rows: list[tuple[QuerySet, Any]] = [
        (Campaign.objects.filter(pk=campaign.pk), of_campaign),
        (campaign.candidates.all(), of_candidate),
        (leads, of_lead),
    ]
    if campaign.preset == Preset.PODCAST:
        rows.append((latest_items(leads), of_item))
    ours = embeddings.embedder()
    for queryset, text in rows:
        embeddings.embed_missing(queryset, text=text, with_model=ours)
    Campaign.objects.filter(pk=campaign.pk, embedding__isnull=False).update(
        embedding_status=Campaign.EmbeddingStatus.COMPLETED
    )


def latest_items(leads: QuerySet[Lead]) -> QuerySet[ContentItem]:
    """The newest items of each lead, those without a date last."""
    numbered = ContentItem.objects.filter(lead__in=leads).annotate(
        nth=Window(
            RowNumber(),
            partition_by="lead_id",
            order_by=[F("published_at").desc(nulls_last=True), F("pk").desc()],
        )
    )
    return numbered.filter(nth__lte=LATEST_ITEMS)
