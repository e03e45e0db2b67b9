"""What a person says about an answer: that there was one, which pitch it means, that it is
dealt with.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from config.text import clean_text
from pitches import stopping
from pitches.inbox import acting
from pitches.models import IncomingMessage, Message, Pitch, ReviewTask


class MeaningSettled(ValueError):
    """It was said before which pitch this mail means."""


def record_reply(
    pitch: Pitch,
    *,
    intent: str,
    now: datetime,
    text: str = "",
    message: Message | None = None,
    by: AbstractBaseUser | None = None,
) -> IncomingMessage:
    """An answer that reached us elsewhere (telephone, another mailbox), noted by a person.

    Does what a mail would do: stops the person's open steps for this client. Noting the same
    answer twice on the same day changes nothing more.
    """
    marker = f"{pitch.pk}:{intent}:{now:%Y-%m-%d}:{text.strip()}"
    sha256 = hashlib.sha256(marker.encode()).hexdigest()
    with transaction.atomic():
        incoming, is_new = IncomingMessage.objects.get_or_create(
            sender=pitch.sender,
            raw_sha256=sha256,
            defaults={
                "source": "noted by hand",
                "from_address": pitch.address.value,
                "from_name": pitch.address.contact.name,
                "text": clean_text(text),
                "reply_text": clean_text(text),
                "kind": _kind_of_intent(intent),
                "intent": intent,
                "classified_by": getattr(by, "username", "") or "api",
                "pitch": pitch,
                "answers": message or _latest(pitch),
                "contact": pitch.address.contact,
                "matched_by": "by hand",
                "received_at": now,
            },
        )
        if is_new:
            acting.act_on(incoming, now=now)
        return incoming


def settle_meaning(
    incoming: IncomingMessage,
    pitch: Pitch | None,
    *,
    by: AbstractBaseUser,
    now: datetime,
) -> IncomingMessage:
    """Say which pitch a mail means; None: none of ours.

    Its consequence is drawn now, as if it had been joined at once; the other pitches it might
    have meant go on. Raises MeaningSettled if it belongs to a pitch already.
    """
    with transaction.atomic():
        if pitch is not None:
            stopping.lock_person(pitch.address.contact_id)
        # Not the sender's row, which the walk through its mailbox takes after this one.
        row = IncomingMessage.objects.select_for_update(of=("self",)).get(pk=incoming.pk)
        if row.pitch_id is not None:
            raise MeaningSettled("It was said before which pitch this mail means.")
        row.possible_pitches.clear()
        if pitch is None:
            row.handled_at = row.handled_at or now
        else:
            row.pitch, row.answers = pitch, _latest(pitch)
            row.contact = pitch.address.contact
        row.matched_by = "by hand"
        row.save(update_fields=["pitch", "answers", "contact", "matched_by", "handled_at"])
        _complete_tasks(row, by=by, now=now)
        if pitch is not None:
            acting.act_on(row, now=now)
        return row


def close(
    incoming: IncomingMessage, *, now: datetime, by: AbstractBaseUser | None = None
) -> None:
    """Somebody dealt with it: its thread no longer holds other clients' pitches back, nor those
    it might have meant.
    """
    with transaction.atomic():
        open_yet = IncomingMessage.objects.filter(pk=incoming.pk, handled_at__isnull=True)
        open_yet.update(handled_at=now)
        _complete_tasks(incoming, by=by, now=now)


def _complete_tasks(
    incoming: IncomingMessage, *, by: AbstractBaseUser | None, now: datetime
) -> None:
    ReviewTask.objects.filter(incoming=incoming, status=ReviewTask.Status.OPEN).update(
        status=ReviewTask.Status.COMPLETED,
        decision=ReviewTask.Decision.APPROVED,
        decided_by=by,
        decided_at=now,
    )


def _latest(pitch: Pitch) -> Message | None:
    gone_out = pitch.messages.filter(status__in=Message.COUNTED)
    return gone_out.order_by("-counted_at").first()


def _kind_of_intent(intent: str) -> str:
    kinds = IncomingMessage.Kind
    by_intent = {
        IncomingMessage.Intent.UNSUBSCRIBE.value: kinds.UNSUBSCRIBE,
        IncomingMessage.Intent.OUT_OF_OFFICE.value: kinds.OUT_OF_OFFICE,
    }
    return by_intent.get(intent, kinds.HUMAN_REPLY)
