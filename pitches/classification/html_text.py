"""What an HTML mail shows, as lines of text; quoted parts become quoted lines.

Written on the standard library's parser: linear, and it needs to know ten tags.
"""

from __future__ import annotations

from html.parser import HTMLParser

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


class _Shown(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[str] = []
        self.line: list[str] = []
        self.open: list[str] = []
        self.quoting: list[int] = []
        self.unseen: list[int] = []
        self.rest_is_quoted = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _LINES or tag == "br":
            self._end_line(is_break=tag == "br")
        marks = " ".join(
            value or "" for name, value in attrs if name in {"class", "id"}
        ).lower()
        if "appendonsend" in marks or "divrplyfwdmsg" in marks:
            # Outlook closes this box at once; what follows it is the older mail.
            self.rest_is_quoted = True
        if tag in _EMPTY or len(self.open) > MOST_DEEP:
            return
        self.open.append(tag)
        if tag == "blockquote" or any(name in marks for name in _QUOTING):
            self.quoting.append(len(self.open))
        if tag in _UNSEEN:
            self.unseen.append(len(self.open))

    def handle_endtag(self, tag: str) -> None:
        if tag in _LINES:
            self._end_line()
        if tag not in self.open[-MOST_DEEP:]:
            return
        while self.open:
            closed = self.open.pop()
            for marks in (self.quoting, self.unseen):
                if marks and marks[-1] > len(self.open):
                    marks.pop()
            if closed == tag:
                return

    def handle_data(self, data: str) -> None:
        if not self.unseen:
            self.line.append(data)

    def _end_line(self, *, is_break: bool = False) -> None:
        text = " ".join("".join(self.line).split())
        self.line.clear()
        if text or is_break:
            quoted = "> " if self.quoting or self.rest_is_quoted else ""
            self.lines.append(f"{quoted}{text}")

    def close(self) -> None:
        super().close()
        self._end_line()


def shown(html: str) -> str:
    """The text of an HTML mail; what its program quoted stands behind ``>``."""
    reader = _Shown()
    try:
        reader.feed(html)
        reader.close()
    except (AssertionError, ValueError, RecursionError):
        reader._end_line()
    return "\n".join(reader.lines)
