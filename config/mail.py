"""Our own automatic mail, password resets and alerts: marked, so that no machine answers it."""

from __future__ import annotations

from collections.abc import Sequence
from email.errors import MessageError
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend

# RFC 3834 section 5, and the word for it that Exchange knows.
MARKS = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"}


class NotTaken(Exception):
    """The mail server did not take a mail of ours; says why, without the server's own words."""


def send(subject: str, text: str, *, to: Sequence[str]) -> None:
    """Mail something that the system says of itself. Raises NotTaken."""
    try:
        EmailMessage(subject, text, to=to).send()
    except (OSError, ValueError, MessageError) as e:  # smtplib's errors are OSErrors
        # A server may repeat the login in what it answers.
        raise NotTaken(f"the mail server did not take it ({type(e).__name__})") from e


class Automatic(BaseEmailBackend):
    """Marks each mail and hands it on to the backend that EMAIL_URL names.

    For what the system says of itself. Pitches are written by people, are not marked, and leave
    through ``pitches.channels``.
    """

    def __init__(self, fail_silently: bool = False, **options: Any) -> None:
        super().__init__(fail_silently=fail_silently)
        self._way = get_connection(
            settings.SYSTEM_EMAIL_BACKEND, fail_silently=fail_silently, **options
        )

    def open(self) -> bool | None:
        return self._way.open()

    def close(self) -> None:
        self._way.close()

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        for mail in email_messages:
            mail.extra_headers |= MARKS
        return self._way.send_messages(email_messages) or 0
