"""The environment of the tests, set before Django reads its settings (`pytest -p`).

Nothing of the machine's own configuration may reach a test: no key, no send mode, no data.
"""

import os
import re
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent.parent
TEST_ENV = Path(__file__).with_name("test.env")
# A database may be chosen, so that several people can run the tests at once.
KEPT = {"DATABASE_URL", "EMBEDDED_PG_DIR"}


def documented_names() -> set[str]:
    """The names in .env.example, commented out or not."""
    example = (BASE_DIR / ".env.example").read_text()
    return set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", example, re.MULTILINE))


def outside(**chosen: str) -> dict[str, str]:
    """The environment of a program that starts as on a bare machine, plus what is chosen."""
    ours = documented_names() | {"ENV_FILE", "DJANGO_ALLOW_ASYNC_UNSAFE"}
    bare = {name: value for name, value in os.environ.items() if name not in ours}
    return bare | {"ENV_FILE": str(TEST_ENV)} | chosen


for name in documented_names() - KEPT:
    os.environ.pop(name, None)

os.environ["ENV_FILE"] = str(TEST_ENV)
os.environ.setdefault("EMBEDDED_PG_DIR", str(BASE_DIR / "var" / "pgdata-test"))
# pytest-playwright keeps an event loop in the main thread, which Django takes for async code.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
