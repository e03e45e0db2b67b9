"""Pairs that are known already, as places in the arrays of candidates and leads."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pitches.matching.likeness import Mask
from pitches.models import Match

# Undecided: their scores are still renewed.
OPEN = (Match.Status.SUGGESTED, Match.Status.FIT_CHECK, Match.Status.TO_REVIEW)
# Neither pitched nor decided against.
WAITING = (*OPEN, Match.Status.APPROVED)

Ids = NDArray[np.int64]


class MatchRow(NamedTuple):
    """A match of the campaign."""

    candidate: int
    lead: int
    pk: int
    status: str
    score: Decimal


class Pairs:
    """Pairs of ids; those that are not among `candidates` and `leads` are left out.

    `kept` are the places in `pairs` of those that are, in the order of their leads.
    """

    def __init__(self, pairs: Sequence[tuple[int, int]], candidates: Ids, leads: Ids) -> None:
        ids = np.array(pairs, np.int64).reshape(-1, 2)
        rows, in_rows = _places(candidates, ids[:, 0])
        columns, in_columns = _places(leads, ids[:, 1])
        kept = np.flatnonzero(in_rows & in_columns)
        self.kept = kept[np.argsort(columns[kept], kind="stable")]
        self.rows, self.columns = rows[self.kept], columns[self.kept]
        self.height = len(candidates)

    def within(self, leads: slice) -> slice:
        """Which of these pairs lie in a block of leads."""
        first, last = np.searchsorted(self.columns, [leads.start, leads.stop])
        return slice(int(first), int(last))

    def mask(self, leads: slice) -> Mask:
        """These pairs in a block of leads: a row for each candidate."""
        return self._mask(leads, np.ones(len(self.rows), np.bool_))

    def _mask(self, leads: slice, chosen: Mask) -> Mask:
        found = np.zeros((self.height, leads.stop - leads.start), np.bool_)
        rows, columns = self._places_of(leads, chosen)
        found[rows, columns] = True
        return found

    def _places_of(self, leads: slice, chosen: Mask) -> tuple[Ids, Ids]:
        inside = self.within(leads)
        is_asked = chosen[inside]
        return self.rows[inside][is_asked], self.columns[inside][is_asked] - leads.start


class Matches(Pairs):
    """The matches that a campaign has."""

    def __init__(self, matches: Sequence[MatchRow], candidates: Ids, leads: Ids) -> None:
        super().__init__([match[:2] for match in matches], candidates, leads)
        self.matches = [matches[number] for number in self.kept.tolist()]
        self._declined = self._of_status(Match.Status.DECLINED)
        self._waiting = self._of_status(*WAITING)

    def _of_status(self, *statuses: str) -> Mask:
        return np.array([match.status in statuses for match in self.matches], np.bool_)

    def declined(self, leads: slice) -> Mask:
        """The declined ones in a block of leads: a row for each candidate."""
        return self._mask(leads, self._declined)

    def waiting(self, leads: slice) -> tuple[Ids, Ids]:
        """Rows and columns in a block of those that are suggested or approved, not pitched."""
        return self._places_of(leads, self._waiting)


def _places(ids: Ids, wanted: Ids) -> tuple[Ids, Mask]:
    """Where each of `wanted` lies in `ids`, which are in order, and whether it does."""
    if not len(ids):
        return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), np.bool_)
    places = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    return places, ids[places] == wanted
