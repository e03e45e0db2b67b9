"""When two short texts say the same, and when two places meet. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import Indel

from campaigns.ai.embeddings import WORD

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

ANYWHERE = frozenset(
    [
        "",
        "any",
        "anywhere",
        "everywhere",
        "flexible",
        "multiple locations",
        "various",
        "worldwide",
    ]
)
SAME_PLACE = {
    "nyc": "new york",
    "new york city": "new york",
    "sf": "san francisco",
    "us": "usa",
    "u.s.": "usa",
    "united states": "usa",
    "united states of america": "usa",
    "united kingdom": "uk",
    "great britain": "uk",
    "england": "uk",
}
US_STATES = frozenset(
    WORD.findall(
        """
    al ak az ar ca co ct de fl ga hi id il in ia ks ky la me md ma mi mn ms mo mt ne nv nh nj
    nm ny nc nd oh ok or pa ri sc sd tn tx ut vt va wa wv wi wy dc"""
    )
)


def places_meet(wanted: str, offered: str) -> bool:
    """Whether somebody at `wanted` can take what is at `offered`.

    Each may name several places, separated by `|`, `;` or `/`. Unknown is no mismatch. A city
    meets the same city in the same region, or where one of the two names no region; a region
    or country alone meets everything inside it.
    """
    here, there = _places(wanted), _places(offered)
    return any(_meet(one, other) for one in here for other in there)


def _places(text: str) -> list[list[str]]:
    places = []
    for place in re.split(r"[|;/\n]+", plain(text)):
        parts = [SAME_PLACE.get(part, part) for part in map(str.strip, place.split(","))]
        parts = [part for part in parts if part]
        places.append([] if ", ".join(parts) in ANYWHERE else parts)
    return places


def _meet(one: list[str], other: list[str]) -> bool:
    if not one or not other or one[0].startswith("remote") or other[0].startswith("remote"):
        return True
    if len(one) == 1 or len(other) == 1:
        alone, whole = (one[0], other) if len(one) == 1 else (other[0], one)
        in_the_usa = len(whole) > 1 and whole[-1] in US_STATES
        return alone in whole or (alone == "usa" and in_the_usa)
    return one[0] == other[0] and bool(set(one[1:]) & set(other[1:]))
