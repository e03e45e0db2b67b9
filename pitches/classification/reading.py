"""Reading a mail of whatever state: never raises, and takes time that its size bounds.

The standard library's lenient policy is used, for its other one reads every address and every
Content-Type with a grammar whose time grows faster than a hostile header is long.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import EmailMessage, Message
from email.parser import BytesHeaderParser
from email.policy import Compat32
from email.utils import parseaddr, parsedate_to_datetime

from config.text import clean_line, clean_text
from pitches.classification import html_text

# Larger mail is stored and understood by its head; an answer fits ten times over.
MOST_BYTES = 2_000_000
MOST_HEADER = 20_000
MOST_REFERENCES = 100
# What a person's client writes has fewer; what has more is read by its first ones.
MOST_PARTS, MOST_DEPTH = 100, 10
MOST_BODY = 20_000
MOST_HTML = 200_000

_ADDRESS = re.compile(r"[^\s<>()\[\],;:\"']{1,64}@[^\s<>()\[\],;:\"']{1,255}")


class Lenient(Compat32):
    """Headers are cut before anything looks at them; those that say a part's form shorter."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, _, first = sourcelines[0][: MOST_HEADER + 200].partition(":")
        most = 2_000 if name[:8].lower() == "content-" else MOST_HEADER
        lines = [first.lstrip(" \t")]
        length = len(first)
        for line in sourcelines[1:]:
            length += len(line)
            if length > most:
                break
            lines.append(line)
        return name, "".join(lines)[:most].rstrip("\r\n")


LENIENT = Lenient(message_factory=EmailMessage)


def parse(raw: bytes) -> EmailMessage:
    """A mail, whatever its state; of one that is nested without end, its headers alone."""
    raw = raw[:MOST_BYTES].lstrip()
    if raw.startswith(b">From "):  # an escaped envelope line of a mailbox file
        raw = raw.partition(b"\n")[2]
    try:
        mail = message_from_bytes(_without_a_crowd(raw), policy=LENIENT)
    except (RecursionError, ValueError, LookupError, AttributeError, TypeError):
        mail = BytesHeaderParser(policy=LENIENT).parsebytes(raw[:MOST_HEADER])
    assert isinstance(mail, EmailMessage)
    return mail


# A line that begins a part or looks so.
_BOUNDARY = re.compile(rb"^--[^\s-].*$", re.MULTILINE)
_DECLARED = re.compile(rb"boundary\s*=", re.IGNORECASE)
MOST_BOUNDARIES, MOST_DECLARED = 2_000, 60


def _without_a_crowd(raw: bytes) -> bytes:
    """The mail up to the part where no person's mail has so many.

    The parser holds each line against each boundary that is open, so a thousand of them
    inside each other would be read a thousand times over.
    """
    end = len(raw)
    for pattern, most in ((_BOUNDARY, MOST_BOUNDARIES), (_DECLARED, MOST_DECLARED)):
        for number, found in enumerate(pattern.finditer(raw, 0, end)):
            if number == most:
                end = found.start()
                break
    return raw[:end]


def parts(mail: Message, *, into_messages: bool = False) -> Iterator[Message]:
    """The parts in their order, the outermost first, at most a hundred.

    What lies in an attached or returned message is only entered ``into_messages``.
    """
    waiting: list[tuple[Message, int]] = [(mail, 0)]
    for _ in range(MOST_PARTS):
        if not waiting:
            return
        part, depth = waiting.pop()
        yield part
        inside = part.get_payload()
        is_message = part.get_content_maintype() == "message"
        if (
            isinstance(inside, list)
            and depth < MOST_DEPTH
            and (into_messages or not is_message)
        ):
            deeper = [(child, depth + 1) for child in inside[:MOST_PARTS]]
            waiting.extend(
                (child, at) for child, at in reversed(deeper) if isinstance(child, Message)
            )


def inside(part: Message) -> list[Message]:
    """The parts a part holds; none where it holds text."""
    payload = part.get_payload()
    if not isinstance(payload, list):
        return []
    return [child for child in payload[:MOST_PARTS] if isinstance(child, Message)]


# -- headers -----------------------------------------------------------------------------------


def raw_header(mail: Message, name: str) -> str:
    """The first header of that name as it stands, capped; empty where there is none."""
    wanted = name.lower()
    for key, value in mail.raw_items():
        if key.lower() == wanted:
            return str(value)[:MOST_HEADER]
    return ""


def header(mail: Message, name: str) -> str:
    """A header as one clean line with its encoded words read; empty where there is none."""
    return clean_line(_decoded(raw_header(mail, name)), MOST_HEADER)


def _decoded(value: str) -> str:
    value = _utf8(value)
    if "=?" not in value:
        return value
    try:
        pieces = decode_header(value)
    except (HeaderParseError, ValueError):
        return value
    return "".join(_text_of(piece, charset) for piece, charset in pieces)


def _text_of(piece: str | bytes, charset: str | None) -> str:
    if isinstance(piece, str):
        return piece
    return _decode(piece, charset or "ascii")


def _utf8(value: str) -> str:
    """Eight-bit headers, which the parser keeps as surrogates."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return _decode(value.encode("utf-8", "surrogateescape"), "utf-8")
    return value


def _decode(octets: bytes, charset: str) -> str:
    """As the charset says, else UTF-8, else what keeps every byte."""
    for name in (charset, "utf-8"):
        try:
            return octets.decode(name)
        except (LookupError, ValueError):
            continue
    try:
        if charset.lower() not in {"ascii", "us-ascii", "utf-8", "utf8"}:
            return octets.decode(charset, "replace")
    except (LookupError, ValueError):
        pass
    return octets.decode("windows-1252", "replace")


def written_by(mail: Message) -> tuple[str, str]:
    """The writer's name and address; both empty where From says nothing readable."""
    value = raw_header(mail, "From")[:2_000]
    # The library's parser goes one call deeper for each bracket.
    name, address = parseaddr(_utf8(value)) if value.count("(") < 20 else ("", "")
    if "@" not in address:
        found = _ADDRESS.search(value)
        address = found[0] if found else ""
        name = name if found and name != address else value.partition("<")[0]
    return clean_line(_decoded(name).strip('"')), clean_line(address, 320).lower()


def received_at(mail: Message, *, now: datetime) -> datetime:
    """When they wrote it; never in our future, and now where the header lies or is missing."""
    try:
        written = parsedate_to_datetime(header(mail, "Date")[:100])
        if written.tzinfo is None:
            written = written.replace(tzinfo=UTC)
        return min(written.astimezone(UTC), now)
    except (ValueError, TypeError, OverflowError, IndexError):
        return now


def references(mail: Message) -> list[str]:
    """The Message-IDs this one points to, in any of the three headers; the first hundred."""
    named = " ".join(
        header(mail, name) for name in ("In-Reply-To", "References", "X-Overture-Id")
    )
    return ids_in(named)


def ids_in(text: str) -> list[str]:
    """The Message-IDs in a line, without their brackets; the first hundred."""
    words = (word.strip("<>,;") for word in text.replace("><", "> <").split())
    return list(dict.fromkeys(name for name in words if "@" in name))[:MOST_REFERENCES]


# -- body --------------------------------------------------------------------------------------


def part_text(part: Message, most: int = MOST_BODY) -> str:
    """What a part says, decoded as far as it can be, capped."""
    payload = part.get_payload()
    if isinstance(payload, list):
        return ""
    try:
        octets = part.get_payload(decode=True)
    except (ValueError, LookupError, AttributeError, TypeError):
        octets = None
    if not isinstance(octets, bytes):
        return clean_text(payload if isinstance(payload, str) else "", most)
    try:
        charset = str(part.get_content_charset() or "utf-8")
    except (ValueError, LookupError, AttributeError, TypeError):
        charset = "utf-8"
    return clean_text(_decode(octets[: most * 4], charset), most)


# A multipart whose boundary is nowhere to be found has its text in one piece.
_SAYS_TEXT = frozenset({"text/plain", "multipart/alternative", "multipart/mixed"})


def body_text(mail: Message) -> str:
    """The readable text, capped; empty for a mail whose body cannot be read.

    The plain text where there is one that says something, else what the HTML shows.
    """
    plain, html = "", ""
    for part in parts(mail):
        if part.is_multipart() or _is_attached(part):
            continue
        kind = part.get_content_type()
        if kind in _SAYS_TEXT and not plain:
            plain = part_text(part)
        elif kind == "text/html" and not html:
            html = html_text.shown(part_text(part, MOST_HTML))
    return (plain if plain.strip() else html)[:MOST_BODY]


def _is_attached(part: Message) -> bool:
    return raw_header(part, "Content-Disposition")[:20].lower().startswith("attachment")
