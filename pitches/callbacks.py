"""The address at which a provider reports to us: it names the sender and proves that we gave it
out.

The proof is 160 bits by the first CREDENTIALS_KEY. Addresses made by the other keys hold as
long as these are listed, so a key is changed without a gap.
"""

from __future__ import annotations

import hashlib
import hmac

from django.conf import settings
from django.utils.crypto import constant_time_compare


class BadAddress(Exception):
    """Nobody gave this address out."""


def address_of(provider: str, sender_id: int) -> str:
    """The address to enter at the provider for this sender."""
    proof = _proof(settings.CREDENTIALS_KEY[0], provider, sender_id)
    return f"{settings.PUBLIC_URL}/webhooks/{provider}/{sender_id}-{proof}/"


def sender_of(provider: str, secret: str) -> int:
    """The id of the sender for whom it was made; raises BadAddress."""
    number, _, shown = secret.partition("-")
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        raise BadAddress(provider)
    proofs = [_proof(key, provider, int(number)) for key in settings.CREDENTIALS_KEY]
    # all are compared, so that the time it takes does not tell which one fits
    if not any([constant_time_compare(shown, proof) for proof in proofs]):
        raise BadAddress(provider)
    return int(number)


def _proof(key: str, provider: str, sender_id: int) -> str:
    told = f"webhook:{provider}:{sender_id}".encode()
    return hmac.new(key.encode(), told, hashlib.sha256).hexdigest()[:40]
