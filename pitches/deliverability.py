"""Whether a sender's domain vouches for its mail: SPF, DKIM, DMARC, MX, PTR and TLS (LAW-5).

Mailbox providers refuse bulk mail from domains that do not (Gmail; Outlook's 5.7.515). Every
look-up has an end, and "could not be asked" is never told as "is missing".
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from ipaddress import ip_network
from typing import Any, Protocol

import dns.exception
import dns.resolver
import dns.reversename
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key
from django.conf import settings
from django.db.models import QuerySet

from config import logins
from config.text import clean_line
from pitches.models import Sender

GOOD, BAD, UNKNOWN = "good", "bad", "unknown"
MOST_LOOKUPS = 10  # RFC 7208 section 4.6.4
SHORTEST_KEY = 1024  # RFC 8301 section 3.2
# Where the large mail houses publish their keys; asked one by one where none is set.
SELECTORS = (
    "google", "selector1", "selector2", "default", "dkim", "mail", "k1", "k2", "k3", "s1", "s2",
    "pm", "fm1", "fm2", "fm3", "protonmail", "zoho", "zmail", "mx", "smtp", "key1", "mandrill",
    "mailjet", "brevo", "resend", "krs",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked up: ``state`` is good, bad, or unknown (it could not be asked).

    ``code`` names what is wrong, the same for the same fault.
    """

    name: str
    state: str
    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Report:
    """All that was found about one sender's domain."""

    domain: str
    findings: list[Finding]

    @property
    def is_good(self) -> bool:
        return all(each.state == GOOD for each in self.findings)

    @property
    def wrong(self) -> list[Finding]:
        return [each for each in self.findings if each.state != GOOD]

    def stored(self) -> dict[str, Any]:
        """As it is kept in ``Sender.dns_report``."""
        return {
            "domain": self.domain,
            "is_good": self.is_good,
            "findings": [asdict(each) for each in self.findings],
        }


class NotAskable(Exception):
    """DNS gave no answer: nothing is known, neither good nor bad."""


class Wrong(Exception):
    """What was found is not in order; ``code`` names it."""

    def __init__(self, code: str, sentence: str) -> None:
        self.code = code
        super().__init__(sentence)


class Resolver(Protocol):
    """As much of ``dns.resolver.Resolver`` as is used here."""

    def resolve(self, qname: Any, rdtype: Any, *, lifetime: float) -> Any: ...


def senders() -> QuerySet[Sender]:
    """Those that write mail and so need a domain that vouches for them; a handful."""
    return Sender.objects.filter(transport__in=Sender.BY_MAIL).order_by("pk")


def check(sender: Sender, *, now: datetime, resolver: Resolver | None = None) -> Report:
    """Look everything up, keep it beside the sender with the time, and answer it.

    Each of the six parts waits for ``DNS_TIMEOUT`` seconds at most for an answer that does not
    come.
    """
    report = look(sender, resolver=resolver)
    Sender.objects.filter(pk=sender.pk).update(dns_report=report.stored(), dns_checked_at=now)
    sender.dns_report, sender.dns_checked_at = report.stored(), now
    return report


def check_all(
    *, now: datetime, stop: Callable[[], bool] = lambda: False, resolver: Resolver | None = None
) -> list[tuple[Sender, Report]]:
    """``check`` for every active sender of mail that has not been asked about longest first."""
    rows = senders().filter(status=Sender.Status.ACTIVE)
    done = []
    for sender in rows.order_by("dns_checked_at", "pk"):
        if stop():
            break
        done.append((sender, check(sender, now=now, resolver=resolver)))
    return done


def look(sender: Sender, *, resolver: Resolver | None = None) -> Report:
    """Ask DNS about a sender's domain; nothing is kept. Never raises for what DNS says."""
    asked, domain = _Asked(resolver), sender.domain
    parts: list[tuple[str, Callable[[], str]]] = [
        ("SPF", lambda: _spf(asked, domain)),
        ("DKIM", lambda: _dkim(asked, domain, sender.dkim_selector)),
        ("DMARC", lambda: _dmarc(asked, domain)),
        ("MX", lambda: _mx(asked, domain)),
        ("TLS", lambda: _tls(sender)),
    ]
    if is_own_server(sender):
        parts.append(("PTR", lambda: _ptr(asked, sender.smtp_host)))
    return Report(domain, [_found(name, ask) for name, ask in parts])


def is_own_server(sender: Sender) -> bool:
    """Whether the outgoing server bears the sender's own domain, so that its PTR is ours."""
    domain, host = sender.domain, sender.smtp_host.lower()
    is_mailbox = sender.transport == Sender.Transport.MAILBOX
    return is_mailbox and (host == domain or host.endswith(f".{domain}"))


def _found(name: str, ask: Callable[[], str]) -> Finding:
    try:
        return Finding(name, GOOD, "", ask())
    except Wrong as e:
        return Finding(name, BAD, e.code, str(e))
    except NotAskable as e:
        told = f"Could not be asked: {e}. Whether it is in order is not known."
        return Finding(name, UNKNOWN, "not_asked", told)


class _Asked:
    """A resolver whose answers are text, with "there is none" told from "no answer came"."""

    def __init__(self, resolver: Resolver | None) -> None:
        self._resolver = resolver

    def records(self, name: str, kind: str) -> list[Any]:
        """The records of a name; empty where it has none. Raises NotAskable."""
        try:
            if self._resolver is None:
                self._resolver = dns.resolver.Resolver()  # it reads the machine's set-up
            return list(self._resolver.resolve(name, kind, lifetime=settings.DNS_TIMEOUT))
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except dns.resolver.LifetimeTimeout as e:
            told = f"no answer about {clean_line(name)} in {settings.DNS_TIMEOUT} s"
            raise NotAskable(told) from e
        except dns.exception.DNSException as e:
            raise NotAskable(f"{clean_line(name)}: {type(e).__name__}") from e

    def texts(self, name: str, version: str) -> list[str]:
        """The TXT records that begin with a version, as "v=spf1". Raises NotAskable."""
        found = [
            b"".join(record.strings).decode("utf-8", "replace")
            for record in self.records(name, "TXT")
        ]
        begins = re.compile(rf"{re.escape(version)}(?:[\s;]|$)", re.IGNORECASE)
        return [text for text in found if begins.match(text)]

    def addresses(self, name: str) -> set[str]:
        return {r.address for kind in ("A", "AAAA") for r in self.records(name, kind)}


# -- SPF (RFC 7208) ----------------------------------------------------------------------------

_TERM = re.compile(
    r"(?P<sign>[-+~?]?)(?P<name>all|include|a|mx|ptr|ip4|ip6|exists)"
    r"(?P<rest>[:/].*)?$|(?P<modifier>[a-z][a-z0-9_.-]*)=(?P<value>.*)$",
    re.IGNORECASE,
)
_COSTS = {"include", "a", "mx", "ptr", "exists"}


def _spf(asked: _Asked, domain: str) -> str:
    record = _one_spf(asked, domain)
    terms = list(_terms(record))
    if any(name == "all" and sign == "+" for sign, name, _ in terms):
        told = "Its SPF record ends in +all: it lets everybody write in your name."
        raise Wrong("spf_open", told)
    used = _lookups(asked, terms, spent=0, within=frozenset({domain}))
    return f"One SPF record with {used} of {MOST_LOOKUPS} look-ups: {_short(record)}"


def _one_spf(asked: _Asked, domain: str) -> str:
    found = asked.texts(domain, "v=spf1")
    if not found:
        raise Wrong("spf_missing", f"{domain} has no SPF record (a TXT that begins v=spf1).")
    if len(found) > 1:
        told = f"{domain} has {len(found)} SPF records; with more than one none counts."
        raise Wrong("spf_twice", told)
    return found[0]


def _terms(record: str) -> Iterator[tuple[str, str, str]]:
    """Sign, name and value of each term; raises Wrong for what is no SPF."""
    for word in record.split()[1:]:
        match = _TERM.match(word)
        if match is None:
            raise _broken(word)
        if match["modifier"]:
            yield "", match["modifier"].lower() + "=", match["value"]
            continue
        name, rest = match["name"].lower(), match["rest"] or ""
        if name in ("include", "exists", "ip4", "ip6") and len(rest) < 2:
            raise _broken(word)
        if name in ("ip4", "ip6") and not _is_network(rest[1:], version=int(name[2])):
            raise _broken(word)
        if name == "all" and rest:
            raise _broken(word)
        yield match["sign"] or "+", name, rest.removeprefix(":")


def _broken(word: str) -> Wrong:
    told = f"Its SPF record cannot be read: “{_short(word)}” is no SPF."
    return Wrong("spf_syntax", told)


def _is_network(text: str, *, version: int) -> bool:
    try:
        return ip_network(text, strict=False).version == version
    except ValueError:
        return False


def _lookups(
    asked: _Asked, terms: list[tuple[str, str, str]], *, spent: int, within: frozenset[str]
) -> int:
    """How many look-ups a receiver makes, included records' too; raises Wrong beyond ten."""
    for _, name, value in terms:
        if name not in _COSTS and name != "redirect=":
            continue
        spent += 1
        if spent > MOST_LOOKUPS:
            told = (
                f"Its SPF record needs more than {MOST_LOOKUPS} look-ups: it counts as broken."
            )
            raise Wrong("spf_lookups", told)
        if name not in ("include", "redirect=") or "%" in value:  # a macro depends on the mail
            continue
        target = value.lower().rstrip(".")
        if target in within:
            raise Wrong("spf_syntax", f"Its SPF record includes {_short(target)} in a circle.")
        found = asked.texts(target, "v=spf1")
        if len(found) != 1:
            told = (
                f"Its SPF record includes {_short(target)}, which has {len(found)} of its own."
            )
            raise Wrong("spf_syntax", told)
        inner = list(_terms(found[0]))
        spent = _lookups(asked, inner, spent=spent, within=within | {target})
    return spent


# -- DKIM (RFC 6376) ---------------------------------------------------------------------------


def _dkim(asked: _Asked, domain: str, selector: str) -> str:
    """A key under the sender's selector, or under one of the usual ones; aligned by its
    place.
    """
    told = None
    for name in [selector] if selector else SELECTORS:
        records = asked.records(f"{name}._domainkey.{domain}", "TXT")
        if not records:
            continue
        try:
            bits = _key(b"".join(records[0].strings).decode("ascii", "replace"), name)
        except Wrong as e:
            told = told or e
            continue
        return f"A key of {bits} bits under the selector {name}."
    if told is not None:
        raise told
    if selector:
        where = f"{selector}._domainkey.{domain}"
        raise Wrong("dkim_missing", f"There is no DKIM key at {where}.")
    raise Wrong(
        "dkim_missing",
        "There is no DKIM key under any of the usual selectors. Have your mail host sign your "
        "mail; if it does, enter its selector on the sender's page.",
    )


def _key(record: str, selector: str) -> int:
    tags = _tags(record)
    text = re.sub(r"\s", "", tags.get("p", ""))
    if "p" in tags and not text:
        told = f"The DKIM key under {selector} was revoked (its p= is empty)."
        raise Wrong("dkim_revoked", told)
    try:
        raw = base64.b64decode(text, validate=True)
        if tags.get("k", "rsa").lower() == "ed25519":
            if len(raw) != 32:
                raise ValueError
            return 256
        key = load_der_public_key(raw)
    except (binascii.Error, ValueError, UnsupportedAlgorithm) as e:
        raise Wrong("dkim_broken", f"The DKIM key under {selector} cannot be read.") from e
    bits = key.key_size if isinstance(key, RSAPublicKey) else 0
    if bits < SHORTEST_KEY:
        told = f"The DKIM key under {selector} has {bits} bits; {SHORTEST_KEY} are the least."
        raise Wrong("dkim_short", f"{told} Take 2048.")
    return bits


# -- DMARC (RFC 7489) --------------------------------------------------------------------------


def _dmarc(asked: _Asked, domain: str) -> str:
    """The policy of the domain, or of the nearest one above that has any (two labels or
    more).
    """
    labels = domain.split(".")
    for start in range(max(1, len(labels) - 1)):
        name = ".".join(labels[start:])
        found = asked.texts(f"_dmarc.{name}", "v=DMARC1")
        if len(found) > 1:
            told = (
                f"_dmarc.{name} has {len(found)} DMARC records; with more than one none counts."
            )
            raise Wrong("dmarc_twice", told)
        if found:
            return _policy(found[0], name)
    told = (
        f"{domain} has no DMARC record. The least is a TXT at _dmarc.{domain}: v=DMARC1; p=none"
    )
    raise Wrong("dmarc_missing", told)


def _policy(record: str, name: str) -> str:
    policy = _tags(record).get("p", "").lower()
    if policy not in ("none", "quarantine", "reject"):
        told = f"The DMARC record at _dmarc.{name} says no policy: p= must be none, quarantine "
        raise Wrong("dmarc_policy", f"{told}or reject.")
    return f"p={policy} at _dmarc.{name}."


def _tags(record: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in record.split(";"))
    return {key.strip().lower(): value.strip() for key, _, value in pairs if key.strip()}


# -- the servers -------------------------------------------------------------------------------


def _mx(asked: _Asked, domain: str) -> str:
    hosts = [
        record.exchange.to_text(omit_final_dot=True) for record in asked.records(domain, "MX")
    ]
    if any(host in ("", ".") for host in hosts):
        told = f"{domain} says that it takes no mail (a null MX): nobody's answer can arrive."
        raise Wrong("mx_null", told)
    if not hosts:
        told = f"{domain} has no MX record: answers may not arrive."
        raise Wrong("mx_missing", told)
    return f"Answers go to {_short(', '.join(sorted(hosts)[:3]))}."


def _tls(sender: Sender) -> str:
    if sender.transport != Sender.Transport.MAILBOX:
        return "Its provider is reached over HTTPS."
    if sender.smtp_security != Sender.Security.NONE:
        return f"Mail is handed over by {sender.get_smtp_security_display()}."
    if logins.is_loopback_host(sender.smtp_host):
        return "Mail is handed to a server on this machine."
    told = f"Mail would go to {sender.smtp_host} unencrypted. Choose STARTTLS or TLS."
    raise Wrong("tls_missing", told)


def _ptr(asked: _Asked, host: str) -> str:
    """Each address of our own server has a name, and the name leads back to it (FCrDNS)."""
    addresses = asked.addresses(host)
    if not addresses:
        raise Wrong("ptr_missing", f"{host} has no address.")
    for address in sorted(addresses):
        pointers = asked.records(dns.reversename.from_address(address).to_text(), "PTR")
        names = [record.target.to_text(omit_final_dot=True) for record in pointers]
        if not names:
            told = f"{address} ({host}) has no PTR record. Ask whoever rents you the server."
            raise Wrong("ptr_missing", told)
        if not any(address in asked.addresses(name) for name in names[:5]):
            told = f"The PTR of {address} names {_short(names[0])}, which does not lead back."
            raise Wrong("ptr_mismatch", told)
    return f"Every address of {host} has a name that leads back to it."


def _short(text: str) -> str:
    return clean_line(text)[:160]
