"""A week of by-hand work: who is asked to connect on which day, and who hears again.

The entries are messages. A week is planned first and carried out after, so that a dry run shows
what a real run does; building it again keeps what is done and doubles nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet

from campaigns import channels, zones
from campaigns.models import Blackout, Campaign, Segment
from pitches import pitching
from pitches.decisions import Decision, Verdict
from pitches.models import FollowUpTask, Message, Pitch, Sender, WeeklyPlan
from pitches.windows import holiday
from prospects.models import ContactAddress, Lead

# H004-06: how many may be asked for, and what is reasonable.
REQUESTS, FOLLOW_UPS = 40, 30
REQUESTS_RANGE, FOLLOW_UPS_RANGE = (10, 100), (5, 100)
BAND = (30, 50)
SLOTS = (time(9), time(14))
REQUEST_DAYS, FOLLOW_UP_DAYS = (1, 2, 3, 4, 5), (2, 3, 4)
# A follow-up comes so many days after the message before it.
APART, APART_MOST = timedelta(days=3), timedelta(days=5)
# A late start is not made up in one day: at most so many times a day's share.
RUSH = 2


class BadWeek(ValueError):
    """This week cannot be built as asked; the message says why."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A time of a day, as the owner's clock shows it."""

    day: date
    clock: time
    zone: ZoneInfo

    @property
    def at(self) -> datetime:
        return datetime.combine(self.day, self.clock, self.zone)


@dataclass(slots=True)
class Entry:
    """One message of the week; ``decision`` where its draft is still to be made."""

    kind: str
    lead: Lead
    country: str = ""
    not_before: date | None = None
    message: Message | None = None
    decision: Decision | None = None
    slot: Slot | None = None
    is_done: bool = False

    @property
    def key(self) -> tuple[int, int]:
        return (self.lead.pk, self.message.number or 0 if self.message else 0)


@dataclass(slots=True)
class Week:
    """The plan of one week, by time."""

    campaign: Campaign
    owner: User
    monday: date
    zone: ZoneInfo
    requests: int
    follow_ups: int
    entries: list[Entry] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    plan: WeeklyPlan | None = None

    def of(self, kind: str) -> list[Entry]:
        """The requests, or the follow-ups."""
        return [entry for entry in self.entries if entry.kind == kind]

    @property
    def by_segment(self) -> dict[str, int]:
        """Requests per segment."""
        names = (str(entry.lead.segment or "no segment") for entry in self.of("request"))
        return dict(Counter(names))

    def printed(self) -> dict[str, Any]:
        """The week as ``--json`` and the API tell it."""
        return {
            "id": self.plan.pk if self.plan else None,
            "campaign": self.campaign.slug,
            "owner": self.owner.get_username(),
            "week": self.monday.isoformat(),
            "time_zone": self.zone.key,
            "target_connection_requests": self.requests,
            "target_followups": self.follow_ups,
            "connection_requests": len(self.of("request")),
            "followups": len(self.of("follow_up")),
            "by_segment": self.by_segment,
            "warnings": self.warnings,
            "entries": [_printed(entry) for entry in self.entries],
        }


def _printed(entry: Entry) -> dict[str, Any]:
    assert entry.slot is not None
    return {
        "kind": entry.kind,
        "day": f"{entry.slot.day:%A}",
        "date": entry.slot.day.isoformat(),
        "time": f"{entry.slot.clock:%H:%M}",
        "at": entry.slot.at.isoformat(),
        "prospect_id": entry.lead.pk,
        "prospect": entry.lead.name,
        "segment": entry.lead.segment.key if entry.lead.segment else None,
        "message_id": entry.message.pk if entry.message else None,
        "status": entry.message.status if entry.message else "to draft",
        "is_done": entry.is_done,
    }


# -- shares ----------------------------------------------------------------------------------


def shares(
    total: int, weights: Mapping[int, int], available: Mapping[int, int]
) -> Counter[int]:
    """``total`` shared out by weight, by largest remainder, ties in the order of ``weights``
    (C01).

    What an empty segment leaves goes to the others. Weights are normalised; where all are 0
    they count alike.
    """
    given: Counter[int] = Counter()
    while (rest := total - given.total()) > 0:
        spare = {k: weights[k] for k in weights if available.get(k, 0) > given[k]}
        if not spare:
            break
        for key, part in _largest_remainder(rest, spare).items():
            given[key] += min(part, available[key] - given[key])
    return given


def _largest_remainder(total: int, weights: Mapping[int, int]) -> dict[int, int]:
    if not any(weights.values()):
        weights = dict.fromkeys(weights, 1)
    whole = sum(weights.values())
    exact = {key: Fraction(total * weight, whole) for key, weight in weights.items()}
    parts = {key: int(share) for key, share in exact.items()}
    by_remainder = sorted(
        exact, key=lambda key: parts[key] - exact[key]
    )  # stable: ties in order
    for key in by_remainder[: total - sum(parts.values())]:
        parts[key] += 1
    return parts


# -- planning --------------------------------------------------------------------------------


def monday_of(moment: datetime, *, zone: ZoneInfo) -> date:
    """The Monday of the week to work: this one, or on a weekend the next."""
    day = moment.astimezone(zone).date()
    monday = day - timedelta(days=day.isoweekday() - 1)
    return monday + timedelta(days=7) if day.isoweekday() > 5 else monday


def plan(
    campaign: Campaign,
    owner: User,
    *,
    now: datetime,
    monday: date | None = None,
    requests: int = REQUESTS,
    follow_ups: int = FOLLOW_UPS,
) -> Week:
    """What the week would hold. Changes nothing; constant in queries.

    ``requests`` 10 to 100, ``follow_ups`` 5 to 100; slots in the owner's zone. Raises BadWeek.
    """
    zone = zones.zone(_zone_of(campaign, owner))
    monday = monday or monday_of(now, zone=zone)
    week = Week(campaign, owner, monday, zone, requests, follow_ups)
    _check(week, now=now)
    today = now.astimezone(zone).date()
    closed = _blackouts(campaign)
    existing = _existing(week)
    done = [entry for entry in existing if entry.is_done]
    kept = {entry.key: entry for entry in existing if not entry.is_done}
    wanted = _requests(week, done, kept, now=now)
    laid = _lay(week, wanted, REQUEST_DAYS, requests, done, kept, closed, today=today)
    again = _follow_ups(week, done, kept)
    laid += _lay(week, again, FOLLOW_UP_DAYS, follow_ups, done, kept, closed, today=today)
    week.entries = sorted([*done, *laid], key=lambda e: (e.slot.at if e.slot else now, e.key))
    _warn(week)
    return week


def _zone_of(campaign: Campaign, owner: User) -> str:
    """The clock of the owner's sender for this campaign. Raises BadWeek without one."""
    mine = Sender.objects.filter(user=owner)
    linked = mine.filter(campaigns=campaign).order_by("pk").first()
    sender = linked or mine.order_by("pk").first()
    if sender is None:
        raise BadWeek(f"{owner} has no sender: add one that works by hand.")
    return sender.time_zone


def _check(week: Week, *, now: datetime) -> None:
    for name, asked, (low, high) in (
        ("connection requests", week.requests, REQUESTS_RANGE),
        ("follow-ups", week.follow_ups, FOLLOW_UPS_RANGE),
    ):
        if not low <= asked <= high:
            raise BadWeek(f"A week takes {low} to {high} {name}, not {asked}.")
    if week.monday.isoweekday() != 1:
        raise BadWeek(f"{week.monday} is a {week.monday:%A}; a week begins on a Monday.")
    if week.monday + timedelta(days=4) < now.astimezone(week.zone).date():
        raise BadWeek(f"The week of {week.monday} is over.")
    if week.campaign.sequence_id is None:
        raise BadWeek("The campaign has no sequence: choose one.")


def _existing(week: Week) -> list[Entry]:
    """What the week holds already: done, or waiting at its slot."""
    rows = _readable(
        Message.objects.filter(
            weekly_plan__campaign=week.campaign,
            weekly_plan__owner=week.owner,
            weekly_plan__week=week.monday,
        )
    ).exclude(status__in=(Message.Status.CANCELED, Message.Status.EXPIRED))
    entries = []
    for message in rows:
        entry = _entry(message)
        entry.is_done = message.status not in Message.BEFORE_HANDING
        if message.send_at:
            local = message.send_at.astimezone(week.zone)
            entry.slot = Slot(local.date(), local.time(), week.zone)
        entries.append(entry)
    return [entry for entry in entries if entry.slot]


def _readable(rows: QuerySet[Message]) -> QuerySet[Message]:
    return (
        rows.select_related(
            "pitch__lead__segment",
            "pitch__lead__organization",
            "pitch__address__contact",
            "step",
        )
        .defer("pitch__lead__text", "pitch__lead__embedding")
        .order_by("-pitch__urgent", "approved_at", "pk")
    )


def _entry(message: Message) -> Entry:
    lead = message.pitch.lead
    return Entry(
        kind="follow_up" if message.number else "request",
        lead=lead,
        country=_country(lead, message.pitch.address),
        message=message,
    )


def _country(lead: Lead, address: ContactAddress) -> str:
    places = (address.contact, lead, lead.organization)
    return next((place.country for place in places if place and place.country), "")


def _requests(
    week: Week, done: Sequence[Entry], kept: Mapping[tuple[int, int], Entry], *, now: datetime
) -> list[Entry]:
    """Whom to ask to connect: shared out over the segments, what the week has first."""
    made = [entry for entry in done if entry.kind == "request"]
    pool = [_entry(message) for message in _unsent(week).filter(number=0)]
    pool += _drafts(week, now=now)
    pool.sort(key=lambda entry: entry.key not in kept)
    segments = list(Segment.objects.order_by("position", "pk"))
    other = next((s.pk for s in segments if s.is_default), 0)
    weights = {s.pk: s.weight for s in segments} or {0: 1}
    by_segment: dict[int, list[Entry]] = defaultdict(list)
    taken: Counter[int] = Counter(e.lead.segment_id or other for e in made)
    for entry in pool:
        by_segment[entry.lead.segment_id or other].append(entry)
    weights |= {key: 0 for key in by_segment if key not in weights}
    available = {key: taken[key] + len(by_segment[key]) for key in weights}
    quota = shares(week.requests, weights, available)
    chosen = [e for key in weights for e in by_segment[key][: max(0, quota[key] - taken[key])]]
    return chosen[: max(0, week.requests - len(made))]


def _unsent(week: Week) -> QuerySet[Message]:
    """By-hand messages of the owner in open pitches that no other week has."""
    mine = Q(weekly_plan=None) | Q(weekly_plan__week__lt=week.monday)
    mine |= Q(weekly_plan__week=week.monday, weekly_plan__owner=week.owner)
    return _readable(
        Message.objects.by_hand().filter(
            mine,
            pitch__campaign=week.campaign,
            pitch__status__in=Pitch.OPEN,
            sender__user=week.owner,
            status__in=(Message.Status.DRAFT, Message.Status.APPROVED),
        )
    )


def _drafts(week: Week, *, now: datetime) -> list[Entry]:
    """Leads whose draft is still to be made, as the planner of pitches would make it."""
    mine = set(Sender.objects.filter(user=week.owner).values_list("pk", flat=True))
    rows = [
        row
        for row in pitching.plan(campaign=week.campaign, now=now)
        if row.verdict == Verdict.PITCH
        and row.channel in channels.BY_HAND
        and row.ids["sender"] in mine
    ]
    leads = Lead.objects.select_related("segment", "organization").defer("text", "embedding")
    leads_by_id = leads.in_bulk({row.ids["lead"] for row in rows})
    addresses = ContactAddress.objects.select_related("contact").in_bulk(
        {row.ids["address"] for row in rows}
    )
    return [
        Entry(
            kind="request",
            lead=(lead := leads_by_id[row.ids["lead"]]),
            country=_country(lead, addresses[row.ids["address"]]),
            decision=row,
        )
        for row in rows
    ]


def _follow_ups(
    week: Week, done: Sequence[Entry], kept: Mapping[tuple[int, int], Entry]
) -> list[Entry]:
    """Who hears again: the next open step of each pitch that falls due this week."""
    ends = datetime.combine(week.monday + timedelta(days=4), time.min, week.zone)
    tasks = FollowUpTask.objects.filter(
        FollowUpTask.is_open(),
        due_at__lt=ends,
        pitch__campaign=week.campaign,
        pitch__status=Pitch.Status.ACTIVE,
    ).order_by("pitch", "step__number")
    due: dict[int, FollowUpTask] = {}
    for task in tasks:
        due.setdefault(task.pitch_id, task)
    had = {entry.lead.pk for entry in done if entry.kind == "follow_up"}
    last = _last_sent(due)
    entries = []
    for message in _unsent(week).filter(number__gt=0, pitch__in=due):
        task = due[message.pitch_id]
        if message.step_id != task.step_id or message.pitch.lead_id in had:
            continue
        entry = _entry(message)
        earliest = task.due_at.astimezone(week.zone).date()
        before = last.get(message.pitch_id)
        if before and (message.number or 0) > 1:
            earliest = max(earliest, (before.astimezone(week.zone) + APART).date())
        entry.not_before = earliest
        entries.append((entry.key not in kept, earliest, message.pk, entry))
    entries.sort(key=lambda row: row[:3])
    room = week.follow_ups - sum(entry.kind == "follow_up" for entry in done)
    return [row[-1] for row in entries][: max(0, room)]


def _last_sent(pitches: Iterable[int]) -> dict[int, datetime]:
    sent = Message.objects.filter(pitch__in=list(pitches), sent_at__isnull=False)
    return dict(sent.order_by("sent_at").values_list("pitch", "sent_at"))


# -- slots -----------------------------------------------------------------------------------


def _blackouts(campaign: Campaign) -> list[tuple[date, date]]:
    rows = Blackout.objects.filter(campaign=campaign)
    return list(rows.values_list("starts_on", "ends_on"))


def _lay(
    week: Week,
    wanted: Sequence[Entry],
    weekdays: Sequence[int],
    target: int,
    done: Sequence[Entry],
    kept: Mapping[tuple[int, int], Entry],
    closed: Sequence[tuple[date, date]],
    *,
    today: date,
) -> list[Entry]:
    """Give each its slot: the one it has, else the emptiest that is open to its recipient.

    Whoever finds none that is still to come is left for another week.
    """
    slots = [
        Slot(day, clock, week.zone)
        for number in weekdays
        if _is_open(week.campaign, day := week.monday + timedelta(days=number - 1), closed)
        for clock in SLOTS
    ]
    load: Counter[Slot] = Counter(entry.slot for entry in done if entry.slot)
    most = -(-target // len(weekdays)) * RUSH
    free = {entry.key: _free(week, entry, slots, today=today) for entry in wanted}
    for entry in wanted:
        before = kept.get(entry.key)
        if before and before.slot in free[entry.key]:
            entry.slot = before.slot
            load[entry.slot] += 1
    for entry in wanted:
        room = [slot for slot in free[entry.key] if _day_load(load, slot.day) < most]
        if entry.slot is None and room:
            entry.slot = min(_soon(entry, room), key=lambda slot: load[slot])
            load[entry.slot] += 1
    return [entry for entry in wanted if entry.slot]


def _free(week: Week, entry: Entry, slots: Sequence[Slot], *, today: date) -> list[Slot]:
    """The slots still to come in which this person may be written to."""
    first = max(today, entry.not_before or today)
    observe = week.campaign.observe_holidays
    return [
        slot
        for slot in slots
        if slot.day >= first and not (observe and holiday(entry.country, slot.day))
    ]


def _is_open(campaign: Campaign, day: date, closed: Sequence[tuple[date, date]]) -> bool:
    if day.isoweekday() not in campaign.window_days:
        return False
    return not any(first <= day <= last for first, last in closed)


def _day_load(load: Counter[Slot], day: date) -> int:
    return sum(n for slot, n in load.items() if slot.day == day)


def _soon(entry: Entry, room: list[Slot]) -> list[Slot]:
    """Slots that keep a follow-up within five days of the message before it, if there are."""
    if entry.not_before is None:
        return room
    latest = entry.not_before + (APART_MOST - APART)
    return [slot for slot in room if slot.day <= latest] or room


def _warn(week: Week) -> None:
    low, high = BAND
    if not low <= week.requests <= high:
        week.warnings.append(
            f"{week.requests} connection requests a week: {low} to {high} are usual, and more "
            "puts the account at risk."
        )
    for kind, name, target in (
        ("request", "connection requests", week.requests),
        ("follow_up", "follow-ups", week.follow_ups),
    ):
        if (found := len(week.of(kind))) < target:
            week.warnings.append(
                f"{found} of {target} {name}: there are no more for this week."
            )


# -- carrying out ----------------------------------------------------------------------------


def build(
    campaign: Campaign,
    owner: User,
    *,
    now: datetime,
    monday: date | None = None,
    requests: int = REQUESTS,
    follow_ups: int = FOLLOW_UPS,
) -> Week:
    """Make the drafts that are missing and give every entry its slot. Raises BadWeek.

    Entries that are done stay; those no longer wanted lose their slot and nothing else.
    """
    targets = {"requests": requests, "follow_ups": follow_ups}
    first = plan(campaign, owner, now=now, monday=monday, **targets)
    with transaction.atomic():
        row, _ = WeeklyPlan.objects.get_or_create(
            campaign=campaign, owner=owner, week=first.monday
        )
        row = WeeklyPlan.objects.select_for_update().get(pk=row.pk)
        row.target_requests, row.target_follow_ups = requests, follow_ups
        row.save(update_fields=["target_requests", "target_follow_ups"])
        # planned anew under the lock: somebody may have built the same week a moment ago
        week = plan(campaign, owner, now=now, monday=first.monday, **targets)
        _draft(week, now=now)
        _save(week, row)
        week.plan = row
    return week


def _draft(week: Week, *, now: datetime) -> None:
    """Make the pitches of those that have none; who was taken meanwhile falls out."""
    missing = [entry for entry in week.entries if entry.decision]
    pitching.carry_out([entry.decision for entry in missing if entry.decision], now=now)
    firsts = _unsent(week).filter(number=0, pitch__lead__in=[e.lead.pk for e in missing])
    by_lead = {message.pitch.lead_id: message for message in firsts}
    for entry in missing:
        entry.message = by_lead.get(entry.lead.pk)
    week.entries = [entry for entry in week.entries if entry.message]


def _save(week: Week, row: WeeklyPlan) -> None:
    open_entries = {e.message.pk: e for e in week.entries if e.message and not e.is_done}
    before = Message.objects.filter(weekly_plan=row, status__in=Message.BEFORE_HANDING)
    before.exclude(pk__in=open_entries).update(weekly_plan=None, send_at=None)
    by_slot: dict[Slot, list[int]] = defaultdict(list)
    for pk, entry in open_entries.items():
        assert entry.slot is not None
        by_slot[entry.slot].append(pk)
    for slot, ids in by_slot.items():  # ten slots a week at most, and six
        Message.objects.filter(pk__in=ids, status__in=Message.BEFORE_HANDING).update(
            weekly_plan=row, send_at=slot.at
        )
