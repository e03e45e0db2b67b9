"""Texts: rendered from Liquid within limits, cleaned, and searched for what must not go out."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

import liquid
from liquid.exceptions import LiquidError

from campaigns import channels
from campaigns.channels import Problem
from config.text import clean_line

LONGEST_TEMPLATE = 10_000
LONGEST_OUTPUT = 20_000

# How a missing value shows in a text. The reviewer sees it, and approval is refused (S001-013).
MISSING = re.compile(r"⟨([^⟨⟩\n]{1,200})⟩")


class TemplateError(Exception):
    """A template that cannot be rendered: its syntax, or a limit it ran into."""


class _Missing(liquid.FalsyStrictUndefined):
    """A value nobody knows: false in a condition, visible in the text."""

    allowed_properties = liquid.FalsyStrictUndefined.allowed_properties | {
        "__str__",
        "__getitem__",
        "__iter__",
        "__len__",
        "items",
    }

    def __str__(self) -> str:
        hint = str(self.hint or "")
        name = (
            hint.removesuffix(" is undefined") if hint.endswith(" is undefined") else self.name
        )
        return f"⟨{str(name).strip(chr(39))}⟩"

    def __getitem__(self, key: str) -> object:
        return self

    def __iter__(self) -> Any:
        return iter([self])

    def __len__(self) -> int:
        return 1

    def items(self) -> Any:
        """What a loop over it sees: itself, so that the gap shows there too."""
        return [self]


# What a letter needs. `replace` and `strip_html` grow text or time without bound, `date` reads
# the clock and pads to any width.
_FILTERS = (
    "append", "at_least", "at_most", "capitalize", "compact", "concat", "default", "divided_by",
    "downcase", "first", "join", "last", "lstrip", "map", "minus", "modulo", "plus", "prepend",
    "remove", "remove_first", "remove_last", "reverse", "round", "rstrip", "size", "slice",
    "sort", "split", "squish", "strip", "strip_newlines", "times", "truncatewords", "uniq",
    "upcase", "where",
)  # fmt: skip
_TAGS = ("include", "render", "tablerow", "increment", "decrement", "doc", "liquid")


class _Environment(liquid.Environment):
    loop_iteration_limit = 2000
    output_stream_limit = LONGEST_OUTPUT
    local_namespace_limit = 10_000
    context_depth_limit = 10


def _environment() -> _Environment:
    environment = _Environment(undefined=_Missing, autoescape=False)
    kept = {name: environment.filters[name] for name in _FILTERS}
    environment.filters.clear()
    environment.filters.update(kept)
    environment.filters |= {"join": _join, "size": _size}
    for tag in _TAGS:
        environment.tags.pop(tag, None)
    return environment


def _join(items: Any, separator: str = ", ") -> str:
    """The filter ``join``, refusing what would not fit into a message anyway."""
    words = [items] if isinstance(items, str | _Missing) else list(items)
    if len(words) * len(str(separator)) > LONGEST_OUTPUT:
        raise TemplateError("join makes a text that is too long")
    return str(separator).join(str(word) for word in words)


def _size(value: Any) -> Any:
    """The filter ``size``; of a missing value the gap itself."""
    return value if isinstance(value, _Missing) or not hasattr(value, "__len__") else len(value)


ENVIRONMENT = _environment()


def parse(source: str) -> liquid.BoundTemplate:
    """Read a template. Raises TemplateError with the line and what is wrong there."""
    if len(source) > LONGEST_TEMPLATE:
        raise TemplateError(f"The template is longer than {LONGEST_TEMPLATE} characters.")
    try:
        return ENVIRONMENT.from_string(source)
    except (LiquidError, RecursionError, ValueError) as e:
        raise TemplateError(_first_line(e)) from e


def render(template: liquid.BoundTemplate, context: Mapping[str, Any]) -> str:
    """The text of a template; a missing value appears as ``⟨its name⟩``.

    ``context`` holds plain dicts, lists and texts only; what they contain is never rendered
    again (SEC-24). Raises TemplateError.
    """
    try:
        return plain(template.render(**context))
    except TemplateError:
        raise
    except (LiquidError, RecursionError, ArithmeticError, TypeError, ValueError) as e:
        raise TemplateError(_first_line(e)) from e


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    where = next((line.split("'")[-1].strip() for line in lines if line.startswith("  ->")), "")
    first = lines[0] if lines else type(error).__name__
    return f"{first} (line {where.split(':')[0]})" if where else first


def plain(text: str) -> str:
    """NFC with ``\\n`` line ends, no control characters, at most one empty line in a row."""
    text = unicodedata.normalize("NFC", text)
    text = re.sub(r"\r\n?|[\u2028\u2029\u0085\v\f]", "\n", text).replace("\t", " ")
    text = "".join(c for c in text if c == "\n" or not _is_control(c))
    lines = (line.rstrip() for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def one_line(text: str) -> str:
    """``plain`` on a single line: for names, titles and subjects."""
    return " ".join(plain(text).split())


# Marks that turn the direction of writing round can make a text show what it does not say.
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def _is_control(c: str) -> bool:
    return unicodedata.category(c) in ("Cc", "Cs") or c in _BIDI


PLACEHOLDERS = [
    re.compile(r"\{\{.{0,80}?(?:\}\}|$)|\}\}|\{%.{0,80}?(?:%\}|$)", re.MULTILINE),
    re.compile(r"%[A-Z_]{3,40}%|\*\|[A-Z_]{2,40}\|\*|\$\{[^}\n]{1,60}\}|__[A-Z_]{2,40}__"),
    re.compile(r"\{[A-Za-z_][\w .-]{0,60}\}"),
    re.compile(r"\[[A-Za-z_][^\[\]\n]{0,80}\]"),
    re.compile(r"\b(?:INSERT|YOUR)[ _](?:[A-Z]+[ _]?){1,4}\b|\bTODO\b|\bLorem ipsum\b"),
]
_MARKUP = re.compile(
    r"</?[A-Za-z][A-Za-z0-9]*(?:\s[^<>]*)?/?>|<!--|&(?:#\d{2,6}|[A-Za-z]{2,8});"
)
_REPLY_MARK = re.compile(
    r"^\s*(?:re|fw|fwd|aw|wg|sv|vb|vs|vl|antw|doorst|odp|pd|rif|res|rv|tr|enc|ynt)"
    r"\s*(?:\[\d+\])?\s*[:\uff1a]",
    re.IGNORECASE,
)


def looks_like_reply(subject: str) -> bool:
    """Whether a subject claims that there was a conversation before."""
    return bool(_REPLY_MARK.match(subject))


def problems(
    channel: str, subject: str, body: str, *, in_thread: bool = False
) -> list[Problem]:
    """Everything that stands against a text, each as a code and a sentence.

    ``in_thread``: the message answers an earlier one, so "Re:" is the truth (LAW-24).
    """
    found: list[Problem] = []
    # zero-width characters are no text
    if not clean_line(body):
        found.append(Problem(code="empty", detail="The message has no text."))
    if channels.needs_subject(channel) and not clean_line(subject):
        found.append(Problem(code="subject_missing", detail="The message has no subject."))
    used = f"{subject}\n{body}" if channels.has_subject(channel) else body
    found += [
        Problem(
            code="missing_value", detail=f"“{name}” is not known. Fill it in or leave it out."
        )
        for name in dict.fromkeys(MISSING.findall(used))
    ]
    found += [
        Problem(code="placeholder", detail=f"“{words}” looks like a gap that nobody filled.")
        for words in _placeholders(used)
    ]
    if markup := _MARKUP.search(used):
        found.append(
            Problem(
                code="markup",
                detail=f"“{markup[0][:40]}” is markup; recipients would see it as it stands.",
            )
        )
    if looks_like_reply(subject) and not in_thread:
        found.append(
            Problem(
                code="misleading_subject",
                detail="The subject says that this is an answer, and it is not one.",
            )
        )
    return found + channels.problems(channel, subject, body)


def _placeholders(text: str) -> list[str]:
    found: dict[str, None] = {}
    for pattern in PLACEHOLDERS:
        for match in pattern.finditer(text):
            if not any(match[0] in known for known in found):
                found[match[0]] = None
    return list(found)
