"""The child process of ``prospects.feeds``: a feed on standard input, JSON on standard output.

It is started by path, not imported: three numbers limit its processor seconds, its bytes of
memory and the items it tells of.
"""

from __future__ import annotations

import contextlib
import json
import re
import resource
import sys
import time
import warnings
from typing import Any

import feedparser
import listparser

TEXT = 20_000


def read(content: bytes, items: int) -> dict[str, Any]:
    """What the bytes are: a feed, a list of feeds, or nothing with a reason."""
    if b"<opml" in content[:5_000].replace(b"\0", b"").lower():
        return _opml(content)
    content, more = _cut(content, items)
    parsed = feedparser.parse(content)
    feed = parsed.feed
    if not parsed.version and not feed.get("title") and not parsed.entries:
        reason = getattr(parsed, "bozo_exception", None)
        return {
            "kind": "nothing",
            "reason": str(reason or "it has no title and no items")[:200],
        }
    return {
        "kind": "feed",
        "feed": _feed(feed),
        "items": [_item(entry) for entry in parsed.entries[:items]],
        "more": more,
        "flaw": str(parsed.bozo_exception)[:200] if parsed.bozo else "",
    }


def _cut(content: bytes, items: int) -> tuple[bytes, int]:
    """The bytes without what follows the first items, closed again; and how many were cut."""
    starts = [found.start() for found in re.finditer(rb"<(?:item|entry)[\s>]", content)]
    if len(starts) <= items:
        return content, 0
    atom = content[starts[items] :].startswith(b"<entry")
    end = b"</feed>" if atom else b"</channel></rss>"
    if b"<rdf:RDF" in content[:5_000]:
        end = b"</rdf:RDF>"
    return content[: starts[items]] + end, len(starts) - items


def _opml(content: bytes) -> dict[str, Any]:
    parsed = listparser.parse(content)
    feeds = [
        {
            "title": feed.title,
            "url": feed.url,
            "categories": [word for words in feed.categories for word in words],
        }
        for feed in parsed.feeds
    ]
    if not feeds:
        return {"kind": "nothing", "reason": "the list names no feeds"}
    return {"kind": "opml", "feeds": feeds}


def _feed(feed: Any) -> dict[str, Any]:
    owner = feed.get("publisher_detail") or {}
    author = feed.get("author_detail") or {}
    links = {link.get("rel"): link.get("href", "") for link in feed.get("links", [])}
    return {
        "title": _text(feed.get("title"), 500),
        "text": _text(feed.get("subtitle") or feed.get("summary")),
        "summary": _text(feed.get("summary")),
        "url": _text(feed.get("link"), 2_000),
        "self": _text(feed.get("itunes_new-feed-url") or links.get("self"), 2_000),
        "language": _text(feed.get("language"), 16),
        "author": _text(feed.get("author"), 300),
        "author_email": _text(author.get("email"), 400),
        "owner": _text(owner.get("name"), 300),
        "owner_email": _text(owner.get("email"), 400),
        "keywords": [_text(tag.get("term"), 120) for tag in feed.get("tags", [])][:50],
    }


def _item(entry: Any) -> dict[str, Any]:
    published = entry.get("published_parsed") or entry.get("updated_parsed")
    return {
        "guid": _text(entry.get("id") or entry.get("link") or entry.get("title"), 500),
        "title": _text(entry.get("title"), 500),
        "url": _text(entry.get("link"), 2_000),
        "text": _text(_longest(entry)),
        "published": time.strftime("%Y-%m-%dT%H:%M:%SZ", published) if published else "",
        "length": _text(entry.get("itunes_duration"), 20),
        "keywords": [_text(tag.get("term"), 120) for tag in entry.get("tags", [])][:50],
    }


def _longest(entry: Any) -> str:
    texts = [entry.get("summary") or ""]
    texts += [content.get("value") or "" for content in entry.get("content", [])]
    return max(texts, key=len)


def _text(value: Any, limit: int = TEXT) -> str:
    return "" if value is None else str(value)[:limit]


def main() -> None:
    cpu, memory, items = (int(argument) for argument in sys.argv[1:4])
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))
    with contextlib.suppress(ValueError, OSError):  # macOS knows no such limit
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    warnings.simplefilter("ignore")
    answer = read(sys.stdin.buffer.read(), items)
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
