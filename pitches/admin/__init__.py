"""The talking, as staff see it: one module per screen."""

from pitches.admin import inbound, matches, messages, pitches, placements, review, senders

__all__ = ["inbound", "matches", "messages", "pitches", "placements", "review", "senders"]
