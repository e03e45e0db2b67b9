"""How a frozen text leaves: one class per channel, loaded by the sender's transport and the
send mode.

A channel is used in two acts, because there is one moment that cannot be taken back:
``open`` talks to the server as far as it goes without delivering anything, ``hand_over`` is
the point of no return. In between, with no transaction open on our side, stands the gate.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from types import TracebackType
from typing import ClassVar, Self

from django.conf import settings

from campaigns.models import Channel as Way
from config import backends
from pitches.models import Sender

# A telephone number stands before this in a letter that is no mail (RFC 2606).
NOT_MAIL = "sms.invalid"


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as a channel needs it: built once, checked, ready to be written to a wire."""

    message_id: str
    sender: str
    recipient: str
    mail: EmailMessage
    way: str = Way.EMAIL.value
    thread: str = ""  # the provider's id of the message that this one follows

    def as_bytes(self) -> bytes:
        return self.mail.as_bytes()

    @property
    def subject(self) -> str:
        return str(self.mail["Subject"] or "")

    @property
    def text(self) -> str:
        """The plain words, without the line end that every mail part has."""
        return self._part("plain").removesuffix("\n")

    @property
    def html(self) -> str:
        return self._part("html")

    def _part(self, kind: str) -> str:
        part = self.mail.get_body((kind,))
        return str(part.get_content()).replace("\r\n", "\n") if part else ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A definite acceptance.

    The server's own words, and its id for the message if it gave one. ``delegated``: another
    sender has taken it over and sends it when it likes.
    """

    answer: str
    code: int | None = None
    provider_id: str = ""
    delegated: bool = False


def name_of_answer(provider_id: str) -> str:
    """The Message-ID under which an answer is kept that its provider knows by an id."""
    return f"{hashlib.sha256(provider_id.encode()).hexdigest()[:32]}@reported.invalid"


@dataclass(frozen=True, slots=True)
class Refused:
    """Evidence that a message whose fate was unknown did not go out."""

    reason: str


class ChannelError(Exception):
    """The server said no, or could not be asked; nothing was delivered.

    ``permanent``: trying again will not help. ``of_mailbox``: the fault lies with the sender or
    its server and says nothing about this message, whose attempts it must not use up.
    ``hard``: the address does not exist. ``opted_out``: the person told the provider to be left
    alone. ``retry_after``: how long the server wants to be left alone, if it says so.
    """

    def __init__(
        self,
        message: str,
        *,
        permanent: bool = False,
        of_mailbox: bool = False,
        hard: bool = False,
        opted_out: bool = False,
        retry_after: timedelta | None = None,
        code: int | None = None,
    ) -> None:
        self.permanent, self.of_mailbox, self.hard = permanent, of_mailbox, hard
        self.opted_out, self.retry_after, self.code = opted_out, retry_after, code
        super().__init__(message)


class OutcomeUnknown(Exception):
    """Handed over, and no definite answer came back.

    It may have arrived; it is never sent again by itself.
    """


class Channel(ABC):
    """One connection of one sender; used for many letters, one after the other.

    A subclass says what it ``carries`` and, by ``missing``, what a sender still lacks to use
    it. It is named in settings.CHANNELS under the transport of its senders.
    """

    carries: ClassVar[frozenset[str]] = frozenset({Way.EMAIL.value})
    # True where ``look_up`` hands the letter over again under its idempotency key: should the
    # first attempt have been lost, that one delivers, so the rules must be asked before.
    look_up_may_deliver: bool = False
    # True where ``has_answer`` can be asked before a follow-up, there being no mailbox to read.
    asks_for_answers: ClassVar[bool] = False

    @classmethod
    def missing(cls, sender: Sender) -> str:
        """What the sender lacks to send this way, in words; empty where nothing is missing."""
        return ""

    def __init__(self, sender: Sender) -> None:
        self.sender = sender

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @abstractmethod
    def open(self, letter: Letter) -> None:
        """Go as far as one can without delivering anything; raises ChannelError."""

    @abstractmethod
    def hand_over(self, letter: Letter, *, now: datetime) -> Receipt:
        """Deliver.

        Raises ChannelError for a definite refusal, OutcomeUnknown for everything unclear.
        """

    @abstractmethod
    def back_out(self) -> None:
        """Leave what ``open`` began, without delivering it."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the connection."""

    def has_answer(self, letter: Letter, *, since: datetime, now: datetime) -> bool:
        """Whether an answer of the recipient, given after ``since``, lies at the provider and
        was not fetched yet. What was fetched has had its consequence.

        Raises ChannelError where it cannot be asked; then nothing is handed over either.
        """
        return False

    def look_up(
        self, letter: Letter, *, since: datetime, now: datetime
    ) -> Receipt | Refused | None:
        """Evidence of what became of a letter that was handed over at ``since`` (RELIABILITY
        4.2): a Receipt if it went out, Refused if it provably did not, None if nobody can tell.

        Raises ChannelError where the server cannot be asked just now.
        """
        return None


@dataclass(frozen=True, slots=True)
class Stopped:
    """What reading back told: it will not be sent any more, or it was sent before."""

    was_sent: bool
    provider_id: str = ""


class Delegating(Channel):
    """A channel that hands messages to another sender, which can be asked to leave them."""

    @abstractmethod
    def ask_back(self, recipient: str, *, for_ever: bool, now: datetime) -> None:
        """Ask that nothing more goes to this address; ``for_ever`` from no campaign there.

        Can be repeated. Raises ChannelError.
        """

    @abstractmethod
    def stopped(self, recipient: str, *, now: datetime) -> Stopped | None:
        """Read back what became of ``ask_back``; None while it may still be sent.

        Raises ChannelError.
        """


def of_sender(sender: Sender) -> type[Channel] | None:
    """The channel of a sender by its transport; None where a person carries the message."""
    return _named(sender.transport)


def opened_for(sender: Sender, *, captured: bool) -> Channel:
    """A channel to use: the sender's own, or the capture folder. Raises ChannelError."""
    kind = _named("capture" if captured else sender.transport)
    if kind is None:
        raise ChannelError("a person sends for this sender", permanent=True, of_mailbox=True)
    return kind(sender)


def _named(transport: str) -> type[Channel] | None:
    if transport not in settings.CHANNELS:
        return None
    found: type[Channel] = backends.load_class("CHANNELS", transport, Channel)
    return found
