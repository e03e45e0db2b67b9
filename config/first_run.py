"""Write `.env` with fresh keys: `python -m config.first_run`.

Runs before Django can start, so it uses nothing but the standard library.
"""

import base64
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

ENV_FILE = Path(__file__).resolve().parent.parent / ".env"

KEYS: dict[str, Callable[[], str]] = {
    "SECRET_KEY": lambda: secrets.token_urlsafe(64),
    "CREDENTIALS_KEY": lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    "SUPPRESSION_KEY": lambda: secrets.token_urlsafe(48),
    "MESSAGE_ID_KEY": lambda: secrets.token_urlsafe(48),
}

HEAD = """\
# Written once, by the first run. .env.example explains every setting that can stand here.
# Keep a copy of the four keys with your backups: without SUPPRESSION_KEY the list of people
# who must not be written to is unreadable, without CREDENTIALS_KEY so are mailbox passwords.
"""


def write(path: Path) -> bool:
    """Write fresh keys to `path` (mode 0600) unless it exists; tell whether it was written."""
    try:
        # O_EXCL: of two first runs at once only one may choose the keys.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(HEAD)
        file.writelines(f"{name}={fresh()}\n" for name, fresh in KEYS.items())
    return True


if __name__ == "__main__":
    if write(ENV_FILE):
        sys.stdout.write(f"Wrote {ENV_FILE.name} with four fresh keys.\n")
