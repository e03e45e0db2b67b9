"""An old backup comes back, and the journal remembers what it has forgotten: F9."""

from __future__ import annotations

import subprocess

import pytest
from django.db import connection

from config.postgres.server import DB_NAME, DB_USER
from pitches.models import Message
from tests.faults import seeding
from tests.faults.checking import known_to_the_journal, never_twice, told_as_it_is
from tests.faults.rig import sized
from tests.faults.servers import at_own_server

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]


@pytest.mark.req("REL-4", "REL-6", "REL-8", "REL-9")
def test_a_restored_backup_sends_nothing_again_that_the_journal_knows(nursery, tmp_path, told):
    """Half had gone out when the backup was made, the other half went out after it."""
    with at_own_server(nursery, tmp_path) as (rig, server):
        half = sized(15, 60)
        early = seeding.sow(half, ports=[rig.port], prefix="early")
        rig.spawn_many(2)
        rig.wait_settled()
        rig.end_all()
        late = seeding.sow(half, ports=[rig.port], prefix="late")
        backup = tmp_path / "backup"
        place = ["-h", str(server.socket_dir), "-U", DB_USER]
        dump = [server.binary("pg_dump"), *place, "-Fc", "-f", str(backup), DB_NAME]
        subprocess.run(dump, check=True)
        rig.spawn_many(2)
        rig.wait_settled()
        rig.end_all()
        assert len(rig.sink.counts()) == 2 * half
        connection.close()
        load = [server.binary("pg_restore"), *place, "--clean", "--if-exists", "--no-owner"]
        subprocess.run([*load, "-d", DB_NAME, str(backup)], check=True)
        assert Message.objects.filter(pk__in=late.messages, status="queued").count() == half
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


def statuses(ids) -> set[str]:
    return set(Message.objects.filter(pk__in=ids).values_list("status", flat=True))
