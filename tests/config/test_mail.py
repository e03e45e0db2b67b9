"""What the system mails of itself is marked, so that no machine answers it (RFC 3834)."""

import pytest
from django.core import mail
from django.core.mail import EmailMessage, get_connection, send_mail


@pytest.fixture
def marked(settings):
    settings.EMAIL_BACKEND = "config.mail.Automatic"
    settings.SYSTEM_EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    return mail


@pytest.mark.req("LAW-19")
def test_every_mail_of_the_system_says_that_a_machine_made_it(marked):
    send_mail("Alert", "Look.", "desk@example.com", ["ada@example.com"])
    with get_connection() as connection:
        EmailMessage("Two", "Look.", to=["ada@example.com"], connection=connection).send()
    assert len(mail.outbox) == 2
    for sent in mail.outbox:
        parsed = sent.message()
        assert parsed["Auto-Submitted"] == "auto-generated"
        assert parsed["X-Auto-Response-Suppress"] == "All"
