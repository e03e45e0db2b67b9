"""Hosts whose clocks are wrong, ticks that come several at once, workers that are asked to end:
F8 and F10 of the fault plan."""

from __future__ import annotations

import random
import shutil
import socket
from datetime import timedelta
from pathlib import Path

import pytest

from config.db import database_now
from pitches.models import Message
from tests.factories import EmailLimitFactory
from tests.faults import rig as rigs
from tests.faults import seeding
from tests.faults.checking import violations
from tests.faults.rig import FULL, sized, standing, wait_for

pytestmark = pytest.mark.fault

# Leases: nobody dies here, and a machine under load is no fault.
A_DESK_S = {"CLAIM_LEASE": 120, "HANDING_LEASE": 900}
CLOCKS = {"behind": "-2h", "ahead": "+37d", "past 2038": "@2038-01-19 03:14:00"}
CLOCKS |= {"an hour ahead": "+1h", "a day behind": "-1d"} if FULL else {}


@pytest.fixture(scope="module")
def skewed():
    """A nursery per clock; the database keeps the right one."""
    found = sorted(Path("/usr/lib").glob("**/faketime/libfaketime*.so.1"))
    if not found or not shutil.which("faketime"):
        pytest.skip("libfaketime is not installed (Debian: apt-get install faketime)")
    library = next((path for path in found if "MT" in path.name), found[0])
    nurseries = [
        rigs.Nursery(LD_PRELOAD=str(library), FAKETIME=clock, FAKETIME_DONT_FAKE_MONOTONIC="1")
        for clock in CLOCKS.values()
    ]
    yield nurseries
    for nursery in nurseries:
        nursery.close()


@pytest.mark.req("REL-25", "REL-4", "REL-13")
@pytest.mark.parametrize("number", range(sized(1, 3)))
def test_hosts_with_wrong_clocks_send_nothing_twice_and_keep_every_limit(
    nursery, skewed, tmp_path, transactional_db, settings, told, number
):
    with rigs.rigged([nursery, *skewed], tmp_path / "rig") as rig:
        EmailLimitFactory(organization=None, maximum=3, hours=168)
        seeds = seeding.sow(sized(40, 150), ports=[rig.port] * 4, organizations=sized(8, 30))
        faulty = "P5:kill:0.05,P7:kill:0.05,P10:kill:0.05,P6:wait:0.02"
        for place in range(len(rig.nurseries)):
            rig.spawn(f"clock {place}", nursery=place, faults=faulty)
        rig.wait_settled()
        wrong = violations(rig, cap=3, lost=seeds.messages)
        told(rig, over_limit=len([w for w in wrong if " of 3 by " in w]), lost=len(wrong))
        assert wrong == []
        assert Message.objects.filter(counted_at__isnull=False).count() == 3 * sized(8, 30)


def test_control_a_worker_that_trusts_a_wrong_clock_breaks_the_limit(
    nursery, skewed, tmp_path, transactional_db, settings
):
    with rigs.rigged([nursery, *skewed], tmp_path / "rig") as rig:
        EmailLimitFactory(organization=None, maximum=1, hours=168)
        seeding.sow(6, ports=[rig.port], organizations=1)
        for place in range(len(rig.nurseries)):
            rig.spawn(f"clock {place}", nursery=place, mutant="trusts-its-clock")
        wait_for(lambda: len(rig.sink.counts()) > 1, "the limit breaks")
        assert any("of 1 by" in wrong for wrong in violations(rig, cap=1))


@pytest.mark.req("REL-15")
def test_the_same_tick_many_times_at_once_has_the_effect_of_one(rig, told):
    """Two clusters, cron and a button start the same work on the same messages."""
    rig.settings |= A_DESK_S
    seeds = seeding.sow(sized(30, 50), ports=[rig.port])
    starts = sized(12, 24)
    for start in range(starts):
        rig.spawn(f"start {start}", reaps=start % 2 == 0)
    rig.wait_settled()
    wrong = violations(rig, lost=seeds.messages)
    told(rig, lost=len(wrong))
    assert wrong == []
    assert standing() == {("sent", ""): len(seeds.messages)}


@pytest.mark.req("REL-29")
def test_a_worker_that_is_asked_to_end_finishes_what_it_holds(rig, told):
    """Asked at any moment, it ends, and nothing is left in anybody's hand."""
    rig.settings |= A_DESK_S
    rounds, chance = sized(3, 20), random.Random(3)
    seeds = seeding.sow(sized(30, 300), ports=[rig.port], scripts=["ok", "slow"])
    for number in range(rounds):
        names = [f"round {number}, worker {n}" for n in range(3)]
        for name in names:
            rig.spawn(name)
        goal = len(rig.sink.counts()) + chance.randint(1, 4)
        wait_for(
            lambda goal=goal: len(rig.sink.counts()) >= goal or rig.settled(), "some are out"
        )
        rig.end_all()
        in_hand = Message.objects.filter(status__in=["claimed", "handing"])
        assert not in_hand.exists()
    wrong = violations(rig, lost=())
    told(rig, lost=len([w for w in wrong if "still queued" not in w]))
    assert [sentence for sentence in wrong if "still queued" not in sentence] == []
    assert rig.kills == {}
    assert sum(rig.deaths.values()) == 3 * rounds
    assert not Message.objects.filter(pk__in=seeds.messages, status="unknown").exists()


def nobody_listens() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def all_rest_beyond(minutes: int) -> bool:
    """The worker whose clock is ahead by so much has tried, and put all off."""
    moment = database_now() + timedelta(minutes=minutes)
    rows = Message.objects.all()
    return not rows.exclude(status="queued", send_at__gt=moment).exists()


@pytest.mark.req("REL-11")
def test_a_relay_that_is_down_uses_up_no_attempt_and_fails_nothing(
    nursery, tmp_path, transactional_db, settings, told
):
    """An hour by the workers' clock: they come back every five minutes and find it down."""
    with rigs.rigged([nursery], tmp_path / "rig") as rig:
        seeds = seeding.sow(sized(30, 150), ports=[nobody_listens()])
        for minutes in range(0, 61, sized(20, 6)):
            rig.spawn(f"at {minutes}", ahead=minutes * 60)
            wait_for(lambda m=minutes: all_rest_beyond(m), "the mailbox rests")
            rig.end_all()
        assert standing() == {("queued", "back_off"): len(seeds.messages)}
        assert not Message.objects.exclude(attempts=0).exists()
        seeds.senders[0].smtp_port = rig.port
        seeds.senders[0].save(update_fields=["smtp_port"])
        rig.spawn("after the hour", ahead=66 * 60)
        wait_for(lambda: standing() == {("sent", ""): len(seeds.messages)}, "all are sent")
        assert violations(rig, lost=seeds.messages) == []
        told(rig, lost=0)
