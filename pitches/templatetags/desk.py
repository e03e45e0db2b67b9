"""What the desk's templates need beyond Django's own filters."""

from __future__ import annotations

import re

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from campaigns import texts

register = template.Library()

_GAPS = re.compile(
    "|".join(f"(?:{pattern.pattern})" for pattern in (texts.MISSING, *texts.PLACEHOLDERS)),
    re.MULTILINE,
)


@register.filter
def named(key: str) -> str:
    """A step's or a score part's key as a person says it: ``follow_up_1`` is "Follow up 1"."""
    words = key.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


@register.filter
def marked(text: str) -> SafeString:
    """The text escaped, with missing values and placeholders in red where they stand."""
    pieces: list[tuple[str | SafeString]] = []
    end = 0
    for gap in _GAPS.finditer(text):
        pieces.append((text[end : gap.start()],))
        pieces.append((format_html('<mark class="bad">{}</mark>', gap[0]),))
        end = gap.end()
    pieces.append((text[end:],))
    return format_html_join("", "{}", pieces)
