"""When two short texts say the same, and when two places meet. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import Indel

from campaigns.ai.embeddings import WORD
from prospects import places

# Text match of H003-01: the same, one inside the other, or at least this similar.
SIMILAR = 0.7
# One text counts as found inside another only if it is longer than this.
LONGEST_SHORT = 2
# Similarity compares names, not essays.
LONGEST_NAME = 120

Mask = NDArray[np.bool_]


def plain(text: str) -> str:
    """Lower case, single spaces, one kind of dash."""
    return re.sub(r"\s+", " ", re.sub(r"[\u2010-\u2015_]", "-", text)).strip().casefold()


def is_short(text: str) -> bool:
    """C, R, C++, C#: would be found inside other words, so it needs a whole token (H003-01)."""
    return len(text) <= LONGEST_SHORT or "+" in text or "#" in text


def alike(asked: Sequence[str], texts: Sequence[str]) -> Mask:
    """Which of `asked` match which of `texts`, one row for each asked (H003-01).

    Exact, then substring of more than two characters either way, then a normalised similarity
    of 0.7 or more; a short name only as a whole token.
    """
    rows, columns = [plain(text) for text in asked], [plain(text) for text in texts]
    found = np.zeros((len(rows), len(columns)), np.bool_)
    if not rows or not columns:
        return found
    tokens = [frozenset(WORD.findall(column)) for column in columns]
    for number, row in enumerate(rows):
        if not row:
            continue
        if is_short(row):
            told = [
                row in token or row == text for token, text in zip(tokens, columns, strict=True)
            ]
        else:
            told = [
                row in text
                or (len(text) > LONGEST_SHORT and not is_short(text) and text in row)
                for text in columns
            ]
        found[number] = told
    long = [n for n, row in enumerate(rows) if row and not is_short(row)]
    names = [
        n
        for n, text in enumerate(columns)
        if text and len(text) <= LONGEST_NAME and not is_short(text)
    ]
    if long and names:
        likeness = process.cdist(
            [rows[n] for n in long],
            [columns[n] for n in names],
            scorer=Indel.normalized_similarity,
            dtype=np.float64,
        )
        found[np.ix_(long, names)] |= likeness >= SIMILAR - 1e-9
    return found


# Places

ANYWHERE = re.compile(
    r"any(where)?|americas|everywhere|flexible|global|multiple.*|various.*|worldwide"
)
SAME_CITY = {
    "nyc": "new york",
    "new york city": "new york",
    "sf": "san francisco",
    "sf bay area": "san francisco",
    "san francisco bay area": "san francisco",
    "la": "los angeles",
    "washington dc": "washington",
}


def places_meet(wanted: str, offered: str) -> bool:
    """Whether somebody at `wanted` can take what is at `offered`.

    Each may name several places, separated by `|`, `;` or `/`. What is unknown is no mismatch.
    A country meets everything in it; a city meets the same city, unless both name a region and
    none of these agree.
    """
    here, there = _places(wanted), _places(offered)
    return any(_meet(one, other) for one in here for other in there)


class _Place(NamedTuple):
    parts: tuple[str, ...]  # city first; empty: anywhere, or not known
    country: str
    is_country: bool


@lru_cache(10_000)
def _places(text: str) -> tuple[_Place, ...]:
    return tuple(_place(part.strip()) for part in re.split(r"[|;/\n]", plain(text)))


def _place(text: str) -> _Place:
    if not text or ANYWHERE.fullmatch(text) or places.is_remote(text):
        return _Place((), "", False)
    parts = [part for part in map(str.strip, text.split(",")) if part]
    city = SAME_CITY.get(parts[0], parts[0]) if parts else ""
    alone = places.country_code(text) if len(text) > 2 or text in ("us", "uk") else ""
    return _Place((city, *parts[1:]), alone or places.find(text).country, bool(alone))


def _meet(one: _Place, other: _Place) -> bool:
    if not one.parts or not other.parts:
        return True
    if one.is_country or other.is_country:
        return one.country == other.country or not (one.country and other.country)
    if len(one.parts) == 1 or len(other.parts) == 1:
        # a city, or the region it lies in
        alone, whole = (one, other) if len(one.parts) == 1 else (other, one)
        return alone.parts[0] in whole.parts
    agree = set(one.parts[1:]) & set(other.parts[1:])
    return one.parts[0] == other.parts[0] and bool(agree)
