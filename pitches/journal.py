"""The send journal: a file outside the database that survives what happens to it.

One line of JSON per event, fsynced: the *intent* before a message is handed over, the *reply*
after. A restored database asks it what already went out; a message whose intent is known is
never handed over again by the machine. Recipients appear as keyed hashes only (RELIABILITY 9).
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import threading
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings

INTENT = "intent"
REPLY = "reply"
# From here on an admin answers for what the journal does not know of earlier times.
BEGUN = "begun"
# What a reply line says became of an intent.
ACCEPTED = "accepted"
REFUSED = "refused"
RELEASED = "released"


class JournalUnavailable(Exception):
    """The journal cannot be written, read or believed; nothing is handed over without it."""


def record_intent(
    message_id: str, *, recipient: str, owner: str, mode: str, at: datetime, words: str = ""
) -> None:
    """Write down, durably, that this message is about to be handed over.

    ``owner`` is the lease under which it happens, so that a claim that died before its commit
    can be told from a message that went out; ``words`` is the fingerprint of what goes out.
    Raises JournalUnavailable if the line cannot be
    made durable.
    """
    _append(
        {
            "at": at.isoformat(),
            "phase": INTENT,
            "message_id": message_id,
            "recipient": _hash(recipient),
            "owner": owner,
            "words": words,
            "mode": mode,
        }
    )
    with suppress(
        JournalUnavailable
    ):  # it stands there; whether it is lost later is to be seen
        _Index.of(settings.JOURNAL_DIR)


def record_reply(
    message_id: str, *, outcome: str, code: int | None, at: datetime, mode: str
) -> None:
    """Write down what the server answered.

    ``accepted``, ``refused`` or ``released``.
    """
    _append(
        {
            "at": at.isoformat(),
            "phase": REPLY,
            "message_id": message_id,
            "outcome": outcome,
            "code": code,
            "mode": mode,
        }
    )


def record_beginning(*, by: str, reason: str, at: datetime) -> None:
    """Write down who begins it anew, and why. Raises JournalUnavailable."""
    _append(
        {"at": at.isoformat(), "phase": BEGUN, "message_id": "", "by": by, "reason": reason}
    )


def lines(*, folder: Path | None = None) -> Iterator[dict[str, Any]]:
    """Every readable line, oldest month first.

    A torn last line, as a crash leaves it, is passed over.
    """
    for path in sorted((folder or settings.JOURNAL_DIR).glob("*.jsonl")):
        with path.open("rb") as file:
            for raw in file:
                if raw.endswith(b"\n"):
                    yield json.loads(raw)


def outcome_of(message_id: str) -> str | None:
    """What the journal last knows of a message.

    ``intent``, ``accepted``, ``refused``, ``released`` or None. Raises JournalUnavailable.
    """
    return _Index.of(settings.JOURNAL_DIR).outcomes.get(message_id)


def owner_of_intent(message_id: str) -> str | None:
    """The lease of the last intent, if no answer followed it. Raises JournalUnavailable."""
    index = _Index.of(settings.JOURNAL_DIR)
    return index.owners.get(message_id) if index.outcomes.get(message_id) == INTENT else None


def begun_at() -> datetime | None:
    """When an admin last began it anew, if ever. Raises JournalUnavailable."""
    return _Index.of(settings.JOURNAL_DIR).begun_at


def intents() -> Container[str]:
    """Every message that was about to be handed over. Raises JournalUnavailable."""
    return _Index.of(settings.JOURNAL_DIR).owners.keys()


def believed() -> set[str]:
    """In which send modes it was found to know what went out; for the caller to add to.

    Empty again as soon as a part of it is gone. Raises JournalUnavailable.
    """
    return _Index.of(settings.JOURNAL_DIR).believed


# One thread at a time reads on, or two would skip what each thinks the other has read.
_READING = threading.Lock()


class _Index:
    """The journal in memory, read on from where the last look ended."""

    _cache: dict[Path, _Index] = {}

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.outcomes: dict[str, str] = {}
        self.owners: dict[str, str] = {}
        self.begun_at: datetime | None = None
        self.believed: set[str] = set()
        self.read_to: dict[Path, int] = {}

    @classmethod
    def of(cls, folder: Path) -> _Index:
        index = cls._cache.setdefault(folder, cls(folder))
        if not index.read_on():  # it knows more than the disk does, which is what counts
            index = cls._cache[folder] = cls(folder)
            index.read_on()
        return index

    def read_on(self) -> bool:
        """False where a part that was read before is gone.

        Raises JournalUnavailable for what cannot be read: not knowing is no permission.
        """
        try:
            with _READING:
                paths = sorted(self.folder.glob("*.jsonl"))
                is_whole = self.read_to.keys() <= set(paths)
                return is_whole and all([self._read_file(path) for path in paths])
        except (OSError, ValueError, KeyError) as e:
            raise JournalUnavailable(f"it cannot be read: {e!r}"[:200]) from e

    def _read_file(self, path: Path) -> bool:
        begin = self.read_to.get(path, 0)
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size < begin:
                return False
            file.seek(begin)
            for raw in file:
                if not raw.endswith(b"\n"):
                    break
                self._note(json.loads(raw))
                self.read_to[path] = self.read_to.get(path, 0) + len(raw)
        return True

    def _note(self, line: dict[str, Any]) -> None:
        if line["phase"] == BEGUN:
            self.begun_at = datetime.fromisoformat(line["at"])
            return
        self.outcomes[line["message_id"]] = line.get("outcome") or INTENT
        if line["phase"] == INTENT:
            self.owners[line["message_id"]] = line["owner"]


def _append(line: dict[str, Any]) -> None:
    path = settings.JOURNAL_DIR / f"{line['at'][:7]}.jsonl"
    try:
        with _opened(path) as descriptor:
            _mend(descriptor)
            raw = json.dumps(line, sort_keys=True).encode() + b"\n"
            if os.write(descriptor, raw) != len(raw):
                raise OSError("only a part of the line could be written: is the disk full?")
            os.fsync(descriptor)
    except OSError as e:
        raise JournalUnavailable(f"{e.strerror or e}") from e


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    is_new = not path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if is_new:
            _sync_folder(path.parent)
        yield descriptor
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    """A new file is durable only once its name is."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _mend(descriptor: int) -> None:
    """End a line that a crash tore, so that the next one stays readable."""
    size = os.fstat(descriptor).st_size
    if size and os.pread(descriptor, 1, size - 1) != b"\n":
        size_of_torn = _torn(descriptor, size)
        os.ftruncate(descriptor, size - size_of_torn)


def _torn(descriptor: int, size: int) -> int:
    tail = os.pread(descriptor, min(size, 65_536), max(0, size - 65_536))
    return len(tail) - (tail.rfind(b"\n") + 1)


def _hash(recipient: str) -> str:
    secret = settings.MESSAGE_ID_KEY.encode()
    return hmac.new(secret, recipient.lower().encode(), hashlib.sha256).hexdigest()
