"""A connection to a mailbox: encrypted, logged in, and bounded in time and size."""

from __future__ import annotations

import contextlib
import imaplib
import socket
import ssl
from collections.abc import Iterator
from threading import Timer
from typing import Any

from django.conf import settings
from imap_tools import BaseMailBox, MailBox, MailBoxStartTls, MailBoxUnencrypted
from imap_tools.errors import ImapToolsError, MailboxLoginError

from config import logins
from config.text import clean_line
from pitches import tokens
from pitches.models import Sender

# A text is asked for by its first 2 MB; whoever sends more than this does not do as asked.
MOST_LITERAL = 8_000_000

# What a server may do to us: hang up, hang, answer no, or answer what nobody can read.
TROUBLE = (
    OSError,
    EOFError,
    imaplib.IMAP4.error,
    ImapToolsError,
    UnicodeError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
)


class MailboxUnavailable(Exception):
    """The mailbox could not be asked: a sentence for a person, without any secret.

    ``permanent``: nothing will change by itself; somebody has to set it right.
    """

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        self.permanent = permanent
        super().__init__(message)


@contextlib.contextmanager
def opened(sender: Sender) -> Iterator[BaseMailBox]:
    """A mailbox, logged in, with no folder chosen yet; closed at the end.

    Waits IMAP_TIMEOUT seconds for each answer and IMAP_TOTAL_TIMEOUT for everything together.
    Raises MailboxUnavailable, also for what goes wrong while the caller uses it.
    """
    box = _logged_in(sender)
    try:
        yield box
    except MailboxUnavailable:
        raise
    except TROUBLE as e:
        raise MailboxUnavailable(told(sender, e)) from e
    finally:
        _leave(box)


def _logged_in(sender: Sender) -> BaseMailBox:
    _check_settings(sender)
    if sender.login != Sender.Login.OAUTH2:
        return _connected(sender, sender.password)
    try:
        try:
            return _connected(sender, tokens.access(sender))
        except LoginRefused:
            # a token may be withdrawn before its time
            return _connected(sender, tokens.access(sender, anew=True))
    except tokens.TokenRefused as e:
        raise MailboxUnavailable(str(e), permanent=e.permanent) from e


class LoginRefused(MailboxUnavailable):
    """The server knows this name or password not."""


def _check_settings(sender: Sender) -> None:
    if not sender.imap_host:
        raise MailboxUnavailable(f"no IMAP server is set for {sender.address}", permanent=True)
    in_clear = sender.imap_security == Sender.Security.NONE
    if in_clear and not logins.is_loopback_host(sender.imap_host):
        raise MailboxUnavailable(
            f"{sender.imap_host} is not this machine: a mailbox there is read encrypted",
            permanent=True,
        )
    # Such a character would end the command and begin another.
    if not f"{sender.username}{sender.password}".replace(" ", "").isprintable():
        raise MailboxUnavailable(
            "the user name or the password has characters that no login takes", permanent=True
        )


def _connected(sender: Sender, secret: str) -> BaseMailBox:
    try:
        box = _connection(sender)
    except TROUBLE as e:
        raise MailboxUnavailable(
            f"no connection to {sender.imap_host}:{sender.imap_port}: {told(sender, e)}"
        ) from e
    try:
        _log_in(box, sender, secret)
    except MailboxLoginError as e:
        _leave(box)
        raise LoginRefused(f"the login was refused: {told(sender, e)}", permanent=True) from e
    except imaplib.IMAP4.abort as e:
        _leave(box)
        raise MailboxUnavailable(f"the login broke off: {told(sender, e)}") from e
    except imaplib.IMAP4.error as e:  # how imaplib says no to AUTHENTICATE
        _leave(box)
        raise LoginRefused(f"the login was refused: {told(sender, e)}", permanent=True) from e
    except TROUBLE as e:
        _leave(box)
        raise MailboxUnavailable(f"the login broke off: {told(sender, e)}") from e
    return box


def _connection(sender: Sender) -> BaseMailBox:
    host, port, timeout = sender.imap_host, sender.imap_port, settings.IMAP_TIMEOUT
    match sender.imap_security:
        case Sender.Security.TLS:
            context = ssl.create_default_context()
            return _Tls(host, port, timeout=timeout, ssl_context=context)
        case Sender.Security.STARTTLS:
            context = ssl.create_default_context()
            return _StartTls(host, port, timeout=timeout, ssl_context=context)
        case _:
            return _InClear(host, port, timeout=timeout)


class _Bounded:
    """A client of imaplib that nobody keeps for ever and nobody fills without end."""

    def open(self, host: str = "", port: int = 143, timeout: float | None = None) -> None:
        super().open(host, port, timeout)  # type: ignore[misc]
        # a server that sends a byte now and then would pass every single time-out
        self.watch = Timer(settings.IMAP_TOTAL_TIMEOUT, _hang_up, [self])
        self.watch.daemon = True
        self.watch.start()

    def read(self, size: int) -> bytes:
        if size > MOST_LITERAL:
            raise imaplib.IMAP4.abort("a text longer than was asked for")
        return bytes(super().read(size))  # type: ignore[misc]

    def shutdown(self) -> None:
        self.watch.cancel()
        super().shutdown()  # type: ignore[misc]


class _Client(_Bounded, imaplib.IMAP4):
    pass


class _TlsClient(_Bounded, imaplib.IMAP4_SSL):  # type: ignore[misc]
    pass


class _Tls(MailBox):
    def _get_mailbox_client(self) -> imaplib.IMAP4:
        return _TlsClient(
            self._host, self._port, ssl_context=self._ssl_context, timeout=self._timeout
        )


class _StartTls(MailBoxStartTls):
    def _get_mailbox_client(self) -> imaplib.IMAP4:
        client = _Client(self._host, self._port, self._timeout)
        try:
            status, _ = client.starttls(self._ssl_context)
            if status != "OK":
                raise client.error("the server refuses STARTTLS")
        except BaseException:
            client.shutdown()
            raise
        return client


class _InClear(MailBoxUnencrypted):
    def _get_mailbox_client(self) -> imaplib.IMAP4:
        return _Client(self._host, self._port, self._timeout)


def _log_in(box: BaseMailBox, sender: Sender, secret: str) -> None:
    name = sender.username or sender.address
    if sender.login == Sender.Login.OAUTH2:
        box.xoauth2(name, secret, initial_folder=None)
    elif f"{name}{secret}".isascii():
        box.login(name, secret, initial_folder=None)
    else:
        box.login_utf8(name, secret, initial_folder=None)


def _hang_up(client: Any) -> None:
    """End every wait: a server that sends a byte a minute would keep us for ever."""
    with contextlib.suppress(OSError):
        client.sock.shutdown(socket.SHUT_RDWR)


def _leave(box: BaseMailBox) -> None:
    """Say goodbye without waiting long for the answer."""
    with contextlib.suppress(*TROUBLE):
        box.client.sock.settimeout(1)
        box.client.logout()
    with contextlib.suppress(*TROUBLE):
        box.client.shutdown()


def told(sender: Sender, error: BaseException) -> str:
    """What went wrong in a line: the server's words, but never a secret of ours."""
    if isinstance(error, TimeoutError):
        return f"no answer within {settings.IMAP_TIMEOUT} s"
    text = str(error)
    result = getattr(error, "command_result", None)
    if result:
        words = result[1] if isinstance(result[1], list) else [result[1]]
        text = " ".join(
            word.decode("utf-8", "replace") if isinstance(word, bytes) else str(word)
            for word in words
        )
    for secret in (sender.password, sender.oauth_access_token, sender.oauth_refresh_token):
        if secret:
            text = text.replace(secret, "***")
    return clean_line(text, 200) or type(error).__name__
