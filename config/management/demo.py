"""The demo: an invented agency, made by the same functions that do the real work.

Its rows carry ``is_demo`` (or hang on one that does), its people log in on this machine only,
and matching never lets an invented row meet a real one.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.db import models, transaction
from django.db.models import Q

from campaigns import presets
from campaigns.models import Angle, Campaign, Candidate, CandidateFact, Client, Membership
from config import logins
from crm_sync.models import RemoteRecord, SyncTask
from pitches import inbox, matching, outbox, pitching, review, sending
from pitches.channels import capture
from pitches.models import (
    IncomingMessage,
    Match,
    Message,
    Pitch,
    Placement,
    ReviewTask,
    Sender,
    SenderCampaign,
    SendMode,
)
from prospects import addresses, names, suppressions
from prospects.models import (
    Assessment,
    Contact,
    ContactAddress,
    ContentItem,
    Fact,
    Lead,
    LeadIdentity,
    Organization,
    PipelineRun,
    Suppression,
)

FOLDER = Path(settings.BASE_DIR) / "fixtures" / "demo"
SOURCE = "demo"
# Scores of matches that Ada approves, and of those that she declines.
NEAR, FAR = 35, 22
TICKS = 12
APPS = ("campaigns", "prospects", "pitches", "crm_sync")
Row = dict[str, Any]


class NotPossible(Exception):
    """The demo cannot be brought or taken away here; the message says why."""


class Login(NamedTuple):
    username: str
    password: str
    role: str


class Loaded(NamedTuple):
    """What loading did; ``new`` is False where the demo was there already."""

    new: bool
    matches: int = 0
    pitches: int = 0
    sent: int = 0
    replies: int = 0


@lru_cache(1)
def story() -> Row:
    """The demo as its files tell it."""
    found: Row = {}
    for path in sorted(FOLDER.glob("*.toml")):
        for name, value in tomllib.loads(path.read_text(encoding="utf-8")).items():
            found[name] = [*found[name], *value] if name in found else value
    return found


def is_loaded() -> bool:
    return Client.objects.filter(is_demo=True).exists()


def known_logins() -> list[Login]:
    """Who can log in, for printing. The password works on this machine only."""
    return [Login(u["username"], story()["password"], _role(u)) for u in story()["users"]]


def _role(user: Row) -> str:
    return user["role"] if user.get("is_staff") else f"{user['role']}; no pages yet, API only"


def real_rows() -> bool:
    """Whether somebody works here already: a row that is not of the demo."""
    kinds = (Client, Campaign, Candidate, Lead, Organization, Sender)
    return any(kind._default_manager.filter(is_demo=False).exists() for kind in kinds)


def load(*, now: datetime) -> Loaded:
    """Bring the demo: its data, and what was decided, written, sent and answered since a day
    of work three days before ``now``.

    A second time it changes nothing. Raises NotPossible where mail would leave this machine, or
    where somebody real has one of the names of the demo.
    """
    if settings.SEND_MODE != SendMode.CAPTURE:
        raise NotPossible("The demo writes to invented people; it needs SEND_MODE=capture.")
    if is_loaded():
        return Loaded(new=False)
    written, sent = _moments(now)
    with transaction.atomic():
        presets.install()
        users = _users()
        clients = _clients(users)
        campaigns = _campaigns(clients)
        senders = _senders(users, campaigns)
        _candidates(clients, campaigns, users, now=now)
        _organizations(now=now)
        _podcasts(now=now)
        _buyers(now=now)
        _match(campaigns.values(), now=written)
        _decide_matches(users["ada"], now=written)
        _pitch(campaigns.values(), now=written)
        _decide_words(users["ada"], now=written + timedelta(hours=1))
    delivered = _send(campaigns.values(), now=sent)
    return Loaded(
        new=True,
        matches=Match.objects.filter(campaign__is_demo=True).count(),
        pitches=Pitch.objects.filter(campaign__is_demo=True).count(),
        sent=delivered,
        replies=_answer(senders.values(), now=sent + timedelta(days=1)),
    )


def _moments(now: datetime) -> tuple[datetime, datetime]:
    """When the drafts were written and when they went out: a workday three days ago or more."""
    day = (now - timedelta(days=3)).date()
    while day.isoweekday() > 5:
        day -= timedelta(days=1)
    return tuple(datetime.combine(day, time(hour), UTC) for hour in (7, 10))  # type: ignore[return-value]


# Who


def _users() -> dict[str, User]:
    made = {}
    names_taken = {user["username"] for user in story()["users"]}
    if taken := User.objects.filter(username__in=names_taken).first():
        raise NotPossible(
            f"There is a user {taken.username} already, and the demo has one too."
        )
    ours = Permission.objects.filter(content_type__app_label__in=APPS)
    password = make_password(story()["password"])  # slow on purpose: once for all of them
    for each in story()["users"]:
        user = User.objects.create(
            username=each["username"],
            email=f"{each['username']}@example.com",
            password=password,
            first_name=each["first_name"],
            last_name=each["last_name"],
            is_staff=each.get("is_staff", False),
        )
        # Everybody knows the password.
        logins.restrict_to_loopback(user)
        if user.is_staff:
            user.user_permissions.set(ours)
        made[user.username] = user
    return made


def _clients(users: dict[str, User]) -> dict[str, Client]:
    made = {}
    for each in story()["clients"]:
        made[each["slug"]] = Client.objects.create(**each, is_demo=True)
    for each in story()["users"]:
        if "client" in each:
            Membership.objects.create(
                user=users[each["username"]],
                client=made[each["client"]],
                role=Membership.Role.OWNER,
            )
    return made


def _campaigns(clients: dict[str, Client]) -> dict[str, Campaign]:
    made = {}
    for each in story()["campaigns"]:
        made[each["slug"]] = Campaign.objects.create(
            **each | {"client": clients[each["client"]]},
            sequence=presets.sequence(presets.SEQUENCES[each["preset"]]),
            status=Campaign.Status.ACTIVE,
            observe_holidays=False,  # so that the demo looks the same on every day of the year
            is_demo=True,
        )
    return made


def _senders(users: dict[str, User], campaigns: dict[str, Campaign]) -> dict[str, Sender]:
    made = {}
    left_out = ("user", "campaigns", "answer")
    for each in story()["senders"]:
        fields = {key: value for key, value in each.items() if key not in left_out}
        sender = Sender.objects.create(**fields, user=users.get(each.get("user")), is_demo=True)
        SenderCampaign.objects.bulk_create(
            SenderCampaign(sender=sender, campaign=campaigns[slug], is_default=True)
            for slug in each["campaigns"]
        )
        made[sender.address] = sender
    return made


# What


def _candidates(
    clients: dict[str, Client],
    campaigns: dict[str, Campaign],
    users: dict[str, User],
    *,
    now: datetime,
) -> None:
    interns = {"client": "tagus-career-bridge", "campaign": "demo-placements", "kind": "intern"}
    extra = ("client", "campaign", "angles", "facts", "starts_in", "length")
    for told in story()["candidates"]:
        each = interns | told
        candidate = Candidate.objects.create(
            **{key: value for key, value in each.items() if key not in extra},
            client=clients[each["client"]],
            responsible=users["ben"] if each["kind"] == "intern" else None,
            starts_on=_day(now, each.get("starts_in")),
            ends_on=_day(now, each.get("starts_in"), each.get("length", 0)),
            is_demo=True,
        )
        campaigns[each["campaign"]].candidates.add(candidate)
        Angle.objects.bulk_create(
            Angle(candidate=candidate, position=number, **angle)
            for number, angle in enumerate(each.get("angles", []), start=1)
        )
        CandidateFact.objects.bulk_create(
            CandidateFact(
                candidate=candidate,
                kind="achievement",
                value=value,
                source=SOURCE,
                quote=value,
                observed_at=now,
            )
            for value in each["facts"]
        )


def _day(now: datetime, days: int | None, more: int = 0) -> Any:
    return None if days is None else (now + timedelta(days=days + more)).date()


def _organization(each: Row) -> Organization:
    return Organization.objects.create(
        name=each["name"],
        name_key=names.organization_key(each["name"]),
        domain=each["domain"],
        industry=each["industry"],
        employees=each["employees"],
        country=each["country"],
        time_zone=each["time_zone"],
        do_not_contact=each.get("do_not_contact", False),
        do_not_contact_reason=each.get("do_not_contact_reason", ""),
        is_demo=True,
    )


def _contact(organization: Organization | None, role: str, each: Row) -> Contact:
    contact = Contact.objects.create(
        organization=organization,
        name=each["name"],
        title=each.get("title", ""),
        role=role,
        is_primary=True,
    )
    if each.get("address"):
        ContactAddress.objects.create(
            contact=contact,
            kind=ContactAddress.Kind.EMAIL,
            value=each["address"],
            canonical=addresses.canonical_email(each["address"]),
        )
    return contact


def _suppress(address: str, *, now: datetime) -> None:
    suppressions.add(
        Suppression.Kind.EMAIL,
        address,
        reason=Suppression.Reason.UNSUBSCRIBED,
        source=SOURCE,
        now=now,
    )


def _lead(key: str, *, now: datetime, **fields: Any) -> Lead:
    lead = Lead.objects.create(**fields, is_demo=True, first_seen_at=now, last_seen_at=now)
    # The moment is part of the name: the journal remembers what an earlier demo sent to a lead,
    # and would let nothing go there twice.
    name = f"{key} of {now:%Y-%m-%dT%H:%M:%S}"
    LeadIdentity.objects.create(lead=lead, platform=SOURCE, platform_id=name)
    return lead


def _organizations(*, now: datetime) -> None:
    for each in story()["organizations"]:
        organization = _organization(each)
        contact = each.get("contact")
        if contact:
            _contact(organization, Contact.Role.PARTNER, contact)
        if contact and "suppress" in each:
            _suppress(contact["address"], now=now)
        for told in each["roles"]:
            role = {key: value for key, value in told.items() if key != "starts_in"}
            _lead(
                role.pop("key"),
                now=now,
                **role,
                kind=Lead.Kind.ROLE,
                organization=organization,
                industries=[organization.industry],
                country=organization.country,
                time_zone=organization.time_zone,
                starts_on=_day(now, told["starts_in"]),
                posted_on=_day(now, -10),
                url=f"https://{organization.domain}/jobs/{told['key']}",
            )


def _podcasts(*, now: datetime) -> None:
    for each in story()["podcasts"]:
        domain = each.get("address", f"mail@{each['key']}.example.com").rpartition("@")[2]
        lead = _lead(
            each["key"],
            now=now,
            kind=Lead.Kind.PODCAST,
            name=each["name"],
            text=each["text"],
            keywords=each["keywords"],
            audience=each["audience"],
            language="en",
            website=f"https://{domain}",
            feed_url=f"https://{domain}/feed.xml",
        )
        host = {"name": each["host"], "address": each.get("address")}
        lead.contacts.add(_contact(None, Contact.Role.HOST, host))
        if "suppress" in each:
            _suppress(each["address"], now=now)
        ContentItem.objects.bulk_create(
            ContentItem(
                lead=lead,
                kind=ContentItem.Kind.EPISODE,
                guid=f"{each['key']}-{number}",
                title=title,
                summary=summary,
                keywords=[w for w in each["keywords"] if w in f"{title} {summary}".lower()],
                url=f"https://{domain}/episodes/{number}",
                published_at=now - timedelta(days=days),
                seconds=2400,
            )
            for number, (days, title, summary) in enumerate(each["episodes"], start=1)
        )


def _buyers(*, now: datetime) -> None:
    for each in story()["buyers"]:
        organization = _organization(each)
        lead = _lead(
            each["key"],
            now=now,
            kind=Lead.Kind.BUYER,
            organization=organization,
            name=each["name"],
            text=each["text"],
            keywords=each["keywords"],
            industries=[each["industry"]],
            country=each["country"],
            time_zone=each["time_zone"],
            website=f"https://{each['domain']}",
        )
        lead.contacts.add(_contact(organization, Contact.Role.OWNER, each["contact"]))
        Fact.objects.bulk_create(
            Fact(
                lead=lead, kind=kind, value=value, source=SOURCE, source_url=url, quote=value,
                confidence="0.9", observed_at=now,
            )
            for kind, value, url in each["facts"]
        )  # fmt: skip


# What became of it


def _match(campaigns: Iterable[Campaign], *, now: datetime) -> None:
    for campaign in campaigns:
        matching.suggest(campaign, now=now)


def _open_tasks(kind: str) -> list[ReviewTask]:
    tasks = ReviewTask.objects.filter(
        kind=kind, status=ReviewTask.Status.OPEN, campaign__is_demo=True
    ).select_related("match")
    return list(tasks.order_by("campaign", "pk"))


def _decide_matches(ada: User, *, now: datetime) -> None:
    """Ada approves what is near, declines what is far, leaves the rest and every seventh."""
    for number, task in enumerate(_open_tasks(ReviewTask.Kind.MATCH)):
        assert task.match is not None
        if task.match.score < FAR:
            review.reject(task, by=ada, now=now, reason="Too far from what they ask for")
        elif task.match.score >= NEAR and number % 7 != 6:
            review.approve(task, by=ada, now=now)


def _pitch(campaigns: Iterable[Campaign], *, now: datetime) -> None:
    for campaign in campaigns:
        pitching.carry_out(pitching.plan(campaign=campaign, now=now), now=now)


def _decide_words(ada: User, *, now: datetime) -> None:
    """Of three texts Ada approves two; what has a problem stays in the queue."""
    for number, task in enumerate(_open_tasks(ReviewTask.Kind.MESSAGE)):
        if number % 3 < 2:
            review.approve_many([task], by=ada, now=now)


def _send(campaigns: Iterable[Campaign], *, now: datetime) -> int:
    """Plan and send the first messages that were approved, as a worker would have done."""
    for campaign in campaigns:
        decisions = outbox.plan(outbox.first_messages(campaign), now=now)
        outbox.carry_out(decisions, now=now)
    # One tick every quarter of an hour, for each mailbox keeps its gaps.
    for tick in range(TICKS):
        sending.send_due(now=now + tick * timedelta(minutes=15))
    return Message.objects.filter(
        pitch__campaign__is_demo=True, status=Message.Status.SENT
    ).count()


def _answer(senders: Iterable[Sender], *, now: datetime) -> int:
    """For each sender one recipient writes back, and the inbox is read."""
    replies = 0
    answers = {each["address"]: each["answer"] for each in story()["senders"]}
    for sender in senders:
        letters = list(capture.sent(sender))
        if not letters:
            continue
        capture.answer(sender, letters[-1], text=answers[sender.address], now=now)
        inbox.read(sender, now=now)
        replies += 1
    return replies


# Away with it


def clear() -> dict[str, int]:
    """Remove the demo and everything that hangs on it, and nothing else; answers what went.

    Raises NotPossible where something real hangs on a demo row, and then removes nothing.
    """
    senders = list(Sender.objects.filter(is_demo=True))
    removed: dict[str, int] = {}
    try:
        with transaction.atomic():
            for rows in _leaving():
                _, counts = rows.delete()
                for label, count in counts.items():
                    removed[label] = removed.get(label, 0) + count
    except models.ProtectedError as e:
        kept = next(iter(e.protected_objects))
        raise NotPossible(
            f"{kept._meta.verbose_name} “{kept}” is not of the demo but needs a row of it. "
            "Change or delete that first; nothing was removed."
        ) from e
    for sender in senders:
        capture.discard(sender)
    return {label: count for label, count in removed.items() if count}


def _leaving() -> Iterable[models.QuerySet]:
    """Row by row kind, those that others hang on last."""
    demo = Q(is_demo=True)
    pitches = Pitch.objects.filter(Q(campaign__is_demo=True) | Q(lead__is_demo=True))
    incoming = IncomingMessage.objects.filter(Q(sender__is_demo=True) | Q(pitch__in=pitches))
    of_demo = Q(campaign__is_demo=True) | Q(candidate__is_demo=True) | Q(lead__is_demo=True)
    placements = Placement.objects.filter(of_demo)
    runs = PipelineRun.objects.filter(campaign__is_demo=True)
    leads, organizations = Lead.objects.filter(demo), Organization.objects.filter(demo)
    contacts = Contact.objects.filter(
        Q(organization__in=organizations) | Q(organization=None, leads__in=leads)
    ).exclude(leads__is_demo=False)
    people = Contact.objects.filter(pk__in=list(contacts.values_list("pk", flat=True)))
    assessments = Assessment.objects.filter(Q(run__in=runs) | Q(lead__in=leads))
    for rows in (pitches, incoming, placements, assessments, leads, organizations, people):
        yield from _told_elsewhere(rows)
    yield Suppression.objects.filter(exact_hash__in=_hashes(people))
    yield incoming
    yield placements
    yield Match.objects.filter(of_demo)
    yield pitches
    yield runs
    yield Campaign.objects.filter(demo)
    yield Candidate.objects.filter(demo)
    yield leads
    yield people
    yield organizations
    yield Sender.objects.filter(demo)
    yield Client.objects.filter(demo)
    yield _people_of_the_demo()


def _told_elsewhere(rows: models.QuerySet) -> Iterable[models.QuerySet]:
    """What the CRM was to be told about these rows."""
    kind = ContentType.objects.get_for_model(rows.model)
    ids = list(rows.values_list("pk", flat=True))
    yield SyncTask.objects.filter(about_type=kind, about_id__in=ids)
    yield RemoteRecord.objects.filter(local_type=kind, local_id__in=ids)


def _hashes(people: models.QuerySet) -> list[str]:
    mails = ContactAddress.objects.filter(contact__in=people, kind=ContactAddress.Kind.EMAIL)
    return [suppressions.hashes(Suppression.Kind.EMAIL, mail.value).exact for mail in mails]


def _people_of_the_demo() -> models.QuerySet:
    usernames = [user["username"] for user in story()["users"]]
    return User.objects.filter(
        username__in=usernames, login_rule__loopback_only=True, email__endswith="@example.com"
    )
