"""Which source brought a value, so that an import changes its own words and nobody else's.

``attributes["imported"]`` of a lead or organization holds, per source and field, a checksum of
what that source brought. A value that no longer matches was changed by a person or came from
elsewhere, and stays (REQUIREMENTS F 21).
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping
from typing import Any

KEY = "imported"
_BLANK: tuple[Any, ...] = (None, "", [], False, "unknown")


def checksum(value: Any) -> str:
    """Eight hex digits for a value of a field."""
    return f"{zlib.crc32(str(value).encode()):08x}"


def brought(source: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """``attributes`` of a new row."""
    filled = {name: checksum(value) for name, value in values.items() if value not in _BLANK}
    return {KEY: {source: filled}} if filled else {}


def changes(
    row: Any,
    values: Mapping[str, Any],
    *,
    source: str,
    fill_only: bool = False,
    manual: Collection[str] = (),
) -> dict[str, Any]:
    """The fields of ``row`` that ``source`` may set to its ``values``, ``attributes`` included.

    A blank field is filled, unless this source filled it before and somebody emptied it.
    Another value is replaced only if this source brought it. Nothing erases. ``fill_only``
    fills blanks and replaces nothing; ``manual`` names fields that a person has fixed.
    """
    sums = row.attributes.get(KEY, {}).get(source, {})
    changed = {}
    for name, value in values.items():
        present = getattr(row, name)
        if value in _BLANK or value == present or name in manual:
            continue
        if present in _BLANK:
            allowed = name not in sums
        else:
            allowed = not fill_only and sums.get(name) == checksum(present)
        if allowed:
            changed[name] = value
    if changed:
        sums = sums | {name: checksum(value) for name, value in changed.items()}
        others = row.attributes.get(KEY, {})
        changed["attributes"] = row.attributes | {KEY: others | {source: sums}}
    return changed
