"""When two short texts say the same. Pure."""

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
