"""From frozen words to a mail that nothing outside can bend (RFC 5322)."""

from __future__ import annotations

from datetime import datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.utils import format_datetime

from pitches.channels import Letter
from pitches.models import Message


class BuildError(Exception):
    """These words cannot become a mail; the message is at fault, and only this one."""


def build(message: Message, *, now: datetime) -> Letter:
    """The letter of a message with frozen words; raises BuildError.

    Needs ``sender`` and ``pitch__address__contact`` loaded. Addresses and names go in as parts,
    never as header text, so a name cannot add a recipient.
    """
    try:
        mail = _mail(message, now=now)
        raw = mail.as_bytes()
    except Exception as e:  # the package raises four unrelated kinds for hostile headers
        raise BuildError(f"the mail could not be built: {type(e).__name__}") from e
    if len(mail.get_all("To", [])) != 1 or len(mail["To"].addresses) != 1 or not raw:
        raise BuildError("the mail would not have exactly one recipient")
    if not f"{message.sender.address}{message.to_address}".isascii():
        raise BuildError("the address has letters that mail servers do not take")
    # An encoded word may unfold into header lines of its own (CVE-2024-6923).
    if BytesHeaderParser().parsebytes(raw).keys() != mail.keys():
        raise BuildError("the mail would have headers that are not ours")
    return Letter(
        message_id=message.message_id,
        sender=message.sender.address,
        recipient=message.to_address,
        mail=mail,
    )


# Every server takes seven bits; eight would have to be asked for (RFC 6152).
POLICY = policy.SMTP.clone(cte_type="7bit")


def _mail(message: Message, *, now: datetime) -> EmailMessage:
    mail = EmailMessage(policy=POLICY)
    mail["From"] = _address(message.sender.name, message.sender.address)
    mail["To"] = _address(message.pitch.address.contact.name, message.to_address)
    mail["Subject"] = message.subject
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = f"<{message.message_id}>"
    first = _answered(message)
    if first:
        mail["In-Reply-To"] = f"<{first}>"
    # Some providers rewrite Message-ID; what stands in References comes back in a reply.
    mail["References"] = " ".join(f"<{name}>" for name in (first, message.message_id) if name)
    mail["X-Overture-Id"] = message.message_id
    mail.set_content(message.body)
    if message.html:
        mail.add_alternative(message.html, subtype="html")
    return mail


def _address(name: str, value: str) -> Address:
    return Address(display_name=name, addr_spec=value)


def _answered(message: Message) -> str:
    """The Message-ID of the first message, for a follow-up in its thread."""
    if not message.number or (message.step and not message.step.same_thread):
        return ""
    first = (
        message.pitch.messages.filter(number=0).exclude(status=Message.Status.CANCELED).first()
    )
    return first.message_id if first else ""
