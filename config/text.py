"""Text from outside, made fit to be stored and shown.

Every door that takes words from a file, a feed or a form passes them through here once.
"""

from __future__ import annotations

import re
import unicodedata

NAME, LINE, TEXT, URL = 200, 300, 20_000, 2_000

# Whatever moves to a new line or leaves a gap; in a single line it becomes one space.
_BREAKS = re.compile(r"[\s\x0b\x0c\x1c-\x1f\x85\u2028\u2029]+")
# C0 and C1 but tab and line feed, lone surrogates, marks that turn the reading direction.
_CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069"
_NOT_IN_TEXT = re.compile(f"[{_CONTROLS}]")
# Invisible in a name or subject, and a way to make two of them look the same.
_NOT_IN_A_LINE = re.compile(f"[{_CONTROLS}\u200b-\u200f\u2060-\u2064\u00ad\u061c\ufeff]")
_LINE_ENDS = re.compile(r"\r\n|[\r\x85\u2028\u2029\x0b\x0c]")

# What a spreadsheet may take for a formula, in ASCII and full width.
_FORMULA = re.compile(r"[=+\-@\t\r\x00\uff1d\uff0b\uff0d\uff20]")
_PLAIN_NUMBER = re.compile(r"[+-]?[0-9 ().-]{1,25}")


def clean_line(value: object, limit: int = NAME) -> str:
    """One line without control, direction and zero-width characters, NFC, at most ``limit``
    characters long (SEC-21).
    """
    line = "" if value is None else str(value)
    if line.isascii() and line.isprintable() and "  " not in line:
        return line.strip()[:limit].rstrip()
    line = _NOT_IN_A_LINE.sub("", _BREAKS.sub(" ", line))
    return unicodedata.normalize("NFC", _BREAKS.sub(" ", line).strip())[:limit].rstrip()


def clean_text(value: object, limit: int = TEXT) -> str:
    """Several lines, ended by ``\\n``, otherwise as ``clean_line`` (SEC-21)."""
    text = "" if value is None else str(value)
    if not (text.isascii() and text.isprintable()):
        text = _NOT_IN_TEXT.sub("", _LINE_ENDS.sub("\n", text))
        text = unicodedata.normalize("NFC", text)
    return text.strip()[:limit].rstrip()


def quote_cell(value: str) -> str:
    """``value`` for a cell of an exported sheet: never a live formula (SEC-27).

    What starts like a formula gets a leading apostrophe, unless it is a number or a telephone
    number. What already starts with an apostrophe and such a character gets one more, so that
    ``unquote_cell`` gives back exactly this value.
    """
    bare = value.lstrip("'")
    if _FORMULA.match(bare) and (bare != value or not _PLAIN_NUMBER.fullmatch(value)):
        return f"'{value}"
    return value


def unquote_cell(value: str) -> str:
    """The cell as it was before ``quote_cell``; any other cell unchanged (SEC-27)."""
    if value[:1] != "'":
        return value
    return value[1:] if quote_cell(value[1:]) == value else value
