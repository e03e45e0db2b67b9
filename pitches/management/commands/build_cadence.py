"""The earlier system's name for ``weekly``."""

from pitches.management.commands.weekly import Command

__all__ = ["Command"]
