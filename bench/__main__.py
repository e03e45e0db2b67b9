"""`python -m bench [NAME…]`: run the benchmarks; exit code 1 if a goal was missed."""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
# Its own server, unless somebody chose another folder; in it a database of its own.
os.environ.setdefault("EMBEDDED_PG_DIR", str(BASE_DIR / "var" / "pgdata-bench"))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.pop("DATABASE_URL", None)

import django  # noqa: E402

import tests.config.environment  # noqa: E402, F401 (keys and folders apart from the user's)

django.setup()

from django.db import connection  # noqa: E402
from django.test.utils import setup_test_environment  # noqa: E402

from bench.harness import Results  # noqa: E402

BESIDES = {"__main__", "harness"}
NAMES = sorted(
    found.name
    for found in pkgutil.iter_modules([str(Path(__file__).parent)])
    if found.name not in BESIDES and not found.name.startswith("_")
)


def main(asked: list[str]) -> int:
    """Run what is asked for, or everything."""
    unknown = sorted(set(asked) - set(NAMES))
    if unknown:
        known = ", ".join(NAMES)
        sys.stderr.write(f"There is no benchmark {', '.join(unknown)}; there are {known}.\n")
        return 2
    setup_test_environment()
    failed: list[str] = []
    for name in asked or NAMES:
        benchmark = importlib.import_module(f"bench.{name}")
        results = Results(name)
        sys.stdout.write(f"\n{name}: {(benchmark.__doc__ or '').strip().splitlines()[0]}\n")
        # Each one starts with empty tables.
        connection.creation.create_test_db(verbosity=0, autoclobber=True)
        try:
            benchmark.run(results)
        finally:
            connection.creation.destroy_test_db("overture", verbosity=0)
        failed += results.failed
    if failed:
        sys.stdout.write("\nMissed:\n" + "".join(f"  {goal}\n" for goal in failed))
    return 1 if failed else 0


sys.exit(main(sys.argv[1:]))
