"""The talking, as staff see it: one module per screen."""

from pitches.admin import (
    below,
    breakers,
    inbound,
    matches,
    messages,
    pitches,
    placements,
    rehearsal,
    review,
    senders,
    weeks,
)

__all__ = [
    "below",
    "breakers",
    "inbound",
    "matches",
    "messages",
    "pitches",
    "placements",
    "rehearsal",
    "review",
    "senders",
    "weeks",
]
