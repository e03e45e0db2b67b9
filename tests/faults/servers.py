"""A database server of a test's own, which it may break; and disks that fill."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from config.postgres.server import DB_NAME, DB_USER, Server
from tests.faults import rig as rigs
from tests.faults.rig import Rig, wait_for

SAFE = ["fsync=on", "synchronous_commit=on", "full_page_writes=on"]


def copy_of_tables(source: Server, name: str, target: Server) -> None:
    """The tables of one database, as they are, into an empty one."""
    dump = [source.binary("pg_dump"), "-h", str(source.socket_dir), "-U", DB_USER, "-Fc", name]
    load = [target.binary("pg_restore"), "-h", str(target.socket_dir), "-U", DB_USER]
    raw = subprocess.run(dump, check=True, capture_output=True).stdout
    subprocess.run([*load, "-d", DB_NAME, "--no-owner"], input=raw, check=True)


@contextmanager
def own_server(folder: Path, **more: str) -> Iterator[Server]:
    """A server with the settings of a desk, which this test's connection talks to."""
    rigs.skip_unless_embedded()
    usual = dict(connection.settings_dict)
    options = [*SAFE, *(f"{name}={value}" for name, value in more.items())]
    server = Server(folder / "pg", options)
    server.ensure_running()
    ours = Server(usual["DATA_DIR"], usual["SERVER_OPTIONS"])
    copy_of_tables(ours, usual["NAME"], server)
    connection.close()
    connection.settings_dict.update(
        DATA_DIR=str(folder / "pg"), NAME=DB_NAME, SERVER_OPTIONS=options
    )
    try:
        yield server
    finally:
        connection.close()
        connection.settings_dict.clear()
        connection.settings_dict.update(usual)
        server.stop()


@contextmanager
def at_own_server(
    nursery, folder: Path, *, disk: str = "", **more: str
) -> Iterator[tuple[Rig, Server]]:
    """A rig at a server of its own; with ``disk``, on a small one with these options."""
    # below a folder that the server's account may enter
    with tempfile.TemporaryDirectory(prefix="overture-faults-") as name:
        os.chmod(name, 0o711)
        place = Path(name, "disk")
        with (
            small_disk(place, disk) if disk else nullcontext(place) as place,
            own_server(place, **more) as server,
            rigs.rigged([nursery], folder / "rig") as rig,
        ):
            rig.database["SERVER_OPTIONS"] = connection.settings_dict["SERVER_OPTIONS"]
            yield rig, server


def crash(server: Server) -> None:
    """``pg_ctl stop -m immediate``; whoever needs it next starts it again."""
    pid = server.pid()
    assert pid is not None
    os.kill(pid, signal.SIGQUIT)
    # a worker may have started the next one already
    wait_for(lambda: server.pid() != pid, "the server is down")


def say(server: Server, *statements: str) -> None:
    """As an administrator, from outside the desk's database."""
    server.ensure_running()
    with psycopg.connect(
        host=str(server.socket_dir), user=DB_USER, dbname="postgres", autocommit=True
    ) as admin:
        for statement in statements:
            admin.execute(statement)


HANG_UP = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{DB_NAME}'"
ONE_OF_THEM = f"{HANG_UP} AND pid <> pg_backend_pid() ORDER BY random() LIMIT 2"


@contextmanager
def small_disk(folder: Path, *options: str) -> Iterator[Path]:
    """A file system of its own; skips where none may be mounted."""
    folder.mkdir(parents=True)
    folder.chmod(0o711)
    command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        folder.chmod(0o711)  # the folder of the new file system is another one
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def remount(folder: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Take the last byte of a disk; answers the file to remove."""
    ballast = folder / "ballast"
    try:
        with ballast.open("wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):
                try:
                    while file.write(b"\0" * size):
                        pass
                except OSError:
                    continue
    except OSError:
        pass
    return ballast


def journal_at(rig: Rig, folder: Path) -> None:
    rig.journal = folder
    rig.settings["JOURNAL_DIR"] = str(folder)
    settings.JOURNAL_DIR = folder
