"""Time zones by their names in the IANA database."""

from __future__ import annotations

from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from django.core.exceptions import ValidationError


@lru_cache(1)
def names() -> frozenset[str]:
    """Every zone name this machine knows."""
    return frozenset(available_timezones())


def check(name: str) -> None:
    """Raises ValidationError unless ``name`` is a zone such as ``Europe/Berlin``."""
    if name and name not in names():
        raise ValidationError(f"“{name}” is not a time zone; write one such as Europe/Berlin.")


@lru_cache(512)
def zone(name: str, fallback: str = "UTC") -> ZoneInfo:
    """The zone called ``name``; ``fallback`` where the name is empty or unknown."""
    return ZoneInfo(name if name in names() else fallback)
