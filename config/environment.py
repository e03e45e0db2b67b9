"""Reading the environment: what cannot be read is one sentence with its name, never its value.

A value may be a password, also where it stands by mistake.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

KINDS = {int: "no whole number", bool: "neither true nor false", float: "no number"}
DATABASE = "an address such as postgres://user:password@host/name"


class Environment(environ.Env):
    """As django-environ, but whoever mistypes a value is told which one."""

    def get_value(self, var: str, cast: Any = None, *args: Any, **kwargs: Any) -> Any:
        """The value; raises ImproperlyConfigured where it is not of its kind."""
        try:
            return super().get_value(var, cast, *args, **kwargs)
        except (ValueError, TypeError, OverflowError) as e:
            kind = KINDS.get(cast, "not written as it should be")
            raise ImproperlyConfigured(f"{var} is {kind}. See .env.example.") from e

    def postgres(self, var: str) -> dict[str, Any]:
        """The database that an address names; raises ImproperlyConfigured."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about what is refused below
                found: dict[str, Any] = dict(self.db_url(var))
        except ValueError as e:
            raise ImproperlyConfigured(f"{var} cannot be read: it must be {DATABASE}.") from e
        if not str(found.get("ENGINE", "")).endswith("postgresql") or not found.get("NAME"):
            raise ImproperlyConfigured(f"{var} names no PostgreSQL: it must be {DATABASE}.")
        return found


def read_file(path: Path) -> None:
    """Take what a file sets and the environment does not; a missing file sets nothing.

    Raises ImproperlyConfigured where the file is there and cannot be read.
    """
    if not path.exists():
        return
    try:
        path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        cause = e.strerror if isinstance(e, OSError) else "it is not text in UTF-8"
        raise ImproperlyConfigured(f"{path} cannot be read: {cause}.") from e
    environ.Env.read_env(path)
