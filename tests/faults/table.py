"""The table at the end of `make soak`: what each fault test did and found.

A plugin of pytest, because with several processes only the first one writes at the end.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

COLUMNS = (
    ("messages", "messages"),
    ("kills", "kills"),
    ("pauses", "pauses"),
    ("accepted", "accepted"),
    ("twice", "twice"),
    ("lost", "lost"),
    ("after_stop", "after stop"),
    ("over_limit", "over limit"),
    ("unknown", "unknown"),
    ("per_kill", "unknown/kill"),
    ("seconds", "seconds"),
)
WRITTEN = Path("var", "soak.md")
_lines: dict[str, dict[str, Any]] = {}


def pytest_runtest_logreport(report: Any) -> None:
    if report.when == "call":
        for name, line in report.user_properties:
            if name == "soak":
                _lines[report.nodeid.rpartition("::")[2]] = line


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not _lines or hasattr(terminalreporter.config, "workerinput"):
        return
    rows = [_cells(name, line) for name, line in sorted(_lines.items())]
    rows.append(_cells("all", _total()))
    table = "\n".join(
        " | ".join(("", *row, "")).strip()
        for row in [
            ["test", *(title for _, title in COLUMNS)],
            ["---", *("---:" for _ in COLUMNS)],
            *rows,
        ]
    )
    if os.environ.get("OVERTURE_SOAK") == "1":
        WRITTEN.parent.mkdir(exist_ok=True)
        WRITTEN.write_text(f"{table}\n")
        terminalreporter.write_sep("-", f"faults (also in {WRITTEN})")
        terminalreporter.write_line(table)
    else:
        total = _total()
        terminalreporter.write_line(
            f"faults: {total['kills']} kills, {total['accepted']} of {total['messages']} "
            f"messages accepted, {total['twice']} twice, {total['unknown']} of unknown fate"
        )


def _cells(name: str, line: dict[str, Any]) -> list[str]:
    if line.get("kills") and "unknown" in line:
        line = line | {"per_kill": round(line["unknown"] / line["kills"], 2)}
    return [name, *(str(line.get(key, "")) for key, _ in COLUMNS)]


def _total() -> dict[str, Any]:
    keys = [key for key, _ in COLUMNS if key != "per_kill"]
    return {
        key: round(sum(line.get(key, 0) for line in _lines.values() if line.get(key)), 1)
        for key in keys
    }
