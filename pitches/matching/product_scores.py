"""Scores of products and creators: half the texts, half the keywords."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pitches.matching.scores import Hundredths, Part, Scores, Told, Wish, counted, share, spoken

# Half and half finds most on recorded data (`python -m bench match_quality`); five shared
# keywords are all that one asks for.
SIMILARITY, KEYWORDS, ENOUGH_KEYWORDS = 5_000, 5_000, 5


class ProductScores(Scores):
    """Half the likeness of the texts, half the candidate's keywords in the lead's text."""

    def __init__(self, wishes: Sequence[Wish], told: Told, texts: Sequence[str]) -> None:
        self.keywords = [sorted(wish.keywords) for wish in wishes]
        self.cosine = np.zeros((len(wishes), told.leads), np.float32)
        # a candidate without a word is like nothing
        nothing = np.zeros(told.vectors.shape[1], np.float32)
        asked = [nothing if wish.vector is None else wish.vector for wish in wishes]
        if asked:
            self.cosine[:, told.lead] = np.stack(asked) @ told.vectors.T
        names = sorted({keyword for keywords in self.keywords for keyword in keywords})
        self.place = {name: number for number, name in enumerate(names)}
        self.found = spoken(names, texts)
        self.asked = np.zeros((len(wishes), len(names)), np.float32)
        for number, keywords in enumerate(self.keywords):
            self.asked[number, [self.place[keyword] for keyword in keywords]] = 1

    def block(self, leads: slice) -> Hundredths:
        shared = self.asked @ self.found[:, leads].astype(np.float32)
        similarity = share(SIMILARITY, self.cosine[:, leads])
        return similarity + share(KEYWORDS, shared / ENOUGH_KEYWORDS)

    def parts(self, candidate: int, lead: int) -> list[Part]:
        cosine = self.cosine[candidate, lead]
        shared = [
            word for word in self.keywords[candidate] if self.found[self.place[word], lead]
        ]
        similarity = share(SIMILARITY, np.array([cosine]))
        keywords = share(KEYWORDS, np.array([len(shared) / ENOUGH_KEYWORDS], np.float32))
        return [
            Part("similarity", int(similarity[0]), f"the texts are {max(cosine, 0):.0%} alike"),
            Part("keywords", int(keywords[0]), counted(shared, "keyword", "found")),
        ]
