"""The database goes away, disks fill: F5 and F7 of the fault plan."""

from __future__ import annotations

import threading

import pytest

from config.postgres.server import DB_NAME
from pitches.models import Message
from tests.faults import seeding
from tests.faults.checking import violations
from tests.faults.rig import sized, standing, wait_for
from tests.faults.servers import (
    HANG_UP,
    ONE_OF_THEM,
    at_own_server,
    crash,
    fill,
    journal_at,
    remount,
    say,
    small_disk,
)

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]
AWAY = sized(2, 30)
# What a tick later would do, without waiting for it.
A_TICK_LATER = 61


def sent_so_far() -> int:
    return Message.objects.filter(status__in=["sent", "unknown"]).count()


def some_more_are_sent(count: int) -> None:
    """The work goes on, or it is over."""
    before = wait_for(lambda: sent_so_far() + 1, "the database is there") - 1
    wait_for(
        lambda: sent_so_far() >= before + count or not standing()["queued", ""], "it goes on"
    )


@pytest.mark.req("REL-35", "REL-4", "REL-5")
def test_a_database_that_crashes_or_refuses_costs_no_message(nursery, tmp_path, told):
    pause = threading.Event()
    with at_own_server(nursery, tmp_path) as (rig, server):
        seeds = seeding.sow(sized(60, 300), ports=[rig.port] * 4)
        rig.spawn_many(4)
        for _ in range(3):
            some_more_are_sent(sized(6, 30))
            crash(server)
        for _ in range(sized(3, 10)):
            some_more_are_sent(2)
            say(server, ONE_OF_THEM)
        for closed, opened in (
            ("ALLOW_CONNECTIONS false", "ALLOW_CONNECTIONS true"),
            ("SET default_transaction_read_only = on", "RESET default_transaction_read_only"),
        ):
            some_more_are_sent(4)
            say(server, f"ALTER DATABASE {DB_NAME} {closed}", HANG_UP)
            pause.wait(AWAY)
            say(server, f"ALTER DATABASE {DB_NAME} {opened}", HANG_UP)
        seconds = rig.wait_settled()
        wrong = violations(rig, lost=seeds.messages)
        told(rig, lost=len(wrong))
        assert wrong == []
        assert seconds < 60 or sized(0, 1)


def refuses_to_send(rig) -> None:
    """Every worker has looked, and nothing left."""
    held = {("queued", "journal_unavailable")}
    wait_for(lambda: set(standing()) == held, "all are held")
    assert rig.sink.counts() == {}


@pytest.mark.req("REL-9", "REL-35")
@pytest.mark.parametrize("what", ["full", "read-only", "out-of-inodes"])
def test_without_room_for_the_journal_nothing_leaves_until_there_is(rig, tmp_path, told, what):
    with small_disk(tmp_path / "disk", "size=64k", "nr_inodes=4") as disk:
        journal_at(rig, disk / "journal")
        seeds = seeding.sow(sized(6, 80), ports=[rig.port] * 2)
        make_room = spoil(disk, what)
        rig.spawn_many(2)
        refuses_to_send(rig)
        make_room()
        rig.spawn("a tick later", ahead=A_TICK_LATER)
        wait_for(lambda: standing() == {("sent", ""): len(seeds.messages)}, "all are sent")
        wrong = violations(rig, lost=seeds.messages)
        told(rig, lost=len(wrong))
        assert wrong == []


def spoil(disk, what: str):
    """Make the disk useless; answers what makes it good again."""
    if what == "full":
        (disk / "journal").mkdir()
        ballast = fill(disk)

        def make_room():
            ballast.unlink()
            remount(disk, "size=1m")

        return make_room
    if what == "read-only":
        remount(disk, "ro")
        return lambda: remount(disk, "rw,size=1m")
    names = []
    while True:
        try:
            (disk / f"file {len(names)}").touch()
            names.append(disk / f"file {len(names)}")
        except OSError:
            break

    def forget():
        for name in names:
            name.unlink()
        remount(disk, "size=1m")

    return forget


@pytest.mark.req("REL-35", "REL-4")
def test_a_full_disk_under_the_database_costs_no_message(nursery, tmp_path, told):
    pause = threading.Event()
    with at_own_server(nursery, tmp_path, disk="size=400m") as (rig, server):
        seeds = seeding.sow(sized(40, 200), ports=[rig.port] * 4)
        rig.spawn_many(4)
        some_more_are_sent(5)
        ballast = fill(server.data.parent)
        pause.wait(sized(2, 7))
        ballast.unlink()
        rig.wait_settled()
        wrong = violations(rig, lost=seeds.messages)
        told(rig, lost=len(wrong))
        assert wrong == []


@pytest.mark.req("REL-35")
def test_a_full_disk_under_the_log_changes_nothing(rig):
    """Every line of the log fails with “no space left on device”."""
    seeds = seeding.sow(10, ports=[rig.port], scripts=["ok", "no", "full"])
    rig.spawn_many(2, stderr="/dev/full")
    rig.wait_settled()
    assert violations(rig, lost=seeds.messages) == []
    assert len(rig.sink.counts()) == 4
