"""Bytes as text, whatever their encoding."""

from __future__ import annotations

import re

from config.tables.table import UnreadableFile


def decode(content: bytes, name: str) -> tuple[str, str]:
    """The text, and a note where its encoding had to be guessed. Raises UnreadableFile."""
    for mark, encoding in (
        (b"\xef\xbb\xbf", "utf-8-sig"),
        (b"\xff\xfe\x00\x00", "utf-32"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if content.startswith(mark):
            return content.decode(encoding, errors="replace"), ""
    if wide := _utf16_without_mark(content):
        return content.decode(wide, errors="replace"), "Read as UTF-16."
    try:
        text, note = content.decode("utf-8"), ""
    except UnicodeDecodeError:
        text, note = _decode_other(content, name)
    controls = sum(text.count(chr(code)) for code in range(32) if code not in (9, 10, 13))
    if controls > max(8, len(text) // 20):
        raise UnreadableFile(f"{name} is not a text file, an XLSX or a feed.")
    return text, note


def _utf16_without_mark(content: bytes) -> str:
    """utf-16-le or -be where every other byte of the beginning is NUL, as in Western text."""
    start = content[:1_000]
    half = max(1, len(start) // 2)
    if start[1::2].count(0) > 0.7 * half and start[::2].count(0) < 0.1 * half:
        return "utf-16-le"
    if start[::2].count(0) > 0.7 * half and start[1::2].count(0) < 0.1 * half:
        return "utf-16-be"
    return ""


def _decode_other(content: bytes, name: str) -> tuple[str, str]:
    """What is almost UTF-8 stays so, with its broken characters replaced; else Windows-1252."""
    text = content.decode("utf-8", errors="replace")
    broken = text.count("\ufffd")
    if len(text.encode("ascii", errors="ignore")) + 10 * broken < len(text):
        return text, f"{broken} characters are no UTF-8 and were replaced."
    try:
        return content.decode("cp1252"), "Read as Windows-1252."
    except UnicodeDecodeError:
        raise UnreadableFile(
            f"{name} is neither UTF-8, UTF-16 nor Windows-1252. Save it as UTF-8."
        ) from None


def split_lines(text: str) -> list[str]:
    """Split at line ends only; ``splitlines`` also splits at form feeds and U+2028."""
    return re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$", text)
