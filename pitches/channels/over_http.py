"""What an answer over HTTP means for a message (RELIABILITY 4.3).

Nothing of what the provider says is believed to be free of our keys: every text is cut, cleaned
and stripped of them before it reaches a page or a log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from config import http
from config.text import clean_line
from pitches.channels import ChannelError, OutcomeUnknown

# The login, the plan or the rights are at fault: nothing of this sender will get through.
OURS = frozenset({401, 402, 403})
# The server did not take the request and wants it again.
AGAIN = frozenset({408, 425})
MOST_SAID = 200
SHORTEST_SECRET = 6


def judge(
    status: int,
    headers: Mapping[str, str],
    said: str,
    *,
    now: datetime,
    ours: frozenset[int] = OURS,
) -> None:
    """Nothing for 2xx, else ChannelError for a definite no and OutcomeUnknown for 5xx.

    ``said``: the provider's own words, already clean. ``ours``: the statuses that speak of the
    account and not of the message.
    """
    words = f"{status} {said}".strip()
    if 200 <= status < 300:
        return
    if status == 429:
        raise ChannelError(
            words, of_mailbox=True, retry_after=retry_after(headers, now=now), code=status
        )
    if status in ours or 300 <= status < 400:
        raise ChannelError(words, permanent=True, of_mailbox=True, code=status)
    if status in AGAIN:
        raise ChannelError(words, code=status)
    if 400 <= status < 500:
        raise ChannelError(words, permanent=True, code=status)
    raise OutcomeUnknown(f"{words}: it may have been taken all the same")


def retry_after(headers: Mapping[str, str], *, now: datetime) -> timedelta | None:
    """How long the server wants to be left alone: seconds or a date (RFC 9110 10.2.3)."""
    value = next((v for k, v in headers.items() if k.lower() == "retry-after"), "").strip()
    if value.isascii() and value.isdigit():
        return timedelta(seconds=min(int(value[:9]), 10**7))
    try:
        at = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(at - now, timedelta())


def send(
    url: str,
    *,
    now: datetime,
    secrets: Iterable[str] = (),
    ours: frozenset[int] = OURS,
    judged: bool = True,
    **request: Any,
) -> http.Answer:
    """POST something that delivers. Raises ChannelError or OutcomeUnknown, as ``judge`` does.

    ``judged=False`` leaves a status of 400 to 499 to the caller.
    """
    answer = _asked("POST", url, unclear=OutcomeUnknown, **request)
    if not judged and 400 <= answer.status < 500:
        return answer
    judge(answer.status, answer.headers, said(answer, secrets), now=now, ours=ours)
    return answer


def look(
    method: str, url: str, *, now: datetime, secrets: Iterable[str] = (), **request: Any
) -> Any:
    """The JSON behind a request that delivers nothing; raises ChannelError and nothing else."""
    answer = _asked(method, url, unclear=ChannelError, **request)
    try:
        judge(answer.status, answer.headers, said(answer, secrets), now=now)
    except OutcomeUnknown as e:
        raise ChannelError(str(e), of_mailbox=True, code=answer.status) from e
    return answer.json()


def _asked(method: str, url: str, *, unclear: type[Exception], **request: Any) -> http.Answer:
    try:
        return http.ask(method, url, **request)
    except http.HttpError as e:
        if e.is_unclear and unclear is OutcomeUnknown:
            raise OutcomeUnknown(str(e)) from e
        raise ChannelError(str(e), of_mailbox=True) from e


def said(answer: http.Answer, secrets: Iterable[str] = ()) -> str:
    """The provider's sentence, cut and without our keys."""
    found = answer.json()
    words = found.get("message") if isinstance(found, dict) else None
    return clean(words if isinstance(words, str) else "", secrets)


def clean(text: str, secrets: Iterable[str] = ()) -> str:
    """One short line in which no secret of ours stands."""
    for secret in secrets:
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, "…")
    return clean_line(text)[:MOST_SAID]
