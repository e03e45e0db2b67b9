"""Dates, numbers and yes or no, as people write them into sheets."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time

_YES = frozenset({"true", "yes", "y", "1", "x", "t", "on", "ja", "oui", "si", "sí"})
_NO = frozenset({"false", "no", "n", "0", "f", "off", "nein", "non", "-"})
_NUMBER = re.compile(r"[~<>≈]?\s*(\d[\d,. ']*)\s*([km]?)\b", re.IGNORECASE)
_SCALE = {"": 1, "k": 1_000, "m": 1_000_000}
_SPLIT = re.compile(r"\s*[|;\n]\s*")


class ValueUnclear(ValueError):
    """A cell that cannot be read as what its column holds; the text says so to a person."""


def yes_or_no(text: str) -> bool | None:
    """True, False, or None for an empty cell. Raises ValueUnclear."""
    word = text.strip().casefold()
    if not word:
        return None
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise ValueUnclear(f"“{text[:40]}” is neither yes nor no")


def number(text: str) -> int | None:
    """``1,200``, ``1.5k`` or the lower end of ``51-200``; None for an empty cell.

    Raises ValueUnclear for what is no number below 10^12.
    """
    if not text.strip():
        return None
    if not (found := _NUMBER.match(text.strip())):
        raise ValueUnclear(f"“{text[:40]}” is not a number")
    digits, scale = re.sub(r"[ ']", "", found[1]), _SCALE[found[2].lower()]
    grouped = re.fullmatch(r"\d{1,3}([,.]\d{3})+", digits)
    plain = re.sub(r"[,.]", "", digits) if grouped else digits.replace(",", ".").rstrip(".")
    try:
        value = int(float(plain) * scale)
    except ValueError:
        raise ValueUnclear(f"“{text[:40]}” is not a number") from None
    if value >= 10**12:
        raise ValueUnclear(f"“{text[:40]}” is too large a number")
    return value


def day(text: str) -> date | None:
    """``2026-03-02``, ``2.3.2026``, ``2 March 2026`` or ``03/25/2026``; None for an empty cell.

    Raises ValueUnclear, also for ``03/04/2026``, which is April here and March there.
    """
    text = text.strip()
    if not text:
        return None
    if found := re.match(r"(\d{4})[-/.]?(\d{2})[-/.]?(\d{2})(?!\d)", text):
        return _date(text, *map(int, found.groups()))
    if found := re.fullmatch(r"(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4})", text):
        return _date(text, int(found[3]), int(found[2]), int(found[1]))
    if found := re.fullmatch(r"(\d{1,2})[/-](\d{1,2})[/-](\d{4})", text):
        first, second, year = map(int, found.groups())
        if first <= 12 and second <= 12 and first != second:
            raise ValueUnclear(f"“{text}” may be read in two ways; write it as 2026-03-25")
        month, of_month = (first, second) if second > 12 or first == second else (second, first)
        return _date(text, year, month, of_month)
    for form in ("%d %B %Y", "%d %b %Y", "%B %d, %Y", "%b %d, %Y", "%B %Y", "%b %Y"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC).date()
        except ValueError:
            continue
    raise ValueUnclear(f"“{text[:40]}” is not a date; write it as 2026-03-25")


def moment(text: str) -> datetime | None:
    """A time with its zone, as ISO 8601; UTC where none is written, midnight where no time is.

    None for an empty cell. Raises ValueUnclear.
    """
    text = text.strip()
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = datetime.combine(day(text) or date.min, time())
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    if not 1900 <= found.year <= 2200:
        raise ValueUnclear(f"“{text[:40]}” is not a date of this age")
    return found.astimezone(UTC)


def has_time(text: str) -> bool:
    """Whether a cell that ``moment`` reads names a time of day."""
    return bool(re.search(r"\d:\d\d", text))


def words(text: str, *, most: int = 100) -> list[str]:
    """``a | b``, ``a; b`` or ``a, b`` as a list without repeats, at most ``most`` long."""
    parts = _SPLIT.split(text) if _SPLIT.search(text) else text.split(",")
    return list(dict.fromkeys(part.strip()[:120] for part in parts if part.strip()))[:most]


def _date(text: str, year: int, month: int, of_month: int) -> date:
    try:
        found = date(year, month, of_month)
    except ValueError:
        raise ValueUnclear(f"“{text[:40]}” is not a day of the calendar") from None
    if not 1900 <= found.year <= 2200:
        raise ValueUnclear(f"“{text[:40]}” is not a date of this age")
    return found
