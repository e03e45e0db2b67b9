"""What exactly was approved, and what names a logical message."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from django.conf import settings

from pitches import attachments
from pitches.models import Message, Pitch


def of_words(message: Message, *, subject: str, body: str, html: str) -> str:
    """SHA-256 over channel, sender, recipient, words, policy and attached files (REL-26).

    Reads the sender, the address and the files as they are now, so that changing one of them
    voids an approval. Needs ``pitch__campaign``, ``pitch__address``, ``sender`` and the
    candidates of ``pitch__matches`` loaded.
    """
    pitch = message.pitch
    approved: list[Any] = [
        message.channel,
        message.sender.name,
        message.sender.address,
        pitch.address.value,
        subject,
        body,
        html,
        pitch.campaign.review_policy,
    ]
    if files := attachments.planned(message):
        approved.append(files)
    return digest(json.dumps(approved, ensure_ascii=False))


def digest(text: str) -> str:
    """Hex SHA-256 of a text: where something must look random and stay the same."""
    return hashlib.sha256(text.encode()).hexdigest()


def of_message(message: Message) -> str:
    """The fingerprint of the frozen words; empty if they would go to another address, or with
    other files.
    """
    if message.to_address != message.pitch.address.value:
        return ""
    if message.attachments != attachments.planned(message):
        return ""
    return of_words(message, subject=message.subject, body=message.body, html=message.html)


def of_sent_words(message: Message) -> str:
    """The fingerprint of the words alone, as the journal keeps it beside the handing over."""
    words = [message.subject, message.body, message.html, message.attachments]
    return digest(json.dumps(words, ensure_ascii=False))


def message_id(
    pitch: Pitch, *, identity: str, number: int, channel: str, revision: int = 1
) -> str:
    """The Message-ID header of a logical message (RFC 5322 section 3.6.4), without angle
    brackets.

    An HMAC over natural keys, so it is the same after a crash, a restore or a re-import; the
    send mode is among them, so that a rehearsal can never be taken for the real thing (REL-8).
    ``identity`` is the lead's first identity, ``platform:id``. The domain is the sender's.
    """
    keys = [
        pitch.send_mode,
        pitch.campaign.slug,
        identity,
        pitch.address.canonical,
        str(pitch.round),
        str(number),
        str(revision),
        channel,
    ]
    secret = settings.MESSAGE_ID_KEY.encode()
    name = hmac.new(secret, json.dumps(keys).encode(), hashlib.sha256).hexdigest()
    return f"{name[:40]}@{pitch.sender.address.rpartition('@')[2]}"
