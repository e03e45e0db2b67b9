"""Workers die at every point of a message's way: F1 and F2 of the fault plan."""

from __future__ import annotations

import os
import time

import pytest

from config import faults
from pitches.models import Message
from tests.faults import seeding
from tests.faults.checking import violations
from tests.faults.rig import FULL, sized, slowness, standing, wait_for

pytestmark = pytest.mark.fault

# One in six is refused, so that workers also die over refusals.
MIXED = ["ok", "ok", "ok", "ok", "no", "ok", "ok", "ok", "ok", "ok", "ok", "refused"]
# … and one in ten gets no answer.
UNFRIENDLY = [*MIXED, "mute", "cut", "lost", "full", "ok", "ok", "ok", "ok"]
# The plan's is 0.25; here half, and more where few pass: at the point of the refused.
LIKELY = dict.fromkeys(faults.POINTS, 0.5) | {"P12": 0.9}


@pytest.mark.req("REL-4", "REL-5", "REL-6", "REL-2", "F-4")
def test_killed_at_every_point_nothing_goes_out_twice_and_nothing_is_lost(rig, told):
    seeds = seeding.sow(sized(160, 500), ports=[rig.port] * 4, scripts=MIXED)
    for name in faults.POINTS:
        rig.spawn(name, faults=f"{name}:kill:{LIKELY[name]}", most_deaths=sized(8, 60))
    rig.wait_settled()
    wrong = violations(rig, lost=seeds.messages)
    told(rig, lost=0 if not wrong else len(wrong))
    assert wrong == []
    assert rig.crashes == []
    assert set(rig.kills) == set(faults.POINTS), standing()
    if FULL:
        assert min(rig.kills.values()) >= 8


@pytest.mark.req("REL-4", "REL-5", "REL-2", "REL-35")
@pytest.mark.parametrize("number", range(sized(1, 3)))
def test_killed_and_halted_beyond_the_lease_nothing_goes_out_twice(rig, told, number):
    seeds = seeding.sow(sized(100, 300), ports=[rig.port] * 3, scripts=UNFRIENDLY)
    rig.settings["EMAIL_DATA_TIMEOUT"] = 1
    faulty = ",".join(f"{name}:kill:0.02" for name in faults.POINTS if name != "P1")
    names = rig.spawn_many(6, faults=faulty)
    ends = time.monotonic() + sized(9, 30)

    def enough() -> bool:
        """More than the plan wants, and half a minute; in short a few seconds."""
        if not FULL:
            return time.monotonic() > ends or rig.settled()
        kills = sum(rig.kills.values())
        return kills >= 200 and rig.pauses >= 50 and time.monotonic() > ends

    rig.nemesis(
        names,
        every=sized(15, 25) / 100 * slowness(),  # who dies at once does no work
        pause=rig.settings["HANDING_LEASE"] + 0.5,
        until=enough,
    )
    rig.wait_settled()
    wrong = violations(rig, lost=seeds.messages)
    told(rig, lost=len(wrong))
    assert wrong == []
    assert rig.crashes == []
    if FULL:
        assert sum(rig.kills.values()) >= 100
        assert rig.pauses >= 50


# REL-6 speaks of 10,000: OVERTURE_SOAK_MESSAGES=10000, where there is time for them.
LONG_RUN = int(os.environ.get("OVERTURE_SOAK_MESSAGES", "600"))


@pytest.mark.req("REL-6")
def test_without_faults_no_fate_is_unknown(rig, told):
    # by a desk's own leases: a machine under load is not a fault
    rig.settings |= {"CLAIM_LEASE": 120, "HANDING_LEASE": 900}
    seeds = seeding.sow(sized(60, LONG_RUN), ports=[rig.port] * 4)
    rig.spawn_many(4)
    rig.wait_settled(seconds=7200)
    wrong = violations(rig, lost=seeds.messages)
    told(rig, lost=len(wrong))
    assert wrong == []
    assert standing() == {("sent", ""): len(seeds.messages)}
    assert len(rig.sink.counts()) == len(seeds.messages)


@pytest.mark.req("REL-6")
def test_a_kill_every_five_seconds_costs_at_most_one_unknown_each(rig, told):
    seeds = seeding.sow(sized(60, 300), ports=[rig.port] * 6)
    names = rig.spawn_many(6)
    rig.nemesis(names, every=sized(5, 50) / 10, until=rig.settled)
    rig.wait_settled()
    wrong = violations(rig, lost=seeds.messages)
    line = told(rig, lost=len(wrong))
    assert wrong == []
    assert line["unknown"] <= line["kills"]


@pytest.mark.req("REL-31")
def test_a_message_that_crashes_its_workers_is_set_aside_and_the_others_go_out(rig):
    """Whoever takes it up aborts: three times, and not a fourth."""
    rig.expects_crashes = True
    seeds = seeding.sow(1, ports=[rig.port], prefix="bad")
    rig.spawn("crashing", faults="P2:abort:1", most_deaths=3)
    rig.wait_settled()
    (bad,) = Message.objects.filter(pk__in=seeds.messages)
    assert (bad.status, bad.failure, bad.claims) == ("failed", "poison", 3)
    assert rig.deaths["crashing"] - rig.kills["crashing"] == 3
    others = seeding.sow(5, ports=[rig.port])
    rig.wait_settled()
    assert set(_statuses(others.messages)) == {"sent"}


def _statuses(ids) -> list[str]:
    return list(Message.objects.filter(pk__in=ids).values_list("status", flat=True))


# -- the mistakes these tests must notice


@pytest.mark.parametrize(
    ("mutant", "faulty", "scripts", "complaint"),
    [
        ("M-1", "P9:kill:0.5", ["ok"], "times"),
        ("M-4", "P7:kill:0.5", ["ok"], "was not accepted"),
        ("M-5", "", ["mute", "ok"], "times"),
    ],
    ids=["sends-again-after-the-lease", "sent-before-the-answer", "tries-again-in-vain"],
)
def test_control_the_usual_mistakes_are_noticed(rig, mutant, faulty, scripts, complaint):
    rig.settings["EMAIL_DATA_TIMEOUT"] = 1
    seeding.sow(12, ports=[rig.port], scripts=scripts)
    rig.spawn_many(2, mutant=mutant, faults=faulty, most_deaths=6)
    wait_for(
        lambda: any(complaint in sentence for sentence in violations(rig)),
        "the checker notices",
    )
