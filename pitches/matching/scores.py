"""What the scores of all presets share. Arrays in, arrays out; no database.

Scores are whole hundredths of a point (4940 is 49.40), so parts add up to the score exactly and
a mark such as 50.00 has a definite right side.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from campaigns.ai.embeddings import WORD, Vector
from pitches.matching import likeness
from pitches.matching.likeness import Mask

Hundredths = NDArray[np.int16]

FULL = 10_000


class Scores(ABC):
    """Scores of all candidates against all leads, a block of leads at a time."""

    @abstractmethod
    def block(self, leads: slice) -> Hundredths:
        """One row for each candidate, one column for each lead of the slice."""

    @abstractmethod
    def parts(self, candidate: int, lead: int) -> list[Part]:
        """How one score came about; the parts add up to it."""

    def excluded(self, leads: slice) -> Mask | None:
        """Pairs that the preset rules out because of what scoring found, or None."""
        return None


class Part(NamedTuple):
    """One summand of a score, with the words that explain it."""

    key: str
    hundredths: int
    because: str


def points(hundredths: int) -> Decimal:
    """4940 as Decimal("49.40")."""
    return Decimal(int(hundredths)).scaleb(-2)


@dataclass(frozen=True)
class Wish:
    """What a campaign, or a candidate of a campaign without words of its own, is about."""

    vector: Vector | None
    keywords: frozenset[str]


@dataclass(frozen=True)
class Told:
    """What the leads have told: vectors of their items, or of themselves where there are none.

    `lead[i]` is the column that row i belongs to, ascending; `keywords[i]` and `titles[i]` are
    that row's own.
    """

    vectors: NDArray[np.float32]
    lead: NDArray[np.int64]
    keywords: Sequence[frozenset[str]]
    titles: Sequence[str]
    leads: int


def share(weight: int, of: NDArray) -> Hundredths:
    """`weight` times `of`, where `of` is a share; half a hundredth is rounded up."""
    # A tenth of a millionth lies far above the error of single precision sums.
    found: Hundredths = np.floor(weight * np.clip(of, 0, 1) + 0.5 + 1e-4).astype(np.int16)
    return found


def keyword_set(keywords: Sequence[str]) -> frozenset[str]:
    """Keywords as they are compared."""
    return frozenset(found for keyword in keywords if (found := likeness.plain(keyword)))


def spoken(names: Sequence[str], texts: Sequence[str]) -> Mask:
    """Which names occur in which texts, as whole words in a row."""
    found = np.zeros((len(names), len(texts)), np.bool_)
    # by their first word, so that a text is asked only for names that may occur in it
    by_first: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for row, name in enumerate(names):
        if spelled := WORD.findall(name):
            by_first[spelled[0]].append((row, " ".join(spelled)))
    for column, text in enumerate(texts):
        said = WORD.findall(text.casefold())
        whole = f" {' '.join(said)} "
        for first in by_first.keys() & set(said):
            for row, name in by_first[first]:
                found[row, column] = name == first or f" {name} " in whole
    return found


def short(text: str, most: int = 120) -> str:
    """A text on one line, cut to `most` characters."""
    told = " ".join(text.split())
    return told if len(told) <= most else f"{told[: most - 1]}…"


def counted(names: Sequence[str], noun: str, verb: str) -> str:
    """ "2 skills matched: Go, SQL"; the first five are named."""
    if not names:
        return f"no {noun} {verb}"
    several = noun if len(names) == 1 else f"{noun}s"
    listed = ", ".join(short(name, 60) for name in names[:5])
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{len(names)} {several} {verb}: {listed}{more}"


def told(parts: Sequence[Part]) -> dict[str, str]:
    """The points of each part, as they are stored with a match."""
    return {part.key: str(points(part.hundredths)) for part in parts}


def sentence(parts: Sequence[Part]) -> str:
    """The parts that speak, in one sentence that staff can read at a glance."""
    said = [part.because for part in parts if part.because and part.hundredths]
    silent = [part.because for part in parts if part.because and not part.hundredths]
    whole = "; ".join(said or silent) or "nothing speaks for it"
    return f"{whole[0].upper()}{whole[1:]}."
