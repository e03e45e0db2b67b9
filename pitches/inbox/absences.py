"""People who are away: what was to come next waits for their return, and only ever later."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.db.models import F

from campaigns.zones import zone
from pitches import situations, stopping, windows
from pitches.models import FollowUpTask, Message, Pitch
from pitches.situations import Target
from pitches.windows import Window

# They read what waits first.
WORKING_DAYS = 2
# Without a date.
UNSAID = timedelta(days=7)
# Nobody says truly when they are back in two years.
LONGEST = timedelta(days=366)


def move_steps(pitch: Pitch, *, returns_on: date | None, now: datetime) -> int:
    """Move the open steps of every pitch to this person to after their return.

    Two working days after the day they name, in their country and zone, else seven days from
    now. The first open step moves to that day if it was due earlier, the later ones with it,
    keeping their gaps. Nothing is canceled. Answers how many steps moved.
    """
    contact = pitch.address.contact
    stopping.lock_person(contact.pk)
    open_pitches = Pitch.objects.filter(
        address__contact=contact, status__in=Pitch.OPEN
    ).select_related("campaign", "lead__organization", "address__contact__organization")
    return sum(_move(each, returns_on, now=now) for each in open_pitches)


def _move(pitch: Pitch, returns_on: date | None, *, now: datetime) -> int:
    tasks = FollowUpTask.objects.filter(FollowUpTask.is_open(), pitch=pitch)
    first = tasks.order_by("due_at").values_list("due_at", flat=True).first()
    if first is None:
        return 0
    back = back_at_work(_window(pitch), returns_on, now=now)
    if back <= first:
        return 0
    later = back - first
    named = f"until {returns_on:%d %B %Y}" if returns_on else "without a date"
    moved = tasks.update(due_at=F("due_at") + later, reason=f"away {named}")
    Message.objects.filter(
        pitch=pitch,
        number__gt=0,
        status__in=Message.BEFORE_HANDING,
        expires_at__isnull=False,
    ).update(expires_at=F("expires_at") + later)
    return moved


def back_at_work(window: Window, returns_on: date | None, *, now: datetime) -> datetime:
    """The moment from which an absent person may be written to again."""
    if returns_on is None:
        return now + UNSAID
    tz = zone(window.zone_name)
    today = now.astimezone(tz).date()
    day = min(max(returns_on, today), today + LONGEST)
    left = WORKING_DAYS
    while left:
        day += timedelta(days=1)
        left -= _is_working_day(day, window)
    return datetime.combine(day, window.opens, tzinfo=tz).astimezone(now.tzinfo)


def _is_working_day(day: date, window: Window) -> bool:
    return day.isoweekday() <= 5 and not windows.holiday(window.country, day)


def _window(pitch: Pitch) -> Window:
    contact = pitch.address.contact
    target = Target(
        campaign=pitch.campaign,
        lead=pitch.lead,
        organization=pitch.lead.organization or contact.organization,
        contact=contact,
        address=pitch.address,
        sender=None,
        candidates=[],
    )
    return situations.window_of(target, ())
