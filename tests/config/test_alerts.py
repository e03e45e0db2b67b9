"""What a person should hear of is written down once, and told until one way took it."""

from __future__ import annotations

import json
import logging
from datetime import timedelta

import pytest
import responses
from django.db import transaction

from config import alerts, checks
from config.models import Alert
from tests.clock import MONDAY

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
# invented: no such channel
SLACK = "https://hooks.slack.com/services/T000/B000/secret-of-the-channel"


@pytest.fixture(autouse=True)
def by_mail(settings):
    settings.ALERT_EMAILS, settings.ALERT_WEBHOOK_URL = ["ada@example.com"], ""
    settings.PUBLIC_URL = "https://desk.example.com"
    # as the test runner does, behind the backend that marks our own mail
    settings.EMAIL_BACKEND = "config.mail.Automatic"
    settings.SYSTEM_EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    return settings


def news(number=1, **fields):
    alerts.tell(
        kind="reply",
        key=f"reply:{number}",
        title=f"Paula {number} answered",
        now=MONDAY,
        **fields,
    )


def test_one_occasion_is_written_once():
    news()
    news()
    assert Alert.objects.count() == 1


def test_what_is_rolled_back_is_told_to_nobody():
    with transaction.atomic():
        news()
        transaction.set_rollback(True)
    assert not Alert.objects.exists()


@pytest.mark.req("LAW-19")
def test_what_waits_is_one_mail_with_a_line_and_a_link_each_and_marked_as_automatic(mailoutbox):
    news(1, text="Gladly!", path="/admin/pitches/incomingmessage/1/change/")
    news(2)
    assert alerts.send(now=MONDAY) == {"told": 2, "failed": 0}
    (mail,) = mailoutbox
    assert mail.to == ["ada@example.com"]
    assert "Paula 1 answered (and 1 more)" in mail.subject
    assert "https://desk.example.com/admin/pitches/incomingmessage/1/change/" in mail.body
    assert "Gladly!" in mail.body
    assert "Paula 2 answered" in mail.body
    assert mail.extra_headers["Auto-Submitted"] == "auto-generated"
    alerts.send(now=MONDAY + MINUTE)
    assert len(mailoutbox) == 1


def test_a_digest_is_a_mail_of_its_own(mailoutbox):
    news()
    alerts.tell(kind="digest", key="digest:2026-06-01", title="Digest", text="…", now=MONDAY)
    alerts.send(now=MONDAY)
    assert len(mailoutbox) == 2


@responses.activate
def test_the_chat_gets_one_text_in_which_a_strangers_words_are_no_markup(by_mail):
    by_mail.ALERT_EMAILS, by_mail.ALERT_WEBHOOK_URL = [], SLACK
    responses.post(SLACK, body="ok")
    news(text="<!channel> & <https://example.net|click>")
    assert alerts.send(now=MONDAY)["told"] == 1
    (call,) = responses.calls
    sent = json.loads(call.request.body)
    assert list(sent) == ["text"]
    assert "&lt;!channel&gt; &amp; &lt;https://example.net|click&gt;" in sent["text"]


@responses.activate
def test_discord_gets_its_own_word_for_the_text_and_nobody_is_called_by_it(by_mail):
    url = "https://discord.com/api/webhooks/1/secret"
    by_mail.ALERT_EMAILS, by_mail.ALERT_WEBHOOK_URL = [], url
    responses.post(url, status=204)
    news(text="@everyone " + "x" * 5_000)
    assert alerts.send(now=MONDAY)["told"] == 1
    sent = json.loads(responses.calls[0].request.body)
    assert sent["allowed_mentions"] == {"parse": []}
    assert len(sent["content"]) < 2_000


@responses.activate
@pytest.mark.parametrize(
    ("status", "body"),
    [(404, "no_service"), (500, "rollup_error"), (403, SLACK), (302, "")],
    ids=["gone", "broken", "repeats the secret", "elsewhere"],
)
def test_what_no_way_took_is_tried_again_and_the_secret_is_nowhere(
    by_mail, caplog, status, body
):
    by_mail.ALERT_EMAILS, by_mail.ALERT_WEBHOOK_URL = [], SLACK
    responses.post(SLACK, body=body, status=status)
    news()
    with caplog.at_level(logging.DEBUG):
        assert alerts.send(now=MONDAY) == {"told": 0, "failed": 1}
        # at once it is not asked again, a minute later it is
        assert alerts.send(now=MONDAY) == {"told": 0, "failed": 0}
        assert alerts.send(now=MONDAY + MINUTE) == {"told": 0, "failed": 1}
    row = Alert.objects.get()
    assert (row.told_at, row.attempts) == (None, 2)
    assert str(status) in row.last_error
    ours = "".join(
        record.getMessage() for record in caplog.records if "urllib3" not in record.name
    )
    assert "secret-of-the-channel" not in row.last_error + ours
    responses.replace(responses.POST, SLACK, body="ok")
    assert alerts.send(now=MONDAY + timedelta(hours=1))["told"] == 1


@responses.activate
def test_told_is_what_one_way_took_so_no_failing_chat_repeats_a_mail(by_mail, mailoutbox):
    by_mail.ALERT_WEBHOOK_URL = SLACK
    responses.post(SLACK, body="no_service", status=404)
    news()
    alerts.send(now=MONDAY)
    alerts.send(now=MONDAY + timedelta(days=1))
    assert len(mailoutbox) == 1
    assert "no_service" in Alert.objects.get().last_error


def test_a_mail_server_that_is_away_is_tried_again(by_mail, monkeypatch):
    def refuse(*args, **kwargs):
        raise ConnectionRefusedError("login ada:secret refused")

    monkeypatch.setattr("django.core.mail.EmailMessage.send", refuse)
    news()
    assert alerts.send(now=MONDAY) == {"told": 0, "failed": 1}
    assert "secret" not in Alert.objects.get().last_error


def test_where_nobody_can_be_told_the_first_screen_and_the_doctor_say_so(
    by_mail, ada, stranger
):
    by_mail.ALERT_EMAILS = []
    news()
    assert alerts.send(now=MONDAY) == {"told": 0, "failed": 0}
    (card,) = alerts.cards(ada)
    assert "set ALERT_EMAILS" in card.lines[0]
    assert "Paula 1 answered" in card.lines
    assert alerts.cards(stranger) == []
    (finding,) = alerts.telling()
    assert (finding.state, "1 alerts wait" in finding.about) == ("off", True)


def test_once_everything_is_told_the_first_screen_says_nothing(ada, mailoutbox):
    news()
    alerts.send(now=MONDAY)
    assert alerts.cards(ada) == []
    assert [each.state for each in alerts.telling()] == ["ok"]


def test_a_chat_that_everybody_on_the_way_can_read_is_refused_at_start(by_mail):
    by_mail.ALERT_WEBHOOK_URL = SLACK.replace("https", "http")
    assert [each.id for each in checks.alerting(None)] == ["config.E033"]
