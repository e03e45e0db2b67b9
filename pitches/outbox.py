"""The outbox: which messages go out when, and the one way out.

``plan`` lays all due messages on a timetable; ``carry_out`` queues them; ``send_due`` claims
what has come due and takes each message through talk, gate, hand over and settle. The gate is
the only code that sets ``handing``.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import Case, DateTimeField, Exists, F, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Cast, Now
from psycopg.errors import DeadlockDetected, LockNotAvailable

from campaigns.models import Campaign, Step
from pitches import fingerprints, inbox, journal, letters, rules, situations, stopping
from pitches.channels import Channel, ChannelError, Letter, OutcomeUnknown, Receipt
from pitches.channels.capture import CaptureChannel
from pitches.channels.smtp import SmtpChannel
from pitches.decisions import Decision, Outcome, Reason, Verdict
from pitches.models import FollowUpTask, Message, Pitch, Sender, SendMode
from pitches.models.message import LET_GO
from pitches.rules import Situation
from pitches.signals import pitch_sent

log = logging.getLogger(__name__)

# A plan reaches up to this time tomorrow; what is free only later is held with its time.
HORIZON = timedelta(hours=24) - timedelta(seconds=1)
# RFC 5321 section 4.5.4.1; 5 min, then 1.3 times longer each, for at most five days (REL-12).
RETRY_FIRST = timedelta(minutes=5)
RETRY_FACTOR = 1.3
RETRY_MOST = 12
RETRY_DAYS = timedelta(days=5)
# A row that three workers took and none settled is taken out of the way (REL-31).
MOST_CLAIMS = 3


class Held(Exception):
    """The gate said no: why, and from when it may be asked again."""

    def __init__(
        self, reason: Reason, *, until: datetime | None = None, sentence: str = ""
    ) -> None:
        self.reason, self.until = reason, until
        super().__init__(sentence or reason.label)


# -- planning --------------------------------------------------------------------------------


def first_messages(campaign: Campaign | None) -> list[Message]:
    """First messages of open pitches that have not been handed over, drafts too."""
    return _planned(Message.objects.filter(number=0, pitch__status__in=Pitch.OPEN), campaign)


def follow_ups(campaign: Campaign | None, *, until: datetime) -> list[Message]:
    """Follow-ups whose task is open and due by ``until``."""
    due = FollowUpTask.objects.filter(FollowUpTask.is_open(), due_at__lte=until)
    rows = Message.objects.filter(number__gt=0, pitch__status=Pitch.Status.ACTIVE)
    rows = rows.filter(pitch__follow_up_tasks__in=due, step=F("pitch__follow_up_tasks__step"))
    return _planned(rows, campaign)


def _planned(rows: QuerySet[Message], campaign: Campaign | None) -> list[Message]:
    waiting = (Message.Status.DRAFT, Message.Status.APPROVED, Message.Status.QUEUED)
    rows = rows.filter(status__in=waiting)
    if campaign is not None:
        rows = rows.filter(pitch__campaign=campaign)
    ordered = situations.readable(rows).order_by("-pitch__urgent", "approved_at", "pk")
    return list(ordered.defer("pitch__lead__embedding", "pitch__lead__text"))


def plan(
    messages: Sequence[Message], *, now: datetime, until: datetime | None = None
) -> list[Decision]:
    """One decision per message: *send at T*, or *hold* with the reason and the first free
    moment.

    Laid down in the order given, each taking its slots before the next is asked. Changes
    nothing; the number of queries does not depend on the number of messages.
    """
    until = until or now + HORIZON
    targets = [situations.target_of(message) for message in messages]
    around = situations.survey(targets, now=now)
    situations.lay_down_queued(around, messages)
    decisions = []
    laid: dict[int, tuple[Step, datetime]] = {}
    for message, target in zip(messages, targets, strict=True):
        situation = situations.situation(target, around)
        _follow_what_is_laid(situation, laid.get(message.pitch_id))
        if message.status == Message.Status.QUEUED and message.send_at:
            situation.due_at = max(situation.due_at or message.send_at, message.send_at)
        ruling = rules.decide(situation, by=until)
        if ruling.may and ruling.at is not None:
            situations.take_slots(situation, ruling.at)
            situations.keep_distance(around, message, ruling.at)
            if message.step is not None:
                laid[message.pitch_id] = (message.step, ruling.at)
        decisions.append(_decision(situation, ruling))
    return decisions


def _follow_what_is_laid(situation: Situation, before: tuple[Step, datetime] | None) -> None:
    """The step before stands in this very plan: count it as sent at its time."""
    message = situation.message
    if before is None or message is None or message.step is None:
        return
    step, at = before
    if situation.step_before == step and situation.due_at is not None:
        situation.step_before = None
        gap = timedelta(hours=message.step.delay_hours - step.delay_hours)
        situation.due_at = max(situation.due_at, at + gap)


def _decision(situation: Situation, ruling: rules.Ruling) -> Decision:
    message = situation.message
    assert message is not None
    return Decision(
        key=f"message:{message.message_id}",
        kind="message",
        verdict=Verdict.SEND if ruling.may else Verdict.HOLD,
        reason=ruling.reason,
        numbers=ruling.numbers,
        send_at=ruling.at if ruling.may else None,
        not_before=None if ruling.may else ruling.at,
        lead=situation.lead.name,
        organization=situation.organization.name if situation.organization else "",
        candidates=tuple(candidate.name for candidate in situation.candidates),
        contact=message.to_address,
        sender=message.sender.address,
        channel=message.channel,
        step=message.step.name if message.step else "answer",
        subject=message.subject or None,
        body_sha256=message.approved_sha256 or None,
        urgent=situation.urgent,
        ids={
            "message": message.pk,
            "campaign": situation.campaign.pk,
            "lead": situation.lead.pk,
        },
    )


def carry_out(decisions: Iterable[Decision], *, now: datetime) -> Outcome:
    """Queue what was decided to be sent, at the planned times; note on the others why they
    wait.

    A message that is no longer what was planned (decided on, edited, stopped) is left and told.
    """
    outcome = Outcome()
    rows = [decision for decision in decisions if decision.kind == "message"]
    wanted = {row.ids["message"]: row for row in rows if row.verdict == Verdict.SEND}
    with transaction.atomic():
        # in one order for everybody, so that two runs of a plan wait instead of deadlocking
        rows_now = Message.objects.select_for_update(no_key=True).order_by("pk")
        found = {message.pk: message for message in rows_now.filter(pk__in=wanted)}
        times = {}
        for pk, row in wanted.items():
            cause = _drift(found.get(pk), row)
            if cause:
                outcome.changed[row.key] = cause
            else:
                times[pk] = row.send_at
                outcome.done.append(row.key)
                outcome.messages.append(pk)
        _queue(times)
        _note_holds([row for row in rows if row.verdict == Verdict.HOLD])
    return outcome


def _drift(message: Message | None, row: Decision) -> str:
    if message is None:
        return "it is gone"
    if message.status not in (Message.Status.APPROVED, Message.Status.QUEUED):
        return f"it is {message.get_status_display()} now"
    if (message.subject, message.approved_sha256) != (row.subject or "", row.body_sha256 or ""):
        return "its words changed"
    return ""


def _queue(times: dict[int, datetime | None]) -> None:
    if not times:
        return
    at = Case(*(When(pk=pk, then=Value(moment)) for pk, moment in times.items()))
    Message.objects.filter(
        pk__in=times, status__in=[Message.Status.APPROVED, Message.Status.QUEUED]
    ).update(status=Message.Status.QUEUED, send_at=at, hold_reason="", hold_until=None)


def _note_holds(rows: list[Decision]) -> None:
    if not rows:
        return
    reasons = Case(*(When(pk=row.ids["message"], then=Value(row.reason.value)) for row in rows))
    moments = (When(pk=row.ids["message"], then=Value(row.not_before)) for row in rows)
    # without the cast a CASE of nothing but NULL would be text
    times = Cast(Case(*moments), DateTimeField())
    Message.objects.filter(
        pk__in=[row.ids["message"] for row in rows], status__in=Message.BEFORE_HANDING
    ).update(hold_reason=reasons, hold_until=times)


# -- sending ---------------------------------------------------------------------------------


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
) -> Sent:
    """Work through what has come due, for at most ``seconds`` (default: a tick's length).

    ``now`` moves on with the monotonic clock while this works. ``only`` names the messages (by
    id) to look at. Each is taken up once. Running it twice, at once or late does no harm: every
    message is claimed with a lease first.
    """
    began, report = time.monotonic(), Sent()
    seen: list[int] = []
    most = settings.TICK_SECONDS if seconds is None else seconds
    with ExitStack() as stack:
        open_channels: dict[int, Channel] = {}
        while (elapsed := time.monotonic() - began) < most and not stop():
            at = now + timedelta(seconds=int(elapsed))
            message = _claim(at, seen=seen, only=only)
            if message is None:
                break
            seen.append(message.pk)
            beat()
            if message.sender_id not in open_channels:
                channel = (channel_of or _channel_of)(message.sender)
                open_channels[message.sender_id] = stack.enter_context(channel)
            _deliver(message, open_channels[message.sender_id], report, now=at)
    return report


def _channel_of(sender: Sender) -> Channel:
    return (
        CaptureChannel(sender) if situations.mode() == SendMode.CAPTURE else SmtpChannel(sender)
    )


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
    return situations.readable(Message.objects.filter(pk=row[0])).get()


def _deliver(message: Message, channel: Channel, report: Sent, *, now: datetime) -> None:
    """One message through talk, gate, hand over and settle."""
    try:
        letter = letters.build(message, now=now)
        _look_before_talking(message, now=now)
        channel.open(letter)
        try:
            _gate(message, now=now)
        except BaseException:
            channel.back_out()
            raise
    except letters.BuildError as e:
        _fail(message, str(e), failure="build")
        report.failed += 1
        report.note(f"{message.to_address}: {e}")
    except Held as held:
        _release(message, held)
        report.held += 1
        report.note(f"{message.to_address}: {held}")
    except ChannelError as e:
        _refused(message, e, now=now)
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
    _ask(message, now=now)


def _read_inbox(sender: Sender, *, now: datetime) -> None:
    """Just in time and once per sender.

    An answer that lies there must stop what we are about to send.
    """
    if rules.inbox_is_fresh(sender, now=now):
        return
    try:
        inbox.read(sender, now=now)
    except inbox.InboxUnavailable as e:
        sentence = Reason.INBOX_NOT_READ.label.format(sender=sender.address, cause=e)
        raise Held(Reason.INBOX_NOT_READ, until=now + RETRY_FIRST, sentence=sentence) from e
    sender.refresh_from_db(fields=["inbox_read_began_at", "inbox_read_at"])


def _ask(message: Message, *, now: datetime) -> None:
    """The same question as the planner's, about one row; raises Held."""
    (situation,) = situations.of_messages([message], now=now)
    ruling = rules.decide(situation)
    if not ruling.may:
        decision = _decision(situation, ruling)
        raise Held(ruling.reason, until=ruling.at, sentence=decision.sentence)


# -- the gate --------------------------------------------------------------------------------


def _gate(message: Message, *, now: datetime) -> None:
    """The last look, under locks: claimed becomes handing, or Held is raised and nothing
    changed.

    The intent is in the journal, fsynced, before the commit. Locks are taken in the order of
    ``stopping``, which every stop follows too, so of a stop and a message one waits for the
    other.
    """
    try:
        with transaction.atomic():
            _patience()
            stopping.lock_for_sending(message)
            fresh = _mine(message)
            _ask(fresh, now=now)
            if fresh.is_follow_up:
                _inbox_is_fresh(fresh.sender, now=now)
            _journal_does_not_know(fresh)
            journal.record_intent(
                fresh.message_id,
                recipient=fresh.to_address,
                owner=str(message.lease_owner),
                mode=fresh.send_mode,
                at=now,
            )
            Message.objects.filter(pk=fresh.pk).update(
                status=Message.Status.HANDING,
                counted_at=now,
                handed_at=_database_clock(),
                first_attempt_at=fresh.first_attempt_at or now,
                leased_until=_database_clock(settings.HANDING_LEASE),
                hold_reason="",
                hold_until=None,
            )
    except journal.JournalUnavailable as e:
        sentence = Reason.JOURNAL_UNAVAILABLE.label.format(cause=e)
        raise Held(
            Reason.JOURNAL_UNAVAILABLE, until=now + RETRY_FIRST, sentence=sentence
        ) from e
    except OperationalError as e:
        if not isinstance(e.__cause__, (LockNotAvailable, DeadlockDetected)):
            raise
        raise Held(Reason.LEASE_LOST, until=now, sentence="somebody else holds a lock") from e
    message.status = Message.Status.HANDING


def _patience() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '5s'")
        cursor.execute("SET LOCAL synchronous_commit = on")


def _database_clock(seconds: int = 0) -> Now | F:
    from_now = Now()
    return from_now + timedelta(seconds=seconds) if seconds else from_now  # type: ignore[return-value]


def _mine(message: Message) -> Message:
    """The row as it is now, if the lease is still ours; raises Held."""
    fresh = situations.readable(
        Message.objects.select_for_update(of=("self",)).filter(
            pk=message.pk,
            status=Message.Status.CLAIMED,
            lease_owner=message.lease_owner,
            leased_until__gt=Now(),
        )
    ).first()
    if fresh is None:
        raise Held(Reason.LEASE_LOST)
    return fresh


def _inbox_is_fresh(sender: Sender, *, now: datetime) -> None:
    if not rules.inbox_is_fresh(sender, now=now):
        sentence = Reason.INBOX_NOT_READ.label.format(
            sender=sender.address, cause="the read is too old"
        )
        raise Held(Reason.INBOX_NOT_READ, until=now, sentence=sentence)


def _journal_does_not_know(message: Message) -> None:
    if journal.outcome_of(message.message_id) in (journal.INTENT, journal.ACCEPTED):
        raise Held(Reason.JOURNAL_KNOWS_IT)


# -- after the gate --------------------------------------------------------------------------


def _hand_over(
    message: Message, letter: Letter, channel: Channel, report: Sent, *, now: datetime
) -> None:
    """The point of no return.

    No transaction is open; whatever comes back is written down first.
    """
    try:
        receipt = channel.hand_over(letter, now=now)
    except ChannelError as e:
        _note_reply(message, journal.REFUSED, e.code, now=now)
        _refused(message, e, now=now)
        report.failed += e.permanent and not e.of_mailbox
        report.held += not e.permanent or e.of_mailbox
        report.note(f"{message.to_address}: {e}")
    except OutcomeUnknown as e:
        _unknown(message, str(e))
        report.unknown += 1
        report.note(f"{message.to_address}: {e}")
    else:
        _note_reply(message, journal.ACCEPTED, receipt.code, now=now)
        settle(message, receipt, now=now)
        report.sent += 1
        report.note(f"{message.to_address}: sent")


def _note_reply(message: Message, outcome: str, code: int | None, *, now: datetime) -> None:
    """The answer belongs into the journal too.

    Without it a crash here costs one unknown, no more.
    """
    try:
        journal.record_reply(
            message.message_id, outcome=outcome, code=code, mode=message.send_mode, at=now
        )
    except journal.JournalUnavailable:
        log.exception("the journal did not take the answer for message %s", message.pk)


def settle(message: Message, receipt: Receipt, *, now: datetime) -> None:
    """Handing becomes sent, the next steps get their times, the news goes up: one transaction.

    Nothing here may raise: the mail is out. If the database is gone the lease runs out and the
    reaper settles from the journal.
    """
    try:
        with transaction.atomic():
            _settle(message, receipt, now=now)
    except (
        Exception
    ):  # a receiver of the news may fail in any way; the mail is out all the same
        log.exception("message %s is out, but could not be settled yet", message.pk)


def _settle(message: Message, receipt: Receipt, *, now: datetime) -> None:
    message.move(
        Message.Status.SENT,
        sent_at=now,
        receipt=receipt.answer[:500],
        provider_id=receipt.provider_id[:300],
        last_error="",
        **LET_GO,
    )
    pitch = Pitch.objects.select_for_update().get(pk=message.pitch_id)
    if message.number == 0:
        _begin(pitch, now=now)
    elif message.step_id:
        FollowUpTask.objects.filter(
            FollowUpTask.is_open(), pitch=pitch, step=message.step_id
        ).update(done_at=now)
        _keep_the_gaps(message, now=now)
    _end_if_nothing_is_left(pitch, now=now)


def _keep_the_gaps(message: Message, *, now: datetime) -> None:
    """Later steps come no closer to the one that just left than they were planned (REL-24)."""
    assert message.step is not None
    later = FollowUpTask.objects.filter(
        FollowUpTask.is_open(), pitch=message.pitch_id, step__number__gt=message.step.number
    )
    pushed = []
    for task in later.select_related("step"):
        earliest = now + timedelta(hours=task.step.delay_hours - message.step.delay_hours)
        if task.due_at < earliest:
            task.due_at = earliest
            pushed.append(task)
    FollowUpTask.objects.bulk_update(pushed, ["due_at"])
    _set_expiries(pushed)


def _set_expiries(tasks: Iterable[FollowUpTask]) -> None:
    """What is useful only for a while expires that long after it is due."""
    for task in tasks:
        if task.step.useful_hours is not None:
            expires_at = task.due_at + timedelta(hours=task.step.useful_hours)
            Message.objects.filter(pitch=task.pitch_id, step=task.step_id).update(
                expires_at=expires_at
            )


def _begin(pitch: Pitch, *, now: datetime) -> None:
    """The first message is out: the later steps get their times from here (S003-036)."""
    if pitch.status == Pitch.Status.APPROVED:
        pitch.move(Pitch.Status.ACTIVE, first_sent_at=now)
    else:  # stopped or answered while the mail was on the wire
        Pitch.objects.filter(pk=pitch.pk).update(first_sent_at=now)
    pitch_sent.send(sender=Pitch, pitch=pitch)
    if pitch.status != Pitch.Status.ACTIVE:
        return
    tasks = [
        FollowUpTask(pitch=pitch, step=step, due_at=now + timedelta(hours=step.delay_hours))
        for step in Step.objects.filter(sequence=pitch.sequence_id, number__gt=0)
    ]
    FollowUpTask.objects.bulk_create(tasks, ignore_conflicts=True)
    _set_expiries(tasks)


def _end_if_nothing_is_left(pitch: Pitch, *, now: datetime) -> None:
    still_open = FollowUpTask.objects.filter(FollowUpTask.is_open(), pitch=pitch).exists()
    if pitch.status == Pitch.Status.ACTIVE and not still_open:
        pitch.move(Pitch.Status.COMPLETED, ended_at=now, outcome=Pitch.Outcome.NO_RESPONSE)


# -- when it does not go out -------------------------------------------------------------------


def _release(message: Message, held: Held) -> None:
    """Back into the queue with the reason, or to where the reason belongs.

    Only while the lease is ours.
    """
    mine = Q(lease_owner=message.lease_owner)
    rows = Message.objects.filter(mine, pk=message.pk, status=Message.Status.CLAIMED)
    if held.reason == Reason.JOURNAL_KNOWS_IT:
        rows.update(
            status=Message.Status.UNKNOWN,
            counted_at=Now(),
            handed_at=Now(),
            last_error=str(held),
            **LET_GO,
        )
    elif held.reason == Reason.EXPIRED:
        rows.update(status=Message.Status.EXPIRED, hold_reason=held.reason, **LET_GO)
    elif held.reason == Reason.PITCH_ENDED:
        stopping.cancel_messages(rows, reason=str(held))
    elif held.until is None:
        # No time cures it: back to approved, so that the next plan says so instead of asking
        # every minute.
        rows.update(
            status=Message.Status.APPROVED,
            send_at=None,
            claims=0,
            hold_reason=held.reason,
            hold_until=None,
            **LET_GO,
        )
    else:
        rows.update(
            status=Message.Status.QUEUED,
            send_at=held.until,
            claims=0,
            hold_reason=held.reason,
            hold_until=held.until,
            **LET_GO,
        )


def _refused(message: Message, error: ChannelError, *, now: datetime) -> None:
    """A definite no: the slot is free again in the same transaction (REL-11)."""
    if error.of_mailbox:
        _put_off(message, now + RETRY_FIRST, str(error))
        _let_the_mailbox_rest(message.sender, now + RETRY_FIRST)
        if error.permanent:
            stopping.pause_sender(message.sender, reason=str(error))
    elif error.hard:
        with transaction.atomic():
            # the person before the message, as everybody locks them
            stopping.lock_person(message.pitch.address.contact_id)
            _fail(message, str(error), failure="hard")
            stopping.address_is_dead(message, now=now)
    elif error.permanent:
        _fail(message, str(error), failure="policy")
    else:
        _retry(message, str(error), now=now)


def _let_the_mailbox_rest(sender: Sender, until: datetime) -> None:
    """Its server cannot be asked: the others need not each wait for the same time-out."""
    Message.objects.filter(
        sender=sender, status=Message.Status.QUEUED, send_at__lt=until
    ).update(send_at=until, hold_reason=Reason.BACK_OFF, hold_until=until)


def _retry(message: Message, error: str, *, now: datetime) -> None:
    attempts = message.attempts + 1
    first = message.first_attempt_at or now
    if attempts >= RETRY_MOST or now - first > RETRY_DAYS:
        Message.objects.filter(pk=message.pk, lease_owner=message.lease_owner).update(
            status=Message.Status.EXPIRED,
            last_error=error[:500],
            attempts=attempts,
            counted_at=None,
            **LET_GO,
        )
        return
    _put_off(
        message,
        now + retry_delay(attempts, message.message_id),
        error,
        attempts=attempts,
        first=first,
    )


def retry_delay(attempts: int, message_id: str) -> timedelta:
    """5 min times 1.3 to the attempts before, ± 10 % by the Message-ID (REL-12)."""
    share = int(fingerprints.digest(message_id)[:8], 16) / 0xFFFFFFFF
    return RETRY_FIRST * RETRY_FACTOR ** (attempts - 1) * (0.9 + 0.2 * share)


def _put_off(
    message: Message,
    until: datetime,
    error: str,
    *,
    attempts: int | None = None,
    first: datetime | None = None,
) -> None:
    Message.objects.filter(
        pk=message.pk,
        lease_owner=message.lease_owner,
        status__in=[Message.Status.CLAIMED, Message.Status.HANDING],
    ).update(
        status=Message.Status.QUEUED,
        send_at=until,
        not_before=until,
        claims=0,
        attempts=message.attempts if attempts is None else attempts,
        first_attempt_at=first or message.first_attempt_at,
        counted_at=None,
        handed_at=None,
        hold_reason=Reason.BACK_OFF,
        hold_until=until,
        last_error=error[:500],
        **LET_GO,
    )


def _fail(message: Message, error: str, *, failure: str) -> None:
    Message.objects.filter(
        pk=message.pk,
        lease_owner=message.lease_owner,
        status__in=[Message.Status.CLAIMED, Message.Status.HANDING],
    ).update(
        status=Message.Status.FAILED,
        failure=failure,
        last_error=error[:500],
        counted_at=None,
        handed_at=None,
        **LET_GO,
    )


def _unknown(message: Message, error: str) -> None:
    Message.objects.filter(
        pk=message.pk, lease_owner=message.lease_owner, status=Message.Status.HANDING
    ).update(status=Message.Status.UNKNOWN, last_error=error[:500], **LET_GO)


# -- leases that ran out
# -------------------------------------------------------------------------


@dataclass(slots=True)
class Reaped:
    released: int = 0
    poisoned: int = 0
    settled: int = 0
    unknown: int = 0
    expired: int = 0


def reap(*, now: datetime) -> Reaped:
    """Put in order what dead workers left.

    Claimed goes back, handing is settled from the journal or unknown.
    """
    reaped = Reaped()
    try:
        _reap_leases(reaped, now=now)
    except journal.JournalUnavailable:
        log.exception("leases that ran out are left alone until the journal can be read")
    reaped.expired = Message.objects.filter(
        status__in=[Message.Status.APPROVED, Message.Status.QUEUED], expires_at__lte=now
    ).update(status=Message.Status.EXPIRED, hold_reason=Reason.EXPIRED)
    _take_unknown_steps_as_done(now=now)
    _pass_over_dead_steps(now=now)
    _end_pitches_that_never_began(now=now)
    return reaped


def _take_unknown_steps_as_done(*, now: datetime) -> None:
    """A follow-up that may have arrived counts as sent; the next one keeps its distance."""
    gone_out = Message.objects.filter(
        pitch=OuterRef("pitch"), step=OuterRef("step"), status__in=Message.GONE_OUT
    )
    tasks = FollowUpTask.objects.filter(FollowUpTask.is_open(), Exists(gone_out))
    pitches = set(tasks.values_list("pitch", flat=True))
    if not pitches:
        return
    with transaction.atomic():
        rows = Pitch.objects.select_for_update().filter(pk__in=pitches).order_by("pk")
        open_pitches = list(rows)
        tasks.filter(pitch__in=pitches).update(done_at=now, reason="it may have arrived")
        for pitch in open_pitches:
            _end_if_nothing_is_left(pitch, now=now)


def _end_pitches_that_never_began(*, now: datetime) -> None:
    """The first message failed or expired for good: the pitch ends like a rejected draft.

    Its matches are free again; the plan names the cause until somebody wants a new draft.
    """
    firsts = Message.objects.filter(pitch=OuterRef("pk"), number=0)
    lost = [Message.Status.FAILED, Message.Status.EXPIRED]
    over = Pitch.objects.filter(
        Exists(firsts.filter(status__in=lost)),
        ~Exists(firsts.exclude(status__in=[*lost, Message.Status.CANCELED])),
        status=Pitch.Status.APPROVED,
    ).select_related("address")
    for pitch in over:
        with transaction.atomic():
            stopping.lock_person(pitch.address.contact_id)
            error = pitch.messages.filter(number=0, status__in=lost).latest("pk").last_error
            cause = f"it could not be sent: {error or 'too old'}"[:300]
            stopping.cancel_messages(pitch.messages.all(), reason=cause)
            if Pitch.objects.filter(pk=pitch.pk).move(
                Pitch.Status.REJECTED, status_reason=cause, ended_at=now
            ):
                stopping.give_back_matches([pitch.pk])


def _reap_leases(reaped: Reaped, *, now: datetime) -> None:
    over = Message.objects.filter(leased_until__lt=Now())
    for message in over.filter(status=Message.Status.CLAIMED):
        with transaction.atomic():
            _reap_claimed(message, reaped, now=now)
    for message in over.filter(status=Message.Status.HANDING).select_related("pitch"):
        _reap_handing(message, reaped, now=now)


def _pass_over_dead_steps(*, now: datetime) -> None:
    """A step whose message failed or expired will never leave: the later ones go on without it.

    One that was written anew has another message and is waited for.
    """
    of_step = Message.objects.filter(pitch=OuterRef("pitch"), step=OuterRef("step"))
    gone = of_step.filter(status__in=[Message.Status.FAILED, Message.Status.EXPIRED])
    alive = of_step.exclude(
        status__in=[Message.Status.FAILED, Message.Status.EXPIRED, Message.Status.CANCELED]
    )
    dead = FollowUpTask.objects.filter(FollowUpTask.is_open(), Exists(gone), ~Exists(alive))
    pitches = set(dead.values_list("pitch", flat=True))
    if not pitches:
        return
    with transaction.atomic():
        rows = Pitch.objects.select_for_update().filter(pk__in=pitches).order_by("pk")
        open_pitches = list(rows)
        dead.filter(pitch__in=pitches).update(
            canceled_at=now, reason="its message failed or expired"
        )
        for pitch in open_pitches:
            _end_if_nothing_is_left(pitch, now=now)


def _reap_claimed(message: Message, reaped: Reaped, *, now: datetime) -> None:
    """Provably unsent.

    The gate never let it through. An intent of this very claim is taken back; under the row's
    lock, for its worker may stand in the gate at this moment and be let through.
    """
    rows = Message.objects.filter(
        pk=message.pk, status=Message.Status.CLAIMED, lease_owner=message.lease_owner
    )
    if not rows.select_for_update(skip_locked=True).exists():
        return
    if journal.owner_of_intent(message.message_id) == str(message.lease_owner):
        _note_reply(message, journal.RELEASED, None, now=now)
    if message.claims >= MOST_CLAIMS:
        reaped.poisoned += rows.update(
            status=Message.Status.FAILED,
            failure="poison",
            last_error=f"{message.claims} workers died over it",
            **LET_GO,
        )
    else:
        reaped.released += rows.update(status=Message.Status.QUEUED, **LET_GO)


def _reap_handing(message: Message, reaped: Reaped, *, now: datetime) -> None:
    outcome = journal.outcome_of(message.message_id)
    if outcome == journal.ACCEPTED:
        settle(
            message, Receipt(answer="250, as the journal has it"), now=message.counted_at or now
        )
        reaped.settled += 1
    elif outcome == journal.REFUSED:
        _put_off(message, now + RETRY_FIRST, "refused, as the journal has it")
        reaped.released += 1
    else:
        _unknown(message, "the worker died after it was handed over")
        reaped.unknown += 1
