"""From frozen words to a mail that nothing outside can bend (RFC 5322)."""

from __future__ import annotations

from datetime import datetime
from email import policy
from email.headerregistry import Address, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.policy import EmailPolicy
from email.utils import format_datetime
from typing import Any

from campaigns.models import Channel
from config.text import clean_line
from pitches import attachments, unsubscribing
from pitches.channels import NOT_MAIL, Letter
from pitches.models import Message
from prospects.addresses import exact_email, is_nobodys


class BuildError(Exception):
    """These words cannot become a mail; the message is at fault, and only this one."""


def build(message: Message, *, now: datetime) -> Letter:
    """The letter of a message with frozen words; raises BuildError.

    Needs ``sender`` and ``pitch__address__contact`` loaded. Addresses and names go in as parts,
    never as header text, so a name cannot add a recipient.
    """
    try:
        if is_nobodys(exact_email(_to(message))):
            raise BuildError("nobody reads mail at this address")
        mail = _mail(message, now=now)
        raw = mail.as_bytes()
    except BuildError:
        raise
    except attachments.Unreadable as e:
        raise BuildError(str(e)) from e
    except Exception as e:  # the package raises four unrelated kinds for hostile headers
        raise BuildError(f"the mail could not be built: {type(e).__name__}") from e
    if len(mail.get_all("To", [])) != 1 or len(mail["To"].addresses) != 1 or not raw:
        raise BuildError("the mail would not have exactly one recipient")
    if not f"{message.sender.address}{message.to_address}".isascii():
        raise BuildError("the address has letters that mail servers do not take")
    # An encoded word may unfold into header lines of its own (CVE-2024-6923).
    if BytesHeaderParser().parsebytes(raw).keys() != mail.keys():
        raise BuildError("the mail would have headers that are not ours")
    if max(map(len, raw.splitlines())) > LONGEST_LINE:
        raise BuildError("the mail would have a line that mail servers do not take")
    return Letter(
        message_id=message.message_id,
        sender=message.sender.address,
        recipient=message.to_address,
        mail=mail,
        way=message.channel,
        thread=first.provider_id if (first := _answered(message)) else "",
    )


# Without its line end (RFC 5322 section 2.1.1).
LONGEST_LINE = 998


class _Whole(UnstructuredHeader):
    """A header of addresses and names in angle brackets, each of which stays in one piece.

    The package would turn what is longer than a line into encoded words, which no mail program
    reads back as an address.
    """

    def fold(self: Any, *, policy: EmailPolicy) -> str:
        pieces = str(self).split(" ")
        lines = [f"{self.name}: {pieces[0]}"]
        for piece in pieces[1:]:
            if len(lines[-1]) + len(piece) < (policy.max_line_length or LONGEST_LINE):
                lines[-1] += f" {piece}"
            else:
                lines.append(f" {piece}")
        return policy.linesep.join([*lines, ""])


_headers = HeaderRegistry()
for _name in (
    "In-Reply-To",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "Message-ID",
    "References",
    "X-Overture-Id",
):
    _headers.map_to_type(_name, _Whole)  # type: ignore[arg-type]

# Every server takes seven bits; eight would have to be asked for (RFC 6152).
POLICY = policy.SMTP.clone(cte_type="7bit", header_factory=_headers)


def _mail(message: Message, *, now: datetime) -> EmailMessage:
    mail = EmailMessage(policy=POLICY)
    mail["From"] = _address(message.sender.name, message.sender.address)
    mail["To"] = _address(message.pitch.address.contact.name, _to(message))
    mail["Subject"] = message.subject
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = f"<{message.message_id}>"
    first_message = _answered(message)
    first = first_message.message_id if first_message else ""
    if first:
        mail["In-Reply-To"] = f"<{first}>"
    # Some providers rewrite Message-ID; what stands in References comes back in a reply.
    mail["References"] = " ".join(f"<{name}>" for name in (first, message.message_id) if name)
    mail["X-Overture-Id"] = message.message_id
    if message.channel == Channel.EMAIL:
        for name, value in unsubscribing.headers(message).items():
            mail[name] = value
    mail.set_content(message.body)
    if message.html:
        mail.add_alternative(message.html, subtype="html")
    for file in attachments.read(message):
        mail.add_attachment(
            file.content, maintype=file.maintype, subtype=file.subtype, filename=file.name
        )
    return mail


def _to(message: Message) -> str:
    """The address of the mail; a telephone number as one, for captured mail to be read."""
    if message.channel == Channel.SMS:
        return f"{message.to_address}@{NOT_MAIL}"
    return message.to_address


def _address(name: str, value: str) -> Address:
    return Address(display_name=clean_line(name), addr_spec=value)


def is_in_thread(message: Message) -> bool:
    """Whether the message goes on with a conversation, so that "Re:" is the truth (LAW-24)."""
    if message.number is None:
        return True
    return message.number > 0 and (message.step is None or message.step.same_thread)


def _answered(message: Message) -> Message | None:
    """The first message, for a follow-up in its thread."""
    if not message.number or not is_in_thread(message):
        return None
    return (
        message.pitch.messages.filter(number=0).exclude(status=Message.Status.CANCELED).first()
    )
