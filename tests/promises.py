"""What is promised, and which tests prove it.

docs/promises.toml lists every requirement id. A test proves one by carrying
``@pytest.mark.req("S003-032")``. As a plugin of pytest this module notes what became of the
marked tests; as a program (``make promises``) it prints the list with what was noted.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

BASE_DIR = Path(__file__).resolve().parent.parent
LIST = Path("docs", "promises.toml")
NOTES = Path("var", "promises.json")
STATUSES = ("done", "part", "open")

# How many ids each family has, so that none can be lost from the list.
FAMILIES = {
    "S000": 108, "S001": 71, "S002": 69, "S003": 76, "S004": 80,
    "REL": 37, "SEC": 40, "LAW": 26, "AB": 6, "OPS": 8,
    "H000": 18, "H001": 6, "H002": 12, "H003": 9, "H004": 8, "C": 45, "F": 24,
}  # fmt: skip


def expected_ids() -> list[str]:
    """Every id there must be: S000-001, REL-1, H000-01, C01, F-1."""
    return [
        spelled(family, number)
        for family, last in FAMILIES.items()
        for number in range(1, last + 1)
    ]


def spelled(family: str, number: int) -> str:
    """An id as everybody writes it."""
    if family == "C":
        return f"C{number:02}"
    width = {"S": 3, "H": 2}.get(family[0] if family[1:].isdigit() else "", 1)
    return f"{family}-{number:0{width}}"


@dataclass
class Promise:
    """One line of the list, and the tests that carry its id with what became of them."""

    id: str
    status: str
    title: str
    tests: dict[str, str] = field(default_factory=dict)

    @property
    def counts(self) -> Counter:
        return Counter(self.tests.values())

    @property
    def is_proven(self) -> bool:
        """A test passed, and none failed; one that was skipped says nothing."""
        return self.counts["passed"] > 0 and self.counts["failed"] == 0

    @property
    def is_broken(self) -> bool:
        """Called done, and not proven."""
        return self.status == "done" and not self.is_proven


def read_list(root: Path = BASE_DIR) -> dict[str, Promise]:
    """The promises by id, in the order of the file."""
    sections = tomllib.loads((root / LIST).read_text())
    return {
        key: Promise(key, status, title)
        for section in sections.values()
        for key, (status, title) in section.items()
    }


def marked_ids(folder: Path = BASE_DIR / "tests") -> dict[str, set[str]]:
    """Every id that a marker in a test file names, and the files that name it."""
    found: dict[str, set[str]] = {}
    for path in sorted(folder.rglob("test_*.py")):
        for name in _marked_in(ast.parse(path.read_text())):
            found.setdefault(name, set()).add(str(path.relative_to(BASE_DIR)))
    return found


def one_spelling(name: str) -> str:
    """``F 5`` and ``F5`` mean ``F-5``."""
    return re.sub(r"^F ?(\d+)$", r"F-\1", name)


def _marked_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "req"
            and isinstance(node.func.value, ast.Attribute)
            and node.func.value.attr == "mark"
        ):
            yield from (one_spelling(a.value) for a in node.args if isinstance(a, ast.Constant))


# The plugin


@dataclass
class Outcome:
    """What became of one marked test."""

    ids: list[str]
    outcome: str


class Recorder:
    """Notes the marked tests of one session; with several workers, in the one that collects."""

    def __init__(self, config: Any) -> None:
        self.config, self.root = config, config.rootpath
        self.noted: dict[str, Outcome] = {}

    def pytest_runtest_logreport(self, report: Any) -> None:
        ids = [name for key, name in report.user_properties if key == "req"]
        if not ids:
            return
        noted = self.noted.setdefault(report.nodeid, Outcome(ids, "not run"))
        if report.failed:
            noted.outcome = "failed"
        elif report.when == "call" and report.passed and noted.outcome != "failed":
            noted.outcome = "passed"

    def pytest_sessionfinish(self, session: Any) -> None:
        if hasattr(self.config, "workerinput") or self.config.option.collectonly:
            return
        is_complete = _runs_everything(self.config) and not session.shouldstop
        tests = {} if is_complete else read_notes(self.root).get("tests", {})
        tests |= {
            nodeid: {"ids": noted.ids, "outcome": noted.outcome}
            for nodeid, noted in self.noted.items()
        }
        if self.noted:
            noted_at = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
            write_notes(self.root, {"noted_at": noted_at, "tests": tests})
        if is_complete:
            promises = with_tests(read_list(self.root), tests)
            self.broken = [promise for promise in promises.values() if promise.is_broken]
            if self.broken and session.exitstatus == 0:
                session.exitstatus = 1

    broken: list[Promise] = []

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self.broken:
            terminalreporter.section("promises called done that no passing test proves")
            for promise in self.broken:
                terminalreporter.line(f"{promise.id}: {dict(promise.counts) or 'no test'}")


def pytest_configure(config: Any) -> None:
    config.pluginmanager.register(Recorder(config), "promises-recorder")


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """A worker tells the collector by the report, so the ids travel with it."""
    for item in items:
        ids = {one_spelling(n) for marker in item.iter_markers("req") for n in marker.args}
        item.user_properties += [("req", name) for name in sorted(ids)]


def _runs_everything(config: Any) -> bool:
    option = config.option
    selected = option.keyword or option.markexpr or getattr(option, "lf", False)
    deselected = getattr(option, "deselect", None) or getattr(option, "ignore", None)
    return config.args_source.name == "TESTPATHS" and not selected and not deselected


def read_notes(root: Path = BASE_DIR) -> dict[str, Any]:
    """What the last runs noted; nothing if there were none."""
    try:
        return json.loads((root / NOTES).read_text())
    except (FileNotFoundError, ValueError):
        return {}


def write_notes(root: Path, notes: dict[str, Any]) -> None:
    """Replace the notes in one step; another run may be reading them."""
    path = root / NOTES
    path.parent.mkdir(exist_ok=True)
    mine = path.with_suffix(f".{os.getpid()}")
    mine.write_text(json.dumps(notes, indent=1, sort_keys=True))
    mine.replace(path)


def with_tests(promises: dict[str, Promise], tests: dict[str, Any]) -> dict[str, Promise]:
    """The promises with the noted tests filled in. Unknown ids are another test's concern."""
    for nodeid, noted in tests.items():
        for name in noted["ids"]:
            if name in promises:
                promises[name].tests[nodeid] = noted["outcome"]
    return promises


# The program


def report(promises: dict[str, Promise], *, verbose: bool) -> str:
    """The list as a table, one line per id, and the totals."""
    lines = []
    for promise in promises.values():
        shown = ", ".join(f"{n} {what}" for what, n in sorted(promise.counts.items()))
        flag = "  NOT PROVEN" if promise.is_broken else ""
        lines.append(
            f"{promise.id:<9} {promise.status:<5} {promise.title}"
            f"{f'  [{shown}]' if shown else ''}{flag}"
        )
        if verbose:
            lines += [f"          {what:<8} {nodeid}" for nodeid, what in promise.tests.items()]
    totals = Counter(p.status for p in promises.values())
    spoken = ", ".join(f"{totals[status]} {status}" for status in STATUSES)
    return "\n".join([*lines, "", f"{len(promises)} promises: {spoken}"])


def main(arguments: list[str] | None = None) -> int:
    """Print the list; 1 if something is called done and is not proven, 2 without any notes."""
    parser = argparse.ArgumentParser(prog="make promises", description=main.__doc__)
    parser.add_argument("--run", action="store_true", help="run the marked tests first")
    parser.add_argument("--status", choices=STATUSES, help="only these")
    parser.add_argument("--json", action="store_true", help="one object instead of a table")
    parser.add_argument("--verbose", action="store_true", help="name the tests")
    options = parser.parse_args(arguments)
    if options.run:
        command = [sys.executable, "-m", "pytest", "-q", "--no-header", "-m", "req"]
        subprocess.run(command, cwd=BASE_DIR, check=False)
    notes = read_notes()
    promises = with_tests(read_list(), notes.get("tests", {}))
    shown = {k: p for k, p in promises.items() if options.status in (None, p.status)}
    if options.json:
        rows = [vars(p) | {"proven": p.is_proven} for p in shown.values()]
        sys.stdout.write(json.dumps({"promises": rows}, indent=1) + "\n")
    else:
        sys.stdout.write(report(shown, verbose=options.verbose) + "\n")
        sys.stdout.write(
            f"Tests as of {notes.get('noted_at', 'never: run make test first')}.\n"
        )
    if not notes:
        return 2
    return int(any(p.is_broken for p in shown.values()))


if __name__ == "__main__":
    sys.exit(main())
