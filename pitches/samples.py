"""A sample: one mail to oneself, through the sender's own channel, to see it as it arrives.

A sample is no message of a pitch: it has no row, takes no slot of a limit and goes to nobody
but the user who asks for it, at the address of their own login. So it does not pass the gate,
which judges messages; what the gate promises about stops, pauses and send modes is asked here
too. It is marked by ``X-Overture-Test``, and its way out unsubscribes nobody.
"""

from __future__ import annotations

from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid

from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from campaigns.models import Channel
from config.text import clean_line
from pitches import attachments, breakers, channels, letters, situations, unsubscribing, writing
from pitches.channels import ChannelError, Letter, OutcomeUnknown
from pitches.models import Message, Sender, SendMode, Stop, Variant

MARK = "X-Overture-Test"
MOST_AN_HOUR = 20
# Whose channel takes one mail to anybody; Instantly would begin a campaign with it.
ONE_BY_ONE = (Sender.Transport.MAILBOX, Sender.Transport.PROVIDER)

GREETING = (
    "This is a test of {sender}.\n\n"
    "If you read it, this mailbox sends. Look where it arrived: in spam, in a tab of its own, "
    "or where a person's mail arrives. It went to you alone, and no limit counts it."
)


class NotSent(Exception):
    """No sample went out; the sentence says why."""


def send_greeting(sender: Sender, *, by: User, now: datetime) -> str:
    """Send a few words to the user's own address; answers a sentence. Raises NotSent."""
    body = GREETING.format(sender=sender.address)
    mail = _mail(sender, by, subject="[Test] Does this mailbox send?", now=now)
    mail.set_content(body)
    return _send(sender, mail, by=by, now=now)


def send_variant(variant: Variant, *, by: User, now: datetime) -> str:
    """Send a draft to the user's own address as its recipient would get it: the words, the HTML
    and the files. Only the subject says that it is a test, and the way out leads nowhere.

    Answers a sentence. Raises NotSent.
    """
    message = situations.readable(Message.objects.filter(pk=variant.message_id)).get()
    if message.channel != Channel.EMAIL:
        raise NotSent("Only mail can be sent as a test.")
    words = writing.words(message, variant)
    mail = _mail(message.sender, by, subject=f"[Test] {words.subject}", now=now)
    link, nowhere = unsubscribing.link(message), f"{unsubscribing.folder()}test/"
    mail.set_content(words.body.replace(link, nowhere))
    if words.html:
        mail.add_alternative(words.html.replace(link, nowhere), subtype="html")
    try:
        for file in attachments.read_planned(message):
            mail.add_attachment(
                file.content, maintype=file.maintype, subtype=file.subtype, filename=file.name
            )
    except attachments.Unreadable as e:
        raise NotSent(f"Not sent: {e}.") from e
    return _send(message.sender, mail, by=by, now=now)


def _mail(sender: Sender, by: User, *, subject: str, now: datetime) -> EmailMessage:
    mail = EmailMessage(policy=letters.POLICY)
    mail["From"] = Address(clean_line(sender.name), addr_spec=sender.address)
    mail["To"] = Address(addr_spec=_own_address(by))
    mail["Subject"] = clean_line(subject)
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = make_msgid(domain=sender.domain)
    mail[MARK] = "yes"
    return mail


def _own_address(by: User) -> str:
    try:
        validate_email(by.email)
    except ValidationError as e:
        told = "Your login has no e-mail address to send a test to: have an admin enter it."
        raise NotSent(told) from e
    if not by.email.isascii():
        raise NotSent("Your e-mail address has letters that mail servers do not take.")
    return by.email


def _send(sender: Sender, mail: EmailMessage, *, by: User, now: datetime) -> str:
    to = _own_address(by)
    _may(sender, to, now=now)
    _count(by)
    letter = Letter(str(mail["Message-ID"]).strip("<>"), sender.address, to, mail)
    is_captured = situations.mode() == SendMode.CAPTURE
    try:
        with channels.opened_for(sender, captured=is_captured) as channel:
            channel.open(letter)
            channel.hand_over(letter, now=now)
    except (ChannelError, OutcomeUnknown) as e:
        raise NotSent(f"Not sent: {e}.") from e
    if is_captured:
        return f"The test for {to} lies in the captured mail: nothing leaves this machine."
    return f"The test went to {to}. It should arrive within a minute or two."


def _may(sender: Sender, to: str, *, now: datetime) -> None:
    """What no message passes, no sample passes either; raises NotSent."""
    mode = situations.mode()
    if not is_possible(sender):
        raise NotSent(f"{sender.get_transport_display()} sends no single test.")
    stops = Stop.objects.filter(Stop.in_force(now))
    if stops.filter(scope=Stop.Scope.EVERYTHING).exists():
        raise NotSent("Everything is stopped: nothing leaves any mailbox, no test either.")
    if not sender.is_active or stops.filter(scope=Stop.Scope.MAILBOX, sender=sender).exists():
        raise NotSent(f"{sender.address} is paused: nothing leaves it, no test either.")
    held = breakers.pausing(now=now).filter(breakers.concerning(sender))
    if mode != SendMode.CAPTURE and (row := held.first()):
        raise NotSent(f"A breaker holds this mailbox: {row.reason}.")
    if mode == SendMode.ALLOWLIST and not situations.is_allowed(to):
        raise NotSent(f"SEND_ALLOWLIST does not name {to}.")


def _count(by: User) -> None:
    """So many in an hour by one user: whoever needs more has another trouble."""
    key = f"samples:{by.pk}"
    cache.add(key, 0, timeout=3600)
    if cache.incr(key) > MOST_AN_HOUR:
        raise NotSent(f"You have sent {MOST_AN_HOUR} tests within the hour; try again later.")


def is_possible(sender: Sender) -> bool:
    """Whether a page should offer it: the sender sends mail one by one."""
    captures = situations.mode() == SendMode.CAPTURE
    return sender.transport in (Sender.BY_MAIL if captures else ONE_BY_ONE)
