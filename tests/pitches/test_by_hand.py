"""By hand: a day's list, what the person says of it, and that no machine takes LinkedIn."""

from __future__ import annotations

import ast
import csv
import io
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns import channels, presets
from campaigns.models import Campaign, Channel
from config import http
from config.db import WrongStatus
from pitches import (
    by_hand,
    following_up,
    inbox,
    journal,
    outbox,
    outreach,
    sending,
    stopping,
)
from pitches.decisions import Reason
from pitches.gate import Held
from pitches.models import FollowUpTask, Match, Message, Pitch, Sender, Stop
from prospects.models import ContactAddress
from tests import races
from tests.clock import MONDAY
from tests.factories import ContactAddressFactory

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
BASE_DIR = Path(__file__).resolve().parents[2]


@pytest.fixture
def hands(desk, ada):
    """The desk, with LinkedIn as its only way, worked by ada."""
    Sender.objects.filter(pk=desk.sender.pk).update(
        transport=Sender.Transport.BY_HAND, user=ada, daily_limit=100
    )
    Campaign.objects.filter(pk=desk.campaign.pk).update(sequence=presets.sequence("3-step"))
    desk.sender.refresh_from_db()
    desk.campaign.refresh_from_db()
    return desk


def approved(desk, now=MONDAY, **fields) -> Message:
    """A connection request whose words were approved."""
    lead = desk.lead(**fields)
    ContactAddressFactory(
        contact=lead.contacts.get(),
        kind=ContactAddress.Kind.LINKEDIN,
        value=f"linkedin.com/in/paula-{lead.pk}",
    )
    match = desk.match(lead=lead)
    desk.run(now)
    desk.approve_all(now)
    match.refresh_from_db()
    return match.pitch.messages.get(number=0)


def listed(desk, now=MONDAY) -> list[int]:
    return [entry.message.pk for entry in by_hand.today(desk.sender.user, now=now).entries]


def reasons(desk, now=MONDAY) -> set[str]:
    return {row.reason for row in by_hand.today(desk.sender.user, now=now).held}


# -- the list --------------------------------------------------------------------------------


@pytest.mark.req("S001-067", "LAW-23")
def test_an_approved_request_stands_in_its_owners_list_with_the_page_to_open(hands, ada):
    message = approved(hands)
    (entry,) = by_hand.today(ada, now=MONDAY).entries
    assert entry.message == message
    assert entry.profile == f"https://linkedin.com/in/paula-{hands.leads[0].pk}"
    assert (entry.length, entry.most) == (len(message.body), 300)
    assert by_hand.owners(now=MONDAY) == [(ada, 1)]


@pytest.mark.req("LAW-23")
def test_the_planner_says_in_whose_list_it_stands_and_nothing_takes_it(hands):
    message = approved(hands)
    (row,) = outbox.plan(outbox.first_messages(None), now=MONDAY)
    assert (row.verdict, row.reason) == ("hold", Reason.BY_HAND)
    assert row.sentence == "By hand: in the list of ada of today."
    outreach.carry_out(outreach.plan(now=MONDAY))
    sending.send_due(now=MONDAY)
    message.refresh_from_db()
    assert (message.status, message.hold_reason) == ("approved", "by_hand")


@pytest.mark.req("LAW-23")
@pytest.mark.parametrize("transport", sorted(Sender.Transport.values))
@pytest.mark.parametrize("channel", sorted(channels.BY_HAND))
def test_no_sender_however_it_is_set_up_sends_what_is_for_a_person(
    hands, channel, transport, settings
):
    message = approved(hands)
    settings.SEND_MODE = "live"
    Sender.objects.update(transport=transport, smtp_host="smtp.example.com")
    Message.objects.filter(pk=message.pk).update(
        channel=channel, send_mode="live", status=Message.Status.QUEUED, send_at=MONDAY
    )
    sending.send_due(now=MONDAY)
    message.refresh_from_db()
    assert (message.status, message.hold_reason) == ("approved", "by_hand")
    assert journal.outcome_of(message.message_id) is None


def test_a_draft_is_in_nobodys_list(hands):
    hands.match(lead=approved(hands).pitch.lead, campaign=hands.campaign)
    Message.objects.update(status=Message.Status.DRAFT, approved_sha256="")
    assert listed(hands) == []


def test_the_list_is_of_its_owner_alone(hands, clara):
    approved(hands)
    assert by_hand.today(clara, now=MONDAY).entries == []


def test_the_window_is_the_day_not_the_hour_and_black_outs_hold(hands):
    Campaign.objects.update(window_days=[1, 2, 3, 4, 5])
    message = approved(hands)
    assert listed(hands, MONDAY.replace(hour=22)) == [message.pk]
    assert listed(hands, MONDAY + 5 * DAY) == []
    assert reasons(hands, MONDAY + 5 * DAY) == {Reason.OUTSIDE_WINDOW}
    hands.campaign.blackouts.create(
        starts_on=MONDAY.date(), ends_on=MONDAY.date(), reason="move"
    )
    assert reasons(hands) == {Reason.BLACKOUT}


def test_stops_and_a_paused_campaign_take_rows_off_the_list(hands):
    approved(hands)
    Campaign.objects.update(status=Campaign.Status.PAUSED)
    assert (listed(hands), reasons(hands)) == ([], {Reason.CAMPAIGN_NOT_ACTIVE})
    Campaign.objects.update(status=Campaign.Status.ACTIVE)
    stop = stopping.stop(scope=Stop.Scope.EVERYTHING, reason="wrong words")
    assert reasons(hands) == {Reason.STOPPED}
    Stop.objects.filter(pk=stop.pk).update(lifted_at=MONDAY)
    stopping.person_answered(Pitch.objects.get(), reason="answered")
    assert (listed(hands), reasons(hands)) == ([], set())


@pytest.mark.req("S004-040")
def test_connection_requests_are_capped_by_the_week(hands, ada, monkeypatch):
    monkeypatch.setattr("pitches.situations.MOST_REQUESTS", 2)
    for _ in range(3):
        approved(hands)
    assert len(listed(hands)) == 2
    assert reasons(hands) == {Reason.REQUESTS_LIMIT}
    for entry in by_hand.today(ada, now=MONDAY).entries:
        by_hand.record_sent(entry.message, by=ada, now=MONDAY)
    Message.objects.filter(number__gt=0).delete()  # their own days are another matter
    assert listed(hands, MONDAY + 6 * DAY) == []
    assert len(listed(hands, MONDAY + 7 * DAY)) == 1


def test_the_daily_limit_of_the_sender_holds_too(hands):
    Sender.objects.update(daily_limit=1)
    for _ in range(2):
        approved(hands)
    assert len(listed(hands)) == 1
    assert reasons(hands) == {Reason.SENDER_LIMIT}


def test_the_list_takes_as_many_queries_for_three_rows_as_for_one(hands, ada):
    approved(hands)
    with CaptureQueriesContext(connection) as one:
        by_hand.today(ada, now=MONDAY)
    for _ in range(2):
        approved(hands)
    with CaptureQueriesContext(connection) as three:
        assert len(by_hand.today(ada, now=MONDAY).entries) == 3
    assert len(three) == len(one)


# -- sent ------------------------------------------------------------------------------------


@pytest.mark.req("S001-067", "S001-070")
def test_sent_by_hand_goes_through_gate_journal_and_ledger_and_begins_the_sequence(hands, ada):
    message = approved(hands)
    by_hand.record_sent(message, by=ada, now=MONDAY)
    message.refresh_from_db()
    assert (message.status, message.receipt) == ("sent", "sent by hand by ada")
    assert (message.sent_at, message.counted_at) == (MONDAY, MONDAY)
    assert message.handed_at is not None
    assert journal.outcome_of(message.message_id) == journal.ACCEPTED
    assert message.pitch.__class__.objects.get().status == Pitch.Status.ACTIVE
    due = [task.due_at - MONDAY for task in FollowUpTask.objects.all()]
    assert due == [2 * DAY, 5 * DAY, 10 * DAY]
    assert listed(hands) == []


def test_a_follow_up_by_hand_asks_for_a_look_into_the_thread(hands, ada):
    Sender.objects.update(inbox_read_at=None, inbox_read_began_at=None)
    by_hand.record_sent(approved(hands), by=ada, now=MONDAY)
    assert listed(hands, MONDAY + DAY) == []
    (entry,) = by_hand.today(ada, now=MONDAY + 2 * DAY).entries
    assert entry.decision.reason == Reason.DUE_AFTER_LOOKING
    assert "look into the thread" in entry.decision.sentence
    by_hand.record_sent(entry.message, by=ada, now=MONDAY + 2 * DAY)
    assert Message.objects.filter(status="sent").count() == 2


def test_only_one_of_two_clicks_counts(hands, ada):
    message = approved(hands)
    by_hand.record_sent(message, by=ada, now=MONDAY)
    with pytest.raises(WrongStatus, match="it is Sent"):
        by_hand.record_sent(message, by=ada, now=MONDAY)
    with pytest.raises(WrongStatus, match="already"):
        by_hand.record_past(message, by=ada, note="twice", now=MONDAY)
    with pytest.raises(WrongStatus):
        by_hand.skip(message, by=ada, reason="twice", now=MONDAY)
    assert Message.objects.filter(number=0).count() == 1


@pytest.mark.django_db(transaction=True)
def test_four_people_at_once_send_it_once(hands, ada):
    message = approved(hands)
    at_once = threading.Barrier(4)

    def press():
        at_once.wait(races.PATIENCE)
        by_hand.record_sent(message, by=ada, now=MONDAY)

    ends = [races.Aside(press) for _ in range(4)]
    refused = 0
    for end in ends:
        try:
            end.done()
        except WrongStatus:
            refused += 1
    assert refused == 3
    intents = [line for line in journal.lines() if line["phase"] == journal.INTENT]
    assert len(intents) == 1
    assert Message.objects.filter(status="sent").count() == 1


def test_what_a_stop_holds_is_told_and_stays_where_it_was(hands, ada):
    message = approved(hands)
    Campaign.objects.update(status=Campaign.Status.PAUSED)
    with pytest.raises(Held, match="Paused"):
        by_hand.record_sent(message, by=ada, now=MONDAY)
    message.refresh_from_db()
    assert (message.status, message.hold_reason) == ("approved", "campaign_not_active")
    assert message.lease_owner is None
    assert journal.outcome_of(message.message_id) is None


def test_a_mail_is_not_recorded_as_sent_by_hand(desk, ada):
    match = desk.match()
    desk.run()
    desk.approve_all()
    match.refresh_from_db()
    mail = match.pitch.messages.get(number=0)
    for act in (
        lambda: by_hand.record_sent(mail, by=ada, now=MONDAY),
        lambda: by_hand.record_past(mail, by=ada, note="x", now=MONDAY),
        lambda: by_hand.skip(mail, by=ada, reason="x", now=MONDAY),
    ):
        with pytest.raises(WrongStatus):
            act()
    mail.refresh_from_db()
    assert mail.status == Message.Status.APPROVED


# -- it had been sent already ------------------------------------------------------------------


def test_what_was_sent_before_a_pause_is_recorded_as_it_was(hands, ada):
    message = approved(hands)
    Campaign.objects.update(status=Campaign.Status.PAUSED)
    by_hand.record_past(message, by=ada, note="at nine, before the pause", now=MONDAY)
    message.refresh_from_db()
    assert message.status == Message.Status.SENT
    assert message.receipt.startswith("sent by hand by ada, before they knew: at nine")
    assert message.counted_at == MONDAY
    assert FollowUpTask.objects.count() == 3


@pytest.mark.req("S003-047")
def test_what_was_sent_before_a_stop_is_a_row_of_its_own_and_nobody_is_pitched_again(
    hands, ada
):
    message = approved(hands)
    pitch = message.pitch
    stopping.stop(scope=Stop.Scope.PERSON, reason="by telephone", contact=pitch.address.contact)
    by_hand.record_past(message, by=ada, note="this morning", now=MONDAY)
    message.refresh_from_db()
    pitch.refresh_from_db()
    assert (message.status, message.canceled_reason) == ("canceled", "by telephone")
    (sent,) = Message.objects.filter(status="sent")
    assert (sent.body, sent.revision, sent.number) == (message.body, 2, 0)
    assert pitch.status == Pitch.Status.STOPPED
    assert pitch.first_sent_at == MONDAY
    assert not FollowUpTask.objects.filter(FollowUpTask.is_open()).exists()
    assert Match.objects.get().status == Match.Status.CLOSED
    assert journal.outcome_of(sent.message_id) == journal.ACCEPTED


# -- left out ----------------------------------------------------------------------------------


def test_a_step_left_out_does_not_keep_the_next_one_from_coming(hands, ada):
    message = approved(hands)
    by_hand.skip(message, by=ada, reason="already connected", now=MONDAY)
    message.refresh_from_db()
    assert message.canceled_reason == "left out by ada: already connected"
    (entry,) = by_hand.today(ada, now=MONDAY + 2 * DAY).entries
    assert entry.message.number == 1
    by_hand.record_sent(entry.message, by=ada, now=MONDAY + 2 * DAY)
    pitch = Pitch.objects.get()
    assert pitch.first_sent_at == MONDAY + 2 * DAY
    by_hand.skip(pitch.messages.get(number=2), by=ada, reason="later", now=MONDAY + 5 * DAY)
    task = FollowUpTask.objects.get(step__number=2)
    assert (task.canceled_at, task.reason) == (MONDAY + 5 * DAY, "left out by ada: later")
    assert len(listed(hands, MONDAY + 10 * DAY)) == 1


def test_a_pitch_of_which_everything_is_left_out_gives_its_match_back(hands, ada):
    pitch = approved(hands).pitch
    for message in pitch.messages.order_by("number"):
        by_hand.skip(message, by=ada, reason="no profile", now=MONDAY)
    pitch.refresh_from_db()
    assert pitch.status == Pitch.Status.STOPPED
    assert Match.objects.get().pitch is None


def test_leaving_out_needs_a_reason(hands, ada):
    with pytest.raises(by_hand.NoReason):
        by_hand.skip(approved(hands), by=ada, reason=" \x00 ", now=MONDAY)


def test_a_reply_noted_by_hand_takes_the_rest_off_the_list(hands, ada):
    message = approved(hands)
    by_hand.record_sent(message, by=ada, now=MONDAY)
    inbox.record_reply(message.pitch, intent="interested", now=MONDAY + DAY, by=ada)
    assert listed(hands, MONDAY + 2 * DAY) == []
    assert following_up.plan(now=MONDAY + 2 * DAY) == []


# -- pages and sheets --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "page"),
    [
        ("linkedin.com/in/ada", "https://linkedin.com/in/ada"),
        ("https://www.linkedin.com/in/ada", "https://www.linkedin.com/in/ada"),
        ("http://example.com/ada", "http://example.com/ada"),
        ("javascript:alert(1)", ""),
        ("javascript://example.com/%0aalert(1)", ""),
        ("data:text/html,x", ""),
        ("https://ada@example.com/", ""),
        ("https://", ""),
        ('https://example.com/"onclick="x', ""),
        ("https://exa mple.com", ""),
        ("https://[::1", ""),
        ("paula@example.com", ""),
        ("", ""),
    ],
)
def test_only_web_pages_become_links(value, page):
    assert by_hand.web_page(value) == page


@pytest.mark.req("SEC-27")
def test_the_sheet_has_every_text_and_no_formula(hands, ada):
    message = approved(hands)
    Message.objects.filter(pk=message.pk).update(body="=1+1")
    day = by_hand.today(ada, now=MONDAY)
    assert day.entries == []  # edited behind the approval's back: it is not in the list
    message.body = "=HYPERLINK(1)"
    entry = by_hand.Entry(message, outbox.plan([message], now=MONDAY)[0], "https://example.com")
    head, row = csv.reader(io.StringIO(by_hand.sheet([entry])))
    assert head == list(by_hand.COLUMNS)
    assert row[-1] == "'=HYPERLINK(1)"


# -- nothing here asks LinkedIn ----------------------------------------------------------------

ASKING = {"requests", "urllib.request", "http.client", "httpx", "aiohttp", "selenium"}
ASKING |= {"playwright", "config.http", "webbrowser"}


@pytest.mark.req("LAW-23")
def test_no_module_that_names_linkedin_asks_another_host():
    naming = {}
    for app in ("config", "campaigns", "prospects", "pitches", "crm_sync"):
        for path in (BASE_DIR / app).rglob("*.py"):
            tree = ast.parse(path.read_text())
            words = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)]
            if any("linkedin.com" in str(word) for word in words):
                naming[str(path.relative_to(BASE_DIR))] = _imports(tree)
    asking = {name for name, modules in naming.items() if modules & ASKING}
    assert asking == {"config/http.py"}  # which refuses it
    assert _imports(ast.parse((BASE_DIR / "pitches/by_hand.py").read_text())) & ASKING == set()


@pytest.mark.req("LAW-23")
@pytest.mark.parametrize(
    "url",
    [
        "https://linkedin.com/in/ada",
        "https://www.LinkedIn.com/voyager/api",
        "https://api.linkedin.com./v2/messages",
        "https://lnkd.in/x",
    ],
)
def test_the_one_door_to_the_web_is_closed_to_linkedin(url):
    with pytest.raises(http.HttpError, match="worked by hand"):
        http.ask("GET", url)


def _imports(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or "", *(f"{node.module}.{a.name}" for a in node.names)}
    return found


@pytest.mark.req("LAW-23")
def test_every_linkedin_channel_is_by_hand():
    assert {c.value for c in Channel if "linkedin" in c.value} <= channels.BY_HAND
    assert Channel.EMAIL not in channels.BY_HAND
