"""Sending: claim what has come due and take each message out.

Talk to the server, pass the gate, hand over, settle. The gate stands where nothing has been
delivered yet; after it only a definite answer counts.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.db.models import prefetch_related_objects

from config import faults
from config.encrypted import WrongKey
from pitches import (
    channels,
    gate,
    inbox,
    journal,
    letters,
    rules,
    settling,
    situations,
)
from pitches.channels import Channel, ChannelError, Letter, OutcomeUnknown
from pitches.decisions import Reason
from pitches.gate import Held
from pitches.models import Message, Sender, SendMode

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Sent:
    """What one working through of the queue did."""

    sent: int = 0
    held: int = 0
    failed: int = 0
    unknown: int = 0
    lines: list[str] = field(default_factory=list)

    def note(self, line: str) -> None:
        self.lines.append(line)


def send_due(
    *,
    now: datetime,
    seconds: float | None = None,
    beat: Callable[[], None] = lambda: None,
    stop: Callable[[], bool] = lambda: False,
    channel_of: Callable[[Sender], Channel] | None = None,
    only: Collection[int] | None = None,
    planned: bool = False,
) -> Sent:
    """Work through what has come due, for at most ``seconds`` (default: a tick's length).

    ``now`` moves on with the monotonic clock while this works. ``only`` names the messages (by
    id) to look at; ``planned`` says that all were planned just now, so that no first message
    need be asked about before the gate asks. Each is taken up once. Running it twice, at once
    or late does no harm: every message is claimed with a lease first.
    """
    began, report = time.monotonic(), Sent()
    seen: list[int] = []
    most = settings.TICK_SECONDS if seconds is None else seconds
    with ExitStack() as stack:
        open_channels: dict[int, Channel] = {}

        def channel_for(sender: Sender) -> Channel:
            if sender.pk not in open_channels:
                channel = (channel_of or _channel_of)(sender)
                open_channels[sender.pk] = stack.enter_context(channel)
            return open_channels[sender.pk]

        while (elapsed := time.monotonic() - began) < most and not stop():
            at = now + timedelta(seconds=int(elapsed))
            faults.point("P1")
            message = _claim(at, seen=seen, only=only)
            if message is None:
                break
            faults.point("P2")
            seen.append(message.pk)
            beat()
            if message.is_by_hand:  # however it came into the queue, no machine may (LAW-23)
                by_person = "A person takes it to its recipient."
                settling.release(message, Held(Reason.BY_HAND, sentence=by_person))
                report.held += 1
                continue
            asked = planned and not message.is_follow_up
            _deliver(message, channel_for, report, asked=asked, now=at)
    return report


def _channel_of(sender: Sender) -> Channel:
    return channels.opened_for(sender, captured=situations.mode() == SendMode.CAPTURE)


CLAIM = """
UPDATE pitches_message
SET status = 'claimed', lease_owner = %(owner)s, claims = claims + 1,
    leased_until = clock_timestamp() + make_interval(secs => %(lease)s)
WHERE id = (
    SELECT id FROM pitches_message
    WHERE status = 'queued' AND send_at <= %(now)s AND id <> ALL(%(seen)s)
      AND (%(only)s::bigint[] IS NULL OR id = ANY(%(only)s))
    ORDER BY send_at, id
    FOR UPDATE SKIP LOCKED
    LIMIT 1
)
RETURNING id
"""


def _claim(
    now: datetime, *, seen: Sequence[int] = (), only: Collection[int] | None = None
) -> Message | None:
    """Take the next due message for ourselves, by the database's clock (REL-2)."""
    wanted = {
        "owner": uuid.uuid4(),
        "lease": settings.CLAIM_LEASE,
        "now": now,
        "seen": list(seen),
        "only": None if only is None else list(only),
    }
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, wanted)
        row = cursor.fetchone()
    if row is None:
        return None
    with_all = Message.objects.select_related(*situations.NEEDED).defer(*situations.UNREAD)
    try:
        message: Message = with_all.get(pk=row[0])
    except WrongKey:
        settling.give_back_sealed(row[0], now=now)
        raise
    return message


def _deliver(
    message: Message,
    channel_for: Callable[[Sender], Channel],
    report: Sent,
    *,
    asked: bool,
    now: datetime,
) -> None:
    """One message through talk, gate, hand over and settle."""
    try:
        channel = channel_for(message.sender)
        letter = letters.build(message, now=now)
        if not asked:
            _look_before_talking(message, now=now)
        _ask_for_an_answer(message, letter, channel, now=now)
        channel.open(letter)
        try:
            gate.pass_through(message, now=now)
        except BaseException:
            channel.back_out()
            raise
    except letters.BuildError as e:
        settling.not_built(message, str(e), now=now)
        report.failed += 1
        report.note(f"{message.to_address}: {e}")
    except Held as held:
        settling.release(message, held)
        report.held += 1
        report.note(f"{message.to_address}: {held}")
    except ChannelError as e:
        settling.refused(message, e, now=now)
        report.failed += e.permanent and not e.of_mailbox
        report.held += not e.permanent or e.of_mailbox
        report.note(f"{message.to_address}: {e}")
    else:
        _hand_over(message, letter, channel, report, now=now)


def _look_before_talking(message: Message, *, now: datetime) -> None:
    """Ask without locks first: a hold should rarely cost the server a DATA (REL-14)."""
    if message.is_follow_up:
        _read_inbox(message.sender, now=now)
        message.refresh_from_db(fields=["status", "lease_owner"])
        if message.status != Message.Status.CLAIMED:
            raise Held(Reason.LEASE_LOST)
    prefetch_related_objects([message], *situations.ALSO_NEEDED)
    gate.ask(message, now=now)


def _ask_for_an_answer(
    message: Message, letter: Letter, channel: Channel, *, now: datetime
) -> None:
    """Where no mailbox can be read the provider is asked, just in time, about this person."""
    if not (message.is_follow_up and situations.is_heard_by_asking(message.sender)):
        return
    since = message.pitch.first_sent_at or message.created_at
    if channel.has_answer(letter, since=since, now=now):
        sentence = Reason.INBOX_NOT_READ.label.format(
            sender=message.sender.address, cause="an answer lies there and is not fetched yet"
        )
        raise Held(Reason.INBOX_NOT_READ, until=now + settling.RETRY_FIRST, sentence=sentence)


def _read_inbox(sender: Sender, *, now: datetime) -> None:
    """Just in time and once per sender.

    An answer that lies there must stop what we are about to send.
    """
    if situations.is_heard_by_asking(sender) or rules.inbox_is_fresh(sender, now=now):
        return
    try:
        inbox.read(sender, now=now)
    except inbox.InboxUnavailable as e:
        sentence = Reason.INBOX_NOT_READ.label.format(sender=sender.address, cause=e)
        raise Held(
            Reason.INBOX_NOT_READ, until=now + settling.RETRY_FIRST, sentence=sentence
        ) from e
    sender.refresh_from_db(fields=["inbox_read_began_at", "inbox_read_at"])


def _hand_over(
    message: Message, letter: Letter, channel: Channel, report: Sent, *, now: datetime
) -> None:
    """The point of no return.

    No transaction is open; whatever comes back is written down first.
    """
    faults.point("P7")
    try:
        receipt = channel.hand_over(letter, now=now)
        faults.point("P9")
    except ChannelError as e:
        settling.note_reply(message, journal.REFUSED, e.code, now=now)
        settling.refused(message, e, now=now)
        report.failed += e.permanent and not e.of_mailbox
        report.held += not e.permanent or e.of_mailbox
        report.note(f"{message.to_address}: {e}")
    except OutcomeUnknown as e:
        settling.unknown(message, str(e), now=now)
        report.unknown += 1
        report.note(f"{message.to_address}: {e}")
    else:
        settling.note_reply(message, journal.ACCEPTED, receipt.code, now=now)
        faults.point("P10")
        settling.settle(message, receipt, now=now)
        faults.point("P11")
        report.sent += 1
        report.note(f"{message.to_address}: sent")
