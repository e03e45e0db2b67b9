"""SMS through Twilio's REST API (twilio.com/docs/messaging/api/message-resource).

Twilio knows no idempotency key: a request without an answer is of unknown fate, and what became
of it can be read from the list of messages to that number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.conf import settings

from campaigns.models import Channel as Way
from config import http
from pitches import callbacks
from pitches.channels import (
    Channel,
    ChannelError,
    Letter,
    OutcomeUnknown,
    Receipt,
    Refused,
    options,
    over_http,
)
from pitches.models import IncomingMessage, Message, Sender

API = "https://api.twilio.com/2010-04-01/Accounts"
# twilio.com/docs/api/errors
OPTED_OUT = 21610
NO_SUCH_NUMBER = frozenset({21211, 21214, 21217, 21614})
# What a status callback says of a text that was taken and did not arrive.
UNDELIVERED: dict[int, str] = {
    30003: Message.BounceKind.SOFT,  # the handset is off or out of reach
    30004: Message.BounceKind.POLICY,  # blocked
    30005: Message.BounceKind.HARD,  # no such handset
    30006: Message.BounceKind.HARD,  # a landline
    30007: Message.BounceKind.POLICY,  # filtered by the carrier
    30008: Message.BounceKind.SOFT,  # unknown
    30034: Message.BounceKind.OURS,  # the number is not registered (A2P 10DLC)
}
# The account, not the message: 20003 login, 20404 no such account.
OURS = frozenset({401, 402, 403, 404})
NOT_TAKEN = frozenset({"failed", "canceled"})


def fingerprint_of_text(provider_id: str) -> str:
    """By which a text is kept: it has no bytes of a mail, but Twilio names each."""
    return hashlib.sha256(f"twilio:{provider_id}".encode()).hexdigest()


class TwilioChannel(Channel):
    """Texts to telephones. Every request stands for itself; there is no connection to hold."""

    carries = frozenset({Way.SMS.value})
    asks_for_answers = True

    @classmethod
    def missing(cls, sender: Sender) -> str:
        return options.problem(sender)

    def open(self, letter: Letter) -> None:
        self._given()

    def hand_over(self, letter: Letter, *, now: datetime) -> Receipt:
        given = self._given()
        form = {"To": letter.recipient, "Body": letter.text}
        if given.get("messaging_service_sid"):
            form["MessagingServiceSid"] = given["messaging_service_sid"]
        else:
            form["From"] = given["from_number"]
        if settings.PUBLIC_URL.startswith("https://"):
            form["StatusCallback"] = callbacks.address_of("twilio", self.sender.pk)
        answer = over_http.send(
            self._url(given),
            now=now,
            data=form,
            auth=_login(given),
            secrets=given.values(),
            judged=False,
        )
        if not answer.is_ok:
            raise self._refusal(answer, given, now=now)
        return _receipt(answer.json())

    def has_answer(self, letter: Letter, *, since: datetime, now: datetime) -> bool:
        """Any text from that number since the day of the first message, not kept here."""
        texts = self._listed("From", letter.recipient, since=since, now=now)
        names = {fingerprint_of_text(str(row.get("sid") or "")) for row in texts}
        kept = IncomingMessage.objects.filter(
            sender__transport=Sender.Transport.TWILIO, raw_sha256__in=names
        )
        return bool(names.difference(kept.values_list("raw_sha256", flat=True)))

    def look_up(
        self, letter: Letter, *, since: datetime, now: datetime
    ) -> Receipt | Refused | None:
        """By number and day, and by the very words: Twilio lists what it has taken."""
        for row in self._listed("To", letter.recipient, since=since, now=now):
            if row.get("body") == letter.text:
                if row.get("status") in NOT_TAKEN:
                    return Refused(f"Twilio lists it as {row['status']}")
                return _receipt(row)
        return None

    def _listed(
        self, side: str, number: str, *, since: datetime, now: datetime
    ) -> list[dict[str, Any]]:
        """Texts from or to a number, since the day before (Twilio counts days in UTC)."""
        given = self._given()
        day = (since - timedelta(hours=12)).astimezone(UTC).date().isoformat()
        query = urlencode({side: number, "DateSent>": day, "PageSize": 100})
        found = over_http.look(
            "GET",
            f"{self._url(given)}?{query}",
            now=now,
            auth=_login(given),
            secrets=given.values(),
        )
        rows = found.get("messages") if isinstance(found, dict) else None
        if not isinstance(rows, list):
            raise ChannelError("an answer of Twilio that nobody can read", of_mailbox=True)
        return [row for row in rows if isinstance(row, dict)]

    def back_out(self) -> None:
        """Nothing was begun."""

    def close(self) -> None:
        """Nothing is held open."""

    def _given(self) -> dict[str, str]:
        try:
            return options.read(self.sender)
        except options.OptionsError as e:
            raise ChannelError(str(e), permanent=True, of_mailbox=True) from e

    def _url(self, given: Mapping[str, str]) -> str:
        return f"{API}/{given['account_sid']}/Messages.json"

    def _refusal(
        self, answer: http.Answer, given: Mapping[str, str], *, now: datetime
    ) -> ChannelError:
        found = answer.json()
        code = found.get("code") if isinstance(found, dict) else None
        words = f"{code or answer.status} {over_http.said(answer, given.values())}".strip()
        if code == OPTED_OUT:
            return ChannelError(words, permanent=True, opted_out=True, code=answer.status)
        if code in NO_SUCH_NUMBER:
            return ChannelError(words, permanent=True, hard=True, code=answer.status)
        try:
            over_http.judge(answer.status, answer.headers, words, now=now, ours=OURS)
        except ChannelError as e:
            return e
        raise AssertionError("a refusal is always judged")


def _login(given: Mapping[str, str]) -> tuple[str, str]:
    if given.get("api_key"):
        return given["api_key"], given["api_secret"]
    return given["account_sid"], given["auth_token"]


def _receipt(found: Any) -> Receipt:
    name = found.get("sid") if isinstance(found, dict) else None
    if not isinstance(name, str) or not name:
        raise OutcomeUnknown("an answer nobody can read")
    status = over_http.clean(str(found.get("status", "")))
    return Receipt(answer=f"Twilio: {status}", code=201, provider_id=name)
