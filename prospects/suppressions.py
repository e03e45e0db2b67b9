"""Whom we may not write: keyed hashes, never the value itself (LAW-6).

Each value is kept twice: as given (lower case, punycode) and in its canonical spelling, so that
a later change to the canonical form cannot un-suppress anybody.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from django.conf import settings
from django.db.models import Q

from config.bulk import batches
from config.text import clean_line
from prospects import addresses, names
from prospects.addresses import AddressError
from prospects.models import ContactAddress, Suppression

Kind, Reason = Suppression.Kind, Suppression.Reason
# Where an address is on the list for several reasons, the first of these is told. A later,
# graver reason replaces a milder one; nothing ever takes a row away.
GRAVEST_FIRST = [
    Reason.COMPLAINED,
    Reason.ERASED,
    Reason.UNSUBSCRIBED,
    Reason.DO_NOT_CONTACT,
    Reason.IMPORTED,
    Reason.BOUNCED,
]
RANK = {str(reason): place for place, reason in enumerate(GRAVEST_FIRST)}
BATCH = 2_000


class Hashes(NamedTuple):
    """Hex HMAC-SHA256 of the value as given, and of its canonical spelling."""

    exact: str
    canonical: str


def hashes(kind: str, value: str) -> Hashes:
    """The two keyed hashes by which ``value`` is known; raises AddressError if it is none."""
    exact, canonical = _spellings(kind, value)
    return Hashes(_hash(kind, exact), _hash(kind, canonical))


def _spellings(kind: str, value: str) -> tuple[str, str]:
    match kind:
        case Kind.EMAIL:
            return addresses.exact_email(value), addresses.canonical_email(value)
        case Kind.DOMAIN:
            domain = addresses.canonical_domain(value.removeprefix("@"))
            return domain, domain
        case Kind.PHONE:
            number = addresses.canonical_phone(value)
            return number, number
        case Kind.LINKEDIN:
            page = addresses.canonical_linkedin(value)
            return page, page
        case Kind.ORGANIZATION:
            name = clean_line(value).casefold()
            if not name:
                raise AddressError("There is no name of an organization.")
            return name, names.organization_key(value)
    raise AddressError(f"“{kind}” is no kind of suppression; known are {', '.join(Kind)}.")


def _hash(kind: str, spelling: str) -> str:
    # The NUL keeps kind and value apart: no value can contain one.
    message = f"{kind}\0{spelling}".encode()
    return hmac.digest(settings.SUPPRESSION_KEY.encode(), message, "sha256").hex()


def hint(kind: str, value: str) -> str:
    """What a person may see of the value: ``a***@e***.com``; at most 80 characters."""
    exact, _ = _spellings(kind, value)
    match kind:
        case Kind.EMAIL:
            local, _, domain = exact.rpartition("@")
            masked = f"{local[0]}***@{_masked_domain(domain)}"
        case Kind.DOMAIN:
            masked = _masked_domain(exact)
        case Kind.PHONE:
            masked = f"{exact[:3]}***{exact[-2:]}"
        case Kind.LINKEDIN:
            folder, _, name = exact.rpartition("/")
            masked = f"{folder}/{name[:1]}***"
        case _:
            masked = f"{exact[0]}***"
    return masked[:80]


def _masked_domain(domain: str) -> str:
    name, _, ending = domain.rpartition(".")
    return f"{name[0]}***.{ending}"


def add(
    kind: str, value: str, *, reason: str, source: str, now: datetime, rehearsed: bool = False
) -> bool:
    """Suppress one value; True if it is new. Raises AddressError for a bad value."""
    asked = row(kind, value, reason=reason, source=source, now=now, rehearsed=rehearsed)
    return add_many([asked]) == 1


def row(
    kind: str, value: str, *, reason: str, source: str, now: datetime, rehearsed: bool = False
) -> Suppression:
    """A row for ``add_many``, not stored yet. Raises AddressError for a bad value.

    ``rehearsed``: nobody said so in earnest; the end of the rehearsal takes it back.
    """
    exact, canonical = hashes(kind, value)
    return Suppression(
        kind=kind,
        exact_hash=exact,
        canonical_hash=canonical,
        hint=hint(kind, value),
        reason=reason,
        source=clean_line(source),
        is_rehearsed=rehearsed,
        created_at=now,
    )


def add_many(rows: Iterable[Suppression]) -> int:
    """Suppress many (see ``row``) in a constant number of queries per 2,000; how many are new.

    A value that is on the list already stays as it is, but for a graver reason, and for what
    was only rehearsed and is now said in earnest.
    """
    unique: dict[tuple[str, str], Suppression] = {}
    for each in rows:
        key = (each.kind, each.exact_hash)
        if key not in unique or _outweighs(each, unique[key]):
            unique[key] = each
    added = 0
    for some in batches(unique.items(), BATCH):
        added += _add(dict(some))
    return added


def _add(wanted: Mapping[tuple[str, str], Suppression]) -> int:
    present = {
        (each.kind, each.exact_hash): each
        for each in Suppression.objects.filter(exact_hash__in=[key[1] for key in wanted])
    }
    graver = []
    for key, each in present.items():
        if key in wanted and _outweighs(wanted[key], each):
            each.reason, each.source = wanted[key].reason, wanted[key].source
            each.is_rehearsed = wanted[key].is_rehearsed
            graver.append(each)
    if graver:
        Suppression.objects.bulk_update(graver, ["reason", "source", "is_rehearsed"])
    new = [each for key, each in wanted.items() if key not in present]
    Suppression.objects.bulk_create(new, ignore_conflicts=True)
    return len(new)


def _outweighs(new: Suppression, old: Suppression) -> bool:
    """Whether one takes the other's place: what was said in earnest before what was rehearsed,
    then the graver reason.
    """
    if new.is_rehearsed != old.is_rehearsed:
        return old.is_rehearsed
    return RANK[new.reason] < RANK[old.reason]


def suppressed(emails: Iterable[str]) -> dict[str, str]:
    """Those of ``emails`` that may not be written to, each with the gravest reason.

    Looks at the address as given, at its canonical spelling and at its domain with every domain
    above it. What is no address at all is not in the answer: nothing can be sent there. Two
    queries per 2,000 addresses.
    """
    answer: dict[str, str] = {}
    for some in batches(dict.fromkeys(emails), BATCH):
        answer |= _suppressed(some)
    return answer


def _suppressed(emails: Iterable[str]) -> dict[str, str]:
    spellings: dict[str, tuple[Hashes, list[str]]] = {}
    for email in emails:
        try:
            spellings[email] = hashes(Kind.EMAIL, email), _domain_hashes(email)
        except AddressError:
            continue
    by_email = _reasons(Kind.EMAIL, [pair for pair, _ in spellings.values()])
    above = {each for _, domains in spellings.values() for each in domains}
    by_domain = _reasons(Kind.DOMAIN, [Hashes(each, each) for each in above])
    answer = {}
    for email, (pair, domains) in spellings.items():
        found = [by_email[each] for each in pair if each in by_email]
        found += [by_domain[each] for each in domains if each in by_domain]
        if found:
            answer[email] = min(found, key=RANK.__getitem__)
    return answer


def _domain_hashes(email: str) -> list[str]:
    """Of the domain and of each domain above it but the last label."""
    labels = addresses.domain_of(email).split(".")
    return [_hash(Kind.DOMAIN, ".".join(labels[at:])) for at in range(len(labels) - 1)]


def suppressed_values(kind: str, values: Iterable[str]) -> dict[str, str]:
    """As ``suppressed``, for values of one kind: telephone numbers, organizations, pages.

    One query per 2,000 values.
    """
    answer: dict[str, str] = {}
    for some in batches(dict.fromkeys(values), BATCH):
        spellings = {}
        for value in some:
            try:
                spellings[value] = hashes(kind, value)
            except AddressError:
                continue
        reasons = _reasons(kind, spellings.values())
        for value, pair in spellings.items():
            found = [reasons[each] for each in pair if each in reasons]
            if found:
                answer[value] = min(found, key=RANK.__getitem__)
    return answer


def of_addresses(addresses: Iterable[ContactAddress]) -> dict[str, str]:
    """Those of these addresses, of whatever kind, that may not be used, each with the reason.

    By their value. Two queries per 2,000 of mail, one for each other kind that occurs.
    """
    by_kind: dict[str, set[str]] = {}
    for address in addresses:
        by_kind.setdefault(address.kind, set()).add(address.value)
    answer = suppressed(by_kind.pop(ContactAddress.Kind.EMAIL, ()))
    for kind, values in by_kind.items():
        if kind in Kind:
            answer |= suppressed_values(kind, values)
    return answer


def _reasons(kind: str, pairs: Iterable[Hashes]) -> dict[str, str]:
    """Reason by hash, for the exact and canonical hashes of these that are on the list."""
    pairs = list(pairs)
    rows = Suppression.objects.filter(
        Q(exact_hash__in={pair.exact for pair in pairs})
        | Q(canonical_hash__in={pair.canonical for pair in pairs}),
        kind=kind,
    ).values_list("exact_hash", "canonical_hash", "reason")
    reasons: dict[str, str] = {}
    for exact, canonical, reason in rows:
        for each in (exact, canonical):
            if each not in reasons or RANK[reason] < RANK[reasons[each]]:
                reasons[each] = reason
    return reasons
