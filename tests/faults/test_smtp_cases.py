"""What a mail server may do to us, case by case: F6 of the fault plan, by the table of 4.3."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from pitches.models import Breaker, Message, Sender
from tests.faults import rig as rigs
from tests.faults import seeding
from tests.faults.checking import violations
from tests.faults.rig import sized

pytestmark = pytest.mark.fault


@dataclass(frozen=True)
class Case:
    """A script of the sink; what becomes of each message, and of its mailbox.

    ``held`` messages wait, unsent; an ``attempt`` is counted where the refusal is about the
    message and not about the mailbox.
    """

    script: str
    status: str
    accepted: bool = False
    failure: str = ""
    attempts: int = 0
    paused: bool = False
    security: str = "none"

    @property
    def name(self) -> str:
        return self.script or f"all is well, {self.security}"


def waits(script: str, **more) -> Case:
    return Case(script, "queued", **more)


CASES = [
    Case("", "sent", accepted=True),
    # nobody was asked anything: the mailbox rests, no attempt is counted
    waits("CONNECT drop"),
    waits("CONNECT hang"),
    waits("CONNECT garbage"),
    waits("CONNECT 554 5.3.2 no service"),
    waits("CONNECT 421 4.3.2 come back"),
    waits("EHLO drop"),
    waits("EHLO hang"),
    waits("EHLO garbage"),
    waits("EHLO 421 4.3.2 come back"),
    waits("", security="starttls"),
    waits("", security="tls"),
    waits("MAIL drop"),
    waits("MAIL hang"),
    waits("MAIL 421 4.3.2 come back"),
    waits("MAIL 451 4.3.0 trouble"),
    waits("MAIL 550 5.7.26 not authenticated", paused=True),
    waits("MAIL 535 5.7.8 who are you", paused=True),
    # the recipient
    waits("RCPT drop"),
    waits("RCPT hang"),
    waits("RCPT 421 4.3.2 come back"),
    waits("RCPT 450 4.2.0 busy", attempts=1),
    waits("RCPT 452 4.2.2 full", attempts=1),
    Case("RCPT 550 5.1.1 nobody", "failed", failure="hard"),
    Case("RCPT 553 5.1.3 no address", "failed", failure="hard"),
    Case("RCPT 550-5.1.1 nobody|550 5.1.1 at all", "failed", failure="hard"),
    Case("RCPT 550 5.7.1 not wanted", "failed", failure="policy"),
    Case("RCPT 251 2.1.5 will forward", "sent", accepted=True),
    # the text
    waits("DATA drop"),
    waits("DATA hang"),
    waits("DATA 451 4.3.0 trouble", attempts=1),
    Case("DATA 554 5.7.1 not wanted", "failed", failure="policy"),
    # after the dot: a definite answer counts, and nothing else does
    waits("DOT 451 4.3.0 trouble", attempts=1),
    waits("DOT 421 4.3.2 come back"),
    waits("DOT 550 5.7.515 not authenticated", paused=True),
    Case("DOT 554 5.7.1 not wanted", "failed", failure="policy"),
    Case("DOT 550 5.1.1 nobody", "failed", failure="hard"),
    Case("DOT drop", "unknown"),
    Case("DOT hang", "unknown"),
    Case("DOT take drop", "unknown", accepted=True),
    Case("DOT take hang", "unknown", accepted=True),
    Case("DOT garbage", "unknown", accepted=True),
    # slow, odd and yet accepted
    Case("DOT later 1", "sent", accepted=True),
    Case("DOT take reset", "sent", accepted=True),
    Case("DOT take 250-2.0.0 taken|250 2.0.0 indeed", "sent", accepted=True),
    Case("DOT drip", "sent", accepted=True),
    Case("CONNECT drip,EHLO drip,MAIL drip,RCPT drip,DATA drip", "sent", accepted=True),
]


@pytest.mark.req("REL-4", "REL-6", "REL-10", "REL-11")
def test_every_answer_of_a_server_leaves_the_message_where_the_table_says(
    nursery, tmp_path, transactional_db, settings, told
):
    """A mailbox for every case, at a port of its own."""
    scripts = {case.script: case.script for case in CASES if case.script}
    patience = 2 * rigs.slowness()
    quick = {
        "EMAIL_CONNECT_TIMEOUT": patience,
        "EMAIL_COMMAND_TIMEOUT": patience,
        "EMAIL_DATA_TIMEOUT": 2 * patience,
        "CLAIM_LEASE": 120,
        "HANDING_LEASE": 120,
    }
    with rigs.rigged([nursery], tmp_path / "rig", scripts=scripts, **quick) as rig:
        each = sized(1, 6)
        rows = {case: sown(case, rig.sink.ports[case.script], each) for case in CASES}
        rig.spawn_many(8)
        rig.wait_settled()
        accepted = rig.sink.counts()
        wrong = violations(rig, lost=[pk for pks in rows.values() for pk in pks])
        told(rig, lost=len(wrong))
        assert wrong == []
        found = {case.name: what_became(pks, accepted) for case, pks in rows.items()}
        assert found == {case.name: expected(case) for case in CASES}


def sown(case: Case, port: int, count: int) -> list[int]:
    seeds = seeding.sow(count, ports=[port], prefix="case")
    Sender.objects.filter(pk=seeds.senders[0].pk).update(smtp_security=case.security)
    return seeds.messages


def expected(case: Case) -> set[tuple]:
    return {
        (case.status, case.failure, case.attempts, case.accepted, case.paused),
    }


def what_became(ids: list[int], accepted) -> set[tuple]:
    """One tuple where every message of the case fared alike."""
    rows = Message.objects.filter(pk__in=ids)
    pauses = Breaker.objects.filter(closed_at__isnull=True, level=Breaker.Level.PAUSE)
    paused = set(pauses.values_list("sender", flat=True))
    return {
        (
            # those behind the one that was refused wait for the mailbox, out of the queue
            "queued" if row.status == "approved" and row.hold_reason else row.status,
            row.failure,
            row.attempts,
            accepted[row.message_id] == 1,
            row.sender_id in paused,
        )
        for row in rows
    }
