"""A plan of many messages, the run of it by a clock that jumps, and what differs between them.

Shared by the test (a few hundred rows) and the benchmark (ten thousand).
"""

from __future__ import annotations

import hashlib
import mailbox
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path

from django.conf import settings

from campaigns.models import Campaign
from pitches import letters, outbox, sending, situations
from pitches.decisions import Decision, Verdict
from pitches.models import Message, Sender
from tests.faults import seeding

# Said here, so that the figures mean something: seconds between two mails of a mailbox, its
# messages in 24 hours and on its first day, and how many more each day; weekdays, this window.
SPACING = (540, 840)
DAILY, RAMP_START, RAMP_STEP = 30, 5, 5
WINDOW = (time(9), time(17))
HORIZON = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class Promise:
    """When a message leaves, and the digest of the very bytes that do."""

    at: datetime
    sha256: str


@dataclass(slots=True)
class Compared:
    """How the run kept the plan: what differs, by Message-ID, with its cause."""

    kept: int = 0
    differences: dict[str, str] = field(default_factory=dict)

    @property
    def causes(self) -> Counter[str]:
        return Counter(self.differences.values())


def sow(count: int, *, senders: int, now: datetime, ramp_began_on: date | None) -> None:
    """``count`` approved messages to as many people and organizations, of so many mailboxes."""
    rows = seeding.sow(count, ports=[1] * senders, now=now, mode="capture")
    Campaign.objects.update(
        # the limit per recipient domain is not its own here: everybody lives at example.com
        preset=Campaign.Preset.PLACEMENT,
        window_start=WINDOW[0],
        window_end=WINDOW[1],
        window_days=[1, 2, 3, 4, 5],
        time_zone="UTC",
    )
    Sender.objects.update(
        gap_min=SPACING[0],
        gap_max=SPACING[1],
        daily_limit=DAILY,
        ramp_start=RAMP_START,
        ramp_step=RAMP_STEP,
        ramp_began_on=ramp_began_on,
    )
    Message.objects.filter(pk__in=rows.messages).update(status="approved", send_at=None)


def plan(now: datetime) -> list[Decision]:
    """One plan over everything, which reaches as far as it takes."""
    return outbox.plan(outbox.first_messages(None), now=now, until=now + HORIZON)


def promises(decisions: Iterable[Decision]) -> dict[str, Promise]:
    """What the plan promises of each message that it sends, by Message-ID."""
    at = {d.ids["message"]: d.send_at for d in decisions if d.verdict == Verdict.SEND}
    rows = situations.readable(Message.objects.filter(pk__in=at))
    return {
        row.message_id: Promise(
            at[row.pk], _digest(letters.build(row, now=at[row.pk]).as_bytes())
        )
        for row in rows
    }


def _digest(raw: bytes) -> str:
    # a maildir keeps the line ends of the machine
    return hashlib.sha256(raw.replace(b"\r\n", b"\n")).hexdigest()


def run(before_each: Callable[[int], None] = lambda number: None) -> int:
    """Jump from due time to due time until the queue is empty; how many times. ``before_each``
    may change the world; it is told how many times the clock has jumped.
    """
    number = 0
    while True:
        before_each(number)
        queued = Message.objects.filter(status=Message.Status.QUEUED)
        now = queued.order_by("send_at").values_list("send_at", flat=True).first()
        if now is None:
            return number
        sending.send_due(now=now, seconds=3_600)
        number += 1


def left() -> dict[str, Promise]:
    """What lies in the captured mail, and when the ledger says that it left."""
    sent = Message.objects.filter(status=Message.Status.SENT)
    times = dict(sent.values_list("message_id", "counted_at"))
    found: dict[str, Promise] = {}
    for folder in sorted(Path(settings.STATE_DIR).glob("capture/*/sent")):
        box = mailbox.Maildir(folder, create=False)
        for key in box.keys():  # noqa: SIM118 (a Maildir iterates over its mails)
            name = box.get_message(key)["Message-ID"].strip("<> \r\n")
            assert name not in found, f"{name} left twice"
            found[name] = Promise(times[name], _digest(box.get_bytes(key)))
    return found


def compare(planned: dict[str, Promise]) -> Compared:
    """Each planned message: left as promised, or why not, in the words of its row."""
    result, gone = Compared(), left()
    rows = {row.message_id: row for row in Message.objects.select_related("pitch")}
    for name, promise in planned.items():
        if gone.get(name) == promise:
            result.kept += 1
        elif name not in gone:
            result.differences[name] = _why(rows[name])
        elif gone[name].sha256 != promise.sha256:
            result.differences[name] = "left with other bytes"
        else:
            result.differences[name] = "left at another time"
    for name in gone.keys() - planned.keys():
        result.differences[name] = "left without being planned"
    return result


def _why(row: Message) -> str:
    told = row.canceled_reason or row.hold_reason or row.last_error or row.pitch.status_reason
    return f"{row.status}: {told}"
