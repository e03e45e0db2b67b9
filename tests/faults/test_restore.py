"""An old backup comes back, with the journal that remembers what it has forgotten, and without:
F9."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connection

from config.db import database_now
from config.postgres.server import DB_NAME, DB_USER, Server
from pitches import continuity
from pitches.models import Message
from tests.faults import seeding
from tests.faults.checking import known_to_the_journal, never_twice, told_as_it_is
from tests.faults.rig import Rig, sized, standing, wait_for
from tests.faults.seeding import Seeds
from tests.faults.servers import at_own_server

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]
HALF = sized(15, 60)
# What a tick later would do, without waiting for it.
A_TICK_LATER = 61


def work_through(rig: Rig) -> None:
    rig.spawn_many(2)
    rig.wait_settled()
    rig.end_all()


def back_to_yesterday(rig: Rig, server: Server, backup: Path) -> tuple[Seeds, Seeds]:
    """Half had gone out when the backup was made, the other half went out after it."""
    early = seeding.sow(HALF, ports=[rig.port], prefix="early")
    work_through(rig)
    late = seeding.sow(HALF, ports=[rig.port], prefix="late")
    place = ["-h", str(server.socket_dir), "-U", DB_USER]
    dump = [server.binary("pg_dump"), *place, "-Fc", "-f", str(backup), DB_NAME]
    subprocess.run(dump, check=True)
    work_through(rig)
    assert len(rig.sink.counts()) == 2 * HALF
    connection.close()
    load = [server.binary("pg_restore"), *place, "--clean", "--if-exists", "--no-owner"]
    subprocess.run([*load, "-d", DB_NAME, str(backup)], check=True)
    assert Message.objects.filter(pk__in=late.messages, status="queued").count() == HALF
    return early, late


@pytest.mark.req("REL-4", "REL-6", "REL-8", "REL-9")
def test_a_restored_backup_sends_nothing_again_that_the_journal_knows(nursery, tmp_path, told):
    with at_own_server(nursery, tmp_path) as (rig, server):
        early, late = back_to_yesterday(rig, server, tmp_path / "backup")
        rig.spawn_many(2)
        rig.wait_settled()
        accepted = rig.sink.accepted()
        rows = {row.message_id: row for row in Message.objects.all()}
        told(rig, lost=0)
        assert never_twice(accepted) == []
        assert told_as_it_is(rows, accepted) == []
        assert known_to_the_journal(accepted, rig.journal) == []
        assert statuses(early.messages) == {"sent"}
        # they may have arrived: a person or the evidence decides, never the machine
        assert statuses(late.messages) == {"unknown"}


@pytest.mark.req("REL-9")
def test_a_restored_backup_without_its_journal_sends_nothing_until_an_admin_says_so(
    nursery, tmp_path, told
):
    with at_own_server(nursery, tmp_path) as (rig, server):
        _, late = back_to_yesterday(rig, server, tmp_path / "backup")
        shutil.rmtree(rig.journal)
        rig.spawn_many(2)
        waiting = {("sent", ""): HALF, ("queued", "journal_unavailable"): HALF}
        wait_for(lambda: standing() == waiting, "all are held")
        rig.end_all()
        told(rig, lost=0)
        assert never_twice(rig.sink.accepted()) == []
        continuity.begin_anew(
            by=User.objects.create_superuser("chief"),
            reason="The disk is lost, and I looked into the Sent folder.",
            now=database_now(),
        )
        rig.spawn("a tick later", ahead=A_TICK_LATER)
        wait_for(lambda: statuses(late.messages) == {"sent"}, "they go out, as the admin said")


def statuses(ids) -> set[str]:
    return set(Message.objects.filter(pk__in=ids).values_list("status", flat=True))
