"""Looking for what we sent, and trying whether a mailbox can be read."""

from __future__ import annotations

import contextlib

from imap_tools import BaseMailBox

from pitches.mailboxes.connecting import TROUBLE, MailboxUnavailable, opened
from pitches.mailboxes.reading import Mailbox
from pitches.models import Sender

SENT, JUNK = "\\Sent", "\\Junk"
# Where a server marks no folder (RFC 6154): what its makers call it.
USUAL = {
    SENT: ("sent", "sent items", "sent mail", "sent messages", "[gmail]/sent mail"),
    JUNK: ("junk", "spam", "junk e-mail", "junk email", "[gmail]/spam", "bulk mail"),
}
# A short body would be no Message-ID of ours, and a quote would end the search term.
_PLAIN = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@.-_+=")


def find_sent(sender: Sender, message_id: str) -> bool | None:
    """Whether the Sent folder holds a mail with this Message-ID.

    None where nobody can say: no IMAP server, no Sent folder, no answer. False is no proof that
    it was not sent, for not every server files what it sends.
    """
    message_id = message_id.strip("<> ")
    if not sender.imap_host or not message_id or set(message_id) - _PLAIN:
        return None
    try:
        with opened(sender) as box:
            folder = sender.sent_folder or folder_for(box, SENT)
            if not folder:
                return None
            sent = Mailbox(box, sender, folder)
            return bool(sent.uids(f'HEADER Message-ID "{message_id}"'))
    except MailboxUnavailable:
        return None


def check(sender: Sender) -> str:
    """Log in and open the inbox; answers what was found. Raises MailboxUnavailable."""
    with opened(sender) as box:
        try:
            inbox = Mailbox(box, sender, sender.inbox_folder)
        except TROUBLE as e:
            raise MailboxUnavailable(
                f"the login works, but there is no folder “{sender.inbox_folder}”",
                permanent=True,
            ) from e
        sent = sender.sent_folder or folder_for(box, SENT)
        beside = f"; sent mail lies in “{sent}”" if sent else "; no folder for sent mail found"
        return f"{sender.inbox_folder} of {sender.imap_host} holds {inbox.count} mails{beside}"


def folder_for(box: BaseMailBox, use: str) -> str:
    """The folder the server marks for this use, else the one usually called so; or nothing."""
    folders = []
    with contextlib.suppress(*TROUBLE):
        folders = box.folder.list()
    marked = [f.name for f in folders if use.lower() in {flag.lower() for flag in f.flags}]
    usual = [f.name for f in folders if f.name.lower().replace("inbox.", "") in USUAL[use]]
    return next(iter(marked + usual), "")
