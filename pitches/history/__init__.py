"""What was written before this system was in use: who to, when, by whom, about whom.

Each row of the file becomes a sent Message of an imported Pitch, and a Match where it names a
candidate, so that the past counts in every limit and in never-twice like any other mail.
"""

from pitches.history.importing import import_history

__all__ = ["import_history"]
