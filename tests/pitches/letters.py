"""A letter to hand to a channel, without a pitch behind it."""

from __future__ import annotations

from email.headerregistry import Address
from email.message import EmailMessage

from pitches.channels import Letter
from pitches.letters import POLICY
from pitches.models import Sender


def a_letter(
    sender: Sender,
    *,
    to: str = "paula@example.com",
    text: str = "Hello Paula",
    html: str = "",
    subject: str = "Three interns",
    message_id: str = "logical@example.com",
    headers: dict[str, str] | None = None,
    **fields,
) -> Letter:
    mail = EmailMessage(policy=POLICY)
    mail["From"] = Address(sender.name, addr_spec=sender.address)
    spec = to if "@" in to else f"{to}@sms.invalid"
    mail["To"] = Address("Paula Partner", addr_spec=spec)
    mail["Subject"] = subject
    mail["Date"] = "Mon, 01 Jun 2026 09:00:00 +0000"
    mail["Message-ID"] = f"<{message_id}>"
    for name, value in (headers or {}).items():
        mail[name] = value
    mail.set_content(text)
    if html:
        mail.add_alternative(html, subtype="html")
    return Letter(message_id, sender.address, to, mail, **fields)
