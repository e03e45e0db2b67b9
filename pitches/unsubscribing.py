"""The way out that every mail carries: a link and an address that work for ever (LAW-1, LAW-3).

A token is sealed, not stored. It holds the message and the address it went to, under a key made
from MESSAGE_ID_KEY, which is never changed. So it needs no row of ours: it opens after an
erasure, a re-import, the restore of an old backup and a change of every other key. It is the
same each time it is made (AES-SIV, RFC 5297), so what was approved is what is sent, also at the
second attempt.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from campaigns.models import Channel
from config import visitors
from pitches.models import Message

PURPOSE = b"overture unsubscribe 1"
MESSAGE_KEY_BYTES = 20
LONGEST = 700  # characters; an address of 320 letters makes about 500

_TOKEN = re.compile(r"[A-Za-z0-9_-]{40,700}")
_OWN_NAME = re.compile(r"[0-9a-f]{40}")
# What a mail program may put before or around the words of our mailto link.
_SUBJECT = re.compile(r"^\W*(?:re\s*:\s*)*unsubscribe[\s:]+([A-Za-z0-9_-]{40,700})\W*$", re.I)


class BadToken(Exception):
    """These characters are no token of ours, or not the whole of it."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What a token says: the address its mail went to, and which message that was."""

    address: str
    message_key: str  # the part of a Message-ID before the @, in hex


# -- the token ---------------------------------------------------------------------------------


def token(message: Message) -> str:
    """The token of a message, in url-safe characters; needs ``pitch__address`` loaded."""
    return seal(message.message_id, message.pitch.address.value)


def seal(message_id: str, address: str) -> str:
    """A token for a mail to ``address``; the same for the same two, for ever."""
    plain = bytes.fromhex(message_key(message_id)) + address.encode()
    sealed = _cipher(settings.MESSAGE_ID_KEY).encrypt(plain, [PURPOSE])
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def opened(token: str) -> Opened:
    """What a token says; raises BadToken."""
    if not _TOKEN.fullmatch(token):
        raise BadToken("it is not written like one of ours")
    try:
        sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        plain = _cipher(settings.MESSAGE_ID_KEY).decrypt(sealed, [PURPOSE])
        address = plain[MESSAGE_KEY_BYTES:].decode()
    except (binascii.Error, InvalidTag, ValueError) as e:
        raise BadToken("it was not made here, or a part of it is missing") from e
    return Opened(address, plain[:MESSAGE_KEY_BYTES].hex())


def message_key(message_id: str) -> str:
    """The 20 bytes by which a token names a message, in hex.

    Our own Message-IDs begin with them; of any other, they are taken from its hash.
    """
    name = message_id.partition("@")[0]
    if _OWN_NAME.fullmatch(name):
        return name
    return hashlib.sha256(message_id.encode()).digest()[:MESSAGE_KEY_BYTES].hex()


@lru_cache(4)
def _cipher(secret: str) -> AESSIV:
    derive = HKDF(algorithm=SHA256(), length=64, salt=None, info=PURPOSE)
    return AESSIV(derive.derive(secret.encode()))


# -- where a mail shows it ---------------------------------------------------------------------


def is_owed(message: Message) -> bool:
    """Whether a message must carry a way out: every mail but an answer that a person writes.

    What somebody writes by hand into a conversation is no commercial bulk.
    """
    return message.channel == Channel.EMAIL and message.number is not None


def folder() -> str:
    """What all links begin with."""
    return f"{settings.PUBLIC_URL}/u/"


def link(message: Message) -> str:
    """The page with the one button; a POST to it unsubscribes (RFC 8058)."""
    return f"{folder()}{token(message)}/"


def mailto(message: Message) -> str:
    """The same by mail (RFC 6068): to UNSUBSCRIBE_EMAIL, or to the mailbox that wrote."""
    address = settings.UNSUBSCRIBE_EMAIL or message.sender.address
    return f"mailto:{quote(address, safe='@+')}?subject=unsubscribe%20{token(message)}"


def headers(message: Message) -> dict[str, str]:
    """List-Unsubscribe and List-Unsubscribe-Post (RFC 2369, RFC 8058); none where none is owed.

    Needs ``sender`` and ``pitch__address`` loaded.
    """
    if not is_owed(message):
        return {}
    return {
        "List-Unsubscribe": f"<{link(message)}>, <{mailto(message)}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def is_reachable() -> bool:
    """Whether recipients can follow our links."""
    return visitors.is_public(settings.PUBLIC_URL)


def in_subject(subject: str) -> Opened | None:
    """What the subject of a mail says that our mailto link made; None if it is another mail.

    ``subject`` must be whole: a token has up to 500 characters.
    """
    found = _SUBJECT.match(" ".join(subject.split()))
    if found is None:
        return None
    try:
        return opened(found[1])
    except BadToken:
        return None
