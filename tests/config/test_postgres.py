"""The embedded server starts, survives and stops under everything a laptop does to it."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import pytest

from config.postgres import server as embedded
from config.postgres.server import DB_NAME, DB_USER, Server, ServerError

QUICK = ["fsync=off", "shared_buffers=1MB", "max_connections=10"]
IS_ROOT = os.geteuid() == 0


@pytest.fixture(scope="module")
def place():
    """A folder the server's account can reach, which pytest's own is not for root."""
    folder = Path(tempfile.mkdtemp(prefix="overture-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def make_server(place):
    made = []

    def make(folder: Path) -> Server:
        made.append(Server(folder, QUICK))
        return made[-1]

    yield make
    for server in made:
        server.stop()


@pytest.fixture
def running(place, make_server):
    """A running server; its folder is kept from test to test, as a laptop keeps it."""
    server = make_server(place / "pgdata")
    server.ensure_running()
    return server


def answer(server: Server) -> int:
    """What a new connection says, as Django makes one."""
    where = {"host": str(server.socket_dir), "user": DB_USER, "dbname": DB_NAME}
    with psycopg.connect(**where) as connection:
        return connection.execute("SELECT 42").fetchone()[0]


@pytest.mark.req("SEC-38")
def test_it_listens_to_its_own_user_and_to_no_port(running):
    process = psutil.Process(running.pid())
    assert answer(running) == 42
    assert [c for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN] == []
    assert running.socket_dir.stat().st_mode & 0o077 == 0


@pytest.mark.req("SEC-38")
@pytest.mark.skipif(not IS_ROOT, reason="only root can become somebody else")
def test_another_user_is_refused_even_in_front_of_the_socket(place, make_server):
    server = make_server(place / "guarded")
    server.ensure_running()
    server.data.chmod(0o755)
    psql = [
        server.binary("psql"),
        "-h",
        str(server.socket_dir),
        "-U",
        DB_USER,
        "-c",
        "SELECT 1",
    ]
    other = subprocess.run(
        psql, user="daemon", cwd="/", capture_output=True, text=True, check=False
    )
    assert "authentication failed" in other.stderr


def test_many_who_start_it_at_once_get_one_server(place, make_server):
    server = make_server(place / "crowd")
    script = (
        "import sys; from config.postgres.server import Server\n"
        "server = Server(sys.argv[1]); server.ensure_running(); print(server.pid())"
    )

    def start(_: int) -> str:
        command = [sys.executable, "-c", script, str(server.data)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    with ThreadPoolExecutor(6) as crowd:
        assert len(set(crowd.map(start, range(6)))) == 1
    assert answer(server) == 42


@pytest.mark.fault
def test_it_comes_back_after_it_was_killed(running):
    process = psutil.Process(running.pid())
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=10)
    running.ensure_running()
    assert answer(running) == 42


@pytest.mark.fault
def test_a_pid_file_that_names_somebody_else_is_no_server(running):
    running.stop()
    lines = [str(os.getpid()), str(running.data), "0", "5432", "", "", "", "ready   "]
    (running.data / "postmaster.pid").write_text("\n".join(lines))
    assert running.pid() is None
    running.ensure_running()
    assert answer(running) == 42


def test_a_folder_may_move_while_the_server_stands(running, make_server, place):
    running.stop()
    running.data.rename(place / "moved")
    moved = make_server(place / "moved")
    moved.ensure_running()
    assert answer(moved) == 42
    moved.stop()
    moved.data.rename(running.data)


@pytest.mark.parametrize(
    "name",
    [
        "with space and 'quotes' and \"double ones\"",
        "a,comma",
        "deep/" + "long-" * 24,
    ],
)
def test_it_lives_anywhere(place, make_server, name):
    server = make_server(place / name / "pgdata")
    server.ensure_running()
    assert answer(server) == 42


def test_a_first_start_that_was_interrupted_is_begun_again(place, make_server):
    leftovers = place / "interrupted.new"
    leftovers.mkdir()
    (leftovers / "PG_VERSION").write_text("18")
    server = make_server(place / "interrupted")
    server.ensure_running()
    assert answer(server) == 42


def test_a_folder_with_something_else_in_it_is_left_alone(place):
    folder = place / "photos"
    folder.mkdir()
    (folder / "cat.jpg").write_text("meow")
    with pytest.raises(OSError, match="not empty"):
        Server(folder).ensure_running()
    assert (folder / "cat.jpg").exists()


@pytest.mark.skipif(not IS_ROOT, reason="an ordinary user reaches what is theirs")
def test_root_with_a_closed_home_gets_a_folder_elsewhere(place, make_server, monkeypatch):
    monkeypatch.setattr(embedded, "SYSTEM_DIR", place / "system")
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    server = make_server(closed / "desk" / "var" / "pgdata")
    server.ensure_running()
    assert answer(server) == 42
    assert server.data.is_relative_to(place / "system")
    assert closed.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(not IS_ROOT, reason="only root can give a folder away")
def test_a_socket_folder_that_a_stranger_made_is_refused(place):
    server = Server(place / ("squatted-" + "x" * 100) / "pgdata", QUICK)
    server.socket_dir.mkdir()
    try:
        os.chown(server.socket_dir, pwd.getpwnam("daemon").pw_uid, -1)
        with pytest.raises(ServerError, match="belongs to somebody else"):
            server.ensure_running()
    finally:
        server.socket_dir.rmdir()


def test_stopping_what_does_not_run_is_no_error(place):
    assert Server(place / "never").stop() is False
