"""How long a text may be on each channel. Texts are measured here and never cut."""

from __future__ import annotations

from typing import NamedTuple, TypedDict

from campaigns.models import Channel


class Problem(TypedDict):
    """What stands against a text: a stable code, and a sentence for the reviewer."""

    code: str
    detail: str


class Limit(NamedTuple):
    """The longest subject and body, in characters; ``None`` where the channel sets no limit."""

    subject: int | None
    body: int | None


# C16. A channel whose subject may have 0 characters has no subject line.
LIMITS: dict[str, Limit] = {
    Channel.EMAIL: Limit(200, None),
    Channel.LINKEDIN_NOTE: Limit(0, 300),
    Channel.LINKEDIN_MESSAGE: Limit(0, 500),
    Channel.LINKEDIN_INMAIL: Limit(200, 1500),
    Channel.SMS: Limit(0, 160),
    Channel.CUSTOM: Limit(None, None),
}
SMS_UNICODE_PART = 70

# What must be known of a person to be written to there, in words.
NEEDS: dict[str, str] = {
    Channel.EMAIL: "an e-mail address",
    Channel.LINKEDIN_NOTE: "a LinkedIn page",
    Channel.LINKEDIN_MESSAGE: "a LinkedIn page",
    Channel.LINKEDIN_INMAIL: "a LinkedIn page",
    Channel.SMS: "a telephone number",
    Channel.CUSTOM: "a profile or an address",
}

# Worked by a person: these networks forbid every automation (LAW-23), and what is "by hand" has
# no other way.
BY_HAND = frozenset(
    {
        Channel.LINKEDIN_NOTE.value,
        Channel.LINKEDIN_MESSAGE.value,
        Channel.LINKEDIN_INMAIL.value,
        Channel.CUSTOM.value,
    }
)

# Codes that are shown to the reviewer but keep nothing from being approved.
WARNINGS = frozenset({"sms_unicode"})

# GSM 03.38: one septet each, and those of the extension table, which take two.
_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_EXTENDED = frozenset("^{}\\[~]|€\f")


def has_subject(channel: str) -> bool:
    """Whether messages on this channel carry a subject line (S001-028)."""
    return LIMITS[channel].subject != 0


def needs_subject(channel: str) -> bool:
    """Whether a message without a subject would look broken there."""
    return channel in (Channel.EMAIL, Channel.LINKEDIN_INMAIL)


def is_gsm(text: str) -> bool:
    """Whether a telephone can show ``text`` in its 7-bit alphabet."""
    return all(c in _GSM or c in _GSM_EXTENDED for c in text)


def sms_length(text: str) -> int:
    """Characters as the network counts them: septets in GSM-7, else UTF-16 code units."""
    if is_gsm(text):
        return len(text) + sum(c in _GSM_EXTENDED for c in text)
    return len(text.encode("utf-16-be")) // 2


def length(channel: str, text: str) -> int:
    """The length of ``text`` as the channel counts it."""
    return sms_length(text) if channel == Channel.SMS else len(text)


def problems(channel: str, subject: str, body: str) -> list[Problem]:
    """What a channel has against a text (S001-028..031).

    ``too_long`` forbids approval; the codes in ``WARNINGS`` are only shown. Nothing is cut.
    """
    limit = LIMITS[channel]
    found: list[Problem] = []
    if limit.subject and len(subject) > limit.subject:
        found.append(_too_long("subject", len(subject), limit.subject))
    size = length(channel, body)
    if limit.body is not None and size > limit.body:
        found.append(_too_long("text", size, limit.body))
    if channel == Channel.SMS and not is_gsm(body):
        odd = sorted({c for c in body if c not in _GSM and c not in _GSM_EXTENDED})
        parts = -(-size // SMS_UNICODE_PART)
        found.append(
            Problem(
                code="sms_unicode",
                detail=f"{' '.join(odd[:5])} is outside the plain SMS alphabet, so one part "
                f"holds {SMS_UNICODE_PART} characters and this text takes {parts}.",
            )
        )
    return found


def _too_long(what: str, size: int, most: int) -> Problem:
    return Problem(
        code="too_long",
        detail=f"The {what} has {size} characters; this channel takes {most}. "
        "Shorten it: nothing is cut off by itself.",
    )
