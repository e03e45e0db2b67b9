"""Reading everything that could hold a pitch or a message, for many rows in a handful of
queries.

The planner builds situations for all rows at once, the gate for one row under its locks; both
through here, so they cannot see different worlds.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Max, Prefetch, Q

from campaigns import texts
from campaigns.models import Blackout, Campaign, Candidate, Channel, Step
from campaigns.zones import zone
from pitches import attachments, fingerprints, letters, unsubscribing
from pitches.limits import Ledger, Limits
from pitches.models import (
    Breaker,
    EmailLimit,
    IncomingMessage,
    Message,
    Pitch,
    Sender,
    SendMode,
    Stop,
    WeeklyPlan,
)
from pitches.rules import Situation, asks_for_answers, gap, mail_domain, monday
from pitches.windows import Period, Window, for_texts
from prospects import suppressions
from prospects.addresses import is_free_mail
from prospects.models import Consent, Contact, ContactAddress, Lead, Organization
from prospects.models.organization import mail_domain as of_address

# After an answer, other clients leave the person alone this long unless somebody closes the
# thread.
CONVERSATION = timedelta(days=30)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
# Connection requests a week where no weekly plan says otherwise (H004-06).
MOST_REQUESTS = 50


def mode() -> SendMode:
    """How far messages may go at present."""
    return SendMode(settings.SEND_MODE)


def is_heard_by_asking(sender: Sender) -> bool:
    """Whether there is no mailbox to read: its channel asks the provider before a follow-up."""
    return mode() != SendMode.CAPTURE and asks_for_answers(sender)


@dataclass(slots=True)
class Target:
    """Whom one row is about: what planner and gate have in common before anything is read."""

    campaign: Campaign
    lead: Lead
    organization: Organization | None
    contact: Contact | None
    address: ContactAddress | None
    sender: Sender | None
    candidates: list[Candidate]
    initial: bool = True
    urgent: bool = False
    step: Step | None = None
    channel: str = Channel.EMAIL.value
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Surroundings:
    """What was read once for all targets."""

    now: datetime
    mode: SendMode
    rehearsed_pitches: int
    limits: Limits
    ledger: Ledger
    stops: list[Stop]
    breakers: list[Breaker]
    suppressed: dict[str, str]
    consents: set[int]
    conversations: dict[int, list[tuple[int, datetime]]]
    unclear: set[int]
    blackouts: dict[int, tuple[Period, ...]]
    leaving: dict[int, list[tuple[datetime, int]]]
    # connection requests of a sender in this week: made so far, and how many there may be
    requests: dict[int, tuple[int, int]] = field(default_factory=dict)


def of_messages(messages: Sequence[Message], *, now: datetime) -> list[Situation]:
    """A situation for each message; ``messages`` must come from ``readable``."""
    targets = [target_of(message) for message in messages]
    around = survey(targets, now=now)
    return [situation(target, around) for target in targets]


# Follow-ups are due by their task; a first message as soon as it is approved.
NEEDED = (
    "pitch__campaign__client",
    "pitch__lead__organization",
    "pitch__address__contact__organization",
    "sender__user",
    "step",
)


# Nobody who decides looks at the numbers by which texts are likened.
UNREAD = ("pitch__lead__embedding", "pitch__campaign__embedding")
ALSO_NEEDED = (
    Prefetch("pitch__matches__candidate", Candidate.objects.defer("embedding")),
    "pitch__follow_up_tasks__step",
)


def readable(messages: Any) -> Any:
    """A queryset of messages with everything loaded that a situation needs.

    Three queries more.
    """
    return messages.select_related(*NEEDED).defer(*UNREAD).prefetch_related(*ALSO_NEEDED)


def target_of(message: Message) -> Target:
    pitch = message.pitch
    contact = pitch.address.contact
    return Target(
        campaign=pitch.campaign,
        lead=pitch.lead,
        organization=pitch.lead.organization or contact.organization,
        contact=contact,
        address=pitch.address,
        sender=message.sender,
        candidates=[match.candidate for match in pitch.matches.all()],
        initial=message.number == 0,
        urgent=pitch.urgent,
        step=message.step,
        channel=message.channel,
        extra={
            "message": message,
            "due_at": _on_its_day(message, due_at(message)),
            "due_because": due_because(message),
            "step_before": step_before(message),
            "fingerprint": fingerprints.of_message(message),
            "text_problems": text_problems(message),
        },
    )


def _on_its_day(message: Message, due: datetime | None) -> datetime | None:
    """By hand a step is due on a day, not at an hour; the week's plan may set a later one."""
    if due is None or not message.is_by_hand:
        return due
    if message.weekly_plan_id and message.send_at:
        due = max(due, message.send_at)
    local = due.astimezone(zone(message.sender.time_zone))
    return local.replace(hour=0, minute=0, second=0, microsecond=0)


def due_at(message: Message) -> datetime | None:
    """When its step falls due; None while the first message has not been sent."""
    if not message.number:
        return message.approved_at or message.created_at
    tasks = message.pitch.follow_up_tasks.all()
    return next((task.due_at for task in tasks if task.step_id == message.step_id), None)


def due_because(message: Message) -> str:
    """What moved the step, in words; empty if it is due as its sequence says."""
    tasks = message.pitch.follow_up_tasks.all() if message.number else []
    is_open = (each for each in tasks if each.done_at is None and each.canceled_at is None)
    return next((each.reason for each in is_open if each.step_id == message.step_id), "")


def step_before(message: Message) -> Step | None:
    """The latest earlier message step that has not left yet; this one waits for it."""
    if not message.number:
        return None
    earlier = [
        task.step
        for task in message.pitch.follow_up_tasks.all()
        if task.done_at is None
        and task.canceled_at is None
        and task.step.action == Step.Action.MESSAGE
        and task.step.number < message.number
    ]
    return max(earlier, key=lambda step: step.number, default=None)


def text_problems(message: Message) -> tuple[str, ...]:
    """What forbids that these frozen words leave in the present send mode (LAW-1, LAW-24), or
    that their files go with them.
    """
    if message.channel != Channel.EMAIL:
        return ()
    files = attachments.problems(message) if message.attachments else []
    told = (problem["detail"].rstrip(".") for problem in files)
    return (*_against_the_law(message), *told)


def _against_the_law(message: Message) -> Iterator[str]:
    is_live = mode() == SendMode.LIVE
    if is_live and not settings.POSTAL_ADDRESS.strip():
        yield "no postal address is set, and live mail must carry one"
    if is_live and not unsubscribing.is_reachable():
        yield "there is no address recipients can reach to unsubscribe: set PUBLIC_URL"
    elif mode() != SendMode.CAPTURE and not _has_its_way_out(message):
        yield "the way to unsubscribe has changed since it was approved: review it again"
    if texts.looks_like_reply(message.subject) and not letters.is_in_thread(message):
        yield "the subject says that this is an answer, and it is not one"


def _has_its_way_out(message: Message) -> bool:
    return not unsubscribing.is_owed(message) or unsubscribing.link(message) in message.body


def situation(target: Target, around: Surroundings) -> Situation:
    """One row's situation, out of what was read for all."""
    email = target.address.value if target.address else ""
    return Situation(
        now=around.now,
        mode=around.mode,
        campaign=target.campaign,
        lead=target.lead,
        organization=target.organization,
        contact=target.contact,
        address=target.address,
        sender=target.sender,
        candidates=target.candidates,
        window=window_of(target, around.blackouts.get(target.campaign.pk, ())),
        ledger=around.ledger,
        limits=around.limits,
        urgent=target.urgent,
        initial=target.initial,
        stops=[stop for stop in around.stops if _reaches(stop, target)],
        breakers=[row for row in around.breakers if _holds(row, target)],
        suppressed=around.suppressed.get(email, ""),
        in_conversation_until=_in_conversation_until(target, around),
        reply_unclear="message" in target.extra
        and target.extra["message"].pitch_id in around.unclear,
        rehearsed_pitches=around.rehearsed_pitches,
        on_allowlist=around.mode != SendMode.ALLOWLIST or is_allowed(email),
        leaving=around.leaving[target.sender.pk] if target.sender else [],
        reads_own_inbox=around.mode == SendMode.CAPTURE,
        requests_used=_requests_of(target, around)[0],
        requests_most=_requests_of(target, around)[1],
        channel=target.channel,
        may_be_texted=target.address is not None and target.address.pk in around.consents,
        quiet=_quiet_hours(target),
        **target.extra,
    )


def window_of(target: Target, blackouts: tuple[Period, ...]) -> Window:
    """The recipient's window; by hand the whole of its days.

    Their zone and country as far as they are known, else the campaign's.
    """
    campaign, step = target.campaign, target.step
    message = target.extra.get("message")
    whole_day = message is not None and message.is_by_hand
    known = [place for place in (target.contact, target.lead, target.organization) if place]
    return Window(
        zone_name=next(
            (place.time_zone for place in known if place.time_zone), campaign.time_zone
        ),
        opens=time.min if whole_day else campaign.window_start,
        closes=time.max if whole_day else campaign.window_end,
        days=frozenset(campaign.window_days)
        & frozenset(step.days or range(1, 8) if step else range(1, 8)),
        slots=tuple(step.slots) if step and not whole_day else (),
        country=next((place.country for place in known if place.country), ""),
        observe_holidays=campaign.observe_holidays,
        blackouts=blackouts,
    )


def _quiet_hours(target: Target) -> Window | None:
    """When nobody may be texted, by the person's own clock as far as anybody knows it."""
    if target.channel != Channel.SMS:
        return None
    known = [place for place in (target.contact, target.lead, target.organization) if place]
    return for_texts(next((place.time_zone for place in known if place.time_zone), ""))


def _consents(targets: Iterable[Target]) -> set[int]:
    """The numbers whose owners agreed to be texted. One query, where anybody is to be."""
    numbers = {t.address.pk for t in targets if t.address and t.channel == Channel.SMS}
    if not numbers:
        return set()
    in_force = Consent.objects.filter(
        address__in=numbers, kind=Consent.Kind.SMS, revoked_at__isnull=True
    )
    return set(in_force.values_list("address", flat=True))


def organizations_of(target: Target) -> set[int]:
    """Whose stops reach it: the lead's organization, and the one the person works for."""
    found = {target.organization.pk} if target.organization else set()
    if target.contact and target.contact.organization_id:
        found.add(target.contact.organization_id)
    return found


def _reaches(stop: Stop, target: Target) -> bool:
    match Stop.Scope(stop.scope):
        case Stop.Scope.EVERYTHING:
            return True
        case Stop.Scope.CLIENT:
            return stop.client_id == target.campaign.client_id
        case Stop.Scope.CAMPAIGN:
            return stop.campaign_id == target.campaign.pk
        case Stop.Scope.ORGANIZATION:
            return stop.organization_id in organizations_of(target)
        case Stop.Scope.MAILBOX:
            return target.sender is not None and stop.sender_id == target.sender.pk
        case Stop.Scope.PERSON:
            mine = stop.client_id in (None, target.campaign.client_id)
            return mine and target.contact is not None and stop.contact_id == target.contact.pk


def _in_conversation_until(target: Target, around: Surroundings) -> datetime | None:
    """Until when this person is talking with another client of ours."""
    if target.contact is None:
        return None
    threads = around.conversations.get(target.contact.pk, [])
    others = [until for client, until in threads if client != target.campaign.client_id]
    return max(others, default=None)


def is_allowed(email: str) -> bool:
    """Whether SEND_ALLOWLIST names an address, or its domain as @example.com."""
    allowed = {entry.lower() for entry in settings.SEND_ALLOWLIST}
    email = email.lower()
    return email in allowed or f"@{email.rpartition('@')[2]}" in allowed


# -- reading -------------------------------------------------------------------------------


def survey(targets: Sequence[Target], *, now: datetime) -> Surroundings:
    """Everything the targets share, in a number of queries that does not depend on theirs."""
    contacts = {t.contact.pk for t in targets if t.contact}
    limits = Limits.read()
    ledger = read_ledger(targets, limits=limits, now=now, mode=mode())
    return Surroundings(
        now=now,
        mode=mode(),
        rehearsed_pitches=_rehearsed_pitches(),
        limits=limits,
        ledger=ledger,
        stops=_stops(targets, now=now),
        breakers=_breakers(now=now),
        consents=_consents(targets),
        suppressed=suppressions.of_addresses(t.address for t in targets if t.address),
        conversations=_conversations(contacts, now=now),
        unclear=_unclear(targets),
        blackouts=_blackouts({t.campaign.pk for t in targets}),
        leaving=_last_out({t.sender.pk for t in targets if t.sender}),
        requests=_requests(targets, now=now),
    )


def _requests(targets: Iterable[Target], *, now: datetime) -> dict[int, tuple[int, int]]:
    """Connection requests this week, made and allowed, by the sender of each that is planned.

    The week's plan of the sender's owner says how many there may be (S004-040).
    """
    asking = [target.extra.get("message") for target in targets]
    senders = {m.sender for m in asking if m and m.channel == Channel.LINKEDIN_NOTE}
    if not senders:
        return {}
    began = {sender.pk: monday(now, sender.time_zone) for sender in senders}
    sent = Message.objects.counted(since=min(began.values()) - SECOND, mode=mode())
    rows = sent.filter(sender__in=senders, channel=Channel.LINKEDIN_NOTE)
    made = Counter(pk for pk, at in rows.values_list("sender", "counted_at") if at >= began[pk])
    weeks = {moment.date() for moment in began.values()}
    plans = WeeklyPlan.objects.filter(owner__senders__in=senders, week__in=weeks)
    allowed: Counter[int] = Counter()
    for pk, week, most in plans.values_list("owner__senders", "week", "target_requests"):
        if pk in began and began[pk].date() == week:
            allowed[pk] += most
    return {pk: (made[pk], allowed[pk] or MOST_REQUESTS) for pk in began}


def _requests_of(target: Target, around: Surroundings) -> tuple[int, int]:
    return around.requests.get(target.sender.pk, (0, 0)) if target.sender else (0, 0)


def take_request(around: Surroundings, message: Message) -> None:
    """One more connection request is planned for this week."""
    if message.channel == Channel.LINKEDIN_NOTE:
        made, most = around.requests[message.sender_id]
        around.requests[message.sender_id] = (made + 1, most)


def _rehearsed_pitches() -> int:
    """Captured pitches that are still open, where captured mail no longer counts."""
    if mode() == SendMode.CAPTURE:
        return 0
    return Pitch.objects.open().filter(send_mode=SendMode.CAPTURE).count()


def _stops(targets: Iterable[Target], *, now: datetime) -> list[Stop]:
    targets = list(targets)
    concerned = (
        Q(scope=Stop.Scope.EVERYTHING)
        | Q(scope=Stop.Scope.PERSON, contact__in={t.contact.pk for t in targets if t.contact})
        | Q(
            scope=Stop.Scope.ORGANIZATION,
            organization__in={pk for t in targets for pk in organizations_of(t)},
        )
        | Q(scope=Stop.Scope.CAMPAIGN, campaign__in={t.campaign.pk for t in targets})
        | Q(scope=Stop.Scope.CLIENT, client__in={t.campaign.client_id for t in targets})
        | Q(scope=Stop.Scope.MAILBOX, sender__in={t.sender.pk for t in targets if t.sender})
    )
    return list(Stop.objects.filter(Stop.in_force(now) & concerned))


def _breakers(*, now: datetime) -> list[Breaker]:
    """Pauses and warnings in force: one query, and as many rows as there is trouble.

    What a rehearsal tripped does not hold real mail.
    """
    rows = Breaker.objects.filter(Breaker.in_force(now)).order_by("pk")
    counting = mode().counting()
    return [row for row in rows if row.numbers.get("mode", SendMode.LIVE.value) in counting]


def _holds(row: Breaker, target: Target) -> bool:
    match Breaker.Scope(row.scope):
        case Breaker.Scope.MAILBOX:
            return target.sender is not None and row.sender_id == target.sender.pk
        case Breaker.Scope.CAMPAIGN:
            return row.campaign_id == target.campaign.pk
        case Breaker.Scope.SENDING_DOMAIN:
            return target.sender is not None and row.domain == sending_domain(target.sender)
        case Breaker.Scope.RECIPIENT_DOMAIN:
            return row.domain == mail_domain(target.address)


def sending_domain(sender: Sender) -> str:
    """The domain a mailbox writes from, in lower case."""
    return sender.address.rpartition("@")[2].lower()


def _unclear(targets: Iterable[Target]) -> set[int]:
    """The pitches that an answer may mean which nobody has settled yet."""
    asking = {t.extra["message"].pitch_id for t in targets if "message" in t.extra}
    possible = IncomingMessage.possible_pitches.through.objects.filter(
        pitch__in=asking,
        incomingmessage__pitch=None,
        incomingmessage__handled_at=None,
        incomingmessage__kind__in=[
            IncomingMessage.Kind.HUMAN_REPLY,
            IncomingMessage.Kind.UNSUBSCRIBE,
        ],
    )
    return set(possible.values_list("pitch", flat=True)) if asking else set()


def _conversations(
    contacts: set[int], *, now: datetime
) -> dict[int, list[tuple[int, datetime]]]:
    replies = (
        IncomingMessage.objects.filter(
            kind=IncomingMessage.Kind.HUMAN_REPLY,
            contact__in=contacts,
            handled_at__isnull=True,
            received_at__gt=now - CONVERSATION,
            pitch__isnull=False,
        )
        .values_list("contact", "pitch__campaign__client")
        .annotate(latest=Max("received_at"))
    )
    threads: dict[int, list[tuple[int, datetime]]] = defaultdict(list)
    for contact, client, latest in replies:
        threads[contact].append((client, latest + CONVERSATION))
    return threads


def _blackouts(campaigns: set[int]) -> dict[int, tuple[Period, ...]]:
    periods: dict[int, list[Period]] = defaultdict(list)
    for row in Blackout.objects.filter(campaign__in=campaigns):
        periods[row.campaign_id].append(Period(row.starts_on, row.ends_on, row.reason))
    return {campaign: tuple(rows) for campaign, rows in periods.items()}


def _last_out(senders: set[int]) -> dict[int, list[tuple[datetime, int]]]:
    """The last message that went out, by sender.

    Where clocks differ it may lie ahead of ours; then it wants the longest gap before it.
    """
    rows = Message.objects.filter(
        sender__in=senders, status__in=Message.COUNTED, send_mode__in=mode().counting()
    )
    leaving: dict[int, list[tuple[datetime, int]]] = defaultdict(list)
    last = rows.values_list("sender", "sender__gap_max").annotate(last=Max("counted_at"))
    for sender, longest, moment in last:
        leaving[sender].append((moment, longest))
    return leaving


def lay_down_queued(around: Surroundings, planned: Sequence[Message]) -> None:
    """What waits in the queue and is not planned anew keeps its place in a plan: the slots of
    its limits and the gaps around it.

    Only for planning; the gate counts what has gone out. One query.
    """
    under_way = (Message.Status.QUEUED, Message.Status.CLAIMED)
    queued = (
        Message.objects.filter(
            status__in=under_way, send_at__isnull=False, send_mode=around.mode
        )
        .exclude(pk__in=[message.pk for message in planned])
        .select_related("sender", "pitch__lead", "pitch__address__contact")
        .only(
            "message_id",
            "number",
            "send_at",
            "sender__gap_min",
            "sender__gap_max",
            "pitch__campaign_id",
            "pitch__lead__organization_id",
            "pitch__address__canonical",
            "pitch__address__contact__organization_id",
        )
    )
    scope = EmailLimit.Scope
    for message in queued:
        pitch, moment = message.pitch, max(message.send_at, around.now)
        contact = pitch.address.contact
        keys: list[tuple[str, Any]] = [
            (scope.CAMPAIGN, pitch.campaign_id),
            (scope.ALL, None),
            *(
                (scope.ORGANIZATION, organization)
                for organization in {pitch.lead.organization_id, contact.organization_id}
                - {None}
            ),
            (scope.CONTACT, contact.pk),
            (scope.SENDER, message.sender_id),
            (scope.DOMAIN, mail_domain(pitch.address)),
        ]
        for name, target in keys:
            _take(around.ledger, name, target, moment, initial=message.number == 0)
        keep_distance(around, message, moment)


def keep_distance(around: Surroundings, message: Message, moment: datetime) -> None:
    """Note that a message of its sender leaves then, so that the others leave a gap."""
    row = (moment, gap(message.sender, message.message_id))
    insort(around.leaving[message.sender_id], row)


def read_ledger(
    targets: Sequence[Target], *, limits: Limits, now: datetime, mode: SendMode
) -> Ledger:
    """The slots taken, scope by scope, each as far back as the limits of its scope reach.

    At most six queries, each driven by the few ids it is about; a scope without a limit asks
    none.
    """

    def sent(scope: str, at_least: timedelta = timedelta(0)) -> Any:
        reach = max(limits.reaching(scope), at_least)
        return Message.objects.counted(since=now - reach, mode=mode) if reach else None

    scope = EmailLimit.Scope
    contacts = {t.contact.pk for t in targets if t.contact}
    senders = {t.sender.pk for t in targets if t.sender}
    campaigns = {t.campaign.pk for t in targets}
    ledger = Ledger()
    _count_organizations(
        ledger, sent(scope.ORGANIZATION), {pk for t in targets for pk in organizations_of(t)}
    )
    _count(ledger, scope.CONTACT, sent(scope.CONTACT), "pitch__address__contact", contacts)
    _count(ledger, scope.SENDER, sent(scope.SENDER, DAY), "sender", senders)
    _count(ledger, scope.CAMPAIGN, sent(scope.CAMPAIGN), "pitch__campaign", campaigns)
    _count_domains(
        ledger, sent(scope.DOMAIN), {mail_domain(t.address) for t in targets}, limits
    )
    _count_everything(ledger, sent(scope.ALL))
    return ledger


def _count(ledger: Ledger, scope: str, sent: Any, path: str, ids: set[int]) -> None:
    if sent is None:
        return
    if not ids:
        return
    for target, number, moment in sent.filter(**{f"{path}__in": ids}).values_list(
        path, "number", "counted_at"
    ):
        _take(ledger, scope, target, moment, initial=number == 0)


def _count_organizations(ledger: Ledger, sent: Any, ids: set[int]) -> None:
    """A message takes a slot of its lead's organization and of its person's."""
    lead, person = "pitch__lead__organization", "pitch__address__contact__organization"
    rows = sent.filter(Q(**{f"{lead}__in": ids}) | Q(**{f"{person}__in": ids}))
    for of_lead, of_person, number, moment in rows.values_list(
        lead, person, "number", "counted_at"
    ):
        for organization in {of_lead, of_person} & ids:
            scope = EmailLimit.Scope.ORGANIZATION
            _take(ledger, scope, organization, moment, initial=number == 0)


def _count_domains(ledger: Ledger, sent: Any, domains: set[str], limits: Limits) -> None:
    """Over the index of mail domains; free mail, with its thousands of people, only where a
    row names it.
    """
    limited = {
        domain
        for domain in domains - {""}
        if limits.of_domain(domain, is_shared=is_free_mail(domain), by_default=True)
    }
    if not limited:
        return
    rows = sent.alias(domain=of_address("pitch__address__canonical")).filter(domain__in=limited)
    for address, number, moment in rows.values_list(
        "pitch__address__canonical", "number", "counted_at"
    ):
        domain = address.rpartition("@")[2]
        _take(ledger, EmailLimit.Scope.DOMAIN, domain, moment, initial=number == 0)


def _count_everything(ledger: Ledger, sent: Any) -> None:
    if sent is None:
        return
    for number, moment in sent.values_list("number", "counted_at"):
        _take(ledger, EmailLimit.Scope.ALL, None, moment, initial=number == 0)


def _take(ledger: Ledger, scope: str, target: Any, moment: datetime, *, initial: bool) -> None:
    scope = EmailLimit.Scope(scope).value
    ledger.add((scope, target, EmailLimit.Counts.ALL.value), moment)
    if initial:
        ledger.add((scope, target, EmailLimit.Counts.INITIAL.value), moment)


def take_slots(situation: Situation, moment: datetime) -> None:
    """Lay one planned message down in the ledger, so that the next row sees its slots taken."""
    scope = EmailLimit.Scope
    keys: list[tuple[str, Any]] = [(scope.CAMPAIGN, situation.campaign.pk), (scope.ALL, None)]
    keys += [(scope.ORGANIZATION, each.pk) for each in situation.organizations]
    if situation.contact:
        keys.append((scope.CONTACT, situation.contact.pk))
    if situation.sender and not situation.is_draft:
        keys.append((scope.SENDER, situation.sender.pk))
    if situation.domain and not situation.is_draft:
        keys.append((scope.DOMAIN, situation.domain))
    for name, target in keys:
        _take(situation.ledger, name, target, moment, initial=situation.initial)
