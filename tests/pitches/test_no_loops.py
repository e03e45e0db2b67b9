"""Two machines that answer everything cannot keep each other busy: ours answers nothing."""

from __future__ import annotations

from datetime import timedelta
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid

import pytest
from django.core import mail as system_mail

from pitches import inbox, outreach, sending
from pitches.channels import capture
from pitches.models import IncomingMessage, Message
from tests.clock import MONDAY

pytestmark = pytest.mark.django_db

# How robots mark their mail, and how some do not (RFC 3834, RFC 2919, RFC 5321).
ROBOTS = {
    "vacation": {"Auto-Submitted": "auto-replied", "Subject": "Out of office"},
    "generated": {"Auto-Submitted": "auto-generated", "Subject": "Ticket 17 was opened"},
    "list": {"List-Id": "<talk.example.com>", "Precedence": "list", "Subject": "Digest"},
    "null sender": {"Return-Path": "<>", "Subject": "Automatic reply"},
    "unmarked": {"Subject": "Thank you for your message"},
}


def robot(captured, marks: dict[str, str], serial: int) -> bytes:
    """What a machine at the recipient's writes at once, whatever it got."""
    mail = EmailMessage()
    for name, value in marks.items():
        mail[name] = value
    mail["From"], mail["To"] = str(captured.mail["To"]), str(captured.mail["From"])
    mail["Date"] = format_datetime(MONDAY)
    mail["Message-ID"] = make_msgid(str(serial), domain="robot.example.com")
    mail["In-Reply-To"] = mail["References"] = f"<{captured.message_id}>"
    mail.set_content(f"We got your message and will answer soon. ({serial})")
    return mail.as_bytes()


@pytest.mark.req("LAW-19")
@pytest.mark.parametrize("kind", ROBOTS)
def test_a_robot_that_answers_everything_gets_no_answer(desk, kind):
    """A day of rounds, a quarter of an hour each: what leaves is what the plan would send."""
    desk.sent_pitch()
    answered: set[str] = set()
    for turn in range(96):
        now = MONDAY + turn * timedelta(minutes=15)
        for captured in list(capture.sent(desk.sender)):
            if captured.message_id not in answered:
                answered.add(captured.message_id)
                box = capture._maildir(desk.sender, "inbox")
                box.add(robot(captured, ROBOTS[kind], turn))
        inbox.read(desk.sender, now=now)
        sending.send_due(now=now)
        if turn % 24 == 0:
            outreach.carry_out(outreach.plan_follow_ups(now=now))
    assert len(answered) == 1
    assert len(list(capture.sent(desk.sender))) == 1
    assert IncomingMessage.objects.count() == 1
    assert not Message.objects.filter(number=None).exists()
    assert system_mail.outbox == []
