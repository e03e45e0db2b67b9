"""When two places meet. Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from pitches.matching.likeness import plain
from prospects import places

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


def meet(wanted: str, offered: str) -> bool:
    """Whether somebody at `wanted` can take what is at `offered`.

    Each may name several places, separated by `|`, `;` or `/`. What is unknown is no mismatch.
    A country meets everything in it; a city meets the same city, unless both name a region and
    none of these agree.
    """
    here, there = _places(wanted), _places(offered)
    return any(_overlap(one, other) for one in here for other in there)


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


def _overlap(one: _Place, other: _Place) -> bool:
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
