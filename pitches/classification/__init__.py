"""What a mail is and what a person wants with it: pure, no database.

The rules are versioned by ``RULES``, which stands on everything they classified.
"""

from pitches.classification.intents import intent_of
from pitches.classification.kinds import RULES, Classification, classify
from pitches.classification.reading import (
    MOST_BYTES,
    MOST_REFERENCES,
    body_text,
    header,
    parse,
    received_at,
    references,
    written_by,
)
from pitches.classification.replies import MOST_CHARACTERS, written_by_person

__all__ = [
    "MOST_BYTES",
    "MOST_CHARACTERS",
    "MOST_REFERENCES",
    "RULES",
    "Classification",
    "body_text",
    "classify",
    "header",
    "intent_of",
    "parse",
    "received_at",
    "references",
    "written_by",
    "written_by_person",
]
