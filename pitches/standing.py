"""How a sender stands: its plan of today, what holds it, and what it hears."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Count, Min, Q

from campaigns.models import Campaign
from campaigns.zones import zone
from pitches import breakers, limits, rules, situations
from pitches.limits import Limit, Limits
from pitches.models import Breaker, EmailLimit, Message, Sender, SendMode, Stop

MOST_NEXT, MOST_VERDICTS, MOST_CAMPAIGNS = 8, 20, 20
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Ramp:
    """From how many a day, by how many more, to how many; ``full_on`` has the whole limit."""

    began_on: date
    start: int
    step: int
    today: int
    full_on: date | None
    days: list[tuple[date, int]]


@dataclass(frozen=True, slots=True)
class Standing:
    """All that a person asks of a mailbox in the morning."""

    sender: Sender
    cap: Limit
    limits: list[Limit]
    spent: int
    queued: int
    next_at: datetime | None
    next_out: list[Message]
    ramp: Ramp | None
    is_careful: bool
    campaigns: list[Campaign]
    stops: list[Stop]
    verdicts: list[Breaker]
    blind: str

    @property
    def left(self) -> int:
        """Slots that are free in the 24 hours that end now."""
        return max(0, self.cap.maximum - self.spent)


def of_sender(sender: Sender, *, now: datetime) -> Standing:
    """Read it, in nine queries whatever there is."""
    mode = situations.mode()
    concerning = Breaker.objects.filter(breakers.concerning(sender))
    verdicts = list(concerning.select_related("closed_by")[:MOST_VERDICTS])
    in_force = concerning.filter(Breaker.in_force(now))
    is_careful = in_force.filter(cause=Breaker.Cause.HARD_BOUNCES).exists()
    today = now.astimezone(zone(sender.time_zone)).date()
    own = limits.of_sender(
        sender, on=today, is_careful=is_careful, is_live=mode == SendMode.LIVE
    )
    scope = EmailLimit.Scope.SENDER
    waiting = Message.objects.filter(sender=sender, status=Message.Status.QUEUED)
    queued = waiting.aggregate(n=Count("pk"), first=Min("send_at"))
    mine = Q(scope=Stop.Scope.MAILBOX, sender=sender) | Q(scope=Stop.Scope.EVERYTHING)
    out = Message.objects.counted(since=now - DAY, mode=mode)
    return Standing(
        sender=sender,
        cap=own[0],
        limits=[*own, *Limits.read().of(scope, sender.pk, label=sender.address)],
        spent=out.filter(sender=sender).count(),
        queued=queued["n"],
        next_at=queued["first"],
        next_out=list(
            waiting.select_related("pitch__lead", "step").order_by("send_at", "pk")[:MOST_NEXT]
        ),
        ramp=_ramp(sender, today),
        is_careful=is_careful,
        campaigns=list(sender.campaigns.order_by("name")[:MOST_CAMPAIGNS]),
        stops=list(Stop.objects.filter(Stop.in_force(now)).filter(mine)),
        verdicts=verdicts,
        blind=blind(sender, now=now),
    )


def _ramp(sender: Sender, today: date) -> Ramp | None:
    began = sender.ramp_began_on
    if began is None:
        return None
    missing = max(0, sender.daily_limit - sender.ramp_start)
    step = sender.ramp_step
    full_on = began + timedelta(days=-(-missing // step)) if step else None
    if not missing:
        full_on = began
    days = [today + timedelta(days=n) for n in range(7)]
    return Ramp(
        began_on=began,
        start=sender.ramp_start,
        step=step,
        today=limits.ramped(sender, on=today),
        full_on=full_on,
        days=[(day, limits.ramped(sender, on=day)) for day in days],
    )


def blind(sender: Sender, *, now: datetime) -> str:
    """What waits because the inbox is not read, and until when; empty where nothing does."""
    if situations.mode() == SendMode.CAPTURE or rules.asks_for_answers(sender):
        return ""
    if sender.transport not in Sender.BY_MAIL:
        return ""
    read_at = sender.inbox_read_at
    if read_at is not None and now - read_at <= rules.INBOX_BLIND:
        return ""
    since = f"since {read_at:%d %b %H:%M} UTC" if read_at else "yet"
    return (
        f"Its inbox was not read to its end {since}. Follow-ups wait until it is, for an "
        "answer may lie there; first messages go out."
    )
