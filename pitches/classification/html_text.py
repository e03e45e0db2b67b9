"""What an HTML mail shows, as lines of text; quoted parts become quoted lines.

Own, and linear: the standard library's parser takes seconds for a mail of unclosed comments.
"""

from __future__ import annotations

import html
import re

_LINES = frozenset(
    [
        "address",
        "article",
        "blockquote",
        "body",
        "div",
        "dl",
        "dt",
        "dd",
        "fieldset",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "td",
        "title",
        "tr",
        "ul",
    ]
)
_UNSEEN = frozenset(["head", "script", "style", "template", "title", "xml", "noscript"])
_EMPTY = frozenset(
    [
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "source",
        "wbr",
    ]
)
# The boxes in which mail programs put what they quote.
_QUOTING = (
    "gmail_attr",
    "yahoo_quoted",
    "moz-cite-prefix",
    "protonmail_quote",
    "zmail_extra",
    "divrplyfwdmsg",
    "appendonsend",
    "mail-editor-reference-message-container",
    "olk_src_body_section",
)
MOST_DEEP = 200


# A tag ends before the next begins; so each character is looked at once, whatever is left open.
_TOKEN = re.compile(r"<(/?)([a-zA-Z][\w:-]{0,30})([^<>]{0,4000})>|([^<]+)|<")
_MARKS = re.compile(r"\b(?:class|id)\s*=\s*[\"']?([^\"'>]{1,200})", re.IGNORECASE)


class _Shown:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.line: list[str] = []
        self.open: list[str] = []
        self.quoting: list[int] = []
        self.unseen: list[int] = []
        self.rest_is_quoted = False

    def begin(self, tag: str, attributes: str) -> None:
        if tag in _LINES or tag == "br":
            self.end_line(is_break=tag == "br")
        marks = " ".join(_MARKS.findall(attributes)).lower()
        if "appendonsend" in marks or "divrplyfwdmsg" in marks:
            # Outlook closes this box at once; what follows it is the older mail.
            self.rest_is_quoted = True
        if tag in _EMPTY or attributes.endswith("/") or len(self.open) > MOST_DEEP:
            return
        self.open.append(tag)
        if tag == "blockquote" or any(name in marks for name in _QUOTING):
            self.quoting.append(len(self.open))
        if tag in _UNSEEN:
            self.unseen.append(len(self.open))

    def end(self, tag: str) -> None:
        if tag in _LINES:
            self.end_line()
        if tag not in self.open:
            return
        while self.open:
            closed = self.open.pop()
            for marks in (self.quoting, self.unseen):
                if marks and marks[-1] > len(self.open):
                    marks.pop()
            if closed == tag:
                return

    def say(self, text: str) -> None:
        if not self.unseen:
            self.line.append(html.unescape(text) if "&" in text else text)

    def end_line(self, *, is_break: bool = False) -> None:
        text = " ".join("".join(self.line).split())
        self.line.clear()
        if text or is_break:
            quoted = "> " if self.quoting or self.rest_is_quoted else ""
            self.lines.append(f"{quoted}{text}")


def shown(source: str) -> str:
    """The text of an HTML mail; what its program quoted stands behind ``>``."""
    reader = _Shown()
    for token in _TOKEN.finditer(_without_comments(source)):
        closes, tag, attributes, text = token.groups()
        if text is not None:
            reader.say(text)
        elif tag is None:
            reader.say("<")
        elif closes:
            reader.end(tag.lower())
        else:
            reader.begin(tag.lower(), attributes)
    reader.end_line()
    return "\n".join(reader.lines)


def _without_comments(source: str) -> str:
    kept, at = [], 0
    while (begin := source.find("<!", at)) >= 0:
        kept.append(source[at:begin])
        closing = "-->" if source.startswith("<!--", begin) else ">"
        end = source.find(closing, begin)
        if end < 0:
            return "".join(kept)
        at = end + len(closing)
    return "".join(kept) + source[at:]
