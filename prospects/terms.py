"""When a role begins and ends, from terms such as ``Summer 2025 | Fall 2025``."""

from __future__ import annotations

import re
from datetime import date
from typing import NamedTuple

# First and last month of each season, as colleges and their internships count them. A spring
# term begins in January at many colleges; March is when internships of that name begin.
SEASONS = {"winter": (1, 4), "spring": (3, 5), "summer": (6, 8), "fall": (9, 12)}
_LAST_DAY = {4: 30, 5: 31, 8: 31, 12: 31}
_TERM = re.compile(r"(winter|spring|summer|fall|autumn)\s+'?(\d{4}|\d{2})", re.IGNORECASE)


class Term(NamedTuple):
    """The first and the last day of a season."""

    starts_on: date
    ends_on: date


def terms(text: str) -> list[Term]:
    """All terms that a text names, earliest first."""
    found = set()
    for season, year in _TERM.findall(text):
        first, last = SEASONS[season.lower().replace("autumn", "fall")]
        full = int(year) if len(year) == 4 else 2000 + int(year)
        found.add(Term(date(full, first, 1), date(full, last, _LAST_DAY[last])))
    return sorted(found)


def next_term(text: str, *, today: date) -> Term | None:
    """The first term that has not begun by ``today``, else the last one; None without any."""
    found = terms(text)
    ahead = (term for term in found if term.starts_on > today)
    return next(ahead, found[-1] if found else None)
