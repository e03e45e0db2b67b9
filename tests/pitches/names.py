"""A DNS of invented names: records as they are written in a zone file."""

from __future__ import annotations

import base64

import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.resolver
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SILENT = object()


def dkim_key(bits: int = 2048) -> str:
    """A DKIM record with a fresh key."""
    public = rsa.generate_private_key(65537, bits).public_key()
    raw = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k=rsa; p={base64.b64encode(raw).decode()}"


class Zone:
    """Answers as a resolver does; ``SILENT`` for a name is a server that never answers."""

    def __init__(self, records: dict[tuple[str, str], list[str] | object]) -> None:
        self.records = records
        self.asked: list[tuple[str, str]] = []

    def resolve(self, name, kind, *, lifetime):
        assert 0 < lifetime <= 30
        name = str(name).rstrip(".")
        self.asked.append((name, kind))
        found = self.records.get((name, kind))
        if found is SILENT:
            raise dns.resolver.LifetimeTimeout(timeout=lifetime, errors=[])
        if not found:
            if any(known == name for known, _ in self.records):
                raise dns.resolver.NoAnswer(response=_Answer())
            raise dns.resolver.NXDOMAIN(qnames=[dns.name.from_text(name)], responses={})
        return [_record(kind, text) for text in found]


class _Answer:
    question = ()


def _record(kind: str, text: str):
    if kind == "TXT":  # a string has 255 letters at most, so long ones stand in pieces
        text = " ".join(f'"{text[at : at + 255]}"' for at in range(0, len(text), 255))
    return dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.from_text(kind), text)
