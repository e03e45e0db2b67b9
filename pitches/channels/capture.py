"""Mail that stays here: a local maildir per sender, readable and answerable in the admin.

Delivering is one rename, so a captured message is there whole or not at all. The recipient's
answers lie in a second folder, from where the inbox reads them like any mailbox.
"""

from __future__ import annotations

import mailbox
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import format_datetime, formataddr, make_msgid
from pathlib import Path

from django.conf import settings

from campaigns.models import Channel as Way
from pitches.channels import NOT_MAIL, Channel, ChannelError, Letter, Receipt
from pitches.models import Sender


class CaptureChannel(Channel):
    """Puts letters into the sender's captured mail."""

    carries = frozenset(Way.values)

    def open(self, letter: Letter) -> None:
        try:
            _maildir(self.sender, "sent")
        except OSError as e:
            raise _not_captured(e) from e

    def hand_over(self, letter: Letter, *, now: datetime) -> Receipt:
        try:
            key = _maildir(self.sender, "sent").add(letter.as_bytes())
        except OSError as e:  # delivering is a rename: it happened whole or not at all
            raise _not_captured(e) from e
        return Receipt(answer=f"250 captured as {key}", code=250)

    def back_out(self) -> None:
        """Nothing was begun."""

    def close(self) -> None:
        """Nothing is held open."""


def _not_captured(error: OSError) -> ChannelError:
    return ChannelError(
        f"the capture folder cannot be written: {error.strerror or error}", of_mailbox=True
    )


@dataclass(frozen=True, slots=True)
class Captured:
    """One captured letter, as the viewer lists it."""

    key: str
    mail: EmailMessage

    @property
    def message_id(self) -> str:
        return str(self.mail["Message-ID"] or "").strip("<> ")

    @property
    def way(self) -> str:
        """``sms`` for a text to a telephone, ``email`` for everything else."""
        is_text = self._to.endswith(f"@{NOT_MAIL}")
        return Way.SMS.value if is_text else Way.EMAIL.value

    @property
    def recipient(self) -> str:
        """The address or the telephone number it would have gone to."""
        return self._to.removesuffix(f"@{NOT_MAIL}")

    @property
    def _to(self) -> str:
        header = self.mail["To"]
        addresses = header.addresses if header else ()
        return addresses[0].addr_spec if addresses else ""

    @property
    def files(self) -> list[tuple[str, int]]:
        """Name and size in bytes of each file that went along."""
        parts = self.mail.iter_attachments()
        return [(part.get_filename() or "", len(part.get_content())) for part in parts]

    @property
    def text(self) -> str:
        part = self.mail.get_body(("plain",))
        return part.get_content() if part else ""


def sent(sender: Sender) -> Iterator[Captured]:
    """Everything captured for a sender, newest first."""
    box = _maildir(sender, "sent")
    # by the number: as text, the microseconds 999 would come after 1000
    newest_first = sorted(
        ((_number(path, key), key) for path, key in _files(box)), reverse=True
    )
    return iter([Captured(key, _parsed(box.get_bytes(key))) for _, key in newest_first])


def find(sender: Sender, message_id: str) -> Captured | None:
    """The captured letter with this Message-ID, if there is one."""
    return next((letter for letter in sent(sender) if letter.message_id == message_id), None)


def answer(sender: Sender, captured: Captured, *, text: str, now: datetime) -> str:
    """Write as the recipient.

    A real reply, put where the inbox will find it. Returns its Message-ID.
    """
    theirs = captured.mail["To"].addresses[0]
    subject = re.sub(r"^(re:\s*)+", "", str(captured.mail["Subject"]), flags=re.IGNORECASE)
    reply = EmailMessage(policy=policy.SMTP)
    reply["From"] = formataddr((theirs.display_name, theirs.addr_spec))
    reply["To"] = str(captured.mail["From"])
    reply["Subject"] = f"Re: {subject}"
    reply["Date"] = format_datetime(now)
    reply["Message-ID"] = make_msgid(domain=theirs.domain)
    reply["In-Reply-To"] = f"<{captured.message_id}>"
    reply["References"] = f"<{captured.message_id}>"
    quoted = "\n".join(f"> {line}" for line in captured.text.splitlines())
    reply.set_content(f"{text.strip()}\n\nOn {now:%Y-%m-%d}, {sender.name} wrote:\n{quoted}\n")
    _maildir(sender, "inbox").add(reply.as_bytes())
    return str(reply["Message-ID"]).strip("<>")


@dataclass(frozen=True, slots=True)
class Arrived:
    uid: int
    raw: bytes


def arrived(sender: Sender, *, after: int) -> list[Arrived]:
    """Answers numbered above ``after``, in order, as an IMAP server would give them."""
    box = _maildir(sender, "inbox")
    numbered = sorted((_number(folder, key), key) for folder, key in _files(box))
    return [Arrived(uid, box.get_bytes(key)) for uid, key in numbered if uid > after]


def _files(box: mailbox.Maildir) -> list[tuple[Path, str]]:
    root = Path(box._path)
    return [
        (path, path.name.split(":")[0])
        for part in ("new", "cur")
        for path in (root / part).iterdir()
    ]


def _number(path: Path, key: str) -> int:
    """A number that grows with arrival.

    The maildir name begins with the time it was written.
    """
    match = re.match(r"(\d+)\.M(\d+)", key)
    if match is None:
        return path.stat().st_mtime_ns // 1000
    return int(match[1]) * 1_000_000 + int(match[2])


def discard(sender: Sender) -> None:
    """Throw away everything captured for a sender, answers included."""
    shutil.rmtree(_root(sender), ignore_errors=True)


def _root(sender: Sender) -> Path:
    return Path(settings.STATE_DIR) / "capture" / str(sender.pk)


def _maildir(sender: Sender, folder: str) -> mailbox.Maildir:
    path = _root(sender) / folder
    # One by one: two workers that write a sender's first letter both make its folders.
    for part in ("tmp", "new", "cur"):
        (path / part).mkdir(mode=0o700, parents=True, exist_ok=True)
    return mailbox.Maildir(path, create=False)


def _parsed(raw: bytes) -> EmailMessage:
    mail = message_from_bytes(raw, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    return mail
