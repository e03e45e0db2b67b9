"""What a campaign would bring: run over months with a clock that jumps, on a copy of the rows.

It is the engine itself: planner, gate, sending into the capture folder, inbox, classification,
follow-ups. Only the people are invented: they answer, bounce, are away or want to be left alone
as often as one says, by a seed, and every draft and match is approved as soon as it asks.

Nothing real changes. All tables the engine writes are shadowed by temporary ones of this
connection, the connection can write to nothing else (PostgreSQL refuses it), and captured mail
and journal go to a folder that is thrown away. A real worker is not kept waiting.
"""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime
from heapq import heappop, heappush
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.db.backends.signals import connection_created
from django.db.models import Model

from campaigns.models import Campaign
from pitches import breakers, inbox, outbox, outreach, reaping, review, sending
from pitches.decisions import Reason, Verdict
from pitches.models import FollowUpTask, Match, Message, Pitch, Sender, SendMode

DAY = timedelta(days=1)
# When the daily run is, as in ``config.schedules``.
RUN_AT = time(9)
SHADOWED = ("campaigns", "prospects", "pitches", "crm_sync", "config", "auth")
# Large, and only read by what is run here; whoever writes one of them is refused.
ONLY_READ = ("prospects.ContentItem", "prospects.Assessment", "prospects.Fact")
LONGEST = 366


class NotApart(RuntimeError):
    """The simulation would reach real rows; it ends before it does."""


@dataclass(frozen=True, slots=True)
class Rates:
    """How often a mail meets what, from 0 to 1. Bounces come back to first messages alone."""

    replies: float = 0.06
    bounces: float = 0.01
    absences: float = 0.05
    unsubscribes: float = 0.005

    def problem(self) -> str:
        """Why these are no rates; empty if they are."""
        each = (self.replies, self.bounces, self.absences, self.unsubscribes)
        if not all(0 <= rate <= 1 for rate in each) or sum(each) > 1 + 1e-9:
            return "rates lie between 0 and 1, and so does their sum"
        return ""


@dataclass(slots=True)
class Day:
    """What happened on one day."""

    date: str
    happened: Counter[str] = field(default_factory=Counter)
    held: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one lead, and why."""

    lead: str
    fate: str
    reason: str


@dataclass(slots=True)
class Simulation:
    """What would have happened."""

    began_at: datetime
    days: list[Day] = field(default_factory=list)
    fates: list[Fate] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def totals(self) -> Counter[str]:
        return sum((day.happened for day in self.days), Counter())

    def as_dict(self) -> dict[str, Any]:
        """The object that ``--json`` prints."""
        return {
            "began_at": self.began_at.isoformat(),
            "totals": dict(self.totals),
            "days": [
                {"date": d.date, "happened": dict(d.happened), "held": dict(d.held)}
                for d in self.days
            ],
            "fates": [{"lead": f.lead, "fate": f.fate, "reason": f.reason} for f in self.fates],
        }


def simulate(
    *,
    now: datetime,
    days: int = 90,
    campaign: Campaign | None = None,
    seed: int = 1,
    rates: Rates | None = None,
) -> Simulation:
    """Run one campaign, or all active ones, from ``now`` on for so many days (1 to 366).

    To be called in a process of its own, outside of any transaction: it sets SEND_MODE and the
    folders for as long as it runs, and closes the connection after. Raises ValueError for
    numbers out of range, NotApart rather than reach a real row.
    """
    rates = rates or Rates()
    if problem := rates.problem():
        raise ValueError(problem)
    if not 1 <= days <= LONGEST:
        raise ValueError(f"days lie between 1 and {LONGEST}")
    with _apart():
        run = _Run(campaign, random.Random(seed), rates, now)
        run.until(now + days * DAY)
        run.result.fates = list(_fates(campaign, run.now))
        return run.result


# -- apart from everything real ----------------------------------------------------------------


@contextmanager
def _apart() -> Iterator[None]:
    """Captured, in a folder and in tables that are thrown away."""
    if connection.in_atomic_block:
        raise NotApart("a simulation cannot run inside of a transaction")
    connection.close()
    connection.ensure_connection()
    names = ("SEND_MODE", "STATE_DIR", "JOURNAL_DIR")
    before = {name: getattr(settings, name) for name in names}
    with tempfile.TemporaryDirectory(prefix="overture-simulation-") as folder:
        state = Path(folder)
        values = (SendMode.CAPTURE.value, state, state / "journal")
        try:
            for name, value in zip(names, values, strict=True):
                setattr(settings, name, value)
            _shadow()
            connection_created.connect(_refuse)
            yield
        finally:
            connection_created.disconnect(_refuse)
            connection.close()  # and with it the temporary tables
            for name, value in before.items():
                setattr(settings, name, value)


def _refuse(**kwargs: Any) -> None:
    """A new connection would see the real tables."""
    raise NotApart("the connection to the database was lost; nothing was changed")


def _shadow() -> None:
    """Copies of the tables that the engine writes, found before the real ones by their names;
    from then on PostgreSQL lets this connection write to nothing else.

    Indexes, closed lists and unique constraints come along; foreign keys and triggers do not.
    """
    with connection.cursor() as cursor:
        for model in _shadowed():
            _copy(cursor, model)
        cursor.execute("ANALYZE")
        # 25006 read_only_sql_transaction: only temporary tables may be written
        cursor.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")


def _shadowed() -> Iterator[type[Model]]:
    for label in SHADOWED:
        for model in apps.get_app_config(label).get_models(include_auto_created=True):
            if model._meta.label not in ONLY_READ and model._meta.managed:
                yield model


def _copy(cursor: Any, model: type[Model]) -> None:
    table = connection.ops.quote_name(model._meta.db_table)
    cursor.execute(
        f"CREATE TEMPORARY TABLE {table} (LIKE public.{table} INCLUDING DEFAULTS "
        "INCLUDING CONSTRAINTS INCLUDING INDEXES INCLUDING IDENTITY INCLUDING GENERATED)"
    )
    if model.__name__.startswith("Historical"):
        return  # what was written there is read by nothing here
    cursor.execute(f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM public.{table}")
    key = model._meta.auto_field
    if key is not None:
        column = connection.ops.quote_name(str(key.column))
        cursor.execute(f"SELECT coalesce(max({column}), 0) + 1 FROM {table}")
        (following,) = cursor.fetchone()
        cursor.execute(f"ALTER TABLE {table} ALTER {column} RESTART WITH {int(following)}")


# -- the run -----------------------------------------------------------------------------------


@dataclass(order=True, slots=True)
class _Coming:
    """A mail on its way to us."""

    at: datetime
    number: int
    sender: int = field(compare=False)
    raw: bytes = field(compare=False)
    what: str = field(compare=False)


class _Run:
    """The clock, and everything that happens by it."""

    def __init__(
        self, campaign: Campaign | None, chance: random.Random, rates: Rates, now: datetime
    ) -> None:
        self.campaign, self.chance, self.rates, self.now = campaign, chance, rates, now
        self.result = Simulation(began_at=now)
        self.coming: list[_Coming] = []
        self.numbers = 0
        self.seen = set(
            Message.objects.filter(status__in=Message.COUNTED).values_list("pk", flat=True)
        )
        self.reviewer = User.objects.create(username="(simulation)", is_staff=True)

    def until(self, end: datetime) -> None:
        """From event to event: the daily run, what comes due, a mail that comes in."""
        daily = self.now
        while daily < end:
            self.now = daily
            self._daily_run()
            daily = self._next_run(daily)
            while (at := self._next_event()) is not None and at < min(daily, end):
                self.now = max(at, self.now)
                self._take_in()
                self._send()
        self.now = end

    def _next_run(self, after: datetime) -> datetime:
        at = datetime.combine(after.date(), RUN_AT, tzinfo=after.tzinfo)
        return at if at > after else at + DAY

    def _today(self) -> Day:
        """The day of the clock: what leaves before the daily run belongs to it as well."""
        date = f"{self.now:%Y-%m-%d}"
        if not self.result.days or self.result.days[-1].date != date:
            self.result.days.append(Day(date))
        return self.result.days[-1]

    def _next_event(self) -> datetime | None:
        queued = Message.objects.filter(status=Message.Status.QUEUED, send_at__isnull=False)
        if self.campaign is not None:
            queued = queued.filter(pitch__campaign=self.campaign)
        first = queued.order_by("send_at").values_list("send_at", flat=True).first()
        times = [first] if first else []
        if self.coming:
            times.append(self.coming[0].at)
        return min(times, default=None)

    def _daily_run(self) -> None:
        """What the ticks of a day do, in their order; approving comes between."""
        day = self._today()
        reaping.reap(now=self.now)
        breakers.look_again(now=self.now)
        self._approve()
        planned = outreach.plan(campaign=self.campaign, now=self.now)
        done = outreach.carry_out(planned, now=self.now, send=False)
        day.happened["drafted"] += len(done.pitched.done)
        self._approve()
        first = outbox.plan(outbox.first_messages(self.campaign), now=self.now)
        outbox.carry_out(first, now=self.now)
        later = outreach.plan_follow_ups(campaign=self.campaign, now=self.now)
        moved = outreach.carry_out(later, now=self.now, send=False).moved_on
        day.happened["moved on"] += len(moved.pitches)
        for row in (*planned.decisions, *first, *later.decisions):
            if row.verdict == Verdict.HOLD and row.reason != Reason.NOT_APPROVED:
                day.held[row.reason.value] += 1

    def _approve(self) -> None:
        tasks = review.queue()
        if self.campaign is not None:
            tasks = tasks.filter(campaign=self.campaign) | tasks.filter(
                match__campaign=self.campaign
            )
        review.approve_many(list(tasks.exclude(kind="reply")), by=self.reviewer, now=self.now)

    def _send(self) -> None:
        due = Message.objects.filter(status=Message.Status.QUEUED, send_at__lte=self.now)
        if self.campaign is not None:
            due = due.filter(pitch__campaign=self.campaign)
        ids = list(due.values_list("pk", flat=True))
        if not ids:
            return
        sent = sending.send_due(now=self.now, seconds=3_600, only=ids)
        day = self._today()
        day.happened["sent"] += sent.sent
        day.happened["failed"] += sent.failed
        rows = Message.objects.filter(pk__in=ids).select_related("sender", "pitch__lead")
        for message in rows.order_by("pk"):
            if message.status == Message.Status.QUEUED:
                day.held[message.hold_reason or Reason.NOT_DUE.value] += 1
                self._look_again_later(message)
            if message.status == Message.Status.SENT and message.pk not in self.seen:
                self.seen.add(message.pk)
                self._meet(message)

    def _look_again_later(self, message: Message) -> None:
        """What was held without a later time must not be asked for ever at this moment."""
        if message.send_at and message.send_at <= self.now:
            Message.objects.filter(pk=message.pk).update(
                send_at=self.now + timedelta(minutes=15)
            )

    # -- the invented people -------------------------------------------------------------------

    def _meet(self, message: Message) -> None:
        """What a mail meets, by the seed: one draw and one delay each, so that rates can be
        compared over the same people."""
        draw, hours = self.chance.random(), self.chance.uniform(0.5, 60)
        kinds = [
            ("bounced", self.rates.bounces if message.number == 0 else 0.0),
            ("replied", self.rates.replies),
            ("away", self.rates.absences),
            ("unsubscribed", self.rates.unsubscribes),
        ]
        for what, rate in kinds:
            if draw < rate:
                at_once = what in ("bounced", "away")
                at = self.now + timedelta(minutes=2 if at_once else hours * 60)
                self.numbers += 1
                raw = _mail(what, message, at, self.chance, self.numbers)
                coming = _Coming(at, self.numbers, message.sender_id, raw, what)
                heappush(self.coming, coming)
                return
            draw -= rate

    def _take_in(self) -> None:
        """What has arrived goes the way of all mail."""
        while self.coming and self.coming[0].at <= self.now:
            mail = heappop(self.coming)
            sender = Sender.objects.get(pk=mail.sender)
            found = inbox.Read()
            inbox.take_in(sender, mail.number, mail.raw, found, now=self.now)
            self._today().happened[mail.what] += 1


WORDS = {
    "replied": (
        "Thank you, this sounds interesting. Can you tell me more?",
        "Yes, gladly. When would you have time for a call?",
        "Thank you, but we are not looking for anybody at present.",
    ),
    "unsubscribed": ("Please remove me from your list.",),
}


def _mail(
    what: str, message: Message, at: datetime, chance: random.Random, number: int
) -> bytes:
    if what == "bounced":
        return _bounce(message, at, number)
    mail = EmailMessage(policy=policy.SMTP)
    mail["From"], mail["To"] = message.to_address, message.sender.address
    mail["Subject"] = f"Re: {message.subject}"
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = f"<simulated-{number}@example.invalid>"
    mail["In-Reply-To"] = mail["References"] = f"<{message.message_id}>"
    if what == "away":
        back = (at + timedelta(days=chance.randint(2, 12))).date()
        mail.replace_header("Subject", f"Automatic reply: {message.subject}")
        mail["Auto-Submitted"] = "auto-replied"
        mail.set_content(f"I am out of the office until {back:%d %B %Y}.")
    else:
        mail.set_content(chance.choice(WORDS[what]))
    return mail.as_bytes()


def _bounce(message: Message, at: datetime, number: int) -> bytes:
    """The report of a server that does not know the address (RFC 3464)."""
    server, boundary = "mx.example.invalid", f"simulated-{number}"
    lines = [
        f"From: MAILER-DAEMON@{server}",
        f"To: {message.sender.address}",
        "Subject: Undelivered Mail Returned to Sender",
        f"Date: {format_datetime(at)}",
        f"Message-ID: <simulated-{number}@{server}>",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        "Content-Type: multipart/report; report-type=delivery-status;",
        f' boundary="{boundary}"',
        "",
        f"--{boundary}",
        "Content-Type: text/plain; charset=us-ascii",
        "",
        f"<{message.to_address}>: 550 5.1.1 User unknown",
        "",
        f"--{boundary}",
        "Content-Type: message/delivery-status",
        "",
        f"Reporting-MTA: dns; {server}",
        "",
        f"Final-Recipient: rfc822; {message.to_address}",
        "Action: failed",
        "Status: 5.1.1",
        "Diagnostic-Code: smtp; 550 5.1.1 User unknown",
        "",
        f"--{boundary}",
        "Content-Type: text/rfc822-headers",
        "",
        f"Message-ID: <{message.message_id}>",
        f"From: {message.sender.address}",
        f"To: {message.to_address}",
        "",
        f"--{boundary}--",
        "",
    ]
    return "\r\n".join(lines).encode()


# -- what became of everybody ------------------------------------------------------------------


def _fates(campaign: Campaign | None, now: datetime) -> Iterator[Fate]:
    """One row per lead that is matched in these campaigns, each with a reason that is said."""
    active = {"campaign": campaign} if campaign else {"campaign__status": "active"}
    pitches: dict[int, Pitch] = {}
    for pitch in Pitch.objects.filter(**active).select_related("lead").order_by("pk"):
        pitches[pitch.lead_id] = pitch
    matched = Match.objects.filter(**active).select_related("lead").order_by("-score", "pk")
    leads = {match.lead_id: match for match in matched}
    planned = {
        row.ids["lead"]: row.sentence
        for row in outreach.plan(campaign=campaign, now=now).decisions
        if row.kind == "pitch"
    }
    waiting = _what_waits(campaign, now)
    for pitch in pitches.values():
        yield Fate(pitch.lead.name, pitch.get_status_display(), _why(pitch, waiting, planned))
    for lead, match in leads.items():
        if lead not in pitches:
            why = planned.get(lead) or match.decline_reason or _of_match(match)
            yield Fate(match.lead.name, "not pitched", why)


def _of_match(match: Match) -> str:
    return f"its match is {match.get_status_display()}"


def _what_waits(campaign: Campaign | None, now: datetime) -> dict[int, str]:
    """Why each open pitch has not gone on, by pitch: what the planner says of its next step."""
    first = outbox.plan(outbox.first_messages(campaign), now=now)
    until = now + LONGEST * DAY
    later = outbox.plan(outbox.follow_ups(campaign, until=until), now=now)
    of_message = {row.ids["message"]: row.sentence for row in [*later, *first]}
    rows = (
        Message.objects.filter(pk__in=of_message).values_list("pk", "pitch").order_by("-number")
    )
    return {pitch: of_message[pk] for pk, pitch in rows}


def _why(pitch: Pitch, waiting: dict[int, str], planned: dict[int, str]) -> str:
    if pitch.status_reason:
        return pitch.status_reason
    if pitch.status in Pitch.OPEN and pitch.pk in waiting:
        return waiting[pitch.pk]
    tasks = FollowUpTask.objects.filter(FollowUpTask.is_open(), pitch=pitch)
    following = tasks.select_related("step").order_by("due_at").first()
    if pitch.status in Pitch.OPEN and following is not None:
        return f"{following.step.name} is due {following.due_at:%Y-%m-%d}"
    if pitch.outcome:
        return str(pitch.get_outcome_display())
    return planned.get(pitch.lead_id) or f"its pitch is {pitch.get_status_display()}"
