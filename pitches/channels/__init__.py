"""How a frozen text leaves: one class per channel, loaded by the sender's transport and the
send mode.

A channel is used in two acts, because there is one moment that cannot be taken back:
``open`` talks to the server as far as it goes without delivering anything, ``hand_over`` is
the point of no return. In between, with no transaction open on our side, stands the gate.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from types import TracebackType
from typing import Self

from pitches.models import Sender


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as a channel needs it: built once, checked, ready to be written to a wire."""

    message_id: str
    sender: str
    recipient: str
    mail: EmailMessage

    def as_bytes(self) -> bytes:
        return self.mail.as_bytes()


@dataclass(frozen=True, slots=True)
class Receipt:
    """A definite acceptance.

    The server's own words, and its id for the message if it gave one.
    """

    answer: str
    code: int | None = None
    provider_id: str = ""


class ChannelError(Exception):
    """The server said no, or could not be asked; nothing was delivered.

    ``permanent``: trying again will not help. ``of_mailbox``: the fault lies with the sender or
    its server and says nothing about this message, whose attempts it must not use up.
    ``hard``: the address does not exist.
    """

    def __init__(
        self,
        message: str,
        *,
        permanent: bool = False,
        of_mailbox: bool = False,
        hard: bool = False,
        code: int | None = None,
    ) -> None:
        self.permanent, self.of_mailbox, self.hard, self.code = (
            permanent,
            of_mailbox,
            hard,
            code,
        )
        super().__init__(message)


class OutcomeUnknown(Exception):
    """Handed over, and no definite answer came back.

    It may have arrived; it is never sent again by itself.
    """


class Channel(ABC):
    """One connection of one sender; used for many letters, one after the other."""

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
