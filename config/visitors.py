"""Who calls from outside, how often, and whether anybody out there can reach us."""

from __future__ import annotations

import time
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest

Machine = IPv4Address | IPv6Address


def caller(request: HttpRequest) -> str:
    """The address a request comes from; empty if the server does not know it.

    ``X-Forwarded-For`` is believed only as far as proxies of ours wrote it (TRUSTED_PROXIES):
    read from its end, it names the first machine that is none of them (SEC-10).
    """
    last = _machine(request.META.get("REMOTE_ADDR", ""))
    if last is None:
        return ""
    for told in reversed(request.headers.get("X-Forwarded-For", "").split(",")):
        before = _machine(told.strip()) if _is_ours(last) else None
        if before is None:
            break
        last = before
    return str(last)


def _machine(text: str) -> Machine | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _is_ours(machine: Machine) -> bool:
    return any(machine in ip_network(entry) for entry in settings.TRUSTED_PROXIES)


def is_too_often(name: str, who: str, *, per_minute: int) -> bool:
    """Count one more call by ``who``; whether it is one too many in this minute.

    All processes count together, in the shared cache.
    """
    key = f"{name}-{who}-{int(time.time() // 60)}"
    if cache.add(key, 1, timeout=120):
        return False
    try:
        return int(cache.incr(key)) > per_minute
    except ValueError:  # it expired in between
        return False


def neighbourhood(address: str) -> str:
    """What one caller holds: an IPv4 address, or the /64 network around an IPv6 address."""
    machine = _machine(address)
    if isinstance(machine, IPv6Address):
        return str(ip_network((machine, 64), strict=False))
    return address


def is_public(url: str) -> bool:
    """Whether ``url`` is https at a host that the whole world can reach by its name.

    The law and RFC 8058 want a way out that works for the recipient, not on this machine.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme != "https" or not host:
        return False
    machine = _machine(host)
    if machine is not None:
        return machine.is_global
    ending = host.rpartition(".")[2]
    return "." in host and ending not in PRIVATE_ENDINGS


# Names that no public server answers for (RFC 6761, RFC 6762, RFC 8375 and ICANN's .internal).
PRIVATE_ENDINGS = {"arpa", "home", "internal", "invalid", "lan", "local", "localhost"}
