"""What becomes of a message: sent and its next steps, put off, failed, or of unknown fate."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import DatabaseError, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from campaigns.models import Step
from config import faults
from pitches import (
    breakers,
    fingerprints,
    journal,
    stopping,
)
from pitches.channels import ChannelError, Receipt
from pitches.decisions import Reason
from pitches.gate import Held
from pitches.models import FollowUpTask, Message, Pitch, Sender, SendMode
from pitches.models.message import LET_GO
from pitches.signals import pitch_sent

log = logging.getLogger(__name__)

# RFC 5321 section 4.5.4.1; 5 min, then 1.3 times longer each, for at most five days (REL-12).
RETRY_FIRST = timedelta(minutes=5)
RETRY_FACTOR = 1.3
RETRY_MOST = 12
RETRY_DAYS = timedelta(days=5)
# What a server may ask for by Retry-After.
SHORTEST_REST = timedelta(seconds=1)
LONGEST_REST = timedelta(days=1)


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


def conclude(
    message: Message,
    receipt: Receipt,
    *,
    at: datetime,
    status: str = Message.Status.SENT,
) -> None:
    """A message of unknown fate went out ``at`` that time, or counts as if it had.

    What follows is what follows any sending. Raises WrongStatus once somebody resolved it.
    """
    in_doubt = Q(status__in=[Message.Status.UNKNOWN, Message.Status.ASSUMED_SENT])
    with transaction.atomic():
        _settle(message, receipt, now=at, status=status, only_if=in_doubt)


def _settle(
    message: Message,
    receipt: Receipt,
    *,
    now: datetime,
    status: str = Message.Status.SENT,
    only_if: Q | None = None,
) -> None:
    # the pitch before its message, as whoever edits or decides takes them
    pitch = Pitch.objects.select_for_update().get(pk=message.pitch_id)
    if receipt.delegated:  # another sender has it; the later steps begin when that one sends
        message.move(
            Message.Status.DELEGATED,
            only_if=only_if,
            receipt=receipt.answer[:500],
            provider_id=receipt.provider_id[:300],
            last_error="",
            **LET_GO,
        )
        if pitch.status not in Pitch.OPEN:  # stopped while it was being taken over
            stopping.ask_back(message)
        return
    message.move(
        status,
        only_if=only_if,
        sent_at=now,
        receipt=receipt.answer[:500],
        provider_id=receipt.provider_id[:300],
        last_error="",
        **LET_GO,
    )
    _go_on(pitch, message, now=now)


def _go_on(pitch: Pitch, message: Message, *, now: datetime) -> None:
    """A message is out: the steps behind it get their times."""
    if message.number == 0:
        _begin(pitch, now=now)
    elif message.step_id:
        if pitch.first_sent_at is None:  # the first message was left out by hand
            Pitch.objects.filter(pk=pitch.pk).update(first_sent_at=now)
            pitch_sent.send(sender=Pitch, pitch=pitch)
        FollowUpTask.objects.filter(
            FollowUpTask.is_open(), pitch=pitch, step=message.step_id
        ).update(done_at=now)
        _keep_the_gaps(message, now=now)
    end_if_nothing_is_left(pitch, now=now)


def is_delegated(message: Message) -> bool:
    """Whether an acceptance of it means that another sender has taken it over.

    Needs ``sender`` loaded. What is captured leaves nothing to anybody else.
    """
    elsewhere = message.sender.transport == Sender.Transport.INSTANTLY
    return elsewhere and not message.number and message.send_mode != SendMode.CAPTURE


def delegated_was_sent(message: Message, *, provider_id: str, at: datetime) -> bool:
    """The other sender says that it sent what we had delegated; False if we know it already.

    ``provider_id`` is its id of the mail, which a follow-up answers. Later steps begin at
    ``at``. What was canceled because the stop was confirmed, and went out all the same, is
    left canceled.
    """
    with transaction.atomic():
        pitch = Pitch.objects.select_for_update().get(pk=message.pitch_id)
        moved = Message.objects.filter(pk=message.pk, status=Message.Status.DELEGATED).move(
            Message.Status.SENT, sent_at=at, provider_id=provider_id[:300], last_error=""
        )
        if moved:
            _go_on(pitch, message, now=at)
        return bool(moved)


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
    if pitch.status == Pitch.Status.ACTIVE:
        _plan_later_steps(pitch, now=now)


def _plan_later_steps(pitch: Pitch, *, now: datetime) -> None:
    tasks = [
        FollowUpTask(pitch=pitch, step=step, due_at=now + timedelta(hours=step.delay_hours))
        for step in Step.objects.filter(sequence=pitch.sequence_id, number__gt=0)
    ]
    FollowUpTask.objects.bulk_create(tasks, ignore_conflicts=True)
    _set_expiries(tasks)


def go_on_without(message: Message, *, reason: str, now: datetime) -> None:
    """A person leaves a step out: it is canceled, and the later ones have their times.

    Without the first message the others count from now. Where nothing is left and nothing went
    out the pitch stops and gives its matches back. Raises WrongStatus once it was handed over.
    """
    with transaction.atomic():
        # the person before the pitch and its message, as every stop takes them
        stopping.lock_person(message.pitch.address.contact_id)
        pitch = Pitch.objects.select_for_update().get(pk=message.pitch_id)
        message.cancel(reason=reason)
        if message.number == 0 and pitch.status == Pitch.Status.APPROVED:
            pitch.move(Pitch.Status.ACTIVE)
            _plan_later_steps(pitch, now=now)
        FollowUpTask.objects.filter(
            FollowUpTask.is_open(), pitch=pitch, step=message.step_id
        ).update(canceled_at=now, reason=reason[:300])
        if pitch.first_sent_at or _has_steps_left(pitch):
            end_if_nothing_is_left(pitch, now=now)
        else:
            stopping.stop_pitch(pitch, reason=reason)


def _has_steps_left(pitch: Pitch) -> bool:
    return FollowUpTask.objects.filter(FollowUpTask.is_open(), pitch=pitch).exists()


def end_if_nothing_is_left(pitch: Pitch, *, now: datetime) -> None:
    if pitch.status == Pitch.Status.ACTIVE and not _has_steps_left(pitch):
        pitch.move(Pitch.Status.COMPLETED, ended_at=now, outcome=Pitch.Outcome.NO_RESPONSE)


def note_reply(message: Message, outcome: str, code: int | None, *, now: datetime) -> None:
    """The answer belongs into the journal too.

    Without it a crash here costs one unknown, no more.
    """
    try:
        journal.record_reply(
            message.message_id, outcome=outcome, code=code, mode=message.send_mode, at=now
        )
    except journal.JournalUnavailable:
        log.exception("the journal did not take the answer for message %s", message.pk)


def release(message: Message, held: Held) -> None:
    """Back into the queue with the reason, or to where the reason belongs.

    Only while the lease is ours.
    """
    faults.point("P12")
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


def refused(message: Message, error: ChannelError, *, now: datetime) -> None:
    """A definite no: the slot is free again in the same transaction (REL-11)."""
    faults.point("P12")
    if error.of_mailbox:
        until = now + rest_after(error)
        put_off(message, until, str(error))
        _let_the_mailbox_rest(message.sender, until)
        if error.permanent:
            breakers.note_login_fault(message.sender, str(error), now=now)
    elif error.hard:
        with transaction.atomic():
            # the person before the message, as everybody locks them
            stopping.lock_person(message.pitch.address.contact_id)
            fail(message, str(error), failure="hard", bounced_at=now)
            stopping.address_is_dead(message, now=now)
            _judge_failure(message, str(error), permanent=True, now=now)
    elif error.opted_out:
        with transaction.atomic():
            stopping.lock_person(message.pitch.address.contact_id)
            fail(message, str(error), failure="policy")
            stopping.opted_out(
                message.pitch.address.contact, source=f"{message.sender.transport}", now=now
            )
    else:
        with transaction.atomic():
            if error.permanent:
                fail(message, str(error), failure="policy", bounced_at=now)
            else:
                _retry(message, str(error), now=now)
            _judge_failure(message, str(error), permanent=error.permanent, now=now)


def rest_after(error: ChannelError) -> timedelta:
    """How long to leave a server alone: as long as it wishes, within reason."""
    if error.retry_after is None:
        return RETRY_FIRST
    return min(max(error.retry_after, SHORTEST_REST), LONGEST_REST)


def _let_the_mailbox_rest(sender: Sender, until: datetime) -> None:
    """Its server cannot be asked: the others need not each wait for the same time-out."""
    Message.objects.filter(
        sender=sender, status=Message.Status.QUEUED, send_at__lt=until
    ).update(send_at=until, hold_reason=Reason.BACK_OFF, hold_until=until)


def give_back_sealed(pk: int, *, now: datetime) -> None:
    """Its sender's secrets open with no key of ours: the claim that was just made counts for
    nothing, and all of that mailbox waits, so that the others are sent meanwhile.
    """
    rows = Message.objects.filter(pk=pk, status=Message.Status.CLAIMED)
    senders = list(rows.values_list("sender", flat=True))
    rows.update(status=Message.Status.QUEUED, claims=F("claims") - 1, **LET_GO)
    for sender in senders:
        _let_the_mailbox_rest(Sender(pk=sender), now + RETRY_FIRST)


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
    put_off(
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


def put_off(
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


def fail(
    message: Message, error: str, *, failure: str, bounced_at: datetime | None = None
) -> None:
    """It will not go out.

    ``failure`` is *hard* or *policy* where the server refused it, at ``bounced_at``.
    """
    refusal = {"bounced_at": bounced_at, "bounce_kind": failure} if bounced_at else {}
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
        **refusal,
        **LET_GO,
    )


def not_built(message: Message, error: str, *, now: datetime) -> None:
    """No mail could be made of it."""
    with transaction.atomic():
        fail(message, error, failure="build")
        _judge_failure(message, error, permanent=True, now=now)


def unknown(message: Message, error: str, *, now: datetime) -> None:
    """It may have arrived, and nobody knows."""
    with transaction.atomic():
        Message.objects.filter(
            pk=message.pk, lease_owner=message.lease_owner, status=Message.Status.HANDING
        ).update(status=Message.Status.UNKNOWN, last_error=error[:500], **LET_GO)
        with _verdicts_may_wait(message):
            breakers.judge([message], now=now)


def _judge_failure(message: Message, error: str, *, permanent: bool, now: datetime) -> None:
    with _verdicts_may_wait(message):
        breakers.note_failure(message, error, permanent=permanent, now=now)


@contextmanager
def _verdicts_may_wait(message: Message) -> Iterator[None]:
    """What became of a message is recorded whatever happens; a verdict that could not be given
    now is given by the next look at everybody.
    """
    try:
        with transaction.atomic():
            yield
    except DatabaseError:
        log.exception("message %s is settled, but its sender was not judged", message.pk)
