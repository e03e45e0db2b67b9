"""Reading a folder by UID, in order, in batches of bounded size."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from imap_tools import BaseMailBox

from pitches.mailboxes.connecting import TROUBLE, MailboxUnavailable, opened, told
from pitches.models import Sender

# A mail is read by its first 2 MB, headers included; what a person answers stands there.
MOST_BYTES = 2_000_000
MOST_HEAD = 200_000
# Sizes are asked for by so many, texts by so many and so many bytes.
SIZES_AT_ONCE, TEXTS_AT_ONCE, BYTES_AT_ONCE = 200, 50, 4_000_000
# A mailbox with more than this, met for the first time, is not read from its beginning.
MOST_AT_FIRST = 1_000


class NotFetched(MailboxUnavailable):
    """The server has this message and does not give it."""

    def __init__(self, uid: int, cause: str) -> None:
        self.uid = uid
        super().__init__(f"mail {uid} cannot be fetched: {cause}")


@dataclass(frozen=True, slots=True)
class Letter:
    """One message of a folder; ``raw`` is cut at MOST_BYTES where it is larger."""

    uid: int
    validity: int
    raw: bytes
    size: int


class Mailbox:
    """One folder of an opened mailbox, read-only."""

    def __init__(self, box: BaseMailBox, sender: Sender, folder: str) -> None:
        self.box, self.sender, self.folder = box, sender, folder
        box.folder.set(folder, readonly=True)
        self.count = _first_number(box.client.response("EXISTS"))
        self.validity = _fold(sender, folder, _first_number(box.client.response("UIDVALIDITY")))

    def uids(self, criteria: str) -> list[int]:
        """The UIDs that match, ascending. Servers may spread them over several lines."""
        status, lines = self.box.client.uid("SEARCH", criteria)
        if status != "OK":
            raise MailboxUnavailable(f"the search was refused in {self.folder}")
        words = b" ".join(line for line in lines if isinstance(line, bytes)).split()
        return sorted({int(word) for word in words if word.isdigit()})

    def after(self, mark: int, *, since: date | None = None) -> list[int]:
        """The UIDs above the mark.

        ``UID n:*`` always answers the last message too (RFC 3501 section 6.4.8), so what is
        not above the mark is dropped here. ``since`` leaves out older mail where a folder is
        large and was never read.
        """
        old = (
            f" SINCE {_day(since)}" if since and not mark and self.count > MOST_AT_FIRST else ""
        )
        return [uid for uid in self.uids(f"UID {mark + 1}:*{old}") if uid > mark]

    def letters(self, uids: Iterable[int], *, one_by_one: bool = False) -> Iterator[Letter]:
        """The messages with these UIDs, in order; those gone meanwhile are left out.

        Raises NotFetched, naming the first that is there and cannot be had.
        """
        wanted = sorted(uids)
        for start in range(0, len(wanted), SIZES_AT_ONCE):
            some = wanted[start : start + SIZES_AT_ONCE]
            sizes = self._sizes(some)
            for group in _groups(some, sizes, most=1 if one_by_one else TEXTS_AT_ONCE):
                yield from self._texts(group, sizes)

    def head(self, uid: int) -> bytes:
        """The headers alone; empty where not even they can be had."""
        try:
            return self._fetch([uid], f"BODY.PEEK[HEADER]<0.{MOST_HEAD}>").get(uid, b"")
        except TROUBLE:
            return b""

    def _sizes(self, uids: list[int]) -> dict[int, int]:
        status, lines = self.box.client.uid("FETCH", _set(uids), "(UID RFC822.SIZE)")
        if status != "OK":
            return {}
        found = {}
        for line in lines:
            text = line[0] if isinstance(line, tuple) else line
            uid, size = _UID.search(text or b""), _SIZE.search(text or b"")
            if uid and size:
                found[int(uid[1])] = int(size[1])
        return found

    def _texts(self, uids: list[int], sizes: dict[int, int]) -> Iterator[Letter]:
        part = f"BODY.PEEK[]<0.{MOST_BYTES}>"
        try:
            found = self._fetch(uids, part)
        except TROUBLE as e:
            raise NotFetched(uids[0], told(self.sender, e)) from e
        for uid in uids:
            raw = found.get(uid)
            if raw is None:
                raw = self._alone(uid, part)
            if raw is not None:
                yield Letter(uid, self.validity, raw, max(sizes.get(uid, 0), len(raw)))

    def _alone(self, uid: int, part: str) -> bytes | None:
        """One that did not come with the others; None if it is there no more."""
        try:
            raw = self._fetch([uid], part).get(uid)
            if raw is None and not self.uids(f"UID {uid}"):
                return None
        except TROUBLE as e:
            raise NotFetched(uid, told(self.sender, e)) from e
        if raw is None:
            raise NotFetched(uid, "the server says that it is there and does not give it")
        return raw

    def _fetch(self, uids: list[int], part: str) -> dict[int, bytes]:
        status, lines = self.box.client.uid("FETCH", _set(uids), f"(UID {part})")
        if status != "OK":
            return {}
        asked, found = set(uids), {}
        for place, line in enumerate(lines):
            if isinstance(line, tuple):
                # The UID stands before the text or, at some servers, behind it.
                behind = lines[place + 1] if place + 1 < len(lines) else b""
                uid = _UID.search(line[0]) or _UID.search(
                    behind if isinstance(behind, bytes) else b""
                )
                if uid:
                    found[int(uid[1])] = bytes(line[1])
            elif isinstance(line, bytes) and (empty := _EMPTY.search(line)):
                found[int(empty[1])] = b""
        return {uid: raw for uid, raw in found.items() if uid in asked}


_UID = re.compile(rb"\bUID (\d+)")
_SIZE = re.compile(rb"\bRFC822\.SIZE (\d+)")
_EMPTY = re.compile(rb'\bUID (\d+) BODY\[\S*\](?:<\d+>)? ""')
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def arrived(sender: Sender, *, after: int, since: date | None = None) -> Iterator[Letter]:
    """What lies in the sender's inbox above the mark, in order of UID.

    Where the folder's numbering is not the one the mark belongs to, from the beginning. Raises
    MailboxUnavailable.
    """
    with opened(sender) as box:
        inbox = Mailbox(box, sender, sender.inbox_folder)
        mark = after if inbox.validity == sender.inbox_uid_validity else 0
        yield from inbox.letters(inbox.after(mark, since=since))


def _fold(sender: Sender, folder: str, validity: int) -> int:
    """The server's UIDVALIDITY, made to say which folder of which mailbox it numbers.

    So a mark never counts for another server, login or folder, whose numbers may be equal.
    """
    place = f"{sender.imap_host.lower()}\0{sender.username or sender.address}\0{folder}"
    return (zlib.crc32(place.encode()) & 0x7FFFFFFF) << 32 | (validity or 1)


def _first_number(answer: tuple) -> int:
    words = answer[1] or []
    word = words[-1] if words else None
    return int(word) if isinstance(word, bytes) and word.isdigit() else 0


def _day(day: date) -> str:
    return f"{day.day}-{_MONTHS[day.month - 1]}-{day.year}"


def _set(uids: list[int]) -> str:
    return ",".join(map(str, uids))


def _groups(uids: list[int], sizes: dict[int, int], *, most: int) -> Iterator[list[int]]:
    """UIDs in order, parted so that no group brings more than BYTES_AT_ONCE."""
    group: list[int] = []
    held = 0
    for uid in uids:
        size = min(sizes.get(uid, MOST_BYTES), MOST_BYTES)
        if group and (len(group) >= most or held + size > BYTES_AT_ONCE):
            yield group
            group, held = [], 0
        group.append(uid)
        held += size
    if group:
        yield group
