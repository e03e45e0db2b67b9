"""Country and time zone of a place, where its name leaves no doubt."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from importlib import resources
from typing import NamedTuple

EASTERN, CENTRAL, MOUNTAIN, PACIFIC = (
    f"America/{city}" for city in ("New_York", "Chicago", "Denver", "Los_Angeles")
)
# States of the United States: name, code and zone. Those that lie in two zones have none.
_STATES = f"""
Alabama AL {CENTRAL}|Alaska AK |Arizona AZ America/Phoenix|Arkansas AR {CENTRAL}
California CA {PACIFIC}|Colorado CO {MOUNTAIN}|Connecticut CT {EASTERN}|Delaware DE {EASTERN}
District of Columbia DC {EASTERN}|Florida FL |Georgia GA {EASTERN}|Hawaii HI Pacific/Honolulu
Idaho ID |Illinois IL {CENTRAL}|Indiana IN |Iowa IA {CENTRAL}|Kansas KS |Kentucky KY
Louisiana LA {CENTRAL}|Maine ME {EASTERN}|Maryland MD {EASTERN}|Massachusetts MA {EASTERN}
Michigan MI |Minnesota MN {CENTRAL}|Mississippi MS {CENTRAL}|Missouri MO {CENTRAL}
Montana MT {MOUNTAIN}|Nebraska NE |Nevada NV |New Hampshire NH {EASTERN}|New Jersey NJ {EASTERN}
New Mexico NM {MOUNTAIN}|New York NY {EASTERN}|North Carolina NC {EASTERN}|North Dakota ND
Ohio OH {EASTERN}|Oklahoma OK {CENTRAL}|Oregon OR |Pennsylvania PA {EASTERN}
Rhode Island RI {EASTERN}|South Carolina SC {EASTERN}|South Dakota SD |Tennessee TN
Texas TX |Utah UT {MOUNTAIN}|Vermont VT {EASTERN}|Virginia VA {EASTERN}
Washington WA {PACIFIC}|West Virginia WV {EASTERN}|Wisconsin WI {CENTRAL}|Wyoming WY {MOUNTAIN}
"""
_PROVINCES = (
    "Alberta AB|British Columbia BC|Manitoba MB|New Brunswick NB|Newfoundland NL|"
    "Nova Scotia NS|Ontario ON|Prince Edward Island PE|Quebec QC|Saskatchewan SK"
)
# Cities that name their zone where the state does not, or that are written alone.
_CITIES = {
    PACIFIC: "la|los angeles|sf|san francisco|sf bay area|san diego|san jose|seattle|palo alto|"
    "mountain view|sunnyvale|portland, or|las vegas|reno",
    MOUNTAIN: "denver|boulder|salt lake city|boise",
    CENTRAL: "chicago|austin|dallas|houston|plano|minneapolis|nashville|fort worth|san antonio",
    EASTERN: "nyc|new york|new york city|brooklyn|manhattan|boston|atlanta|philadelphia|"
    "pittsburgh|miami|orlando|tampa|detroit|ann arbor|indianapolis|washington dc",
    "America/Toronto": "toronto|ottawa|montreal|markham|waterloo, on",
    "America/Vancouver": "vancouver, bc|vancouver, canada|richmond, bc",
    "America/Edmonton": "calgary|edmonton",
    "Europe/London": "london|london, england|edinburgh|belfast",
    "Europe/Berlin": "berlin|munich|hamburg|frankfurt|cologne",
    "Europe/Paris": "paris|lyon",
    "Europe/Amsterdam": "amsterdam",
    "Europe/Zurich": "zurich|geneva",
    "Europe/Dublin": "dublin, ireland",
    "Asia/Kolkata": "bengaluru|bangalore|mumbai|hyderabad",
    "Australia/Sydney": "sydney",
}
_NAMES = {
    "US": "us|usa|u.s|u.s.a|united states|united states of america",
    "GB": "uk|u.k|united kingdom|great britain|england|scotland|wales|northern ireland",
    "DE": "deutschland",
    "AT": "österreich",
    "CH": "schweiz|suisse",
    "NL": "the netherlands|holland",
    "ES": "españa",
    "CZ": "czechia",
    "TR": "turkey|türkiye",
    "RU": "russian federation",
    "BR": "brasil",
    "KR": "south korea|korea",
    "TW": "taiwan",
    "VN": "vietnam",
    "AE": "uae",
}
_REMOTE = re.compile(r"\bremote\b|\banywhere\b|\bworldwide\b", re.IGNORECASE)
_FILLER = re.compile(
    r"\b(fully |partly )?remote\b|\bin\b|\bhybrid\b|\(|\)|[-\u2013\u2014]", re.IGNORECASE
)


class Place(NamedTuple):
    """ISO country and IANA zone; empty where they are not certain."""

    country: str = ""
    time_zone: str = ""


def is_remote(location: str) -> bool:
    """Whether the words of a location say that the work may be done from elsewhere."""
    return bool(_REMOTE.search(location))


def split(locations: str) -> list[str]:
    """``NYC | SF`` and ``Berlin; Paris`` as lists of places."""
    return [part.strip() for part in re.split(r"[|;\n]", locations) if part.strip()]


def find(locations: str) -> Place:
    """Country and zone on which all places of ``locations`` agree."""
    found = [_find(part) for part in split(locations) if _FILLER.sub("", part).strip()]
    return Place(_agreed(p.country for p in found), _agreed(p.time_zone for p in found))


def country_code(name: str) -> str:
    """``DE`` for Germany, germany, DE or Deutschland; empty for anything else."""
    return _countries().get(name.strip().casefold(), "")


def _agreed(values: Iterable[str]) -> str:
    unique = set(values)
    return unique.pop() if len(unique) == 1 else ""


@lru_cache(2_048)
def _find(place: str) -> Place:
    words = [" ".join(_FILLER.sub(" ", word).split()).casefold() for word in place.split(",")]
    words = [word.rstrip(".") for word in words if word]
    if not words:
        return Place()
    for name in (", ".join(words[:2]), ", ".join(words[-2:]), words[0]):
        if zone := _city_zones().get(name):
            country = _zone_countries()[zone]
            said = _find_region(words).country
            # “London, ON” is not in England; “Toronto, CA” is in Canada for all that.
            if said in ("", country) or (words[-1] == "ca" and country == "CA"):
                return Place(country, zone)
    return _find_region(words)


def _find_region(words: list[str]) -> Place:
    last = words[-1]
    state = _states().get(last)
    with_country = _countries().get(last, "")
    if state is not None and (len(words) > 1 or len(last) > 2):
        return Place("US", state)
    if last in _provinces() and (len(words) > 1 or len(last) > 2):
        return Place("CA", "")
    if with_country == "US" and len(words) > 1 and words[-2] in _states():
        return Place("US", _states()[words[-2]])
    if with_country and (len(last) > 2 or last in ("us", "uk")):
        return Place(with_country, _only_zone(with_country))
    return Place()


@lru_cache(1)
def _states() -> dict[str, str]:
    zones = {}
    for entry in re.split(r"[|\n]", _STATES.strip()):
        found = re.fullmatch(r"(.+) ([A-Z]{2}) ?(\S*)", entry.strip())
        assert found is not None
        name, code, zone = found.groups()
        zones[name.casefold()] = zones[code.casefold()] = zone
    del zones["new york"], zones["washington"], zones["georgia"]  # a city, a city, a country
    return zones | {"d.c": EASTERN, "dc": EASTERN}


@lru_cache(1)
def _provinces() -> frozenset[str]:
    words = set()
    for entry in _PROVINCES.split("|"):
        name, _, code = entry.rpartition(" ")
        words |= {name.casefold(), code.casefold()}
    return frozenset(words | {"québec"})


@lru_cache(1)
def _city_zones() -> dict[str, str]:
    return {name: zone for zone, names in _CITIES.items() for name in names.split("|")}


@lru_cache(1)
def _countries() -> dict[str, str]:
    codes = {name: code for code, names in _NAMES.items() for name in names.split("|")}
    for code, name in _table("iso3166.tab"):
        codes.setdefault(name.casefold(), code)
        codes.setdefault(code.casefold(), code)
    del codes["georgia"]  # or the state
    return codes


@lru_cache(1)
def _zones_of_countries() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for code, _, zone, *_ in _table("zone.tab"):
        found.setdefault(code, []).append(zone)
    return found


def _only_zone(country: str) -> str:
    # Germany's second zone is an exclave's with the same clock.
    zones = ["Europe/Berlin"] if country == "DE" else _zones_of_countries().get(country, [])
    return zones[0] if len(zones) == 1 else ""


@lru_cache(1)
def _zone_countries() -> dict[str, str]:
    return {zone: code for code, zones in _zones_of_countries().items() for zone in zones}


def _table(name: str) -> list[list[str]]:
    text = (resources.files("tzdata.zoneinfo") / name).read_text("utf-8")
    return [line.split("\t") for line in text.splitlines() if line and line[0] != "#"]
