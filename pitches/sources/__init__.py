"""What reports to us over the web: one class per provider, named in WEBHOOK_SOURCES.

A source knows how its provider proves that a request is its own, how a batch falls into single
events, and what each of them means in our words. It reads no row and writes none.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any, ClassVar

from django.core.handlers.wsgi import WSGIRequest
from django.utils.crypto import constant_time_compare

from config import backends
from config.text import clean_line

SETTING = "WEBHOOK_SOURCES"

# SEC-15
MOST_BYTES = 1_000_000
MOST_DEPTH = 20
MOST_EVENTS = 1_000
# How old a signed time may be; as HubSpot and the Standard Webhooks ask for (SEC-14).
TOLERANCE = timedelta(seconds=300)

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"


class Refused(Exception):
    """The request does not prove that it comes from the provider."""


class NotConfigured(Exception):
    """Nobody told us the secret by which a request could be believed."""


class Unreadable(Exception):
    """What was sent is not what the provider documents."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """A request as it came: bytes, headers (names in lower case), and the address by which the
    provider knows us (from PUBLIC_URL, never from the Host header).
    """

    body: bytes
    headers: Mapping[str, str]
    url: str = ""

    @property
    def content_type(self) -> str:
        """Without its parameters, lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def is_form(self) -> bool:
        return self.content_type in (FORM, MULTIPART)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.body).hexdigest()

    def as_request(self) -> WSGIRequest:
        """For code that reads Django's requests."""
        named = {f"HTTP_{k.upper().replace('-', '_')}": v for k, v in self.headers.items()}
        environ = {
            **named,
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/",
            "CONTENT_TYPE": self.headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(self.body)),
            "wsgi.input": BytesIO(self.body),
        }
        return WSGIRequest(environ)

    def with_body(self, body: bytes) -> Delivered:
        return Delivered(body, self.headers, self.url)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a person, or their machine, wrote back through a provider.

    ``raw`` where the provider hands on the whole mail; else its parts.
    """

    from_address: str = ""
    subject: str = ""
    text: str = ""
    html: str = ""
    provider_id: str = ""
    raw: bytes = b""
    is_automatic: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """One event in anymail's words.

    ``event_id`` is the same whenever the provider tells the same event again. ``message_id`` is
    ours, where it came back; ``provider_id`` is theirs.
    """

    event_id: str
    kind: str
    occurred_at: datetime | None = None
    message_id: str = ""
    provider_id: str = ""
    recipient: str = ""
    bounce_kind: str = ""
    reason: str = ""
    label: str = ""
    # the mailbox or campaign itself is in trouble, not one message
    of_sender: bool = False
    reply: Reply | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One event of a batch, still in the provider's words."""

    delivered: Delivered
    fingerprint: str = field(default="")


class Source(ABC):
    """One provider. Adding one is a class of this kind and a line in WEBHOOK_SOURCES."""

    content_types: ClassVar[Sequence[str]] = (JSON,)
    # where in the sender's options the secret lies; two of them, with a space between, while
    # one takes the other's place
    secret_option: ClassVar[str] = "webhook_secret"
    # whether the provider signs what it sends, or only shows a word that we gave it
    is_signed: ClassVar[bool] = True
    # whether the provider shows its password only when it is asked for it (RFC 9110 11.6.1)
    wants_challenge: ClassVar[bool] = False
    # headers that reading the events needs; nothing else of them is kept, no secret above all
    kept_headers: ClassVar[Sequence[str]] = ()

    def verify(self, delivered: Delivered, options: Mapping[str, Any], now: datetime) -> None:
        """Raise Refused unless one of the secrets proves it; NotConfigured without any."""
        secrets = self.secrets(options)
        if not secrets:
            raise NotConfigured(f"there is no {self.secret_option} in the sender's options")
        stamp = self.signed_at(delivered)
        if stamp is not None:
            check_age(stamp, now)
        # every secret is tried, so that the time it takes does not tell which one fits
        if not any([self.proves(delivered, secret) for secret in secrets]):
            raise Refused("the secret or signature is wrong")

    def secrets(self, options: Mapping[str, Any]) -> list[str]:
        """The secrets that hold now; one, or two while one takes the other's place."""
        return str(options.get(self.secret_option) or "").split()[:5]

    @abstractmethod
    def proves(self, delivered: Delivered, secret: str) -> bool:
        """Whether the request was made by whoever knows ``secret``; in constant time."""

    def signed_at(self, delivered: Delivered) -> str | None:
        """The signed time, in seconds since 1970; None where a provider signs no time."""
        return None

    def delivery_id(self, delivered: Delivered) -> str:
        """The provider's own id of this request, or the SHA-256 of its body."""
        return delivered.sha256

    def parts(self, delivered: Delivered) -> list[Part]:
        """The single events of a batch; raises Unreadable if it is none."""
        return [Part(delivered, delivered.sha256)]

    @abstractmethod
    def reports(self, part: Part) -> list[Report]:
        """What one event means. May raise anything: the batch goes on without it."""


def names() -> list[str]:
    """The providers that may report."""
    return backends.names(SETTING)


def find(name: str) -> Source | None:
    """The source of this name, or None."""
    return backends.load(SETTING, name, Source) if name in names() else None


# -- what several of them need -----------------------------------------------------------------


def check_age(stamp: str, now: datetime) -> None:
    """Raise Refused unless ``stamp`` (seconds since 1970) lies within TOLERANCE."""
    if not re.fullmatch(r"\d{9,11}(\.\d{1,9})?", stamp or ""):
        raise Refused("the time is missing or unreadable")
    if abs(now - datetime.fromtimestamp(float(stamp), tz=UTC)) > TOLERANCE:
        raise Refused("the time lies more than five minutes away")


def shows_password(delivered: Delivered, secret: str) -> bool:
    """Whether HTTP basic authentication shows ``secret`` (as ``user:password``)."""
    scheme, _, word = delivered.headers.get("authorization", "").partition(" ")
    try:
        shown = base64.b64decode(word, validate=True).decode()
    except (binascii.Error, ValueError):
        shown = ""
    return constant_time_compare(shown, secret) and scheme.lower() == "basic"


_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKETS = re.compile(rb"[\[\]{}]")


def is_too_deep(text: bytes) -> bool:
    """Whether JSON nests deeper than MOST_DEPTH; without parsing it (SEC-15)."""
    depth = 0
    for bracket in _BRACKETS.finditer(_STRINGS.sub(b"", text)):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > MOST_DEPTH:
            return True
    return False


def _no_such_number(word: str) -> None:
    raise Unreadable(f"{word} is no JSON number")


def read_json(text: bytes | str) -> Any:
    """JSON within the limits of depth. Raises Unreadable."""
    raw = text.encode() if isinstance(text, str) else text
    if is_too_deep(raw):
        raise Unreadable(f"it nests deeper than {MOST_DEPTH}")
    try:
        return json.loads(raw, parse_constant=_no_such_number)
    except (ValueError, RecursionError) as e:
        raise Unreadable("it is not JSON") from e


def read_object(text: bytes | str) -> dict[str, Any]:
    """A JSON object. Raises Unreadable."""
    read = read_json(text)
    if not isinstance(read, dict):
        raise Unreadable("it is not a JSON object")
    return read


def canonical(event: Any) -> bytes:
    """The same bytes for the same event, however its batch was cut."""
    return json.dumps(event, sort_keys=True, separators=(",", ":")).encode()


def digest(*parts: object) -> str:
    """A key of 64 characters for what the provider gives no id."""
    text = json.dumps(["" if part is None else str(part) for part in parts])
    return hashlib.sha256(text.encode()).hexdigest()


def moment(value: object) -> datetime | None:
    """An ISO 8601 time or seconds since 1970; None if it is neither."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, tz=UTC)
        found = datetime.fromisoformat(str(value))
    except (ValueError, OverflowError, OSError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


_STATUS = re.compile(r"\b([45])\.(\d{1,3})\.(\d{1,3})\b")
# The address does not exist, or never will again: RFC 3463 X.1.1, .2, .3, .6 and .10.
_DEAD = {"1", "2", "3", "6", "10"}


def bounce_kind_of(text: str) -> str:
    """``hard``, ``soft`` or ``policy`` by the status code in a server's answer; else empty."""
    found = _STATUS.search(text[:2_000])
    if found is None:
        return ""
    if found[1] == "4":
        return "soft"
    if found[2] == "1" and found[3] in _DEAD:
        return "hard"
    return "soft" if found[2] == "2" and found[3] == "2" else "policy"


def line(value: object, limit: int = 300) -> str:
    """Foreign text for a column; empty for what is no text or number."""
    return clean_line(value, limit) if isinstance(value, str | int | float) else ""
