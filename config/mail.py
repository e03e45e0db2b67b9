"""Our own automatic mail, password resets and alerts: marked, so that no machine answers it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend

# RFC 3834 section 5, and the word for it that Exchange knows.
MARKS = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"}


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
