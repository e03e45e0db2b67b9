#!/usr/bin/env python
"""The project's command line."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import OperationalError

# A command that cannot be done as asked ends with this code.
UNUSABLE = 2


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        execute_from_command_line(sys.argv)
    except OperationalError as e:
        # A lost server is no error of ours: one sentence says more than forty lines.
        if "--traceback" in sys.argv or "connection failed" not in str(e):
            raise
        first_line = str(e).splitlines()[0]
        sys.stderr.write(f"The database does not answer: {first_line}\n")
        sys.exit(UNUSABLE)
    except ImproperlyConfigured as e:
        if "--traceback" in sys.argv:
            raise
        sys.stderr.write(f"The settings are not right: {e}\n")
        sys.exit(UNUSABLE)


if __name__ == "__main__":
    main()
