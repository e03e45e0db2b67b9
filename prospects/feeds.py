"""Podcast feeds (RSS, Atom) and lists of them (OPML), read from bytes.

feedparser opens a file or fetches a page when its argument looks like one, expands entities and
is slow on hostile input, so what it gets are bytes without a document type, in a child process
with limits of time and memory (SEC-20).
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from config import tables
from config.tables import UnreadableFile

CPU_SECONDS = 5
MEMORY = 512 * 1024 * 1024
NESTING = 64
ITEMS = 300
FOLDER_LIMIT = 2_000
SUFFIXES = (".xml", ".rss", ".atom", ".opml")

_READER = Path(__file__).with_name("feed_reader.py")
_FORBIDDEN = re.compile(rb"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)
_TAG = re.compile(rb"<(/?)([A-Za-z_][^\s/>]*)([^<>]*?)(/?)>")
_NOT_MARKUP = re.compile(rb"<!\[CDATA\[.*?(?:\]\]>|\Z)|<!--.*?(?:-->|\Z)|<\?.*?\?>", re.DOTALL)


class File(NamedTuple):
    """A feed's bytes and the name of its file, for messages."""

    name: str
    content: bytes


def files_in(folder: Path) -> list[File]:
    """The feeds and lists of feeds in a folder. Raises UnreadableFile where there is none."""
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not paths or len(paths) > FOLDER_LIMIT:
        number = f"more than {FOLDER_LIMIT:,}" if paths else "no"
        raise UnreadableFile(f"{folder} has {number} files ending in {', '.join(SUFFIXES)}.")
    return [File(path.name, path.read_bytes()[: tables.SIZE_LIMIT + 1]) for path in paths]


def is_markup(content: bytes) -> bool:
    """Whether a file is XML or HTML and so none of a table's business."""
    return _as_ascii(content).lstrip()[:1] == b"<"


def read(content: bytes, name: str) -> dict[str, Any]:
    """A feed as ``{"kind": "feed", "feed": {…}, "items": […]}``, a list of feeds as ``{"kind":
    "opml", "feeds": […]}``; every value is text as found, at most 300 items.

    Raises UnreadableFile for what is neither, is hostile, or takes more than five seconds of
    processor time or 512 MB of memory.
    """
    tables.check_size(name, len(content))
    plain = _as_ascii(content)
    if _FORBIDDEN.search(plain) and not _is_html(plain):
        raise UnreadableFile(f"{name} declares a document type or entities; feeds need none.")
    if _is_html(plain):
        raise UnreadableFile(f"{name} is a web page, not a feed.")
    if _depth(plain) > NESTING:
        raise UnreadableFile(f"{name} is nested more than {NESTING} levels deep.")
    return _parse(content, name)


def _as_ascii(content: bytes) -> bytes:
    """The markup of any encoding: NULs of UTF-16 and the byte order mark are no part of it."""
    return content.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe")


def _is_html(plain: bytes) -> bool:
    return bool(re.search(rb"<html[\s>]", plain[:2_000], re.IGNORECASE)) and not re.search(
        rb"<(rss|feed|opml|rdf)[\s:>]", plain[:2_000], re.IGNORECASE
    )


def _depth(plain: bytes) -> int:
    """How deep elements are nested; closing tags of any name count."""
    depth = deepest = 0
    for closing, _, _, empty in _TAG.findall(_NOT_MARKUP.sub(b"", plain)):
        if closing:
            depth = max(0, depth - 1)
        elif not empty:
            depth += 1
            deepest = max(deepest, depth)
            if deepest > NESTING:
                break
    return deepest


def _parse(content: bytes, name: str) -> dict[str, Any]:
    command = [sys.executable, "-I", str(_READER), str(CPU_SECONDS), str(MEMORY), str(ITEMS)]
    try:
        child = subprocess.run(
            command,
            input=content,
            capture_output=True,
            timeout=6 * CPU_SECONDS,
            env={"PATH": "", "PYTHONDONTWRITEBYTECODE": "1"},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UnreadableFile(f"{name} takes too long to read.") from None
    if child.returncode:
        raise UnreadableFile(
            f"{name} takes more than {CPU_SECONDS} s or {MEMORY // 1024**2} MB to read."
        )
    answer: dict[str, Any] = json.loads(child.stdout)
    if answer["kind"] == "nothing":
        raise UnreadableFile(f"{name} is not a feed: {answer['reason']}.")
    return answer
