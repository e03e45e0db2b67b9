"""What keeps one candidate from one lead, for a block of leads at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from campaigns.models import Candidate
from pitches.matching import locations
from pitches.matching.likeness import Mask
from pitches.matching.pool import Pool
from pitches.matching.presets import Preset
from pitches.matching.rows import LeadRow
from prospects.models import Lead

# Confirmed interns per employee at one organization (H003-02: more than 1 in 4 is too many).
EMPLOYEES_PER_INTERN = 4


def masks(pool: Pool, leads: slice) -> Iterator[tuple[str, Mask]]:
    """Each reason with the pairs it holds in a block: a row for each candidate."""
    yield "declined_before", pool.matches.declined(leads)
    yield "already_matched", pool.matches.mask(leads)
    yield "already_pitched", pool.pitched.mask(leads)
    if pool.campaign.preset == Preset.PLACEMENT:
        yield from _of_placements(pool, leads)


def _of_placements(pool: Pool, leads: slice) -> Iterator[tuple[str, Mask]]:
    rows = pool.leads[leads]
    is_remote = np.array([row.is_remote for row in rows], np.bool_)
    only_remote = np.array([row.remote_only for row in pool.candidates], np.bool_)
    yield "remote_only", only_remote[:, None] & ~is_remote[None, :]
    yield "location_mismatch", _elsewhere(pool, rows) & ~is_remote[None, :]
    needs = np.array([row.visa == Candidate.Visa.YES for row in pool.candidates], np.bool_)
    refuses = np.array([row.visa_sponsorship == Lead.Visa.NO for row in rows], np.bool_)
    yield "visa_mismatch", needs[:, None] & refuses[None, :]
    yield "interns_full", _interns_full(pool, rows)
    excluded = pool.scores.excluded(leads)
    if excluded is not None:
        yield "no_industry_match", excluded


def _elsewhere(pool: Pool, rows: Sequence[LeadRow]) -> Mask:
    wanted = _numbered(row.location for row in pool.candidates)
    offered = _numbered(row.location for row in rows)
    apart = np.array(
        [[not locations.meet(one, other) for other in offered] for one in wanted], np.bool_
    ).reshape(len(wanted), len(offered))
    here = [wanted[row.location] for row in pool.candidates]
    there = [offered[row.location] for row in rows]
    found: Mask = apart[here][:, there]
    return found


def _interns_full(pool: Pool, rows: Sequence[LeadRow]) -> Mask:
    full = np.zeros((len(pool.candidates), len(rows)), np.bool_)
    interns = pool.placements.interns
    columns = defaultdict(list)
    for column, row in enumerate(rows):
        if row.organization in interns and row.employees is not None:
            columns[row.organization, row.employees].append(column)
    for (organization, employees), there in columns.items():
        for number, candidate in enumerate(pool.candidates):
            day = candidate.starts_on or pool.today
            busy = sum(
                (first is None or first <= day) and (last is None or last >= day)
                for first, last in interns[organization]
            )
            full[number, there] = busy * EMPLOYEES_PER_INTERN > employees
    return full


def _numbered(names: Iterable[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(dict.fromkeys(names))}
