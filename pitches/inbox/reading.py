"""The walk through a mailbox: from its mark to its end, message by message."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Min, Q, QuerySet

from pitches import classification, mailboxes, situations
from pitches.channels import capture
from pitches.inbox import acting, storing
from pitches.mailboxes import Letter, Mailbox, MailboxUnavailable, NotFetched
from pitches.models import IncomingMessage, Message, Sender, SendMode

log = logging.getLogger(__name__)

# What a server has and does not give is asked for so often, over at least so long; then a row
# takes its place, so that it keeps no other mail from being read (scar 4).
MOST_TRIES = 5
LEAST_PATIENCE = timedelta(minutes=10)
# A large mailbox met for the first time is read back to so long before its first pitch.
LOOKS_BACK = timedelta(days=30)
# Among spam only answers to us are looked for, the newest ones.
JUNK_DAYS, MOST_JUNK = 14, 20


class InboxUnavailable(Exception):
    """The mailbox could not be read to its end; follow-ups of its sender wait."""


@dataclass(slots=True)
class Read:
    """What one reading of a mailbox found."""

    stored: int = 0
    replies: int = 0
    unmatched: int = 0


@dataclass(frozen=True, slots=True)
class Preview:
    """What lies in a mailbox and would be read: how many, and the first of them."""

    waiting: int
    lines: list[str]


def can_read(sender: Sender) -> str:
    """Why the sender's answers cannot be read here; empty if they can."""
    if situations.mode() == SendMode.CAPTURE or sender.imap_host:
        return ""
    if sender.transport == Sender.Transport.MAILBOX:
        return f"no IMAP server is set for {sender.address}"
    return (
        f"answers to {sender.address} come by {sender.get_transport_display()} alone; set an "
        "IMAP server to have its mailbox read too"
    )


def readable() -> QuerySet[Sender]:
    """The senders that have a mailbox to be read, paused ones too: whoever says no must be
    heard although nothing goes out.
    """
    if _is_capture():
        return Sender.objects.all()
    # Of the others answers come by webhook; a mailbox without a server has to be told.
    return Sender.objects.filter(Q(transport=Sender.Transport.MAILBOX) | ~Q(imap_host=""))


def read(sender: Sender, *, now: datetime) -> Read:
    """Read a mailbox to its end. Raises InboxUnavailable.

    ``inbox_read_began_at`` is set to ``now`` only after everything was stored, so a follow-up
    that asks for a fresh read never relies on half of one.
    """
    result = Read()
    try:
        for letter in _arrived(sender):
            take_in(sender, letter.uid, letter.raw, result, now=now, validity=letter.validity)
    except NotFetched as e:
        _wait_or_pass(sender, e, result, now=now)
        raise _unavailable(sender, str(e)) from e
    except MailboxUnavailable as e:
        raise _unavailable(sender, str(e)) from e
    Sender.objects.filter(pk=sender.pk).update(
        inbox_read_began_at=now, inbox_read_at=now, inbox_error="", **storing.NOT_STUCK
    )
    sender.inbox_read_began_at = sender.inbox_read_at = now
    return result


def preview(sender: Sender, *, most: int = 20) -> Preview:
    """What a reading would find, without storing anything. Raises InboxUnavailable."""
    mark = Sender.objects.get(pk=sender.pk)
    try:
        if _is_capture():
            letters = _captured(mark, mark.inbox_mark if _is_at(mark, storing.CAPTURE) else 0)
            return Preview(len(letters), [_line(letter.raw) for letter in letters[:most]])
        if cause := can_read(sender):
            raise InboxUnavailable(cause)
        with mailboxes.opened(sender) as box:
            inbox = Mailbox(box, sender, sender.inbox_folder)
            known = mark.inbox_mark if _is_at(mark, inbox.validity) else 0
            uids = inbox.after(known, since=_since(sender))
            return Preview(len(uids), [_line(inbox.head(uid)) for uid in uids[:most]])
    except MailboxUnavailable as e:
        raise InboxUnavailable(str(e)) from e


def _line(raw: bytes) -> str:
    mail = classification.parse(raw)
    _, address = classification.written_by(mail)
    return f"{address or '(nobody)'}: {classification.header(mail, 'Subject')[:100]}"


def take_in(
    sender: Sender,
    uid: int,
    raw: bytes,
    result: Read,
    *,
    now: datetime,
    validity: int = storing.CAPTURE,
) -> None:
    """Store one message, act on it and move the mark, all or nothing."""
    with transaction.atomic():
        incoming = storing.store(sender, uid, raw, now=now, validity=validity)
        if incoming is not None:
            result.stored += 1
            result.unmatched += incoming.pitch_id is None
            result.replies += incoming.kind == IncomingMessage.Kind.HUMAN_REPLY
            acting.act_on(incoming, now=now)
        # Last, as the gate takes it: the person's row before the sender's. A folder of another
        # numbering has no mark to move.
        Sender.objects.filter(
            pk=sender.pk, inbox_uid_validity=validity, inbox_mark__lt=uid
        ).update(inbox_mark=uid)


def take_in_reported(
    sender: Sender, raw: bytes, *, source: str, now: datetime
) -> IncomingMessage | None:
    """Store and act on a mail that a provider (``source``) hands on, all or nothing.

    None if it is known already.
    """
    with transaction.atomic():
        incoming = storing.store(sender, None, raw, now=now, validity=None, source=source)
        if incoming is not None:
            acting.act_on(incoming, now=now)
        return incoming


# -- where it lies -----------------------------------------------------------------------------


def _arrived(sender: Sender) -> Iterator[Letter]:
    """What lies above the mark, in order. Raises MailboxUnavailable."""
    if _is_capture():
        return iter(_captured(sender, _mark(sender, storing.CAPTURE)))
    if cause := can_read(sender):
        raise MailboxUnavailable(cause, permanent=True)
    return _over_imap(sender)


def _is_capture() -> bool:
    return situations.mode() == SendMode.CAPTURE


def _captured(sender: Sender, mark: int) -> list[Letter]:
    try:
        found = capture.arrived(sender, after=mark)
    except OSError as e:
        raise MailboxUnavailable(f"the captured mail cannot be read: {e.strerror}") from e
    return [
        Letter(letter.uid, storing.CAPTURE, letter.raw, len(letter.raw)) for letter in found
    ]


def _over_imap(sender: Sender) -> Iterator[Letter]:
    with mailboxes.opened(sender) as box:
        inbox = Mailbox(box, sender, sender.inbox_folder)
        uids = inbox.after(_mark(sender, inbox.validity), since=_since(sender))
        # After a failure each by itself, so that the one at fault is known.
        was_stuck = Sender.objects.filter(pk=sender.pk, inbox_stuck_uid__isnull=False)
        yield from inbox.letters(uids, one_by_one=was_stuck.exists())
        if folder := mailboxes.folder_for(box, mailboxes.JUNK):
            yield from _answers_among_junk(Mailbox(box, sender, folder), sender)


def _mark(sender: Sender, validity: int) -> int:
    """The mark under this numbering; the beginning where the numbering is a new one (scar 3).

    What was stored before is known by its bytes and words, so nothing counts twice.
    """
    row = Sender.objects.only("inbox_mark", "inbox_uid_validity").get(pk=sender.pk)
    if _is_at(row, validity):
        return row.inbox_mark
    Sender.objects.filter(pk=sender.pk, inbox_uid_validity=row.inbox_uid_validity).update(
        inbox_uid_validity=validity, inbox_mark=0, **storing.NOT_STUCK
    )
    return 0


def _is_at(sender: Sender, validity: int) -> bool:
    return sender.inbox_uid_validity == validity


def _since(sender: Sender) -> datetime:
    """How far back a large mailbox is read that was never read before."""
    gone_out = Message.objects.filter(sender=sender, status__in=Message.COUNTED)
    first = gone_out.aggregate(first=Min("counted_at"))["first"]
    began: datetime = min(first, sender.created_at) if first else sender.created_at
    return began - LOOKS_BACK


def _answers_among_junk(junk: Mailbox, sender: Sender) -> list[Letter]:
    """Answers to our mail that a filter took for spam.

    The rest of that folder stays unread. A mail taken from there to the inbox later is known
    by its bytes.
    """
    domain = sender.address.rpartition("@")[2]
    # our ids end in the sender's domain
    uids = junk.uids(f'OR HEADER In-Reply-To "@{domain}" HEADER References "@{domain}"')
    newest = uids[-MOST_JUNK:]
    known = set(
        IncomingMessage.objects.filter(
            sender=sender, uid_validity=junk.validity, uid__in=newest
        ).values_list("uid", flat=True)
    )
    answers = [uid for uid in newest if uid not in known and _answers_us(junk.head(uid))]
    return list(junk.letters(answers, one_by_one=True))


def _answers_us(head: bytes) -> bool:
    ids = classification.references(classification.parse(head))
    return bool(ids) and Message.objects.filter(message_id__in=ids).exists()


# -- what cannot be had ------------------------------------------------------------------------


def _unavailable(sender: Sender, cause: str) -> InboxUnavailable:
    Sender.objects.filter(pk=sender.pk).update(inbox_error=cause[:300])
    sender.inbox_error = cause[:300]
    return InboxUnavailable(cause)


def _wait_or_pass(sender: Sender, error: NotFetched, result: Read, *, now: datetime) -> None:
    """Count the failure; after enough of them keep a row in the mail's place.

    The mark stays before the mail until then. Whoever is here has just logged in and opened
    the folder, so a server that is down counts for nothing.
    """
    row = Sender.objects.get(pk=sender.pk)
    if row.inbox_stuck_uid != error.uid or row.inbox_stuck_since is None:
        Sender.objects.filter(pk=sender.pk).update(
            inbox_stuck_uid=error.uid, inbox_stuck_reads=1, inbox_stuck_since=now
        )
        return
    tries = row.inbox_stuck_reads + 1
    Sender.objects.filter(pk=sender.pk).update(inbox_stuck_reads=min(tries, 1000))
    if tries < MOST_TRIES or now - row.inbox_stuck_since < LEAST_PATIENCE:
        return
    try:
        with mailboxes.opened(sender) as box:
            inbox = Mailbox(box, sender, sender.inbox_folder)
            head, validity = inbox.head(error.uid), inbox.validity
    except MailboxUnavailable:
        return  # the server is down after all
    log.error("a mail to sender %s cannot be fetched; a row keeps its place", sender.pk)
    with transaction.atomic():
        incoming = storing.keep_unread(sender, error.uid, head, now=now, validity=validity)
        if incoming is not None:
            result.stored += 1
            acting.act_on(incoming, now=now)
        Sender.objects.filter(pk=sender.pk, inbox_mark__lt=error.uid).update(
            inbox_mark=error.uid, **storing.NOT_STUCK
        )
