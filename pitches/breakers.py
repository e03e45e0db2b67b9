"""Breakers: verdicts on how sending goes, counted from the rows, never in counters.

Whoever records a bounce, a complaint, a refusal or an unknown fate calls ``judge`` (or one of
its short forms) in the same transaction; ``look_again`` does the same for everybody, as a net.
Where the lines lie is ``thresholds``' business; that a pause holds is the rules' (LAW-14..17).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction
from django.db.models import Count, Max, Q

from campaigns.models import Campaign
from pitches import situations, stopping, thresholds
from pitches.models import Breaker, Event, Message, Sender, Stop
from pitches.thresholds import DAY, WEEK, Verdict
from prospects.addresses import GMAIL, is_free_mail
from prospects.models import ContactAddress
from prospects.models.organization import mail_domain as of_address

SHORTEST_REASON = 10
# What the answers of our own sending are kept under, beside those that providers report.
OWN = "own sending"
FAILED = (Event.Kind.FAILED, Event.Kind.REJECTED)
# What ends a row of failures.
ACCEPTED = (Message.Status.SENT, Message.Status.ASSUMED_SENT, Message.Status.DELEGATED)
PUT_OFF_BY_POLICY = re.compile(r"\b4\.7\.\d{1,3}\b")
OUTLOOK = ("outlook", "hotmail", "live", "msn")

Key = tuple[str, Any]  # scope and what it names: a row's id, or a domain


class CannotClose(ValueError):
    """A breaker cannot be closed; the text says why, to a person."""


# -- what is recorded --------------------------------------------------------------------------


def note_failure(message: Message, error: str, *, permanent: bool, now: datetime) -> None:
    """A definite no from a server, or a mail that could not be built; in that transaction.

    Kept as an event, so that answers in a row can be counted, then judged.
    """
    Event.objects.bulk_create(
        [
            Event(
                provider=OWN,
                provider_event_id=f"{now.isoformat()} {message.message_id}"[:200],
                kind=Event.Kind.REJECTED if permanent else Event.Kind.DEFERRED,
                message=message,
                occurred_at=now,
                payload={"by_policy": bool(PUT_OFF_BY_POLICY.search(error))},
            )
        ],
        ignore_conflicts=True,
    )
    judge([message], now=now)


def note_login_fault(sender: Sender, reason: str, *, now: datetime) -> None:
    """Our own login or DNS is at fault: the mailbox pauses at the first word of it (LAW-16)."""
    with transaction.atomic():
        stopping.lock_for_verdict(campaigns=(), domains=(), senders=[sender.pk])
        verdict = Verdict(Breaker.Level.PAUSE, reason[:250])
        key: Key = (Breaker.Scope.MAILBOX, sender.pk)
        found: dict[tuple[Key, str], Verdict | None] = {
            (key, Breaker.Cause.LOGIN_OR_DNS): verdict
        }
        _write(found, _open_rows(found), now=now)


def judge(messages: Iterable[Message], *, now: datetime) -> None:
    """Look at the mailboxes, domains and campaigns of these messages, and open what is due.

    To be called in the transaction that recorded what happened to them, after it was written.
    The number of queries does not depend on the number of messages, but for addresses that
    bounce for the time being.
    """
    rows = list(messages)
    if not rows:
        return
    with transaction.atomic():
        _let_soft_addresses_rest(rows, now=now)
        ids = [message.pk for message in rows]
        named = Message.objects.filter(pk__in=ids).values_list(
            "sender", "pitch__campaign", "pitch__address__canonical"
        )
        senders, campaigns, addresses = zip(*named, strict=True)
        domains = {address.rpartition("@")[2] for address in addresses if "@" in address}
        _judge(set(senders), set(campaigns), domains, now=now)


def look_again(*, now: datetime) -> int:
    """The net: judge whatever sent or heard something in seven days, and close what is over.

    Answers how many pauses hold. Sending volume is looked at here alone.
    """
    with transaction.atomic():
        _close_what_ran_out(now=now)
        recent = _lately(now)
        senders, campaigns = set(), set()
        for sender, campaign in recent.values_list("sender", "pitch__campaign").distinct():
            senders.add(sender)
            campaigns.add(campaign)
        answers = Event.objects.filter(provider=OWN, occurred_at__gt=now - DAY)
        addresses = answers.values_list("message__pitch__address__canonical", flat=True)
        domains = {a.rpartition("@")[2] for a in addresses.distinct() if a and "@" in a}
        _judge(senders, campaigns, domains, now=now)
        _judge_volume(now=now)
        pauses: int = pausing(now=now).count()
        return pauses


def concerning(target: Sender | Campaign) -> Q:
    """The breakers over a mailbox, its domain's too, or over a campaign."""
    if isinstance(target, Campaign):
        return Q(campaign=target)
    domain = situations.sending_domain(target)
    return Q(sender=target) | Q(scope=Breaker.Scope.SENDING_DOMAIN, domain=domain)


def pausing(*, now: datetime) -> Any:
    """The pauses in force, newest first."""
    return Breaker.objects.filter(Breaker.in_force(now), level=Breaker.Level.PAUSE)


def close(
    breaker: Breaker, *, by: AbstractBaseUser | None, reason: str, now: datetime
) -> Breaker:
    """Let it go on. What lies before this moment is not held against it again.

    ``reason`` has ten characters at least; raises CannotClose. Who may is the door's question.
    """
    reason = reason.strip()
    if len(reason) < SHORTEST_REASON:
        raise CannotClose(f"Say why, in {SHORTEST_REASON} characters or more.")
    closed = Breaker.objects.filter(pk=breaker.pk, closed_at__isnull=True).update(
        closed_at=now, closed_by=by, closing_reason=reason[:300]
    )
    breaker.refresh_from_db()
    if not closed:
        raise CannotClose("It is closed already.")
    return breaker


# -- counting ----------------------------------------------------------------------------------


@dataclass(slots=True)
class Times:
    """What one mailbox, domain or campaign did, and what came back."""

    sent: list[datetime] = field(default_factory=list)
    delivered: list[datetime] = field(default_factory=list)
    bounced: list[datetime] = field(default_factory=list)
    complained: list[datetime] = field(default_factory=list)
    unknown: list[datetime] = field(default_factory=list)
    # of each, in the order in which they went out: when it bounced, if it did
    fates: list[tuple[datetime, datetime | None]] = field(default_factory=list)
    sent_before: int = 0

    def of_first(self, since: datetime | None) -> int:
        """How many of the very first messages came back, since then."""
        left = max(0, thresholds.FIRST_MESSAGES - self.sent_before)
        first = sorted(self.fates, key=lambda fate: fate[0])[:left]
        return sum(at is not None and (since is None or at > since) for _, at in first)


def _judge(senders: set[int], campaigns: set[int], domains: set[str], *, now: datetime) -> None:
    peers = _peers(senders)
    stopping.lock_for_verdict(campaigns=campaigns, domains=domains, senders=peers)
    keys: set[Key] = {(Breaker.Scope.MAILBOX, pk) for pk in senders}
    keys |= {(Breaker.Scope.CAMPAIGN, pk) for pk in campaigns}
    keys |= {(Breaker.Scope.SENDING_DOMAIN, domain) for domain in peers.values()}
    since = _reopened()
    history = _history(peers, campaigns, now=now)
    found: dict[tuple[Key, str], Verdict | None] = {}
    for key in keys:
        times = history.get(key, Times())
        found |= {(key, cause): v for cause, v in _of(key, times, since, now=now)}
    rows_in_hand = _open_rows(found)
    for campaign, in_a_row in _errors_in_a_row(campaigns, since, now=now).items():
        found[(Breaker.Scope.CAMPAIGN, campaign), Breaker.Cause.ERRORS] = thresholds.errors(
            in_a_row
        )
    found |= _of_recipient_domains(domains, since, now=now)
    _write(found, rows_in_hand, now=now)


def _of(
    key: Key, times: Times, since: dict[tuple[Key, str], datetime], *, now: datetime
) -> Iterator[tuple[str, Verdict | None]]:
    cause = Breaker.Cause
    yield (
        cause.COMPLAINTS,
        thresholds.complaints(
            times.delivered,
            times.complained,
            now=now,
            since=since.get((key, cause.COMPLAINTS)),
        ),
    )
    began = since.get((key, cause.HARD_BOUNCES))
    yield (
        cause.HARD_BOUNCES,
        thresholds.hard_bounces(
            key[0],
            times.sent,
            times.bounced,
            of_first=times.of_first(began),
            now=now,
            since=began,
        ),
    )
    if key[0] == Breaker.Scope.MAILBOX:
        began = since.get((key, cause.UNKNOWN))
        yield cause.UNKNOWN, thresholds.unknown(times.unknown, since=began)


def _peers(senders: Collection[int]) -> dict[int, str]:
    """The mailboxes of the same sending domains, with their domain. One query, few rows."""
    all_of_them = {
        pk: address.rpartition("@")[2].lower()
        for pk, address in Sender.objects.values_list("pk", "address")
    }
    wanted = {all_of_them[pk] for pk in senders}
    return {pk: domain for pk, domain in all_of_them.items() if domain in wanted}


def _lately(now: datetime) -> Any:
    """What went out, bounced or was complained of in seven days, in the present send mode."""
    begin = now - WEEK
    happened = (
        Q(counted_at__gt=begin, status__in=Message.COUNTED)
        | Q(bounced_at__gt=begin)
        | Q(complained_at__gt=begin)
    )
    return Message.objects.filter(happened, send_mode__in=situations.mode().counting())


def _history(
    peers: dict[int, str], campaigns: Collection[int], *, now: datetime
) -> dict[Key, Times]:
    """Two queries: seven days of these mailboxes and campaigns (one row per message, found over
    the ledger's index), and how much each mailbox sent before.
    """
    found: dict[Key, Times] = defaultdict(Times)
    for sender, before in _sent_before(peers, now=now).items():
        found[Breaker.Scope.MAILBOX, sender].sent_before = before
        found[Breaker.Scope.SENDING_DOMAIN, peers[sender]].sent_before += before
    rows = _lately(now).filter(Q(sender__in=peers) | Q(pitch__campaign__in=campaigns))
    hard, unknown = Message.BounceKind.HARD, Message.Status.UNKNOWN
    for sender, campaign, status, counted, bounced, kind, complained in rows.values_list(
        "sender",
        "pitch__campaign",
        "status",
        "counted_at",
        "bounced_at",
        "bounce_kind",
        "complained_at",
    ):
        keys: list[Key] = [(Breaker.Scope.CAMPAIGN, campaign)]
        if sender in peers:
            keys.append((Breaker.Scope.MAILBOX, sender))
            keys.append((Breaker.Scope.SENDING_DOMAIN, peers[sender]))
        came_back = bounced if kind == hard else None
        # refused at the door: it took no slot, and was sent as far as the share goes
        out = counted or came_back
        for key in keys:
            times = found[key]
            if out:
                times.sent.append(out)
                if out > now - WEEK:  # the others are in ``sent_before``
                    times.fates.append((out, came_back))
            if came_back:
                times.bounced.append(came_back)
            elif out:
                times.delivered.append(out)
            if complained:
                times.complained.append(complained)
            if status == unknown and counted:
                times.unknown.append(counted)
    return found


def _sent_before(peers: Collection[int], *, now: datetime) -> dict[int, int]:
    """What each mailbox sent before the last seven days, counted up to twenty."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT s.id, (SELECT count(*) FROM (
                SELECT 1 FROM pitches_message m
                 WHERE m.sender_id = s.id AND m.status = ANY(%(counted)s)
                   AND m.counted_at <= %(begin)s AND m.send_mode = ANY(%(modes)s)
                 LIMIT %(most)s) AS first)
              FROM unnest(%(ids)s::bigint[]) AS s(id)
            """,
            {
                "counted": [status.value for status in Message.COUNTED],
                "begin": now - WEEK,
                "modes": situations.mode().counting(),
                "most": thresholds.FIRST_MESSAGES,
                "ids": list(peers),
            },
        )
        return dict(cursor.fetchall())


# -- answers in a row --------------------------------------------------------------------------


def _errors_in_a_row(
    campaigns: Collection[int], since: dict[tuple[Key, str], datetime], *, now: datetime
) -> dict[int, int]:
    """Failures of each campaign since its last success, at most of a day. Two queries."""
    out = Message.objects.filter(pitch__campaign__in=campaigns, counted_at__gt=now - DAY)
    last = dict(
        out.filter(status__in=ACCEPTED)
        .values_list("pitch__campaign")
        .annotate(Max("counted_at"))
    )
    failures = Event.objects.filter(
        provider=OWN,
        kind__in=FAILED,
        occurred_at__gt=now - DAY,
        message__pitch__campaign__in=campaigns,
        message__send_mode__in=situations.mode().counting(),
    )
    rows: Counter[int] = Counter(dict.fromkeys(campaigns, 0))
    for campaign, at in failures.values_list("message__pitch__campaign", "occurred_at"):
        closed = since.get(((Breaker.Scope.CAMPAIGN, campaign), Breaker.Cause.ERRORS))
        if all(mark is None or at > mark for mark in (last.get(campaign), closed)):
            rows[campaign] += 1
    return rows


def _of_recipient_domains(
    domains: Collection[str], since: dict[tuple[Key, str], datetime], *, now: datetime
) -> dict[tuple[Key, str], Verdict | None]:
    """Answers 4.7.x in a row, by recipient domain, and how often each has rested in this row.

    Three queries, over the index of mail domains.
    """
    begin, cause = now - 2 * DAY, Breaker.Cause.DEFERRALS
    modes = situations.mode().counting()
    to = of_address("pitch__address__canonical")
    sent = Message.objects.filter(status__in=ACCEPTED, counted_at__gt=begin)
    sent = sent.filter(send_mode__in=modes).alias(domain=to).filter(domain__in=domains)
    last = dict(sent.annotate(domain=to).values_list("domain").annotate(Max("counted_at")))
    to = of_address("message__pitch__address__canonical")
    answers = Event.objects.annotate(domain=to).filter(
        domain__in=domains,
        provider=OWN,
        occurred_at__gt=begin,
        message__send_mode__in=modes,
    )
    in_order = answers.order_by("occurred_at", "pk")
    row: dict[str, list[datetime]] = defaultdict(list)
    for domain, kind, payload, at in in_order.values_list(
        "domain", "kind", "payload", "occurred_at"
    ):
        key = ((Breaker.Scope.RECIPIENT_DOMAIN, domain), cause)
        marks = (last.get(domain), since.get(key))
        if any(mark is not None and at <= mark for mark in marks):
            continue
        if kind == Event.Kind.DEFERRED and payload.get("by_policy"):
            row[domain].append(at)
        else:
            row[domain].clear()
    rests = Breaker.objects.filter(
        scope=Breaker.Scope.RECIPIENT_DOMAIN, cause=cause, domain__in=domains
    )
    rested: dict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
    for domain, tripped, until in rests.values_list("domain", "tripped_at", "until"):
        if until:
            rested[domain].append((tripped, until))
    found: dict[tuple[Key, str], Verdict | None] = {}
    for domain, times in row.items():
        mine = [until for tripped, until in rested[domain] if times and tripped >= times[0]]
        if mine and times[-1] <= max(mine):
            continue  # it rests, or has not answered since
        verdict = thresholds.deferrals(len(times), rested=len(mine))
        if verdict:
            found[(Breaker.Scope.RECIPIENT_DOMAIN, domain), cause] = verdict
    return found


# -- volume ------------------------------------------------------------------------------------


def _judge_volume(*, now: datetime) -> None:
    """Mail of a day to personal addresses, by primary sending domain and provider (LAW-17)."""
    to = of_address("pitch__address__canonical")
    sent = Message.objects.counted(since=now - DAY, mode=situations.mode())
    groups = sent.annotate(to=to).values_list("sender__address", "to").annotate(Count("pk"))
    counts: Counter[tuple[str, str]] = Counter()
    for address, domain, n in groups:
        if provider := _personal(domain):
            counts[primary_domain(address.rpartition("@")[2]), provider] += n
    most: Counter[str] = Counter()
    for (sending, _), n in counts.items():
        most[sending] = max(most[sending], n)
    cause, scope = Breaker.Cause.VOLUME, Breaker.Scope.SENDING_DOMAIN
    warned = Breaker.objects.filter(cause=cause, closed_at__isnull=True)
    known = set(warned.values_list("domain", flat=True)) | set(most)
    found: dict[tuple[Key, str], Verdict | None] = {
        ((scope, domain), cause): thresholds.volume(most[domain]) for domain in known
    }
    _write(found, _open_rows(found), now=now)


def _personal(domain: str) -> str:
    """Which provider's personal address this is, of the two that count; empty for others."""
    if domain in GMAIL:
        return "Gmail"
    is_outlook = domain.partition(".")[0] in OUTLOOK and is_free_mail(domain)
    return "Outlook" if is_outlook else ""


def primary_domain(domain: str) -> str:
    """The registered domain: the last two names, or three below one such as ``co.uk``."""
    names = domain.lower().split(".")
    is_below_country = len(names) > 2 and len(names[-1]) == 2 and len(names[-2]) <= 3
    return ".".join(names[-3:] if is_below_country else names[-2:])


# -- addresses that bounce for the time being ------------------------------------------------


def _let_soft_addresses_rest(messages: Iterable[Message], *, now: datetime) -> None:
    """Five soft bounces in thirty days: its person is left alone for ninety (LAW-15).

    A dated stop, for a suppression never ends by itself.
    """
    soft = {"bounce_kind": Message.BounceKind.SOFT}
    just_now = Message.objects.filter(pk__in=[m.pk for m in messages], **soft)
    addresses = set(just_now.values_list("pitch__address", flat=True))
    if not addresses:
        return
    counted = (
        Message.objects.filter(
            pitch__address__in=addresses,
            bounced_at__gt=now - thresholds.SOFT_WINDOW,
            send_mode__in=situations.mode().counting(),
            **soft,
        )
        .values_list("pitch__address")
        .annotate(Count("pk"))
    )
    tired = [pk for pk, n in counted if n >= thresholds.SOFT_BOUNCES]
    for address in ContactAddress.objects.filter(pk__in=tired).select_related("contact"):
        if not _rests(address.contact_id, now=now):
            stopping.stop(
                scope=Stop.Scope.PERSON,
                kind=Stop.Kind.SOFT_BOUNCE,
                reason=f"{thresholds.SOFT_BOUNCES} soft bounces in 30 days",
                contact=address.contact,
                until=now + thresholds.SOFT_REST,
            )


def _rests(contact: int, *, now: datetime) -> bool:
    mine = Stop.objects.filter(contact=contact, kind=Stop.Kind.SOFT_BOUNCE)
    return mine.filter(Stop.in_force(now)).exists()


# -- rows --------------------------------------------------------------------------------------


def _key(row: Breaker) -> Key:
    return (row.scope, row.sender_id or row.campaign_id or row.domain)


def _reopened() -> dict[tuple[Key, str], datetime]:
    """When a person last let each go on; what lies before is not held against it again."""
    closed = Breaker.objects.filter(level=Breaker.Level.PAUSE, closed_at__isnull=False)
    found: dict[tuple[Key, str], datetime] = {}
    for row in closed.exclude(closed_by=None, closing_reason__in=BY_ITSELF).order_by(
        "closed_at"
    ):
        assert row.closed_at is not None
        found[_key(row), row.cause] = row.closed_at
    return found


def _open_rows(found: Iterable[tuple[Key, str]]) -> dict[tuple[Key, str, str], Breaker]:
    """Those not closed yet; there are as many as there is trouble."""
    rows = Breaker.objects.filter(closed_at__isnull=True)
    return {(_key(row), row.cause, row.level): row for row in rows}


RAN_OUT, IS_PAUSE_NOW = "Its time ran out.", "It became a pause."
IS_FINE_AGAIN = "The numbers fell below the line again."
OF_REHEARSAL = "It belonged to a rehearsal."
BY_ITSELF = (RAN_OUT, OF_REHEARSAL)


def _close_what_ran_out(*, now: datetime) -> None:
    Breaker.objects.filter(closed_at__isnull=True, until__lte=now).update(
        closed_at=now, closing_reason=RAN_OUT
    )


def _write(
    found: dict[tuple[Key, str], Verdict | None],
    rows: dict[tuple[Key, str, str], Breaker],
    *,
    now: datetime,
) -> None:
    """Open, renew and close rows so that they say what was found."""
    pause, warning = Breaker.Level.PAUSE.value, Breaker.Level.WARNING.value
    for (key, cause), verdict in found.items():
        paused = _still_holds(rows.get((key, cause, pause)), now=now)
        warned = rows.get((key, cause, warning))
        if paused:
            continue
        if verdict is None:
            _close(warned, IS_FINE_AGAIN, now=now)
        elif verdict.pauses:
            _close(warned, IS_PAUSE_NOW, now=now)
            _open(key, cause, verdict, now=now)
        elif warned is None:
            _open(key, cause, verdict, now=now)
        elif warned.numbers != _numbers(verdict):
            Breaker.objects.filter(pk=warned.pk).update(
                reason=verdict.reason, numbers=_numbers(verdict)
            )


def _still_holds(row: Breaker | None, *, now: datetime) -> bool:
    if row is None:
        return False
    if row.until is not None and row.until <= now:
        _close(row, RAN_OUT, now=now)
        return False
    if row.numbers.get("mode") not in (None, *situations.mode().counting()):
        _close(row, OF_REHEARSAL, now=now)
        return False
    return True


def _close(row: Breaker | None, reason: str, *, now: datetime) -> None:
    if row is not None:
        Breaker.objects.filter(pk=row.pk).update(closed_at=now, closing_reason=reason)


def _numbers(verdict: Verdict) -> dict[str, Any]:
    return {**verdict.numbers, "mode": situations.mode().value}


def _open(key: Key, cause: str, verdict: Verdict, *, now: datetime) -> None:
    scope, target = key
    names = {Breaker.Scope.MAILBOX: "sender_id", Breaker.Scope.CAMPAIGN: "campaign_id"}
    row = Breaker(
        scope=scope,
        cause=cause,
        level=verdict.level,
        reason=verdict.reason[:300],
        numbers=_numbers(verdict),
        tripped_at=now,
        until=now + verdict.lasts if verdict.lasts else None,
        **{names.get(Breaker.Scope(scope), "domain"): target},
    )
    Breaker.objects.bulk_create([row], ignore_conflicts=True)
