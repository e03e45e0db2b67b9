"""Twilio: receipts of text messages, and the text messages people write back.

https://www.twilio.com/docs/usage/webhooks/webhooks-security
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

from django.http import QueryDict
from django.utils.crypto import constant_time_compare

from pitches.channels.twilio import NO_SUCH_NUMBER, OPTED_OUT, UNDELIVERED
from pitches.models import Event, Message
from pitches.sources import (
    FORM,
    JSON,
    Delivered,
    Part,
    Reply,
    Report,
    Source,
    Unreadable,
    digest,
    line,
    read_object,
)

Bounce = Message.BounceKind

# A failure is told by its code, in `report`.
STATUSES = {
    "accepted": Event.Kind.QUEUED,
    "scheduled": Event.Kind.QUEUED,
    "queued": Event.Kind.QUEUED,
    "sending": Event.Kind.QUEUED,
    "sent": Event.Kind.SENT,
    "delivered": Event.Kind.DELIVERED,
    "read": Event.Kind.OPENED,
    "undelivered": Event.Kind.BOUNCED,
    "failed": Event.Kind.FAILED,
    "canceled": Event.Kind.REJECTED,
}
BOUNCES = {str(code): kind for code, kind in UNDELIVERED.items()}
BOUNCES |= {str(code): Bounce.HARD for code in NO_SUCH_NUMBER}
_SETTINGS = re.compile(r"(\w+)=([\w-]+)")


class Twilio(Source):
    content_types: ClassVar[Sequence[str]] = (FORM, JSON)
    secret_option = "auth_token"

    def proves(self, delivered: Delivered, secret: str) -> bool:
        """HMAC over our public address and the sorted fields; a JSON body by its digest."""
        if delivered.content_type == JSON:
            fields: dict[str, list[str]] = {}
            named = parse_qs(urlsplit(delivered.url).query).get("bodySHA256", [""])
            if not constant_time_compare(named[0], delivered.sha256):
                return False
        else:
            fields = {name: values for name, values in _fields(delivered).lists()}
        settings = dict(
            _SETTINGS.findall(delivered.headers.get("x-twilio-webhooks-signature-settings", ""))
        )
        is_newer = settings.get("algorithm") == "HMAC_SHA256"
        algorithm = "sha256" if is_newer else "sha1"
        shown = delivered.headers.get("x-twilio-signature", "")
        return any(
            [
                constant_time_compare(shown, signature(secret, url, fields, algorithm))
                for url in _spellings(delivered.url)
            ]
        )

    def delivery_id(self, delivered: Delivered) -> str:
        """The message and its status: the same status told twice is one event."""
        sid, status = _sid_and_status(_read(delivered))
        return digest("twilio", sid, status) if sid else delivered.sha256

    def reports(self, part: Part) -> list[Report]:
        """A receipt, or a message somebody wrote to us."""
        return [report(_read(part.delivered))]


def signature(secret: str, url: str, fields: Mapping[str, list[str]], algorithm: str) -> str:
    """What Twilio writes into its header for this address and these fields."""
    text = url + "".join(
        name + value for name in sorted(fields) for value in sorted(set(fields[name]))
    )
    return base64.b64encode(hmac.digest(secret.encode(), text.encode(), algorithm)).decode()


def _spellings(url: str) -> list[str]:
    """With and without the standard port: Twilio signs one or the other."""
    parts = urlsplit(url)
    port = {"https": 443, "http": 80}.get(parts.scheme)
    if not parts.hostname or port is None:
        return [url]
    if parts.port is None:
        return [url, parts._replace(netloc=f"{parts.netloc}:{port}").geturl()]
    return [url, parts._replace(netloc=parts.netloc.rpartition(":")[0]).geturl()]


def _fields(delivered: Delivered) -> QueryDict:
    return QueryDict(delivered.body, encoding="utf-8")


def _read(delivered: Delivered) -> dict[str, str]:
    if delivered.content_type == JSON:
        return {name: line(value, 2_000) for name, value in read_object(delivered.body).items()}
    return {name: line(value, 2_000) for name, value in _fields(delivered).items()}


def _sid_and_status(fields: Mapping[str, str]) -> tuple[str, str]:
    sid = fields.get("MessageSid") or fields.get("SmsSid") or ""
    status = fields.get("MessageStatus") or fields.get("SmsStatus") or ""
    return sid, "received" if "Body" in fields else status


def report(fields: Mapping[str, str]) -> Report:
    """One request in our words. Raises Unreadable."""
    sid, status = _sid_and_status(fields)
    if not sid:
        raise Unreadable("it names no MessageSid")
    event_id = digest("twilio", sid, status)
    if status == "received":
        return Report(
            event_id=event_id,
            kind=Event.Kind.INBOUND,
            recipient=fields.get("From", ""),
            label=fields.get("OptOutType", "").upper()[:20],
            reply=Reply(
                from_address=fields.get("From", ""),
                text=fields.get("Body", ""),
                provider_id=sid,
            ),
        )
    code = fields.get("ErrorCode", "")
    kind = STATUSES.get(status, Event.Kind.UNKNOWN)
    failed = kind in (Event.Kind.BOUNCED, Event.Kind.FAILED)
    if code == str(OPTED_OUT):
        kind = Event.Kind.UNSUBSCRIBED
    elif failed and code in BOUNCES:
        kind = Event.Kind.BOUNCED
    return Report(
        event_id=event_id,
        kind=kind,
        provider_id=sid,
        recipient=fields.get("To", ""),
        bounce_kind=BOUNCES.get(code, Bounce.SOFT) if kind == Event.Kind.BOUNCED else "",
        reason=f"{status} {code}".strip(),
        label=status[:40],
    )
