"""What a person should hear of: written down with what happened, told by mail or chat after.

The row is an outbox: it is written in the transaction of the event, and the tick tells it until
one way got through. The address of the chat is a secret and stands in no log and no error.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import F, QuerySet

from config import http, mail
from config.cards import Card, figure
from config.db import database_now
from config.doctor import Finding, examiner
from config.models import Alert
from config.text import clean_line, clean_text
from config.ticks import Deadline, tick

log = logging.getLogger(__name__)

# Told by itself, not in a list with others.
DIGEST = "digest"
# Alerts of one message; the rest follows in the next minute.
MOST_TOLD = 50
# Discord takes 2,000 characters; Slack shows 4,000 and cuts.
MOST_CHAT = 1_900
LONGEST_REST = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class News:
    """One thing to be told; ``key`` names the occasion, ``path`` the page without its host."""

    kind: str
    key: str
    title: str
    text: str = ""
    path: str = ""


class NotTold(Exception):
    """A way did not take it: the cause, without the secret."""


def tell(
    *, kind: str, key: str, title: str, now: datetime, text: str = "", path: str = ""
) -> None:
    """Write down, in the caller's transaction, that somebody should hear of this. Telling it
    again under the same key changes nothing.
    """
    tell_all([News(kind, key, title, text, path)], now=now)


def tell_all(news: Iterable[News], *, now: datetime) -> int:
    """Many at once, in two queries; how many were new."""
    rows = {each.key[:200]: each for each in news}
    known = set(Alert.objects.filter(key__in=rows).values_list("key", flat=True))
    fresh = [
        Alert(
            key=key,
            kind=each.kind,
            title=clean_line(each.title)[:200],
            text=clean_text(each.text)[:10_000],
            path=each.path[:300],
            created_at=now,
        )
        for key, each in rows.items()
        if key not in known
    ]
    Alert.objects.bulk_create(fresh, ignore_conflicts=True)
    return len(fresh)


def waiting() -> QuerySet[Alert]:
    """What nobody has been told yet, the oldest first (index alert_to_tell)."""
    return Alert.objects.filter(told_at=None).order_by("created_at", "pk")


def ways() -> list[str]:
    """How somebody can be told as things are set: ``mail``, ``chat``, both or none."""
    set_up = {"mail": settings.ALERT_EMAILS, "chat": settings.ALERT_WEBHOOK_URL}
    return [way for way, target in set_up.items() if target]


def send(*, now: datetime) -> dict[str, int]:
    """Tell what waits: one message for all of it, a digest by itself.

    Told is what one way took; what none took is tried again after 1, 2, 4 … minutes, at most an
    hour. Where no way is set up everything waits, and the first screen shows it.
    """
    told = failed = 0
    if not ways():
        return {"told": 0, "failed": 0}
    due = [row for row in waiting()[: 10 * MOST_TOLD] if _is_due(row, now=now)]
    digests = [row for row in due if row.kind == DIGEST]
    others = [row for row in due if row.kind != DIGEST][:MOST_TOLD]
    for batch in ([others] if others else []) + [[row] for row in digests]:
        if _tell(batch, now=now):
            told += len(batch)
        else:
            failed += len(batch)
    return {"told": told, "failed": failed}


def _is_due(row: Alert, *, now: datetime) -> bool:
    rests = (min(timedelta(minutes=2**n), LONGEST_REST) for n in range(min(row.attempts, 200)))
    return now >= row.created_at + sum(rests, timedelta(0))


def _tell(batch: list[Alert], *, now: datetime) -> bool:
    errors = []
    for way in ways():
        try:
            {"mail": _by_mail, "chat": _by_chat}[way](batch)
        except NotTold as e:
            errors.append(f"{way}: {e}")
    error = "; ".join(errors)[:300]
    if error:
        log.warning("%s alerts: %s", len(batch), error)
    has_failed = len(errors) == len(ways())
    Alert.objects.filter(pk__in=[row.pk for row in batch]).update(
        told_at=None if has_failed else now, attempts=F("attempts") + 1, last_error=error
    )
    return not has_failed


def _by_mail(batch: list[Alert]) -> None:
    """The system's own mail, which marks itself as automatic (RFC 3834)."""
    try:
        mail.send(_subject(batch), "\n".join(_lines(batch)), to=settings.ALERT_EMAILS)
    except mail.NotTaken as e:
        raise NotTold(str(e)) from e


def _subject(batch: list[Alert]) -> str:
    more = f" (and {len(batch) - 1} more)" if len(batch) > 1 else ""
    return f"[{settings.BRAND_NAME}] {batch[0].title}{more}"


def _lines(batch: list[Alert]) -> Iterator[str]:
    for row in batch:
        yield row.title
        if row.text:
            yield row.text
        if row.path:
            yield f"{settings.PUBLIC_URL}{row.path}"
        yield ""


def _by_chat(batch: list[Alert]) -> None:
    """As Slack's incoming webhooks take it (docs.slack.dev), which Mattermost and Rocket.Chat
    understand too; Discord calls the text ``content``.
    """
    url = settings.ALERT_WEBHOOK_URL
    text = "\n".join(_lines(batch)).strip()
    if len(text) > MOST_CHAT:
        text = f"{text[:MOST_CHAT]} …\n{settings.PUBLIC_URL}/"
    try:
        answer = http.ask("POST", url, body=_chat(text, url))
    except http.HttpError as e:
        raise NotTold(str(e)) from e
    if not answer.is_ok:
        said = clean_line(answer.body[:100].decode("utf-8", "replace"))
        if said and urlsplit(url).path.strip("/") in said:
            said = ""
        raise NotTold(f"answer {answer.status} {said}".strip())


def _chat(text: str, url: str) -> dict[str, object]:
    if is_discord(url):  # nobody is called by what a stranger wrote
        return {"content": text, "allowed_mentions": {"parse": []}}
    for sign, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(sign, escaped)
    return {"text": text}


def is_discord(url: str) -> bool:
    """Whether the chat is Discord's, by its host."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return host in ("discord.com", "discordapp.com") or host.endswith(".discord.com")


@tick("alerts")
def tell_what_waits(deadline: Deadline) -> dict[str, int]:
    """Tell what waits by mail and chat."""
    return send(now=database_now())


def cards(user: Any) -> list[Card]:
    """What nobody has been told, for the first screen of whoever reads answers; nothing where
    all is told.
    """
    if not user.has_perm("pitches.view_incomingmessage"):
        return []
    rows = list(waiting()[:6])
    if not rows:
        return []
    number = figure("told nobody", Alert, {"told_at__isnull": True}, tone="bad")
    cause = f"They are being tried again: {rows[0].last_error}" if rows[0].last_error else ""
    if not ways():
        cause = "Told nobody: set ALERT_EMAILS or ALERT_WEBHOOK_URL."
    lines = [line for line in (cause, *(row.title for row in rows[:5])) if line]
    # The list itself is the machinery's, which only superusers look at.
    return [Card("Alerts", [number] if user.is_superuser else [], lines=lines)]


@examiner
def telling() -> Iterator[Finding]:
    """Whether anybody hears of trouble who is not looking."""
    if not ways():
        about = f"Told nobody: set ALERT_EMAILS. {waiting().count()} alerts wait."
        yield Finding("alerts", "off", about)
        return
    failing = waiting().exclude(last_error="").first()
    if failing is not None:
        yield Finding("alerts", "broken", f"Nobody could be told: {failing.last_error}")
        return
    yield Finding("alerts", "ok", f"Told by {' and '.join(ways())}.")
