"""The one door to the web: https only, explicit timeouts, no redirects, a bounded answer.

A secret stands in headers or body, never in the address; what goes wrong is told by the host
and the cause alone, so no message shows it.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from django.conf import settings

# No answer we ask for is longer; an endless one must not fill the memory.
MOST_BYTES = 5_000_000
# Never asked by a machine of ours: LinkedIn is worked by hand (LAW-23).
CLOSED = ("linkedin.com", "lnkd.in", "licdn.com")


class HttpError(Exception):
    """Nothing usable came back. ``is_unclear``: it may have been received all the same."""

    def __init__(self, message: str, is_unclear: bool = False) -> None:
        self.is_unclear = is_unclear
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_ok(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The body as JSON; None where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


def ask(
    method: str,
    url: str,
    *,
    data: Mapping[str, str] | None = None,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    auth: tuple[str, str] | None = None,
) -> Answer:
    """One request and its answer: ``data`` goes as a form, ``body`` as JSON.

    Waits HTTP_CONNECT_TIMEOUT and HTTP_READ_TIMEOUT seconds. Raises HttpError where there is no
    answer; a status of 400 and above is an answer.
    """
    host = _host(url)
    patience = (settings.HTTP_CONNECT_TIMEOUT, settings.HTTP_READ_TIMEOUT)
    try:
        with requests.request(
            method,
            url,
            data=data,
            json=body,
            headers=dict(headers or {}),
            auth=auth,
            timeout=patience,
            allow_redirects=False,
            stream=True,
        ) as response:
            return Answer(response.status_code, _read(response), dict(response.headers))
    except (requests.exceptions.RequestException, OSError) as e:
        raise HttpError(*told(e, host)) from e


# What OpenSSL calls a handshake that failed; anything else may happen under way.
HANDSHAKE = ("HANDSHAKE", "WRONG_VERSION", "UNSUPPORTED_PROTOCOL", "NO_PROTOCOLS", "TLSV1")


def told(error: BaseException, host: str) -> tuple[str, bool]:
    """What went wrong with a request, in words, and whether it is unclear if it arrived.

    It is clear where no connection came about: refused, no such name, no answer in time, no
    certificate to be trusted. Looks at what lies beneath the exceptions of the libraries.
    """
    for cause in _beneath(error):
        match cause:
            case urllib3.exceptions.NameResolutionError():
                return f"{host} has no address", False
            case urllib3.exceptions.NewConnectionError():
                return f"no connection to {host}", False
            case urllib3.exceptions.ConnectTimeoutError():
                return f"{host} does not answer", False
            case ssl.SSLCertVerificationError():
                return f"{host} has no certificate that can be trusted", False
            case ssl.SSLError(reason=str(reason)) if reason.startswith(HANDSHAKE):
                return f"{host} and we find no common encryption", False
    return f"no whole answer from {host}: {type(error).__name__}", True


def _beneath(error: BaseException) -> Iterator[BaseException]:
    """The exception and everything it wraps."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        each = waiting.pop()
        if not isinstance(each, BaseException) or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [*each.args, getattr(each, "reason", None), each.__cause__]


def _read(response: requests.Response) -> bytes:
    read = bytearray()
    for part in response.iter_content(65_536):
        read += part
        if len(read) > MOST_BYTES:
            raise HttpError("an answer without end", is_unclear=True)
    return bytes(read)


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        raise HttpError("the address cannot be read") from None
    if parts.scheme != "https" or not host or parts.username or parts.password:
        raise HttpError("the address must begin with https:// and name a host")
    if f".{host.rstrip('.')}".endswith(tuple(f".{closed}" for closed in CLOSED)):
        raise HttpError(f"{host} is worked by hand: nothing here asks it")
    return host
