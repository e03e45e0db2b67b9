"""A small placement desk with everything a run needs, and the moves a test makes on it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from campaigns import presets
from pitches import outreach, review
from pitches.models import Match, Message, Pitch, Sender, SenderCampaign
from prospects.models import Lead
from tests.clock import MONDAY
from tests.factories import (
    CampaignFactory,
    CandidateFactory,
    MatchFactory,
    SenderFactory,
    reachable_lead,
)
from tests.pitches import dovecot

# 09:00 UTC on a Monday: the window is open.
HOUR = timedelta(hours=1)


@dataclass
class Desk:
    """One campaign, one sender, and matches as a test asks for them."""

    reviewer: object
    campaign: object
    sender: Sender
    leads: list[Lead] = field(default_factory=list)

    def lead(self, **fields) -> Lead:
        lead = reachable_lead(**fields)
        self.leads.append(lead)
        return lead

    def candidate(self, **fields):
        fields.setdefault("responsible", self.sender.user)
        fields.setdefault("starts_on", (MONDAY + timedelta(days=300)).date())
        return CandidateFactory(client=self.campaign.client, **fields)

    def match(self, lead=None, candidate=None, **fields) -> Match:
        fields.setdefault("campaign", self.campaign)
        return MatchFactory(
            lead=lead or self.lead(), candidate=candidate or self.candidate(), **fields
        )

    def run(self, now: datetime = MONDAY, **options) -> outreach.Carried:
        return outreach.carry_out(outreach.plan(now=now, **options))

    def follow_up(self, now: datetime) -> outreach.Carried:
        return outreach.carry_out(outreach.plan_follow_ups(now=now))

    def approve_all(self, now: datetime = MONDAY) -> None:
        for task in list(review.queue()):
            review.approve(task, by=self.reviewer, now=now)

    def sent_pitch(self, now: datetime = MONDAY, **fields) -> Pitch:
        """A pitch whose first message went out at ``now``."""
        match = self.match(**fields)
        self.run(now)
        self.approve_all(now)
        self.run(now)
        match.refresh_from_db()
        assert match.pitch.messages.get(number=0).status == Message.Status.SENT
        return match.pitch


@pytest.fixture
def desk(ada, settings, state_dir):
    settings.SEND_MODE = "capture"
    settings.PUBLIC_URL = "https://desk.example.com"
    presets.install()
    # no gaps, so that a test sees what it asks about
    sender = SenderFactory(gap_min=0, gap_max=0, daily_limit=1000)
    campaign = CampaignFactory(
        sequence=presets.sequence("placement"),
        time_zone="UTC",
        observe_holidays=False,
        window_days=[1, 2, 3, 4, 5, 6, 7],
    )
    SenderCampaign.objects.create(sender=sender, campaign=campaign, is_default=True)
    return Desk(ada, campaign, sender)


# -- a mailbox that is read ------------------------------------------------------------------


@pytest.fixture(scope="session")
def imap_server():
    """A private dovecot, for as long as the tests run."""
    if dovecot.PROGRAM is None:
        pytest.skip("dovecot is not installed (Debian: apt-get install dovecot-imapd)")
    # not below the tests' own folder, which only its owner may enter
    with tempfile.TemporaryDirectory(prefix="imap-") as folder:
        server = dovecot.prepared(Path(folder))
        server.start()
        yield server
        server.stop()


@pytest.fixture
def mailbox(imap_server):
    """An empty mailbox on a server that runs."""
    if imap_server.process is None or imap_server.process.poll() is not None:
        imap_server.start()
    imap_server.forget()
    return imap_server


def read_from(sender: Sender, server: dovecot.Dovecot, **fields) -> None:
    """Let a sender's inbox be the one on this server."""
    fields = {
        "imap_host": "127.0.0.1",
        "imap_port": server.port,
        "imap_security": "none",
        "username": dovecot.USER,
        "password": dovecot.PASSWORD,
    } | fields
    for name, value in fields.items():
        setattr(sender, name, value)
    sender.save()


@pytest.fixture
def hearing(desk, mailbox, settings):
    """The desk in earnest, with its sender's inbox on the server."""
    settings.SEND_MODE = "live"
    settings.POSTAL_ADDRESS = "Example Placements, 1 Example Street, Exampleton"
    settings.IMAP_TIMEOUT, settings.IMAP_TOTAL_TIMEOUT = 5, 30
    read_from(desk.sender, mailbox, inbox_read_began_at=None, inbox_read_at=None)
    return desk
