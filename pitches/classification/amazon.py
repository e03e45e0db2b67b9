"""What Amazon SES tells by mail through SNS: a line of JSON instead of a report.

Source: https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pitches.classification.verdicts import Failure

MOST_RECIPIENTS = 100


@dataclass(frozen=True, slots=True)
class Notification:
    """Bounce, Complaint or Delivery, in their words."""

    kind: str
    failures: tuple[Failure, ...]
    ids: tuple[str, ...]


def read(text: str) -> Notification | None:
    """The notification a text is; None if it is none, or broken."""
    if text[:1] != "{" or ("notificationType" not in text and "eventType" not in text):
        return None
    told = _json(text)
    if told.get("Type") == "Notification":  # as SNS wraps it
        told = _json(str(told.get("Message", "")))
    kind = str(told.get("notificationType") or told.get("eventType") or "")
    if kind not in {"Bounce", "Complaint", "Delivery"}:
        return None
    about = told.get(kind.lower())
    listed = _listed(about, "bouncedRecipients") or _listed(about, "complainedRecipients")
    is_for_now = isinstance(about, dict) and about.get("bounceType") == "Transient"
    failures = (_failure(one, is_for_now) for one in listed if isinstance(one, dict))
    return Notification(kind, tuple(failures), _ids(told.get("mail")))


def _json(text: str) -> dict[str, Any]:
    end = text.rfind("}") + 1  # SNS adds a footer
    try:
        told = json.loads(text[:end].replace("\n", ""))
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _listed(holder: Any, name: str) -> list[Any]:
    listed = holder.get(name) if isinstance(holder, dict) else None
    return listed[:MOST_RECIPIENTS] if isinstance(listed, list) else []


def _failure(one: dict[str, Any], is_for_now: bool) -> Failure:
    status = str(one.get("status") or ("4.0.0" if is_for_now else ""))
    address = str(one.get("emailAddress") or "")[:320].strip("<> ")
    return Failure(address, "failed", status[:20], str(one.get("diagnosticCode") or "")[:2_000])


def _ids(mail: Any) -> tuple[str, ...]:
    found = []
    for one in _listed(mail, "headers"):
        name = str(one.get("name", "")).lower() if isinstance(one, dict) else ""
        if name in {"message-id", "x-overture-id"}:
            found.append(str(one.get("value", ""))[:998].strip("<> "))
    return tuple(found)
