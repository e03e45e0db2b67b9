"""The end of a rehearsal: what was captured is given back before anything goes out for real.

A captured pitch reached nobody. Left open it would hold its lead and its matches back from the
real thing, so SEND_MODE leaves capture only once no captured pitch is open (``rules`` holds
everything until then). What the rehearsal's answers did goes too: their stops are lifted, their
suppressions taken back, their threads closed. What people decided stays.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Count, QuerySet

from pitches import stopping
from pitches.models import (
    FollowUpTask,
    IncomingMessage,
    Match,
    Message,
    Pitch,
    RehearsalEnd,
    ReviewTask,
    SendMode,
    Stop,
)
from prospects.models import ContactAddress, Suppression

REASON = "the rehearsal ended"


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What ending the rehearsal gives back."""

    pitches: int = 0
    matches: int = 0
    messages: int = 0
    stops: int = 0
    suppressions: int = 0
    threads: int = 0
    log: list[str] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Without the log."""
        return {
            "pitches": self.pitches,
            "matches": self.matches,
            "messages": self.messages,
            "stops": self.stops,
            "suppressions": self.suppressions,
            "threads": self.threads,
        }


def plan() -> Rehearsed:
    """What ``end`` would give back. Changes nothing; a constant number of queries."""
    pitches = _captured()
    matches = Match.objects.filter(pitch__in=pitches)
    return Rehearsed(
        pitches=pitches.count(),
        matches=matches.count(),
        messages=Message.objects.filter(
            pitch__in=pitches, status__in=Message.BEFORE_HANDING
        ).count(),
        stops=_stops().count(),
        suppressions=_suppressions().count(),
        threads=_threads().count(),
        log=_log(pitches),
    )


def end(*, now: datetime, by: User | None = None) -> Rehearsed:
    """Give everything back, in one transaction, and keep a log of it. Twice does nothing more.

    Takes the lock of the stop switch, so no message is in the gate meanwhile.
    """
    with transaction.atomic():
        stopping.lock_everything()
        found = plan()
        if not any(found.counts().values()):
            return found
        _give_back(list(_captured().values_list("pk", flat=True)), now=now)
        _undo_answers(now=now)
        RehearsalEnd.objects.create(
            ended_at=now,
            by=by,
            pitches=found.pitches,
            matches=found.matches,
            log=found.log or [f"{count} {name}" for name, count in found.counts().items()],
        )
        return found


def open_pitches() -> QuerySet[Pitch]:
    """Captured pitches that are still open: while there is one, nothing goes out for real."""
    return Pitch.objects.open().filter(send_mode=SendMode.CAPTURE)


def _captured() -> QuerySet[Pitch]:
    """Those that still hold something: open, or with their matches."""
    captured = Pitch.objects.filter(send_mode=SendMode.CAPTURE)
    holding = captured.filter(status__in=Pitch.OPEN) | captured.filter(matches__isnull=False)
    return holding.distinct()


def _stops() -> QuerySet[Stop]:
    return Stop.objects.filter(is_rehearsed=True, lifted_at__isnull=True)


def _suppressions() -> QuerySet[Suppression]:
    return Suppression.objects.filter(is_rehearsed=True)


def _threads() -> QuerySet[IncomingMessage]:
    return IncomingMessage.objects.filter(source="capture", handled_at__isnull=True)


def _log(pitches: QuerySet[Pitch]) -> list[str]:
    rows = pitches.order_by("pk").annotate(given_back=Count("matches", distinct=True))
    return [
        f"pitch #{pk} to {lead}: was {status}, {given_back} matches given back"
        for pk, lead, status, given_back in rows.values_list(
            "pk", "lead__name", "status", "given_back"
        )
    ]


def _give_back(ids: list[int], *, now: datetime) -> None:
    stopping.cancel_messages(Message.objects.filter(pitch__in=ids), reason=REASON)
    FollowUpTask.objects.filter(FollowUpTask.is_open(), pitch__in=ids).update(
        canceled_at=now, reason=REASON
    )
    ReviewTask.objects.filter(status=ReviewTask.Status.OPEN, pitch__in=ids).update(
        status=ReviewTask.Status.CANCELED, reason=REASON
    )
    Pitch.objects.filter(pk__in=ids).move(
        Pitch.Status.STOPPED, status_reason=REASON, ended_at=now
    )
    Match.objects.filter(
        pitch__in=ids, status__in=[Match.Status.PITCHED, Match.Status.CLOSED]
    ).update(status=Match.Status.APPROVED)
    Match.objects.filter(pitch__in=ids).update(pitch=None)


def _undo_answers(*, now: datetime) -> None:
    """What the answers of a rehearsal did to real people's rows."""
    bounced = _stops().filter(kind=Stop.Kind.HARD_BOUNCE)
    # Only where captured mail went: what is known of a person's other addresses is true.
    rehearsed = Message.objects.filter(
        send_mode=SendMode.CAPTURE,
        pitch__address__contact__in=bounced.values("contact"),
        bounce_kind=Message.BounceKind.HARD,
    )
    ContactAddress.objects.filter(
        pk__in=rehearsed.values("pitch__address"),
        verification=ContactAddress.Verification.INVALID,
    ).update(verification=ContactAddress.Verification.UNKNOWN, verified_at=None)
    _stops().update(lifted_at=now)
    _suppressions().delete()
    _threads().update(handled_at=now)
