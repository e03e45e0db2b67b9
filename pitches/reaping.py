"""Putting in order what dead workers and dead steps left behind."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from pitches import (
    journal,
    settling,
    stopping,
)
from pitches.channels import Receipt
from pitches.decisions import Reason
from pitches.models import FollowUpTask, Message, Pitch
from pitches.models.message import LET_GO

log = logging.getLogger(__name__)

# A row that three workers took and none settled is taken out of the way (REL-31).
MOST_CLAIMS = 3


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
            settling.end_if_nothing_is_left(pitch, now=now)


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
            settling.end_if_nothing_is_left(pitch, now=now)


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
        settling.note_reply(message, journal.RELEASED, None, now=now)
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
        taken_over = settling.is_delegated(message)
        receipt = Receipt(answer="250, as the journal has it", delegated=taken_over)
        settling.settle(message, receipt, now=message.counted_at or now)
        reaped.settled += 1
    elif outcome == journal.REFUSED:
        settling.put_off(message, now + settling.RETRY_FIRST, "refused, as the journal has it")
        reaped.released += 1
    else:
        settling.unknown(message, "the worker died after it was handed over", now=now)
        reaped.unknown += 1
