"""The recorded data, which is not part of the project."""

from __future__ import annotations

import os
from pathlib import Path

from bench.harness import Results

BASE_DIR = Path(__file__).resolve().parent.parent


def folder(name: str, results: Results) -> Path | None:
    """A folder of OVERTURE_DATA; None, said in the table, where it is absent."""
    root = Path(os.environ.get("OVERTURE_DATA") or BASE_DIR.parent / "shared" / "data")
    found = root / name
    if found.is_dir():
        return found
    results.note(f"skipped: no recorded data at {found}; set OVERTURE_DATA")
    return None
