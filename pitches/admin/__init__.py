"""The talking, as staff see it: one module per screen."""

from pitches.admin import (
    below,
    inbound,
    matches,
    messages,
    pitches,
    placements,
    review,
    senders,
)

__all__ = [
    "below",
    "inbound",
    "matches",
    "messages",
    "pitches",
    "placements",
    "review",
    "senders",
]
