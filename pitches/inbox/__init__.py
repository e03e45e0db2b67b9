"""Reading what came in: stored first, then understood, then acted upon, message by message.

The mark of a mailbox only moves over what was stored. Nothing is dropped: what matches no
pitch is kept and shown.
"""

from pitches.inbox.acting import act_on
from pitches.inbox.noting import MeaningSettled, close, record_reply, settle_meaning
from pitches.inbox.reading import (
    InboxUnavailable,
    Preview,
    Read,
    preview,
    read,
    readable,
    take_in,
    take_in_reported,
)
from pitches.inbox.storing import store

__all__ = [
    "InboxUnavailable",
    "MeaningSettled",
    "Preview",
    "Read",
    "act_on",
    "close",
    "preview",
    "read",
    "readable",
    "record_reply",
    "settle_meaning",
    "store",
    "take_in",
    "take_in_reported",
]
