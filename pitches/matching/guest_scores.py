"""Scores of guests (H000-01): the best of a lead's latest items against the campaign."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from campaigns.ai.embeddings import Vector
from pitches.matching.scores import (
    Hundredths,
    Part,
    Scores,
    Told,
    Wish,
    counted,
    points,
    share,
    short,
)

# 0.7 of the likeness of texts, 0.3 of the shared keywords.
SIMILARITY, KEYWORDS = 7_000, 3_000


class GuestScores(Scores):
    """H000-01: the best of a lead's latest items against the campaign."""

    def __init__(self, wishes: Sequence[Wish], wish_of: NDArray[np.int64], told: Told) -> None:
        self.wish_of, self.told, self.wishes = wish_of, told, wishes
        shape = len(wishes), told.leads
        self.best = np.full(shape, -1, np.int64)  # the row that counts; -1: nothing was told
        self.cosine = np.zeros(shape, np.float32)
        self.jaccard = np.zeros(shape, np.float32)
        if len(told.lead):
            for number, wish in enumerate(wishes):
                if wish.vector is not None:
                    self._compare(number, wish.vector, wish.keywords)

    def _compare(self, number: int, vector: Vector, keywords: frozenset[str]) -> None:
        """Find of each lead the first row that is most like the wish."""
        lead = self.told.lead
        starts = np.flatnonzero(np.diff(lead, prepend=-1))
        cosines = self.told.vectors @ vector
        highest = np.maximum.reduceat(cosines, starts)
        sizes = np.diff(np.append(starts, len(lead)))
        best = np.flatnonzero(cosines == np.repeat(highest, sizes))
        best = best[np.unique(lead[best], return_index=True)[1]]
        columns = lead[starts]
        self.best[number, columns] = best
        self.cosine[number, columns] = highest
        self.jaccard[number, columns] = [
            jaccard(keywords, self.told.keywords[row]) for row in best.tolist()
        ]

    def block(self, leads: slice) -> Hundredths:
        similarity, keywords = _parts(self.cosine[:, leads], self.jaccard[:, leads])
        return (similarity + keywords)[self.wish_of]

    def parts(self, candidate: int, lead: int) -> list[Part]:
        wish = int(self.wish_of[candidate])
        row = int(self.best[wish, lead])
        similarity, keywords = _parts(
            self.cosine[wish, lead : lead + 1], self.jaccard[wish, lead : lead + 1]
        )
        title, shared = "nothing", []
        if row >= 0:
            title = short(self.told.titles[row])
            shared = sorted(self.wishes[wish].keywords & self.told.keywords[row])
        return [
            Part(
                "similarity",
                int(similarity[0]),
                f"“{title}” is {max(self.cosine[wish, lead], 0):.0%} like the campaign",
            ),
            Part("keywords", int(keywords[0]), counted(shared, "keyword", "shared")),
        ]


def guest_score(cosine: float, jaccard: float) -> Decimal:
    """(0.7 * cosine + 0.3 * Jaccard) * 100 in [0, 100], two places (H000-01)."""
    similarity, keywords = _parts(np.array([cosine]), np.array([jaccard]))
    return points(int(similarity[0]) + int(keywords[0]))


def _parts(cosines: NDArray, shared: NDArray) -> tuple[Hundredths, Hundredths]:
    return share(SIMILARITY, cosines), share(KEYWORDS, shared)


def jaccard(some: frozenset[str], others: frozenset[str]) -> float:
    """How much two sets share: 0 for two empty ones."""
    union = len(some | others)
    return len(some & others) / union if union else 0.0
