"""Reading a file of whatever kind it turns out to be."""

from __future__ import annotations

from pathlib import Path

from config.tables import delimited, objects, sheets
from config.tables.decoding import decode
from config.tables.table import SIZE_LIMIT, EmptyFile, Table, UnreadableFile


def load(path: str | Path) -> bytes:
    """The bytes of a file of at most 20 MB (SEC-28). Raises UnreadableFile."""
    path = Path(path)
    try:
        size = path.stat().st_size
        check_size(path.name, size)
        return path.read_bytes()
    except FileNotFoundError:
        raise UnreadableFile(f"There is no file {path}.") from None
    except IsADirectoryError:
        raise UnreadableFile(f"{path} is a folder; name one file.") from None
    except OSError as e:
        raise UnreadableFile(f"{path} cannot be read: {e.strerror}.") from None


def read(content: bytes, name: str, *, only_column: str = "") -> Table:
    """The table in ``content``; ``name`` is its file's name, for messages.

    ``only_column`` names the column of a file that is a bare list without a header. Raises
    UnreadableFile.
    """
    name = Path(name).name
    check_size(name, len(content))
    if content.startswith(b"PK\x03\x04"):
        return sheets.read(content, name)
    if content.startswith(b"\xd0\xcf\x11\xe0"):
        raise UnreadableFile(f"{name} is an old Excel file. Save it as XLSX or CSV.")
    text, note = decode(content, name)
    start = text.lstrip()[:1]
    if start == "<":
        raise UnreadableFile(f"{name} is XML or HTML, not a table.")
    if start == "[" and name.lower().endswith((".json", ".jsonl", ".ndjson")):
        table = objects.read(text, name)
    elif start == "{":
        table = objects.read_lines(text, name)
    else:
        table = delimited.read(text, name, only_column)
    table.notes[:0] = [note] if note else []
    return table


def check_size(name: str, size: int) -> None:
    """Raises UnreadableFile for more than 20 MB or nothing at all."""
    if size > SIZE_LIMIT:
        raise UnreadableFile(
            f"{name} has {size / 1024**2:.0f} MB; {SIZE_LIMIT // 1024**2} MB are allowed. "
            "Split it into several files."
        )
    if size == 0:
        raise EmptyFile(name)
