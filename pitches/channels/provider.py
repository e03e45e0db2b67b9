"""Mail through a provider's API, by django-anymail: one class for all of them.

anymail translates; what we add is what an answer means. Its exceptions say little about
whether the mail was taken, so we look beneath them: at the status, the answer, the connection.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, ClassVar

from anymail.exceptions import (
    AnymailError,
    AnymailRecipientsRefused,
    AnymailUnsupportedFeature,
)
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMultiAlternatives, get_connection

from config import http
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
from pitches.models import Sender

# anymail's words for one recipient (its documentation, "ESP send status").
TAKEN = frozenset({"sent", "queued", "unknown"})
NO_SUCH_ADDRESS = "invalid"
# These have places of their own in the API; everything else goes along as a header.
NOT_HEADERS = frozenset(
    {
        "from", "to", "subject", "date", "mime-version", "content-type",
        "content-transfer-encoding", "reply-to",
    }
)  # fmt: skip
# Postmark keeps a Message-ID of ours only if it is told to.
KEEPS_OUR_ID: dict[str, dict[str, str]] = {Sender.Provider.POSTMARK: {"X-PM-KeepID": "true"}}
# The header by which a provider knows the same request again, and for how long it does
# (resend.com/docs, "Idempotency keys": 24 hours; an hour is left for clocks).
KEYS: dict[str, tuple[str, timedelta]] = {
    Sender.Provider.RESEND: ("Idempotency-Key", timedelta(hours=23))
}


# What not every provider can be told: without metadata an event is joined by the provider's id,
# and where tracking cannot be forbidden per mail it is off unless the account turns it on.
EXTRAS: dict[str, bool | str] = {
    "metadata": "message_id",
    "track_opens": False,
    "track_clicks": False,
}


class ProviderChannel(Channel):
    """One session with the provider of a sender."""

    backends: ClassVar[str] = "anymail.backends.{provider}.EmailBackend"

    @classmethod
    def missing(cls, sender: Sender) -> str:
        return options.problem(sender)

    def __init__(self, sender: Sender) -> None:
        super().__init__(sender)
        self.look_up_may_deliver = sender.provider in KEYS
        self._backend: Any = None
        self._extras = dict(EXTRAS)
        self._options: dict[str, str] = {}

    def open(self, letter: Letter) -> None:
        """Build the whole request; nothing is sent, so whatever is wrong is definite."""
        try:
            self._begin()
            self._build(letter)
        except options.OptionsError as e:
            raise ChannelError(str(e), permanent=True, of_mailbox=True) from e
        except (ImproperlyConfigured, ImportError) as e:
            raise ChannelError(
                f"{self.sender.get_provider_display()} cannot be used: {type(e).__name__}",
                permanent=True,
                of_mailbox=True,
            ) from e
        except AnymailError as e:
            raise ChannelError(
                f"{self.sender.get_provider_display()} does not take such a mail: "
                f"{self._clean(str(e))}",
                permanent=True,
            ) from e

    def hand_over(self, letter: Letter, *, now: datetime) -> Receipt:
        """POST it. Where the provider knows a key again, an unclear answer is asked for once
        more, at once: the second request can only tell what became of the first."""
        try:
            return self._post(letter, now=now)
        except OutcomeUnknown:
            if self.sender.provider not in KEYS:
                raise
            return self._post(letter, now=now)

    def look_up(
        self, letter: Letter, *, since: datetime, now: datetime
    ) -> Receipt | Refused | None:
        """The same request under the same key. It delivers if the first one was lost."""
        key = KEYS.get(self.sender.provider)
        if key is None or now - since >= key[1]:
            return None
        self.open(letter)
        try:
            return self._post(letter, now=now)
        except OutcomeUnknown:
            return None

    def back_out(self) -> None:
        """Nothing was begun."""

    def close(self) -> None:
        backend, self._backend = self._backend, None
        if backend is not None:
            backend.close()

    def _begin(self) -> None:
        if self._backend is not None:
            return
        self._options = options.read(self.sender)
        given: dict[str, Any] = {
            name: value
            for name, value in self._options.items()
            if name not in options.OF_WEBHOOKS
        }
        path = self.backends.format(provider=self.sender.provider)
        self._backend = get_connection(path, **given)
        self._extras = dict(EXTRAS)
        self._backend.timeout = (settings.HTTP_CONNECT_TIMEOUT, settings.HTTP_READ_TIMEOUT)
        self._backend.open()
        if session := getattr(self._backend, "session", None):
            # An idle connection that the server closes would make a clear case unclear.
            session.headers["Connection"] = "close"
            session.max_redirects = 0

    def _build(self, letter: Letter) -> None:
        """The request as it will be sent. What this provider cannot be told is left out."""
        backend = self._backend
        while True:
            try:
                payload = backend.build_message_payload(
                    self._mail(letter), backend.send_defaults
                )
                break
            except AnymailUnsupportedFeature as e:
                extra = next((name for name in self._extras if name in str(e)), None)
                if extra is None:
                    raise
                del self._extras[extra]
        if hasattr(payload, "get_request_params"):
            payload.get_request_params(backend.api_url)

    def _post(self, letter: Letter, *, now: datetime) -> Receipt:
        mail = self._mail(letter)
        if key := KEYS.get(self.sender.provider):
            self._backend.session.headers[key[0]] = letter.message_id
        with self._told(now):
            self._backend.send_messages([mail])
        return self._receipt(mail)

    @contextmanager
    def _told(self, now: datetime) -> Iterator[None]:
        try:
            yield
        except AnymailRecipientsRefused as e:
            raise self._refused(e) from e
        except Exception as e:  # whatever a backend trips over, the request may have arrived
            self._judge(e, now=now)

    def _judge(self, error: Exception, *, now: datetime) -> None:
        response = getattr(error, "response", None)
        if response is None:
            host = self.sender.get_provider_display()
            words, is_unclear = http.told(error.__cause__ or error, host)
            if is_unclear:
                raise OutcomeUnknown(words) from error
            raise ChannelError(words, of_mailbox=True) from error
        said = self._clean(_sentence(response))
        if response.status_code == 409 and self.sender.provider in KEYS:
            raise OutcomeUnknown(f"409 {said}: its key is in use") from error
        over_http.judge(response.status_code, response.headers, said, now=now)
        raise OutcomeUnknown(
            f"{response.status_code}, and an answer nobody can read"
        ) from error

    def _refused(self, error: AnymailRecipientsRefused) -> ChannelError:
        status = error.email_message.anymail_status.status or set()
        return self._definite(status)

    def _definite(self, status: set[str]) -> ChannelError:
        words = f"{self.sender.get_provider_display()}: {', '.join(sorted(map(str, status)))}"
        return ChannelError(words, permanent=True, hard=status == {NO_SUCH_ADDRESS})

    def _receipt(self, mail: Any) -> Receipt:
        found = mail.anymail_status
        status = found.status or set()
        if not status or None in status:
            raise OutcomeUnknown("an answer that says nothing about the recipient")
        if not status <= TAKEN:
            raise self._definite(status)
        if found.message_id is None:
            raise OutcomeUnknown("an answer without an id")
        return Receipt(
            answer=f"{self.sender.get_provider_display()}: {', '.join(sorted(status))}",
            code=200,
            provider_id=str(found.message_id),
        )

    def _mail(self, letter: Letter) -> Any:
        """Our letter as anymail wants it; the words and headers are those that were built."""
        reply_to = letter.mail["Reply-To"]
        mail: Any = EmailMultiAlternatives(
            subject=letter.subject,
            body=letter.text,
            from_email=str(letter.mail["From"]),
            to=[str(letter.mail["To"])],
            reply_to=[str(reply_to)] if reply_to else None,
            headers=self._headers(letter),
        )
        if letter.html:
            mail.attach_alternative(letter.html, "text/html")
        for part in letter.mail.iter_attachments():
            mail.attach(part.get_filename(), part.get_content(), part.get_content_type())
        for name, value in self._extras.items():
            setattr(mail, name, {value: letter.message_id} if name == "metadata" else value)
        return mail

    def _headers(self, letter: Letter) -> dict[str, str]:
        own = {
            name: " ".join(str(value).split())
            for name, value in letter.mail.items()
            if name.lower() not in NOT_HEADERS
        }
        return own | KEEPS_OUR_ID.get(self.sender.provider, {})

    def _clean(self, text: str) -> str:
        return over_http.clean(text, self._options.values())


def _sentence(response: Any) -> str:
    """What the provider says, wherever it says it."""
    try:
        found = response.json()
    except ValueError:
        return ""
    if not isinstance(found, dict):
        return ""
    words = next(
        (found[k] for k in ("message", "Message", "error", "errors") if k in found), ""
    )
    return words if isinstance(words, str) else json.dumps(words)
