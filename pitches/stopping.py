"""Stops: from now on nothing goes out. Stop and send take the same locks, so one waits for the
other.

The order is fixed for everybody: stop switch, client and campaign, contact, organization,
advisory locks of the remaining limit scopes, sender, message.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction
from django.db.models import Q, QuerySet

from campaigns.models import Campaign, Client
from config.db import database_now
from pitches.fingerprints import digest
from pitches.models import (
    EmailLimit,
    FollowUpTask,
    Match,
    Message,
    Pitch,
    ReviewTask,
    Sender,
    SendMode,
    Stop,
)
from pitches.models.message import LET_GO
from pitches.rules import mail_domain
from pitches.signals import left_alone
from pitches.unsubscribing import Opened
from prospects import suppressions
from prospects.addresses import AddressError, canonical_email
from prospects.models import Consent, Contact, ContactAddress, Organization, Suppression

STOP_SWITCH = "stop switch"

# What a person or an organization wants for good.
FOR_EVER = (Stop.Kind.UNSUBSCRIBE, Stop.Kind.COMPLAINT, Stop.Kind.DO_NOT_CONTACT)

# What a pitch becomes when its person is stopped.
ENDS_AS = {
    Stop.Kind.REPLY: Pitch.Status.REPLIED,
    Stop.Kind.HARD_BOUNCE: Pitch.Status.BOUNCED,
}


def lock_for_sending(message: Message) -> None:
    """Everything a stop could take, in the common order.

    To be called first thing in the gate.
    """
    pitch = message.pitch
    contact = pitch.address.contact
    theirs = {pitch.lead.organization_id, contact.organization_id}
    shared = _counted_by_nobody()
    _take(
        [
            _advisory(STOP_SWITCH, shared=True),
            _rows(Client, [pitch.campaign.client_id], "FOR SHARE"),
            _rows(Campaign, [pitch.campaign_id], "FOR SHARE"),
            _rows(Contact, [contact.pk], "FOR NO KEY UPDATE"),
            _rows(Organization, (pk for pk in theirs if pk), "FOR NO KEY UPDATE"),
            *_scopes(
                [pitch.campaign_id], [mail_domain(pitch.address)], "limit all", shared=shared
            ),
            _rows(Sender, [message.sender_id], "FOR NO KEY UPDATE"),
        ]
    )


def _counted_by_nobody() -> set[str]:
    """The kinds of limit that no row sets: where nothing is counted nobody need stand in line.

    A row that is added at this very moment holds from the next message on.
    """
    scope = EmailLimit.Scope
    wide = EmailLimit.objects.filter(scope__in=[scope.ALL, scope.CAMPAIGN])
    set_by_rows = set(wide.order_by().values_list("scope", flat=True).distinct())
    return {scope.ALL.value, scope.CAMPAIGN.value} - set_by_rows


def lock_for_verdict(
    *, campaigns: Iterable[int], domains: Iterable[str], senders: Iterable[int]
) -> None:
    """What a pause of these campaigns, recipient domains and mailboxes must hold.

    The gate takes the same in the same order, so a message that stands in it now has left
    before the verdict is counted, and none follows (LAW-14..16). May be called while a person
    is locked, not the reverse.
    """
    _take([*_scopes(campaigns, domains), _rows(Sender, senders, "FOR NO KEY UPDATE")])


def _scopes(
    campaigns: Iterable[int],
    domains: Iterable[str],
    *others: str,
    shared: Collection[str] = (),
) -> list[str]:
    """The locks of those limits that hang on no row of their own, in sorted order.

    ``shared`` names the kinds that need only be kept from a verdict, not from each other.
    """
    names = {f"limit campaign {pk}" for pk in campaigns}
    names |= {f"limit domain {domain}" for domain in domains}
    return [
        _advisory(name, shared=name.split()[1] in shared)
        for name in sorted(names.union(others))
    ]


def _take(locks: Iterable[str]) -> None:
    """Take locks one after the other, in the order given, in one round trip."""
    script = "; ".join(lock for lock in locks if lock)
    if script:
        with connection.cursor() as cursor:
            cursor.execute(script)


def _rows(model: Any, ids: Iterable[int], strength: str) -> str:
    """Locks rows without reading them into objects.

    Not the keys: whoever only points to such a row (a new pitch to its sender) need not wait.
    ``strength`` is one of ours, never from outside, and ids are numbers.
    """
    numbers = ", ".join(str(int(pk)) for pk in sorted(ids))
    if not numbers:
        return ""
    table = model._meta.db_table
    return f"SELECT 1 FROM {table} WHERE id IN ({numbers}) ORDER BY id {strength}"


def _advisory(name: str, *, shared: bool = False) -> str:
    number = int(digest(name)[:15], 16)
    return f"SELECT pg_advisory_xact_lock{'_shared' if shared else ''}({number})"


# -- stops of all scopes -----------------------------------------------------------------------


def stop(
    *,
    scope: str,
    kind: str = Stop.Kind.STAFF,
    reason: str,
    contact: Contact | None = None,
    organization: Organization | None = None,
    campaign: Campaign | None = None,
    client: Client | None = None,
    sender: Sender | None = None,
    until: datetime | None = None,
    by: AbstractBaseUser | None = None,
    rehearsed: bool = False,
) -> Stop:
    """Stop a person, an organization, a campaign, a client, a mailbox or everything.

    A person's or an organization's open steps are canceled for good; the wider scopes hold them
    until the stop is lifted. ``client`` with a person limits it to that client's mail. Takes
    effect before the next message's gate: whoever is in the gate now is waited for (REL-16).
    """
    with transaction.atomic():
        _lock_for_stopping(scope, contact, organization, campaign, client, sender)
        row = Stop.objects.create(
            scope=scope,
            kind=kind,
            reason=reason[:300],
            contact=contact,
            organization=organization,
            campaign=campaign,
            client=client,
            sender=sender,
            until=until,
            is_rehearsed=rehearsed,
            begins_at=database_now(),
            created_by=by,  # type: ignore[misc]
        )
        if row.scope in (Stop.Scope.PERSON, Stop.Scope.ORGANIZATION):
            _cancel_open_steps(_pitches_of(row), kind=kind, reason=reason, at=row.begins_at)
            if row.kind in FOR_EVER:
                _pass_on(row)
        return row


def _pass_on(row: Stop) -> None:
    """A wish that holds for ever: other senders and the CRM are to know of it (LAW-26)."""
    elsewhere = Message.objects.filter(
        pitch__in=_pitches_of(row),
        sender__transport=Sender.Transport.INSTANTLY,
        status__in=Message.GONE_OUT,
        stop_requested_at__isnull=True,
    )
    elsewhere.exclude(send_mode=SendMode.CAPTURE).update(stop_requested_at=row.begins_at)
    if not row.is_rehearsed:
        left_alone.send(sender=Stop, stop=row)


def _lock_for_stopping(
    scope: str,
    contact: Contact | None,
    organization: Organization | None,
    campaign: Campaign | None,
    client: Client | None,
    sender: Sender | None,
) -> None:
    if scope == Stop.Scope.EVERYTHING:
        lock_everything()
    if client is not None and contact is None:
        _take([_rows(Client, [client.pk], "FOR NO KEY UPDATE")])
    if campaign is not None:
        _take([_rows(Campaign, [campaign.pk], "FOR NO KEY UPDATE")])
    if contact is not None:
        lock_person(contact.pk)
    if organization is not None:
        # people first: the gate locks the contact before its organization
        people = Contact.objects.filter(
            Q(organization=organization) | Q(leads__organization=organization)
        )
        lock_people(people.values_list("pk", flat=True))
        _take([_rows(Organization, [organization.pk], "FOR NO KEY UPDATE")])
    if sender is not None:
        _take([_rows(Sender, [sender.pk], "FOR NO KEY UPDATE")])


def _pitches_of(row: Stop) -> QuerySet[Pitch]:
    if row.scope == Stop.Scope.PERSON:
        pitches = Pitch.objects.filter(address__contact=row.contact)
        return pitches.filter(campaign__client=row.client) if row.client_id else pitches
    mine = Q(lead__organization=row.organization) | Q(
        address__contact__organization=row.organization
    )
    return Pitch.objects.filter(mine)


def lift(row: Stop, *, by: AbstractBaseUser) -> Stop:
    """End a stop. What it canceled stays canceled; what it held goes on at the next plan."""
    Stop.objects.filter(pk=row.pk, lifted_at__isnull=True).update(
        lifted_at=database_now(), lifted_by=by
    )
    row.refresh_from_db()
    return row


# -- what a stop does to pitches ---------------------------------------------------------------


def _cancel_open_steps(
    pitches: QuerySet[Pitch], *, kind: str, reason: str, at: datetime
) -> None:
    """Cancel every step not yet handed over, close its tasks, end the pitches.

    In the stop's transaction.
    """
    ids = list(pitches.filter(status__in=Pitch.OPEN).values_list("pk", flat=True))
    cancel_messages(Message.objects.filter(pitch__in=ids), reason=reason)
    ReviewTask.objects.filter(status=ReviewTask.Status.OPEN, pitch__in=ids).update(
        status=ReviewTask.Status.CANCELED, reason=reason[:300]
    )
    _end(ids, kind=kind, reason=reason, at=at)
    # After the pitches: a first message that is being settled makes its tasks under their lock.
    FollowUpTask.objects.filter(FollowUpTask.is_open(), pitch__in=ids).update(
        canceled_at=at, reason=reason[:300]
    )


def cancel_messages(messages: QuerySet[Message], *, reason: str) -> int:
    """Cancel those that can still be reached; answers how many.

    What another sender holds is asked back: see ``delegating`` (REL-37).
    """
    _ask_back(messages)
    return messages.filter(status__in=Message.BEFORE_HANDING).update(
        status=Message.Status.CANCELED, canceled_reason=reason[:300], **LET_GO
    )


def ask_back(message: Message) -> None:
    """Another sender got hold of what was stopped meanwhile: it is to leave it (REL-37)."""
    _ask_back(Message.objects.filter(pk=message.pk))


def _ask_back(messages: QuerySet[Message]) -> None:
    messages.filter(status=Message.Status.DELEGATED, stop_requested_at__isnull=True).update(
        stop_requested_at=database_now()
    )


def _end(ids: list[int], *, kind: str, reason: str, at: datetime) -> None:
    """End pitches; those from which nothing was handed over give their matches back."""
    gone_out = Message.objects.filter(pitch__in=ids, status__in=Message.COUNTED)
    touched = set(gone_out.values_list("pitch", flat=True))
    end = ENDS_AS.get(Stop.Kind(kind), Pitch.Status.STOPPED)
    common: dict[str, Any] = {"status_reason": reason[:300], "ended_at": at}
    ended = Pitch.objects.filter(pk__in=touched, status=Pitch.Status.ACTIVE)
    if end == Pitch.Status.REPLIED:
        ended.update(status=end, replied_at=at, **common)
    else:
        ended.update(status=end, **common)
    Pitch.objects.filter(pk__in=ids, status__in=Pitch.OPEN).update(
        status=Pitch.Status.STOPPED, **common
    )
    close_matches(touched)
    give_back_matches(set(ids) - touched)


def close_matches(pitches: Iterable[int]) -> None:
    """The pitch was made and is over: its matches are history."""
    Match.objects.filter(pitch__in=list(pitches), status=Match.Status.PITCHED).update(
        status=Match.Status.CLOSED
    )


def give_back_matches(pitches: Iterable[int]) -> None:
    """Nothing was handed over.

    The candidates may be pitched as if this had not been tried; decisions stay.
    """
    Match.objects.filter(pitch__in=list(pitches), status=Match.Status.PITCHED).update(
        status=Match.Status.APPROVED, pitch=None
    )


# -- causes ------------------------------------------------------------------------------------


def person_answered(pitch: Pitch, *, reason: str, by: AbstractBaseUser | None = None) -> Stop:
    """A reply stops everything this client still has for this person."""
    return stop(
        scope=Stop.Scope.PERSON,
        kind=Stop.Kind.REPLY,
        reason=reason,
        contact=pitch.address.contact,
        client=pitch.campaign.client,
        by=by,
        rehearsed=_is_rehearsed(pitch),
    )


def _is_rehearsed(row: Pitch | Message) -> bool:
    """What answers captured mail was said by one of us; the end of the rehearsal undoes it."""
    return row.send_mode == SendMode.CAPTURE


@transaction.atomic
def address_is_dead(message: Message, *, now: datetime) -> None:
    """A hard bounce: the address is invalid and suppressed, its person's open steps end."""
    address = message.pitch.address
    lock_person(address.contact_id)
    ContactAddress.objects.filter(pk=address.pk).update(
        verification=ContactAddress.Verification.INVALID, verified_at=now
    )
    suppressions.add(
        SUPPRESSED_AS[ContactAddress.Kind(address.kind)],
        address.value,
        reason=Suppression.Reason.BOUNCED,
        source="hard bounce",
        now=now,
        rehearsed=_is_rehearsed(message),
    )
    stop(
        scope=Stop.Scope.PERSON,
        kind=Stop.Kind.HARD_BOUNCE,
        reason="the address does not exist",
        contact=address.contact,
        rehearsed=_is_rehearsed(message),
    )


SUPPRESSED_AS = {
    ContactAddress.Kind.EMAIL: Suppression.Kind.EMAIL,
    ContactAddress.Kind.PHONE: Suppression.Kind.PHONE,
    ContactAddress.Kind.LINKEDIN: Suppression.Kind.LINKEDIN,
}


@transaction.atomic
def opted_out(contact: Contact, *, source: str, now: datetime) -> Stop:
    """A person wants to hear no more from us in any way (LAW-22).

    Every address of theirs is suppressed, consents are revoked, open steps end: for ever, and
    from all our clients.
    """
    lock_person(contact.pk)
    addresses = ContactAddress.objects.filter(contact=contact, kind__in=SUPPRESSED_AS)
    suppressions.add_many(
        suppressions.row(
            SUPPRESSED_AS[ContactAddress.Kind(address.kind)],
            address.value,
            reason=Suppression.Reason.UNSUBSCRIBED,
            source=source,
            now=now,
        )
        for address in addresses
    )
    Consent.objects.filter(address__contact=contact, revoked_at__isnull=True).update(
        revoked_at=now, revoked_reason=f"opted out: {source}"[:300]
    )
    return stop(
        scope=Stop.Scope.PERSON,
        kind=Stop.Kind.UNSUBSCRIBE,
        reason="unsubscribed",
        contact=contact,
    )


@transaction.atomic
def unsubscribed(pitch: Pitch, *, source: str, now: datetime) -> Stop:
    """Somebody wants no more mail from us: for ever, and from all our clients."""
    address = pitch.address
    lock_person(address.contact_id)
    rehearsed = _is_rehearsed(pitch)
    if kind := SUPPRESSED_AS.get(ContactAddress.Kind(address.kind)):
        _suppress_for_good(
            address.value, kind=kind, source=source, now=now, rehearsed=rehearsed
        )
    return _stop_for_good(address.contact_id, rehearsed=rehearsed)


@transaction.atomic
def way_out_taken(said: Opened, *, source: str, now: datetime) -> bool:
    """Somebody used the way out in a mail of ours; whether that was new (LAW-2, LAW-4).

    As ``unsubscribed``, for whoever has the address now and whoever the message was for. Where
    both are gone, erased or not restored, the suppression stands alone and still holds (LAW-3).
    Saying it again changes nothing.
    """
    message = message_named(said.message_key)
    people = set(_people_at(said.address))
    if message is not None:
        people.add(message.pitch.address.contact_id)
    rehearsed = message is not None and _is_rehearsed(message)
    lock_people(people)
    kind = Suppression.Kind.EMAIL
    is_new = _suppress_for_good(
        said.address, kind=kind, source=source, now=now, rehearsed=rehearsed
    )
    for contact_id in sorted(people - _stopped_for_good(people, rehearsed=rehearsed)):
        _stop_for_good(contact_id, rehearsed=rehearsed)
        is_new = True
    if message is not None:
        Message.objects.filter(pk=message.pk, unsubscribed_at__isnull=True).update(
            unsubscribed_at=now
        )
    return is_new


def message_named(key: str) -> Message | None:
    """The message that a token names: our Message-IDs end in the domain of the sender."""
    senders = Sender.objects.values_list("address", flat=True)
    names = {f"{key}@{address.rpartition('@')[2]}" for address in senders}
    known = Message.objects.select_related("pitch__address__contact", "pitch__campaign__client")
    return known.filter(message_id__in=names).first()


def _people_at(address: str) -> Iterable[int]:
    try:
        canonical = canonical_email(address)
    except AddressError:
        return []
    at = ContactAddress.objects.filter(kind=ContactAddress.Kind.EMAIL, canonical=canonical)
    return at.values_list("contact", flat=True)


def _suppress_for_good(
    address: str, *, kind: str, source: str, now: datetime, rehearsed: bool
) -> bool:
    reason = Suppression.Reason.UNSUBSCRIBED
    try:
        return suppressions.add(
            kind, address, reason=reason, source=source, now=now, rehearsed=rehearsed
        )
    except AddressError:  # no mail can be built to such an address
        return False


def _stopped_for_good(people: Iterable[int], *, rehearsed: bool) -> set[int]:
    """Those whose unsubscription stands; to be asked under their locks.

    One that was only rehearsed is no answer to one in earnest.
    """
    standing = Stop.objects.filter(
        scope=Stop.Scope.PERSON,
        kind=Stop.Kind.UNSUBSCRIBE,
        contact__in=people,
        client=None,
        until=None,
        lifted_at=None,
    )
    standing = standing if rehearsed else standing.filter(is_rehearsed=False)
    return set(standing.values_list("contact", flat=True))


def _stop_for_good(contact_id: int, *, rehearsed: bool) -> Stop:
    return stop(
        scope=Stop.Scope.PERSON,
        kind=Stop.Kind.UNSUBSCRIBE,
        reason="unsubscribed",
        contact=Contact.objects.get(pk=contact_id),
        rehearsed=rehearsed,
    )


@transaction.atomic
def complained(pitch: Pitch, *, source: str, now: datetime) -> Stop:
    """Somebody told their provider that our mail is spam: never again, from nobody here."""
    address = pitch.address
    lock_person(address.contact_id)
    suppressions.add(
        Suppression.Kind.EMAIL,
        address.value,
        reason=Suppression.Reason.COMPLAINED,
        source=source,
        now=now,
        rehearsed=_is_rehearsed(pitch),
    )
    return stop(
        scope=Stop.Scope.PERSON,
        kind=Stop.Kind.COMPLAINT,
        reason="complained about our mail",
        contact=address.contact,
        rehearsed=_is_rehearsed(pitch),
    )


def do_not_contact(
    organization: Organization, *, reason: str, by: AbstractBaseUser | None = None
) -> Stop:
    """An organization asked to be left alone.

    Flagged, and everything open to its people ends.
    """
    with transaction.atomic():
        row = stop(
            scope=Stop.Scope.ORGANIZATION,
            kind=Stop.Kind.DO_NOT_CONTACT,
            reason=reason,
            organization=organization,
            by=by,
        )
        Organization.objects.filter(pk=organization.pk).update(
            do_not_contact=True, do_not_contact_reason=reason[:300]
        )
        return row


def lock_everything() -> None:
    """Hold the stop switch to the end of the transaction: nobody is in the gate meanwhile."""
    _take([_advisory(STOP_SWITCH)])


def lock_person(contact_id: int) -> None:
    """Hold a person's row to the end of the transaction, as the gate and every stop do."""
    lock_people([contact_id])


def lock_people(contact_ids: Iterable[int]) -> None:
    """As ``lock_person``, for several, always in the same order."""
    _take([_rows(Contact, contact_ids, "FOR NO KEY UPDATE")])


def stop_pitch(pitch: Pitch, *, reason: str, kind: str = Stop.Kind.STAFF) -> None:
    """End one pitch by hand: its open steps are canceled, nobody else is touched."""
    with transaction.atomic():
        lock_person(pitch.address.contact_id)
        _cancel_open_steps(
            Pitch.objects.filter(pk=pitch.pk), kind=kind, reason=reason, at=database_now()
        )


def pause_sender(sender: Sender, *, reason: str) -> None:
    """Nothing leaves this mailbox until somebody has looked at it."""
    Sender.objects.filter(pk=sender.pk, status=Sender.Status.ACTIVE).update(
        status=Sender.Status.PAUSED, status_reason=reason[:300]
    )


def resume_sender(sender: Sender) -> None:
    """Let a paused mailbox send again; what waits goes on at the pace of its limits."""
    Sender.objects.filter(pk=sender.pk, status=Sender.Status.PAUSED).update(
        status=Sender.Status.ACTIVE, status_reason=""
    )
