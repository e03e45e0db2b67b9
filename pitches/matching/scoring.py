"""The scores of all pairs, made from what the database knows of candidates and leads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from django.db.models import QuerySet, Value
from django.db.models.functions import Coalesce, Left, NullIf
from numpy.typing import NDArray

from campaigns.ai import embeddings
from campaigns.ai.embeddings import Vector
from campaigns.models import Campaign, Candidate
from pitches.matching import likeness, placements, texts
from pitches.matching.guest_scores import GuestScores
from pitches.matching.placement_scores import PlacementScores, Role, Seeker
from pitches.matching.presets import Preset
from pitches.matching.product_scores import ProductScores
from pitches.matching.rows import CandidateRow, LeadRow
from pitches.matching.scores import Scores, Told, Wish, keyword_set, spoken
from prospects.models import Lead

# Characters of a text in which keywords are looked for.
TEXT_SEARCHED = 4_000


def scores(
    campaign: Campaign,
    candidates: Sequence[CandidateRow],
    leads: Sequence[LeadRow],
    known: placements.Known,
) -> Scores:
    """All candidates against all leads, by the formula of the campaign's preset.

    A row for each candidate, a column for each lead; leads are in the order of their ids.
    """
    match campaign.preset:
        case Preset.PLACEMENT:
            return _placement_scores(candidates, leads, known)
        case Preset.PODCAST:
            return _guest_scores(campaign, candidates, leads)
    return _product_scores(campaign, candidates, leads)


# Guests


def _guest_scores(
    campaign: Campaign, candidates: Sequence[CandidateRow], leads: Sequence[LeadRow]
) -> Scores:
    """The campaign asks for all its guests; where it has no words, each for itself."""
    own = _keywords_of(campaign)
    of_campaign = _vectors(Campaign.objects.filter(pk=campaign.pk), texts.of_campaign)
    if of_campaign:
        wishes = [Wish(of_campaign[campaign.pk], own)]
        wish_of = np.zeros(len(candidates), np.int64)
    else:
        vectors = _vectors_of(candidates)
        wishes = [
            Wish(vectors.get(row.pk), own or keyword_set([*row.keywords, *row.skills]))
            for row in candidates
        ]
        wish_of = np.arange(len(candidates))
    names = frozenset().union(*(wish.keywords for wish in wishes))
    return GuestScores(wishes, wish_of, _items_told(leads, sorted(names)))


def _items_told(leads: Sequence[LeadRow], names: Sequence[str]) -> Told:
    """The latest items of each lead; the lead's own text where it has none."""
    lead_ids = _ids(leads)
    items = texts.latest_items(Lead.objects.filter(pk__in=lead_ids.tolist()))
    told = {
        pk: (lead, title, keywords)
        for pk, lead, title, keywords in items.values_list("pk", "lead_id", "title", "keywords")
    }
    shows = {row.pk: row for row in leads}
    silent = items.filter(keywords=[], lead__keywords=[])
    summary = Coalesce(NullIf("summary", Value("")), "text")
    found = _said(names, silent.values_list("pk", "title", Left(summary, TEXT_SEARCHED)))
    ids, vectors = embeddings.matrix(items, text=texts.of_item)
    rows = [told[pk] for pk in ids.tolist()]
    rest = _leads_told(leads, names, without={lead for lead, _, _ in rows})
    keywords = [
        found[pk] if pk in found else keyword_set(own or shows[lead].keywords)
        for pk, (lead, _, own) in zip(ids.tolist(), rows, strict=True)
    ]
    places = np.searchsorted(lead_ids, np.array([lead for lead, _, _ in rows], np.int64))
    return _in_order(
        np.concatenate([vectors, rest.vectors]),
        np.concatenate([places, rest.lead]),
        [*keywords, *rest.keywords],
        [*(title for _, title, _ in rows), *rest.titles],
        leads=len(leads),
    )


def _leads_told(
    leads: Sequence[LeadRow], names: Sequence[str] = (), *, without: Iterable[int] = ()
) -> Told:
    """The leads' own texts, but for those `without`.

    A lead that has no keywords has those of `names` that its text contains: without them the
    score would rest on vectors alone.
    """
    skipped = set(without)
    asked = Lead.objects.filter(pk__in=[row.pk for row in leads if row.pk not in skipped])
    ids, vectors = embeddings.matrix(asked, text=texts.of_lead)
    columns = np.searchsorted(_ids(leads), ids)
    rows = [leads[column] for column in columns.tolist()]
    silent = asked.filter(keywords=[]).values_list("pk", "name", Left("text", TEXT_SEARCHED))
    found = _said(names, silent)
    return _in_order(
        vectors,
        columns,
        [
            found.get(row.pk, frozenset()) | keyword_set([*row.keywords, *row.industries])
            for row in rows
        ],
        [row.name for row in rows],
        leads=len(leads),
    )


def _in_order(
    vectors: NDArray[np.float32],
    columns: NDArray[np.int64],
    keywords: Sequence[frozenset[str]],
    titles: Sequence[str],
    *,
    leads: int,
) -> Told:
    """What was told, by ascending column."""
    order = np.argsort(columns, kind="stable")
    return Told(
        vectors=vectors[order],
        lead=columns[order].astype(np.int64),
        keywords=[keywords[number] for number in order],
        titles=[titles[number] for number in order],
        leads=leads,
    )


def _said(
    names: Sequence[str], rows: Iterable[tuple[int, str, str]]
) -> dict[int, frozenset[str]]:
    """Which of the names occur in each title or text, by id."""
    if not names:
        return {}
    rows = list(rows)
    found = spoken(names, [f"{title}\n{text}" for _, title, text in rows])
    return {
        row[0]: frozenset(name for name, is_said in zip(names, said, strict=True) if is_said)
        for row, said in zip(rows, found.T, strict=True)
    }


# Products and creators


def _product_scores(
    campaign: Campaign, candidates: Sequence[CandidateRow], leads: Sequence[LeadRow]
) -> Scores:
    own, vectors = _keywords_of(campaign), _vectors_of(candidates)
    wishes = [
        Wish(
            vectors.get(row.pk),
            own | keyword_set([*row.keywords, *row.skills, *row.industries]),
        )
        for row in candidates
    ]
    text_of = _texts_of(leads)
    said = [
        "\n".join([row.name, text_of.get(row.pk, ""), *row.keywords, *row.industries])
        for row in leads
    ]
    return ProductScores(wishes, _leads_told(leads), said)


# Placements


def _placement_scores(
    candidates: Sequence[CandidateRow], leads: Sequence[LeadRow], known: placements.Known
) -> Scores:
    seekers = [
        Seeker(_distinct(row.industries), row.skills, row.starts_on) for row in candidates
    ]
    text_of = _texts_of(leads)
    roles = [
        Role(
            industries=row.trades(),
            names=[row.name, *row.keywords],
            text=text_of.get(row.pk, ""),
            endings=known.endings.get(row.organization or 0, ()),
            lost_deals=known.lost[row.pk],
        )
        for row in leads
    ]
    return PlacementScores(seekers, roles)


def _distinct(names: Sequence[str]) -> list[str]:
    """Without those that read the same; the first spelling of each stays."""
    first: dict[str, str] = {}
    for name in names:
        first.setdefault(likeness.plain(name), name)
    return list(first.values())


# Reading


def _ids(rows: Sequence[CandidateRow] | Sequence[LeadRow]) -> NDArray[np.int64]:
    return np.array([row.pk for row in rows], np.int64)


def _keywords_of(campaign: Campaign) -> frozenset[str]:
    return keyword_set([*campaign.keywords, *campaign.questionnaire_keywords])


def _texts_of(leads: Sequence[LeadRow]) -> dict[int, str]:
    asked = Lead.objects.filter(pk__in=[row.pk for row in leads])
    return dict(asked.values_list("pk", "text"))


def _vectors_of(candidates: Sequence[CandidateRow]) -> dict[int, Vector]:
    asked = Candidate.objects.filter(pk__in=[row.pk for row in candidates])
    return _vectors(asked, texts.of_candidate)


def _vectors(rows: QuerySet, text: Callable[[Any], str]) -> dict[int, Vector]:
    ids, vectors = embeddings.matrix(rows, text=text)
    return dict(zip(ids.tolist(), vectors, strict=True))
