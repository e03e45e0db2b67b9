"""An own mailbox over SMTP (RFC 5321), spoken verb by verb up to the 354.

``smtplib`` does the talking; what we add is where it pauses. Before the final dot a crash, a
time-out or a refusal means that nothing was delivered. After it only an answer counts
(RFC 1047), so the wait for that answer is ten minutes (RFC 5321 section 4.5.3.2.6).
"""

from __future__ import annotations

import contextlib
import smtplib
import ssl
from datetime import datetime

from django.conf import settings

from config import faults, logins
from pitches import tokens
from pitches.channels import Channel, ChannelError, Letter, OutcomeUnknown, Receipt
from pitches.models import Sender

# Codes by which a server says that our own DNS or login is at fault, not the recipient.
OUR_FAULT = ("5.7.26", "5.7.515", "5.7.25", "5.7.23")
LOGIN_REFUSED = {530, 534, 535, 538}
NO_SUCH_ADDRESS = ("5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10")


class SmtpChannel(Channel):
    """One connection, kept for many letters."""

    @classmethod
    def missing(cls, sender: Sender) -> str:
        return "" if sender.smtp_host else "it has no outgoing server"

    def __init__(self, sender: Sender) -> None:
        super().__init__(sender)
        self._smtp: smtplib.SMTP | None = None
        self._begun = False

    def open(self, letter: Letter) -> None:
        """Connect if need be, then MAIL, RCPT and DATA, up to the 354."""
        smtp = self._connected()
        _wait_at_most(smtp, settings.EMAIL_COMMAND_TIMEOUT)
        self._begun = True
        faults.point("P3")
        try:
            self._expect(smtp.mail(letter.sender), {250}, of_mailbox=True)
            self._expect(smtp.rcpt(letter.recipient), {250, 251})
            faults.point("P4")
            self._expect(smtp.docmd("DATA"), {354})
            faults.point("P5")
        except (OSError, smtplib.SMTPException) as e:
            self.close()
            raise ChannelError(
                f"the connection broke before anything was sent: {e}", of_mailbox=True
            ) from e

    def hand_over(self, letter: Letter, *, now: datetime) -> Receipt:
        """Body and final dot. From the first byte of the dot only a definite answer counts."""
        smtp = self._smtp
        assert smtp is not None
        _wait_at_most(smtp, settings.EMAIL_DATA_TIMEOUT)
        try:
            for part in faults.parted("P8", _dotted(letter.as_bytes())):
                smtp.send(part)
            faults.point("P9")
            code, answer = smtp.getreply()
            _wait_at_most(smtp, settings.EMAIL_COMMAND_TIMEOUT)
        except (OSError, smtplib.SMTPException) as e:
            self.close()
            raise OutcomeUnknown(f"no answer after the message was handed over: {e}") from e
        self._begun = False
        text = answer.decode("utf-8", "replace")
        if code == 250:
            return Receipt(answer=f"{code} {text}", code=code)
        if not 400 <= code < 600:
            self.close()
            raise OutcomeUnknown(f"an answer nobody can read: {code} {text}")
        self._refuse(code, text)
        raise AssertionError("a refusal always raises")

    def connect(self) -> None:
        """Connect and log in; raises ChannelError."""
        self._connected()

    def back_out(self) -> None:
        """Hang up without the dot.

        A server drops what it has of the message (RFC 5321 section 4.1.1.5).
        """
        self.close()

    def close(self) -> None:
        smtp, self._smtp = self._smtp, None
        if smtp is None:
            return
        if self._begun:
            self._begun = False
            smtp.close()
            return
        with contextlib.suppress(OSError, smtplib.SMTPException):
            smtp.quit()

    def _connected(self) -> smtplib.SMTP:
        if self._smtp is not None and self._begun:
            self.close()
        if self._smtp is None:
            try:
                self._smtp = self._connect()
            except tokens.TokenRefused as e:
                raise ChannelError(str(e), permanent=e.permanent, of_mailbox=True) from e
            except smtplib.SMTPAuthenticationError as e:
                raise ChannelError(
                    f"the login was refused with {e.smtp_code}",
                    permanent=e.smtp_code >= 500,  # 454 is a server that cannot ask just now
                    of_mailbox=True,
                    code=e.smtp_code,
                ) from e
            except (OSError, smtplib.SMTPException, UnicodeError) as e:
                raise ChannelError(f"no connection: {e}", of_mailbox=True) from e
        return self._smtp

    def _connect(self) -> smtplib.SMTP:
        sender, timeout = self.sender, settings.EMAIL_CONNECT_TIMEOUT
        in_clear = sender.smtp_security == Sender.Security.NONE
        if in_clear and not logins.is_loopback_host(sender.smtp_host):
            raise ChannelError(
                f"{sender.smtp_host} is not this machine: mail goes there encrypted",
                permanent=True,
                of_mailbox=True,
            )
        context = ssl.create_default_context()
        smtp: smtplib.SMTP
        if sender.smtp_security == Sender.Security.TLS:
            smtp = smtplib.SMTP_SSL(
                sender.smtp_host, sender.smtp_port, timeout=timeout, context=context
            )
        else:
            smtp = smtplib.SMTP(sender.smtp_host, sender.smtp_port, timeout=timeout)
        if smtp.sock is None:
            raise OSError("the server closed the connection")
        try:
            self._introduce(smtp, context)
        except BaseException:
            smtp.close()
            raise
        return smtp

    def _introduce(self, smtp: smtplib.SMTP, context: ssl.SSLContext) -> None:
        _wait_at_most(smtp, settings.EMAIL_COMMAND_TIMEOUT)
        smtp.ehlo_or_helo_if_needed()
        if self.sender.smtp_security == Sender.Security.STARTTLS:
            smtp.starttls(context=context)
            smtp.ehlo()
        if self.sender.login == Sender.Login.OAUTH2:
            _show_token(smtp, self.sender)
        elif self.sender.username:
            smtp.login(self.sender.username, self.sender.password)

    def _expect(
        self, reply: tuple[int, bytes], good: set[int], *, of_mailbox: bool = False
    ) -> None:
        code, text = reply
        if code not in good:
            self._refuse(code, text.decode("utf-8", "replace"), of_mailbox=of_mailbox)

    def _refuse(self, code: int, text: str, *, of_mailbox: bool = False) -> None:
        """A definite no, sorted by what it means for this message and this mailbox."""
        self.close()
        ours = code in LOGIN_REFUSED or code == 421 or any(mark in text for mark in OUR_FAULT)
        permanent = code >= 500
        raise ChannelError(
            f"{code} {text}"[:500],
            permanent=permanent,
            of_mailbox=ours or of_mailbox,
            hard=permanent
            and not ours
            and any(text.startswith(mark) for mark in NO_SUCH_ADDRESS),
            code=code,
        )


def _wait_at_most(smtp: smtplib.SMTP, seconds: float) -> None:
    assert smtp.sock is not None
    smtp.sock.settimeout(seconds)


def check(sender: Sender) -> str:
    """Connect and log in, and send nothing; answers what was found. Raises ChannelError."""
    if not sender.smtp_host:
        raise ChannelError(
            f"no outgoing server is set for {sender.address}", permanent=True, of_mailbox=True
        )
    with SmtpChannel(sender) as channel:
        channel.connect()
    named = sender.username or "nobody in particular"
    return f"{sender.smtp_host} takes mail from {named}"


def _show_token(smtp: smtplib.SMTP, sender: Sender) -> None:
    """Log in by XOAUTH2; with a new token where the kept one is refused before its time."""
    name = sender.username or sender.address
    try:
        _xoauth2(smtp, name, tokens.access(sender))
    except smtplib.SMTPAuthenticationError as e:
        if e.smtp_code < 500:
            raise
        _xoauth2(smtp, name, tokens.access(sender, anew=True))


def _xoauth2(smtp: smtplib.SMTP, name: str, token: str) -> None:
    # to the server's complaint in base64 one answers with an empty line, to hear the code
    said = f"user={name}\1auth=Bearer {token}\1\1"
    smtp.auth("XOAUTH2", lambda challenge=None: said if challenge is None else "")


def _dotted(raw: bytes) -> bytes:
    """CRLF line ends, leading dots doubled, the final dot (RFC 5321 section 4.5.2).

    Lone CR and LF become CRLF, so that nothing in a body can pass for the end of it.
    """
    lines = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    if lines and lines[-1] == b"":
        lines.pop()
    return (
        b"".join((b"." + line if line.startswith(b".") else line) + b"\r\n" for line in lines)
        + b".\r\n"
    )
