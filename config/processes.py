"""Child processes that end with their parent, and where a parent is found from outside."""

import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import psutil

# Reads from a pipe whose other end only the parent holds: it ends when the parent does.
GUARD = """
cat >/dev/null
kill -TERM -"$1" 2>/dev/null
for i in $(seq "$2"); do kill -0 -"$1" 2>/dev/null || exit 0; sleep 1; done
kill -KILL -"$1" 2>/dev/null
"""


class Child:
    """A program in a session of its own, so that the whole group can be ended at once."""

    def __init__(
        self, command: Sequence[str], *, grace: int, env: dict[str, str] | None = None
    ) -> None:
        """`grace` is how many seconds it gets to end by itself when the parent was killed."""
        self.process = subprocess.Popen(
            command, start_new_session=True, env=os.environ | (env or {})
        )
        # A signal tied to the parent's death would reach the child alone, not its workers.
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", GUARD, "sh", str(self.process.pid), str(grace)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    @property
    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def ask_to_end(self) -> None:
        if not self.has_ended:
            self.process.terminate()

    def end(self) -> None:
        """Kill what is left of the group, and stop guarding it."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._guard.kill()
        self._guard.communicate()


class Stop:
    """Becomes true when this process is asked to end: Ctrl-C, TERM, or the terminal is gone."""

    def __init__(self) -> None:
        self._asked = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._ask)

    def _ask(self, *args: object) -> None:
        self._asked = True

    def __bool__(self) -> bool:
        return self._asked


class PidFile:
    """Where a running `manage.py <command>` writes its process id, for others to find it."""

    def __init__(self, path: Path, *, manage: Path, command: str) -> None:
        self.path = path
        self.manage = manage
        self.command = command

    def running(self) -> psutil.Process | None:
        """Who runs the command. A stale id, or one another program has by now, is nobody."""
        try:
            process = psutil.Process(int(self.path.read_text()))
            words, folder = process.cmdline(), Path(process.cwd())
        except (OSError, ValueError, OverflowError, psutil.Error):
            return None
        for script, command in pairwise(words):
            with suppress(OSError):
                if command == self.command and (folder / script).samefile(self.manage):
                    return process
        return None

    def write(self) -> None:
        """Name this process. Whoever reads meanwhile finds the whole id or the old one."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        new.write_text(f"{os.getpid()}\n")
        new.replace(self.path)

    def remove(self) -> None:
        """Take the file away, unless it names somebody else by now."""
        with suppress(FileNotFoundError):
            if self.path.read_text().strip() == str(os.getpid()):
                self.path.unlink()


def end_all(children: Sequence[Child], wait: Callable[[Child], None]) -> None:
    """Ask all to end, `wait` for each, then kill what is left."""
    for child in children:
        child.ask_to_end()
    for child in children:
        wait(child)
        child.end()
