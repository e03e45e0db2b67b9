"""Web and workers start together, end together, and come back when they hang."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import psutil
import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from django_q.models import OrmQ
from django_q.tasks import async_task

from config import watchdog
from config.management.commands import down, up
from config.management.commands.up import parse
from config.models import Beat
from config.postgres.server import DB_NAME, DB_USER, Server
from config.processes import PidFile
from tests.config.environment import BASE_DIR, outside

pytestmark = pytest.mark.fault

MANAGE = [sys.executable, "manage.py"]


def wait_until(condition: Callable[[], object], seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.1)
    return False


@pytest.fixture
def launch(tmp_path):
    """Start a program of ours on a chosen database; it is gone afterwards."""
    started = []

    def run(*command: str, **chosen: str) -> psutil.Process:
        environment = outside(STATE_DIR=str(tmp_path), **chosen)
        process = subprocess.Popen(
            [*MANAGE, *command], cwd=BASE_DIR, env=environment, start_new_session=True
        )
        started.append(process)
        return psutil.Process(process.pid)

    yield run
    for process in started:
        family = [*relatives(process.pid), process]
        process.kill()
        for member in family:
            member.kill()
        process.wait()


@pytest.fixture
def start(transactional_db, launch):
    """Start a program of ours on the database of this test."""
    where = connection.settings_dict
    url = f"postgres://{where['USER']}@/{where['NAME']}?host={where['HOST']}"
    url = url if "DATA_DIR" in where else os.environ["DATABASE_URL"]
    return lambda *command: launch(*command, DATABASE_URL=url)


@pytest.fixture
def server():
    """A small embedded server of this test's own, running."""
    place = Path(tempfile.mkdtemp(prefix="overture-test-"))
    place.chmod(0o755)  # the server's account has to pass, which pytest's own folder forbids
    made = Server(place / "pgdata", ["fsync=off", "shared_buffers=1MB"])
    made.ensure_running()
    yield made
    made.stop()
    shutil.rmtree(place)


def connect(server: Server) -> psycopg.Connection:
    return psycopg.connect(host=str(server.socket_dir), user=DB_USER, dbname=DB_NAME)


def relatives(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def cluster(worker: psutil.Process) -> list[psutil.Process]:
    """The processes of the queue below a run_worker."""
    return [p for p in relatives(worker.pid) if "qcluster" in p.cmdline()]


def queue_workers(worker: psutil.Process) -> list[psutil.Process]:
    """The processes below the cluster's guard, which is the one child of its main process."""
    (main,) = (p for p in cluster(worker) if p.ppid() == worker.pid)
    (guard,) = main.children()
    return guard.children()


def is_gone(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def is_replaced(worker: psutil.Process, family: list[psutil.Process]) -> bool:
    return all(is_gone(p) for p in family) and bool(cluster(worker))


def beats_after(moment) -> bool:
    return Beat.objects.filter(beaten_at__gt=moment).exists()


@pytest.mark.req("REL-30", "S000-102")
def test_work_resumes_after_idle_workers_were_killed(start):
    worker = start("run_worker", "--probe", "0.5", "--silence", "6", "--grace", "5")
    assert wait_until(Beat.objects.exists), "the workers never began"
    family = cluster(worker)
    for victim in queue_workers(worker):
        victim.kill()
    killed_at = timezone.now()
    assert wait_until(lambda: is_replaced(worker, family)), "the cluster still hangs"
    assert wait_until(lambda: beats_after(killed_at + timedelta(seconds=6)))


@pytest.mark.req("REL-29")
def test_an_idle_worker_ends_when_asked(start):
    worker = start("run_worker", "--probe", "0.5")
    assert wait_until(Beat.objects.exists)
    family = cluster(worker)
    worker.terminate()
    assert worker.wait(timeout=30) == 0
    assert all(is_gone(p) for p in family)


@pytest.mark.req("REL-30")
def test_who_waits_for_a_mail_server_is_killed_only_when_the_lease_is_over(start):
    worker = start("run_worker", "--probe", "0.5", "--silence", "5", "--grace", "1")
    assert wait_until(Beat.objects.exists)
    family = cluster(worker)
    for busy in queue_workers(worker):
        busy.suspend()
    Beat.objects.update(valid_until=timezone.now() + timedelta(seconds=600))
    assert not wait_until(lambda: is_replaced(worker, family), seconds=8)
    Beat.objects.update(valid_until=None)
    assert wait_until(lambda: is_replaced(worker, family))


def test_children_end_when_their_parent_is_killed(start):
    worker = start("run_worker", "--probe", "0.5", "--grace", "2")
    assert wait_until(Beat.objects.exists)
    family = cluster(worker)
    assert family
    worker.kill()
    assert wait_until(lambda: all(is_gone(p) for p in family), seconds=20)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_web_and_workers_start_and_end_together(start, tmp_path, settings):
    port = free_port()
    parent = start("up", f"127.0.0.1:{port}")

    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as page:
                return page.status == 200
        except OSError:
            return False

    assert wait_until(answers)
    assert wait_until(lambda: any("qcluster" in p.cmdline() for p in relatives(parent.pid)))
    settings.STATE_DIR = tmp_path
    with pytest.raises(CommandError, match=f"runs already .process {parent.pid}."):
        call_command("up", f"127.0.0.1:{free_port()}")
    family = relatives(parent.pid)
    parent.send_signal(signal.SIGINT)
    assert parent.wait(timeout=60) == 0
    assert all(is_gone(p) for p in family)
    assert not (tmp_path / "up.pid").exists()


def test_down_ends_everything_and_may_be_asked_again(
    launch, server, tmp_path, settings, monkeypatch, capsys
):
    settings.STATE_DIR = tmp_path
    monkeypatch.setattr(down, "embedded", lambda: server)
    parent = launch("up", f"127.0.0.1:{free_port()}", EMBEDDED_PG_DIR=str(server.data))
    assert wait_until((tmp_path / "up.pid").exists)
    call_command("down")
    assert is_gone(parent)
    assert server.pid() is None
    told = capsys.readouterr().out
    assert "Web and workers have ended." in told
    assert "The database is stopped." in told
    call_command("down")
    assert capsys.readouterr().out == "Nothing was running.\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_embedded_database_ends_with_web_and_workers(launch, server, tmp_path, number):
    parent = launch("up", f"127.0.0.1:{free_port()}", EMBEDDED_PG_DIR=str(server.data))
    assert wait_until((tmp_path / "up.pid").exists)
    parent.send_signal(number)
    assert parent.wait(timeout=60) == 0
    assert server.pid() is None


def test_a_database_that_others_use_goes_on(server, monkeypatch):
    monkeypatch.setattr(up, "LINGER_SECONDS", 0)
    with connect(server) as other:
        assert "goes on" in up.stop_unless_used(server)
        assert other.execute("SELECT 42").fetchone() == (42,)
    monkeypatch.undo()
    assert up.stop_unless_used(server) == ""
    assert server.pid() is None
    assert up.stop_unless_used(server) == ""


@pytest.mark.parametrize("text", ["", "nonsense", "-7", "9" * 30, "our own"])
def test_the_id_of_nobody_or_of_another_program_is_not_taken_for_ours(tmp_path, text):
    file = PidFile(tmp_path / "up.pid", manage=up.MANAGE, command="up")
    assert file.running() is None
    file.path.write_text(str(os.getpid()) if text == "our own" else text)
    assert file.running() is None


def test_only_its_own_id_is_taken_away(tmp_path):
    file = PidFile(tmp_path / "state" / "up.pid", manage=up.MANAGE, command="up")
    file.write()
    assert file.path.read_text().strip() == str(os.getpid())
    file.remove()
    assert not file.path.exists()
    file.path.write_text("1")
    file.remove()
    assert file.path.exists()


def test_a_busy_port_gets_a_sentence():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CommandError, match=f"make run PORT={port + 1}"):
            call_command("up", f"127.0.0.1:{port}")


def test_what_a_bind_looks_like():
    assert parse("127.0.0.1:8000") == ("127.0.0.1", 8000)
    assert parse(":8000") == ("127.0.0.1", 8000)
    with pytest.raises(CommandError):
        parse("localhost")


@pytest.mark.django_db
def test_a_waiting_probe_is_not_queued_twice():
    watchdog.ask_idle_worker()
    watchdog.ask_idle_worker()
    assert OrmQ.objects.count() == 1


@pytest.mark.django_db
def test_a_probe_in_the_hands_of_a_dead_worker_does_not_stand_in_the_way():
    watchdog.ask_idle_worker()
    OrmQ.objects.update(lock=timezone.now() + timedelta(minutes=30))
    watchdog.ask_idle_worker()
    assert OrmQ.objects.count() == 2


@pytest.mark.django_db
def test_other_work_that_waits_is_no_probe():
    async_task("config.ticks.prune")
    watchdog.ask_idle_worker()
    assert OrmQ.objects.count() == 2
