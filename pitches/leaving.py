"""Somebody named in a pitch is not to be pitched any more: the pitch ends or is redrafted."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Max

from campaigns.models import Candidate
from pitches import pitching, stopping, writing
from pitches.models import Match, Message, Pitch, ReviewTask


def let_go(*, now: datetime) -> int:
    """Take out of open pitches whoever is no longer active; answers how many pitches that were.

    Asked before every run, so that it does not matter at which door somebody was placed.
    """
    gone = Candidate.objects.exclude(status=Candidate.Status.ACTIVE).filter(
        matches__status=Match.Status.PITCHED, matches__pitch__status__in=Pitch.OPEN
    )
    return sum(
        candidate_left(
            candidate, reason=f"is {candidate.get_status_display().lower()}", now=now
        )
        for candidate in gone.distinct().defer("embedding")
    )


def candidate_left(candidate: Candidate, *, reason: str, now: datetime) -> int:
    """Somebody was placed, paused or withdrawn: nothing that names them goes out any more.

    Messages not yet handed over are canceled and the match is withdrawn. Where others are left
    in the pitch, new drafts without the one who left go to review; with none left the pitch
    stops. Whoever is only paused keeps what has not been pitched yet. Answers how many pitches
    were touched.
    """
    with transaction.atomic():
        pitched = Match.objects.filter(
            candidate=candidate, status=Match.Status.PITCHED, pitch__status__in=Pitch.OPEN
        )
        touched = list(
            pitched.select_related(
                "pitch__address", "pitch__lead", "pitch__campaign", "pitch__sender"
            )
        )
        for match in touched:
            _without(match, reason=reason, now=now)
        if candidate.status != Candidate.Status.PAUSED:
            _withdraw_waiting(candidate, reason=reason)
        return len(touched)


def _withdraw_waiting(candidate: Candidate, *, reason: str) -> None:
    """Nobody is asked any more about somebody who is gone for good."""
    waiting = [Match.Status.APPROVED, Match.Status.TO_REVIEW, Match.Status.SUGGESTED]
    Match.objects.filter(candidate=candidate, status__in=waiting).move(
        Match.Status.WITHDRAWN, decline_reason=reason[:300]
    )
    ReviewTask.objects.filter(status=ReviewTask.Status.OPEN, match__candidate=candidate).update(
        status=ReviewTask.Status.CANCELED, reason=reason[:300]
    )


def _without(match: Match, *, reason: str, now: datetime) -> None:
    pitch = match.pitch
    assert pitch is not None
    stopping.lock_person(pitch.address.contact_id)
    gone_out = pitch.messages.filter(status__in=Message.COUNTED).exists()
    # What went out with the name in it stays on record: the candidate was pitched to this lead.
    kept = {} if gone_out else {"pitch": None}
    match.move(Match.Status.WITHDRAWN, decline_reason=reason[:300], **kept)
    if not pitch.matches.filter(status=Match.Status.PITCHED).exists():
        stopping.stop_pitch(pitch, reason=reason)
        return
    redraft(pitch, reason=reason, now=now)


def redraft(pitch: Pitch, *, reason: str, now: datetime) -> list[Message]:
    """Cancel what has not been handed over and write it anew, for somebody to read again."""
    waiting = pitch.messages.filter(status__in=Message.BEFORE_HANDING)
    steps = [message.step for message in waiting.select_related("step").order_by("number")]
    stopping.cancel_messages(waiting, reason=reason)
    pitch.review_tasks.filter(status=ReviewTask.Status.OPEN).update(
        status=ReviewTask.Status.CANCELED, reason=reason[:300]
    )
    if pitch.status == Pitch.Status.APPROVED:
        pitch.move(Pitch.Status.DRAFT)
    canceled = pitch.messages.filter(status=Message.Status.CANCELED).values_list("number")
    revisions = dict(canceled.annotate(n=Max("revision")))
    identity = pitching.first_identities({pitch.lead_id}).get(
        pitch.lead_id, f"lead:{pitch.lead_id}"
    )
    messages = pitching.drafts(
        pitch, [step for step in steps if step], identity, revisions=revisions
    )
    Message.objects.bulk_create(messages)
    writing.write(messages, now=now)
    pitching.ask_for_review(messages)
    return messages
