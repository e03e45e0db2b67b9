"""What a sender needs to use a provider: the keys of its options, and what is wrong with them.

The options are JSON in an encrypted field. No sentence made here contains a value of it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from pitches.models import Sender

Provider, Transport = Sender.Provider, Sender.Transport


@dataclass(frozen=True, slots=True)
class Known:
    """The option names of one provider, in anymail's words: which must be there, which may."""

    needed: tuple[str, ...]
    optional: tuple[str, ...] = ()


# By the keywords of each anymail backend (django-anymail 15.2, docs "Esps"). Amazon SES has an
# SDK of its own, whose errors are other ones; it is reached by SMTP.
PROVIDERS: dict[str, Known] = {
    Provider.BREVO: Known(("api_key",)),
    Provider.MAILERSEND: Known(("api_token",)),
    Provider.MAILGUN: Known(("api_key", "sender_domain")),
    Provider.MAILJET: Known(("api_key", "secret_key")),
    Provider.MAILTRAP: Known(("api_token",), ("sandbox_id",)),
    Provider.MANDRILL: Known(("api_key",)),
    Provider.POSTAL: Known(("api_key", "api_url")),
    Provider.POSTMARK: Known(("server_token",), ("message_stream",)),
    Provider.RESEND: Known(("api_key",)),
    Provider.SCALEWAY: Known(("secret_key", "project_id"), ("region",)),
    Provider.SPARKPOST: Known(("api_key",), ("subaccount",)),
    Provider.UNISENDER_GO: Known(("api_key", "api_url")),
}
INSTANTLY = Known(("api_key", "campaign_id"))
TWILIO = Known(
    ("account_sid", "auth_token"),
    ("from_number", "messaging_service_sid", "api_key", "api_secret"),
)
# The account may live on another continent, at another address of the same provider.
API_URL = "api_url"
# By these a webhook proves who sent it; which one depends on the provider.
OF_WEBHOOKS = (
    "webhook_secret",
    "webhook_signing_key",
    "webhook_key",
    "signing_secret",
    "verification_key",
)
SHAPES = {
    "account_sid": (re.compile(r"AC[0-9a-fA-F]{32}"), "AC and 32 hexadecimal digits"),
    "messaging_service_sid": (re.compile(r"MG[0-9a-fA-F]{32}"), "MG and 32 hexadecimal digits"),
    "from_number": (re.compile(r"\+[1-9][0-9]{6,14}"), "a number such as +15550100"),
    # in clear only to this very machine
    API_URL: (
        re.compile(r"(https://|http://(127\.0\.0\.1|localhost)[:/])[^\s@]+"),
        "an address that begins with https://",
    ),
}


class OptionsError(Exception):
    """The options cannot be used; the sentence names what is missing, never a value."""


def known(sender: Sender) -> Known | None:
    """Which options this sender's transport reads; None where it reads none."""
    match sender.transport:
        case Transport.PROVIDER:
            return PROVIDERS.get(sender.provider)
        case Transport.INSTANTLY:
            return INSTANTLY
        case Transport.TWILIO:
            return TWILIO
    return None


def read(sender: Sender) -> dict[str, str]:
    """The options of a sender, checked; raises OptionsError."""
    if sender.transport == Transport.PROVIDER and not sender.provider:
        raise OptionsError("no mail provider is chosen")
    names = known(sender)
    if names is None and sender.transport == Transport.PROVIDER:
        raise OptionsError(
            f"{sender.get_provider_display()} is reached by SMTP: choose “own mailbox”"
        )
    if names is None:
        return {}
    given = _parsed(sender.provider_options)
    missing = [name for name in names.needed if not given.get(name)]
    if missing:
        raise OptionsError(f"its options lack {_listed(missing)}")
    allowed = {*names.needed, *names.optional, API_URL, *OF_WEBHOOKS}
    if unknown := sorted(set(given) - allowed):
        names_known = _listed(sorted(allowed))
        raise OptionsError(
            f"its options have {len(unknown)} unknown names; known are {names_known}"
        )
    for name, (shape, example) in SHAPES.items():
        if given.get(name) and not shape.fullmatch(given[name]):
            raise OptionsError(f"its option {name} is not {example}")
    if sender.transport == Transport.TWILIO:
        _check_twilio(given)
    return given


def problem(sender: Sender) -> str:
    """What is wrong with the options, in words; empty where nothing is."""
    try:
        read(sender)
    except OptionsError as e:
        return str(e)
    return ""


def _check_twilio(given: dict[str, str]) -> None:
    if not (given.get("from_number") or given.get("messaging_service_sid")):
        raise OptionsError("its options lack from_number or messaging_service_sid")
    if bool(given.get("api_key")) != bool(given.get("api_secret")):
        raise OptionsError("its options have only one of api_key and api_secret")


def _parsed(text: str) -> dict[str, str]:
    if not text.strip():
        return {}
    try:
        given: Any = json.loads(text)
    except ValueError:
        raise OptionsError('its options are no JSON such as {"api_key": "…"}') from None
    if not isinstance(given, dict) or not all(isinstance(each, str) for each in given.values()):
        raise OptionsError("its options are not names, each with a text")
    return {name: value.strip() for name, value in given.items()}


def _listed(names: list[str]) -> str:
    return ", ".join(names)
