"""Which pairs become matches: no filter holds them, and they are among the best."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pitches.matching import pair_filters
from pitches.matching.likeness import Mask
from pitches.matching.pairs import OPEN
from pitches.matching.pool import Pool
from pitches.matching.presets import threshold
from pitches.matching.reasons import REASONS
from pitches.matching.scores import Hundredths, points, sentence, told

# Pairs looked at together: bounds the memory to some tens of megabytes at any size.
PAIRS_AT_ONCE = 4_000_000
# A score is written again only if it moved by more (H000-02).
MOVED = Decimal("0.01")


class Filtered(NamedTuple):
    """How many pairs a reason took out."""

    reason: str
    sentence: str
    pairs: int


@dataclass(frozen=True)
class Suggestion:
    """A match to make, or to score again (`match` is then its id)."""

    candidate: int
    lead: int
    score: Decimal
    parts: dict[str, str]
    reasoning: str
    urgent: bool
    match: int | None = None


@dataclass
class Suggested:
    """What suggesting came to. `pairs` = the filtered ones + `created`.

    Of the matches there were, `updated` are scored again and `unchanged` stay as they are.
    """

    campaign: str
    leads: int = 0
    candidates: int = 0
    pairs: int = 0
    filtered: list[Filtered] = field(default_factory=list)
    scored: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    to_review: int = 0
    not_pitchable: list[tuple[str, str]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For --json: plain numbers and texts."""
        plain = asdict(self)
        plain["filtered"] = [row._asdict() for row in self.filtered]
        return plain


@dataclass
class Plan:
    """What `suggest` would do."""

    outcome: Suggested
    new: list[Suggestion]
    moved: list[Suggestion]
    urgent: frozenset[int]


def choose(pool: Pool, *, most: int | None) -> Plan:
    """The matches to make and those to score again; of the new ones the best `most`."""
    out = _out_as_a_whole(pool)
    least = _least(pool)
    looked_at = [_look_at(pool, block, out, least=least) for block in _blocks(pool)]
    places = _new_ones(pool, [block.found for block in looked_at], out, most=most)
    new = [_suggestion(pool, row, column) for row, column in places]
    moved = [_suggestion(pool, *place) for block in looked_at for place in block.moved]
    outcome = Suggested(
        campaign=pool.campaign.slug,
        leads=pool.leads_in_all,
        candidates=pool.candidates_in_all,
        pairs=pool.leads_in_all * pool.candidates_in_all,
        filtered=[
            Filtered(reason, sentence, out[reason])
            for reason, sentence in REASONS.items()
            if out[reason]
        ],
        scored=sum(block.scored for block in looked_at),
        created=len(new),
        updated=len(moved),
        unchanged=len(pool.matches.matches) - len(moved),
        to_review=sum(each.score >= threshold(pool.campaign) for each in new),
        not_pitchable=pool.not_pitchable,
    )
    return Plan(outcome, new, moved, pool.urgent)


def _out_as_a_whole(pool: Pool) -> Counter[str]:
    """Pairs taken out with their lead or candidate, by reason."""
    out = Counter({r: n * pool.candidates_in_all for r, n in pool.leads_out.items()})
    out.update({r: n * len(pool.leads) for r, n in pool.candidates_out.items()})
    return out


def _least(pool: Pool) -> int:
    """The hundredths that are worth keeping."""
    least = int(threshold(pool.campaign) * 100)
    above = pool.preset.keep_above
    return least if above is None else min(least, int(above * 100) + 1)


def _blocks(pool: Pool) -> Iterator[slice]:
    height, width = len(pool.candidates), len(pool.leads)
    at_once = max(1, PAIRS_AT_ONCE // max(height, 1))
    for start in range(0, width if height else 0, at_once):
        yield slice(start, min(start + at_once, width))


class _Found(NamedTuple):
    """Pairs worth keeping, by their places; those that are no match yet are new."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    values: Hundredths
    is_new: Mask

    @classmethod
    def all_of(cls, parts: list[_Found]) -> _Found:
        nowhere = np.zeros(0, np.int64)
        none = cls(nowhere, nowhere, np.zeros(0, np.int16), np.zeros(0, np.bool_))
        return cls(*(np.concatenate(each) for each in zip(none, *parts, strict=True)))

    def only(self, chosen: NDArray) -> _Found:
        return _Found(*(part[chosen] for part in self))

    def best(self, pool: Pool, *, of_each: str, most: int) -> _Found:
        """The `most` highest of each lead or candidate, and all that are matches already.

        Those that wait for a decision count: a second run does not suggest the next best, but
        what is better than what waits still comes through.
        """
        group = self.columns if of_each == "lead" else self.rows
        if not len(group):
            return self
        # Sorted whole instead of a partition per group, which crawls where many values tie.
        spread = _spread(pool, self.rows, self.columns)
        order = np.lexsort((spread, self.is_new, -self.values.astype(np.int64), group))
        in_order = group[order]
        starts = np.flatnonzero(np.diff(in_order, prepend=in_order[0] - 1))
        sizes = np.diff(np.append(starts, len(order)))
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order)) - np.repeat(starts, sizes)
        return self.only((rank < most) | ~self.is_new)


def _spread(pool: Pool, rows: NDArray, columns: NDArray) -> NDArray[np.uint64]:
    """A fixed number for each pair, by which ties are broken.

    Placement scores tie by the thousand; taking the lowest id would suggest the same few leads
    to everybody.
    """
    mixed = pool.candidate_ids[rows].astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= pool.lead_ids[columns].astype(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F)
    mixed ^= mixed >> np.uint64(31)
    mixed *= np.uint64(0xD6E8FEB86659FD93)
    spread: NDArray[np.uint64] = mixed >> np.uint64(32)
    return spread


class _Block(NamedTuple):
    """What a block of leads came to; `moved` are rows, columns and ids of matches."""

    found: _Found
    moved: list[tuple[int, int, int]]
    scored: int


def _look_at(pool: Pool, leads: slice, out: Counter[str], *, least: int) -> _Block:
    """Filter and score a block; what falls out is counted in `out`."""
    alive = np.ones((len(pool.candidates), leads.stop - leads.start), np.bool_)
    left = alive.size
    for reason, mask in pair_filters.masks(pool, leads):
        alive &= ~mask
        still = int(np.count_nonzero(alive))
        out[reason] += left - still
        left = still
    scores = pool.scores.block(leads)
    rows, columns = np.nonzero(alive & (scores >= least))
    out["below_mark"] += left - len(rows)
    waiting = pool.matches.waiting(leads)
    both = _Found(
        np.concatenate([rows, waiting[0]]),
        np.concatenate([columns, waiting[1]]) + leads.start,
        np.concatenate([scores[rows, columns], scores[waiting]]),
        np.arange(len(rows) + len(waiting[0])) < len(rows),
    )
    best = both.best(pool, of_each="lead", most=pool.preset.candidates_per_lead)
    out["beyond_best"] += len(rows) - int(np.count_nonzero(best.is_new))
    return _Block(best, _moved(pool, leads, scores), left)


def _moved(pool: Pool, leads: slice, scores: Hundredths) -> list[tuple[int, int, int]]:
    """Open matches of a block whose score moved: row, column, id."""
    known, inside = pool.matches, pool.matches.within(leads)
    rows, columns = known.rows[inside].tolist(), known.columns[inside].tolist()
    return [
        (row, column, match.pk)
        for row, column, match in zip(rows, columns, known.matches[inside], strict=True)
        if match.status in OPEN
        if abs(points(scores[row, column - leads.start]) - match.score) > MOVED
    ]


def _new_ones(
    pool: Pool, found: list[_Found], out: Counter[str], *, most: int | None
) -> list[tuple[int, int]]:
    """Rows and columns of the new ones, the best first."""
    whole = _Found.all_of(found)
    best = whole.best(pool, of_each="candidate", most=pool.preset.leads_per_candidate)
    out["beyond_best"] += int(np.count_nonzero(whole.is_new) - np.count_nonzero(best.is_new))
    new = best.only(best.is_new)
    ids = pool.candidate_ids[new.rows], pool.lead_ids[new.columns]
    order = np.lexsort((*ids, -new.values.astype(np.int64)))
    if most is not None:
        out["beyond_most"] += max(0, len(order) - most)
        order = order[:most]
    return list(zip(new.rows[order].tolist(), new.columns[order].tolist(), strict=True))


def _suggestion(pool: Pool, row: int, column: int, match: int | None = None) -> Suggestion:
    parts = pool.scores.parts(row, column)
    candidate = int(pool.candidate_ids[row])
    return Suggestion(
        candidate=candidate,
        lead=int(pool.lead_ids[column]),
        score=points(sum(part.hundredths for part in parts)),
        parts=told(parts),
        reasoning=sentence(parts),
        urgent=candidate in pool.urgent,
        match=match,
    )
