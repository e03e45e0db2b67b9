"""Instantly signs nothing: it shows a word in a header that was set when the webhook was made.

https://developer.instantly.ai/guides/webhook-events
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.utils.crypto import constant_time_compare

from pitches.models import Event, Message
from pitches.sources import (
    JSON,
    Delivered,
    Part,
    Reply,
    Report,
    Source,
    Unreadable,
    bounce_kind_of,
    digest,
    line,
    moment,
    read_object,
)

# Both spellings of a word stand in their documents.
EVENTS = {
    "email_sent": Event.Kind.SENT,
    "email_opened": Event.Kind.OPENED,
    "email_link_clicked": Event.Kind.CLICKED,
    "link_clicked": Event.Kind.CLICKED,
    "reply_received": Event.Kind.REPLIED,
    "auto_reply_received": Event.Kind.AUTORESPONDED,
    "email_bounced": Event.Kind.BOUNCED,  # sent for soft bounces too
    "lead_unsubscribed": Event.Kind.UNSUBSCRIBED,
    "account_error": Event.Kind.FAILED,
}
# What makes an event itself, and no other (there is no id).
KEY = ("event_type", "campaign_id", "lead_email", "email_id", "step", "timestamp")
# The lead's own variables come back flattened; this one names our message.
OUR_ID = "overture_id"


class Instantly(Source):
    content_types: ClassVar[Sequence[str]] = (JSON,)
    is_signed = False

    def proves(self, delivered: Delivered, secret: str) -> bool:
        """By the header X-Webhook-Secret."""
        return constant_time_compare(delivered.headers.get("x-webhook-secret", ""), secret)

    def delivery_id(self, delivered: Delivered) -> str:
        """By what makes the event itself: a second attempt may be written differently."""
        return event_id(read_object(delivered.body))

    def reports(self, part: Part) -> list[Report]:
        """One event per request."""
        return [report(read_object(part.delivered.body))]


def event_id(payload: Mapping[str, Any]) -> str:
    """The digest of what makes an event itself."""
    return digest(*(payload.get(name) for name in KEY))


def report(payload: Mapping[str, Any]) -> Report:
    """One event of a webhook or of the log of webhooks. Raises Unreadable."""
    kind_of_theirs = line(payload.get("event_type"), 80)
    if not kind_of_theirs:
        raise Unreadable("it names no event_type")
    kind = EVENTS.get(kind_of_theirs, Event.Kind.UNKNOWN)
    words = " ".join(line(payload.get(name)) for name in ("error", "reason", "message"))
    reason = words.strip()[:300]
    is_bounce = kind == Event.Kind.BOUNCED
    is_reply = kind in (Event.Kind.REPLIED, Event.Kind.AUTORESPONDED)
    return Report(
        event_id=event_id(payload),
        kind=kind,
        occurred_at=moment(payload.get("timestamp")),
        message_id=line(payload.get(OUR_ID)).strip("<> "),
        # of a reply, email_id is the reply itself
        provider_id="" if is_reply else line(payload.get("email_id")),
        recipient=line(payload.get("lead_email"), 320).lower(),
        bounce_kind=(bounce_kind_of(_text(payload)) or Message.BounceKind.SOFT)
        if is_bounce
        else "",
        reason=reason,
        label=kind_of_theirs,
        of_sender=kind_of_theirs == "account_error",
        reply=_reply(payload, kind == Event.Kind.AUTORESPONDED) if is_reply else None,
    )


def _text(payload: Mapping[str, Any]) -> str:
    names = ("error", "reason", "message", "reply_text", "email_text", "reply_text_snippet")
    return " ".join(line(payload.get(name), 2_000) for name in names)[:2_000]


def _reply(payload: Mapping[str, Any], is_automatic: bool) -> Reply:
    def of(*names: str) -> str:
        found = (payload.get(name) for name in names)
        return next((text for text in found if isinstance(text, str) and text), "")

    return Reply(
        from_address=of("lead_email"),
        subject=of("reply_subject", "email_subject"),
        text=of("reply_text", "reply_text_snippet"),
        html=of("reply_html"),
        provider_id=of("email_id"),
        is_automatic=is_automatic,
    )
