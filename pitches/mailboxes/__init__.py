"""Mailboxes over IMAP (RFC 3501, RFC 9051): looked at, never changed.

Every folder is opened read-only and every text fetched with PEEK, so nothing is marked as read
under the eyes of the person whose mailbox it is. Every wait has an end.
"""

from pitches.mailboxes.connecting import MailboxUnavailable, opened
from pitches.mailboxes.finding import JUNK, check, find_sent, folder_for
from pitches.mailboxes.reading import MOST_BYTES, Letter, Mailbox, NotFetched, arrived

__all__ = [
    "JUNK",
    "MOST_BYTES",
    "Letter",
    "Mailbox",
    "MailboxUnavailable",
    "NotFetched",
    "arrived",
    "check",
    "find_sent",
    "folder_for",
    "opened",
]
