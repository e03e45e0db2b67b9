"""Trying the connections of a sender: one sentence for each, kept beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from pitches import mailboxes
from pitches.channels import ChannelError, smtp
from pitches.mailboxes import MailboxUnavailable
from pitches.models import Sender


@dataclass(frozen=True, slots=True)
class Tried:
    """One connection: what it is for, whether it works, and the sentence that says so."""

    name: str
    works: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of trying a sender's connections."""

    tried: list[Tried]

    @property
    def works(self) -> bool:
        return all(each.works for each in self.tried)

    @property
    def sentence(self) -> str:
        """Everything in one line, what does not work first."""
        ordered = sorted(self.tried, key=lambda each: each.works)
        return ". ".join(f"{each.name}: {each.sentence}" for each in ordered)


def check(sender: Sender, *, now: datetime) -> Checked:
    """Connect and log in wherever this sender sends and reads; nothing is sent, nothing read.

    Keeps time and trouble in ``checked_at`` and ``check_error``. Each server is waited for as
    long as in earnest, so this may take a minute or two.
    """
    tried = []
    if sender.transport == Sender.Transport.MAILBOX:
        tried.append(_tried("Sending", smtp.check, sender))
    if sender.transport == Sender.Transport.MAILBOX or sender.imap_host:
        tried.append(_tried("Reading", mailboxes.check, sender))
    checked = Checked(tried or [Tried("Connection", True, _nothing_to_try(sender))])
    error = "" if checked.works else checked.sentence[:300]
    Sender.objects.filter(pk=sender.pk).update(checked_at=now, check_error=error)
    sender.checked_at, sender.check_error = now, error
    return checked


def _tried(name: str, ask: Callable[[Sender], str], sender: Sender) -> Tried:
    try:
        return Tried(name, True, ask(sender))
    except (ChannelError, MailboxUnavailable) as e:
        return Tried(name, False, str(e))


def _nothing_to_try(sender: Sender) -> str:
    return f"{sender.get_transport_display()} has no server of its own to try"
