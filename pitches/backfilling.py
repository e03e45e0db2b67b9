"""What a provider's webhooks may have missed is asked for (REL-23).

Instantly keeps a log of its webhooks and the mail it received; both are read back to where the
last complete reading began. What was known already changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from pitches import deliveries
from pitches.channels import ChannelError, options, over_http
from pitches.channels.instantly import API
from pitches.models import Event, Sender
from pitches.sources import Reply, Report, Unreadable, digest, instantly, line, moment
from pitches.tracking import Recorded

# Readings overlap: their clock is not ours, and a retry stands later in their log.
OVERLAP = timedelta(hours=1)
# How far the first reading goes back.
FIRST = timedelta(days=7)
PER_PAGE = 100
# A log that never ends must not hold the worker; the next reading goes on from the same mark.
MOST_PAGES = 200


class Missed(Exception):
    """The provider could not be read to the end; the sender's mark stays where it was."""


@dataclass(slots=True)
class _Page:
    """One page of a list of theirs."""

    rows: list[dict[str, Any]]
    after: str


def senders() -> list[Sender]:
    """The active senders whose provider allows to be asked."""
    rows = Sender.objects.filter(
        transport=Sender.Transport.INSTANTLY, status=Sender.Status.ACTIVE
    )
    return list(rows.order_by("pk"))


def fill(
    sender: Sender, *, now: datetime, stop: Callable[[], bool] = lambda: False
) -> Recorded:
    """Read everything since the last complete reading, and mark that it was complete.

    The mark is the sender's ``inbox_read_began_at``: without it follow-ups wait as blind.
    Raises Missed; what was read until then is recorded all the same.
    """
    since = (sender.inbox_read_began_at or now - FIRST) - OVERLAP
    done = Recorded()
    try:
        given = options.read(sender)
        for read in (_events, _answers):
            for reports in read(given, since=since, now=now):
                done.add(deliveries.act(reports, sender, "instantly", now=now))
                if stop():
                    raise Missed("there was no time for all of it")
    except (ChannelError, options.OptionsError, Missed) as e:
        Sender.objects.filter(pk=sender.pk).update(inbox_error=str(e)[:300])
        raise Missed(str(e)) from e
    Sender.objects.filter(pk=sender.pk).update(
        inbox_read_began_at=now, inbox_read_at=now, inbox_error=""
    )
    return done


def _events(
    given: Mapping[str, str], *, since: datetime, now: datetime
) -> Iterator[list[Report]]:
    """The log of webhooks, delivered or not."""
    for page in _pages("webhook-events", {}, given, since=since, now=now):
        yield [report for row in page.rows if (report := _logged(row, given))]


def _logged(row: Mapping[str, Any], given: Mapping[str, str]) -> Report | None:
    payload = row.get("payload")
    try:
        payload = json.loads(payload) if isinstance(payload, str) else payload
        if not isinstance(payload, dict) or _is_foreign(payload, given):
            return None
        return instantly.report(payload)
    except (ValueError, Unreadable):
        return None


def _is_foreign(payload: Mapping[str, Any], given: Mapping[str, str]) -> bool:
    """A workspace has other campaigns than ours."""
    campaign = payload.get("campaign_id")
    return bool(campaign) and campaign != given["campaign_id"]


def _answers(
    given: Mapping[str, str], *, since: datetime, now: datetime
) -> Iterator[list[Report]]:
    """The mail it received."""
    wanted = {"email_type": "received", "campaign_id": given["campaign_id"]}
    for page in _pages("emails", wanted, given, since=since, now=now):
        yield [_answer(row) for row in page.rows if row.get("id")]


def _answer(row: Mapping[str, Any]) -> Report:
    body = row.get("body")
    body = body if isinstance(body, dict) else {"text": body}
    writer = line(row.get("from_address_email") or row.get("lead"), 320).lower()
    is_automatic = row.get("is_auto_reply") in (1, True)
    return Report(
        event_id=digest("instantly email", row.get("id")),
        kind=Event.Kind.AUTORESPONDED if is_automatic else Event.Kind.REPLIED,
        occurred_at=moment(row.get("timestamp_email") or row.get("timestamp_created")),
        recipient=line(row.get("lead"), 320).lower() or writer,
        label="email",
        reply=Reply(
            from_address=writer,
            subject=line(row.get("subject")),
            text=str(body.get("text") or ""),
            html=str(body.get("html") or ""),
            provider_id=line(row.get("id")),
            is_automatic=is_automatic,
        ),
    )


def _pages(
    path: str,
    wanted: Mapping[str, str],
    given: Mapping[str, str],
    *,
    since: datetime,
    now: datetime,
) -> Iterator[_Page]:
    """Newest first, until everything on a page is older than ``since``."""
    after = ""
    for _ in range(MOST_PAGES):
        page = _page(
            path, {**wanted, **({"starting_after": after} if after else {})}, given, now
        )
        yield page
        times = [at for row in page.rows if (at := _made(row))]
        if not page.after or page.after == after or (times and max(times) < since):
            return
        after = page.after
    raise Missed(f"more than {MOST_PAGES} pages of {path}")


def _made(row: Mapping[str, Any]) -> datetime | None:
    return moment(row.get("timestamp_created") or row.get("timestamp_email"))


def _page(
    path: str, wanted: Mapping[str, str], given: Mapping[str, str], now: datetime
) -> _Page:
    query = urlencode({"limit": str(PER_PAGE), **wanted})
    found = over_http.look(
        "GET",
        f"{API}/{path}?{query}",
        now=now,
        headers={"Authorization": f"Bearer {given['api_key']}"},
        secrets=given.values(),
    )
    rows = found.get("items") if isinstance(found, dict) else None
    if not isinstance(rows, list):
        raise ChannelError("an answer of Instantly that nobody can read", of_mailbox=True)
    return _Page(
        [row for row in rows if isinstance(row, dict)],
        str(found.get("next_starting_after") or ""),
    )
