"""Feeds and lists of feeds as leads."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from django.utils.html import strip_tags

from config import values
from config.imports import Cells, Report
from config.tables import UnreadableFile
from config.text import clean_line, clean_text
from config.values import ValueUnclear
from prospects import addresses, feeds
from prospects.addresses import AddressError
from prospects.importing import rows
from prospects.importing.job import Job
from prospects.leads import FoundItem, FoundLead


def read(files: Sequence[feeds.File], job: Job, report: Report) -> Iterator[FoundLead]:
    """The leads of the files; what cannot be read is refused by its file's name."""
    for line, file in enumerate(files, 1):
        try:
            answer = feeds.read(file.content, file.name)
        except UnreadableFile as e:
            report.counts["rows"] += 1
            report.refuse(line, str(e).rstrip("."))
            report.unreadable.append(e)
            continue
        if answer["kind"] == "opml":
            found = _listed(answer["feeds"])
        else:
            found = [(line, answer["feed"], answer["items"])]
            if answer["more"]:
                report.warn(line, f"{file.name}: {answer['more']} older items were left out")
        report.counts["rows"] += len(found)
        for at, feed, items in found:
            try:
                yield _lead(at, feed, items, job, report)
            except ValueUnclear as e:
                report.refuse(at, f"{file.name}: {e}".rstrip("."))


def _listed(found: Sequence[dict[str, Any]]) -> list[tuple[int, dict[str, Any], list[Any]]]:
    """The entries of a list of feeds as if each were a feed without items."""
    return [
        (
            at,
            {"title": each["title"], "self": each["url"], "keywords": each["categories"]},
            [],
        )
        for at, each in enumerate(found, 1)
    ]


def _lead(
    line: int, feed: dict[str, Any], items: list[dict[str, Any]], job: Job, report: Report
) -> FoundLead:
    """A feed as if it were a row, and its items."""
    text = _without_tags(feed.get("text", "")) or _without_tags(feed.get("summary", ""))
    cells = {
        "name": _without_tags(feed["title"]),
        "text": text,
        "organization": feed.get("author", ""),
        "feed_url": feed.get("self", ""),
        "website": feed.get("url", "") if "author" in feed else "",
        "language": feed.get("language", ""),
        "keywords": " | ".join(feed.get("keywords", [])),
        "contact_name": feed.get("owner") or feed.get("author", ""),
    }
    email = feed.get("owner_email") or feed.get("author_email", "")
    try:
        cells["email"] = addresses.exact_email(email) if email else ""
    except AddressError as e:
        report.warn(line, f"email: {e} Left out")
    row = Cells(line, cells)
    found = rows.read_row(row, job)
    for warning in row.warnings:
        report.warn(line, warning)
    found.items = [_item(item) for item in items if item["title"] or item["text"]]
    return found


def _item(item: dict[str, Any]) -> FoundItem:
    title = clean_line(_without_tags(item["title"]), 500)
    text = clean_text(_without_tags(item["text"]))
    return FoundItem(
        guid=clean_line(item["guid"], 500) or title or text[:500],
        title=title or text[:100],
        url=item["url"] if addresses.is_url(item["url"]) else "",
        text=text,
        published_at=_published(item["published"]),
        seconds=_seconds(item["length"]),
        keywords=[word for word in map(clean_line, item["keywords"]) if word],
    )


def _published(text: str) -> datetime | None:
    try:
        return values.moment(text)
    except ValueError:  # a date of 1601 or 9999
        return None


def _seconds(text: str) -> int | None:
    """``1:02:03``, ``62:03`` or ``3723`` as seconds; None for anything else."""
    if not re.fullmatch(r"\d{1,6}(:\d{1,2}){0,2}", text):
        return None
    seconds = 0
    for part in text.split(":"):
        seconds = 60 * seconds + int(part)
    return seconds or None


def _without_tags(text: str) -> str:
    """The words of a piece of HTML; breaks and paragraphs become lines."""
    if "<" in text:
        text = strip_tags(re.sub(r"(?i)<(?:br|/p|/li|/h\d)\b[^<>]{0,200}>", "\n", text))
    return re.sub(r"[ \t]*\n\s*\n\s*", "\n\n", html.unescape(text)).strip()
