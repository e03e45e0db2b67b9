"""The day on which all tests happen."""

from datetime import UTC, datetime

MONDAY = datetime(2026, 6, 1, 9, tzinfo=UTC)
