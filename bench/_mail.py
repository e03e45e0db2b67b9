"""Recorded mail and recorded answers, read and held against their labels."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from config.text import clean_text
from pitches import classification
from pitches.classification import html_text
from pitches.models import IncomingMessage

_KINDS = IncomingMessage.Kind
# What the labels call it, and what may stand for it here.
KINDS: dict[str, set[str]] = {
    "bounce": {_KINDS.BOUNCE},
    "delay_warning": {_KINDS.DELAY},
    "feedback_loop": {_KINDS.COMPLAINT},
    "delivered_notice": {_KINDS.AUTOMATIC},
    "auto_reply": {_KINDS.OUT_OF_OFFICE, _KINDS.AUTOMATIC},
    "human_reply": {_KINDS.HUMAN_REPLY},
    "not_bounce": {_KINDS.HUMAN_REPLY, _KINDS.AUTOMATIC},
}
BY_PROGRAMS = frozenset(KINDS) - {"human_reply", "not_bounce"}


@dataclass
class Figures:
    """How many of each, how many right, and which were wrong."""

    asked: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    read_as_human: list[str] = field(default_factory=list)

    def count(self, what: str, is_right: bool, name: str) -> None:
        """One more of ``what``."""
        self.asked[what] += 1
        self.right[what] += is_right
        if not is_right:
            self.wrong.append(f"{what}: {name}")

    def share(self, what: str) -> float:
        """The share that is right, 0 to 1."""
        return self.right[what] / self.asked[what] if self.asked[what] else 0.0


def _labels(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "labels.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def inbound(folder: Path) -> Figures:
    """Kind, permanence and recipients of every recorded mail."""
    figures = Figures()
    for label in _labels(folder):
        mail = classification.parse((folder / label["file"]).read_bytes())
        found = classification.classify(mail, own=set())
        kind, name = label["type"], label["file"]
        figures.count(f"kind {kind}", found.kind in KINDS[kind], name)
        if kind in BY_PROGRAMS and found.kind in {_KINDS.HUMAN_REPLY, _KINDS.UNSUBSCRIBE}:
            figures.read_as_human.append(name)
        if kind == "bounce" and label.get("permanence") in {"permanent", "temporary"}:
            wanted = "soft" if label["permanence"] == "temporary" else ""
            said = (
                found.bounce_kind == "soft" if wanted else found.bounce_kind not in {"", "soft"}
            )
            figures.count("permanence", said, name)
        if "recipients" in label:
            named = sorted(address.lower() for address in found.bounce_recipients)
            wanted_names = sorted(address.lower() for address in label["recipients"])
            figures.count("recipients", named == wanted_names, name)
        elif kind == "bounce" and label.get("recipients_expected"):
            number = len(found.bounce_recipients)
            figures.count("number of recipients", number == label["recipients_expected"], name)
        if "expected_reply_text" in label:
            is_same = found.reply_text.strip() == label["expected_reply_text"].strip()
            figures.count("reply text of the mails", is_same, name)
    return figures


def replies(folder: Path) -> Figures:
    """The strict labels of the recorded answers; loose ones are counted apart."""
    figures = Figures()
    for label in _labels(folder):
        text = (folder / label["file"]).read_text(encoding="utf-8", errors="replace")
        if label["file"].endswith(".html"):
            text = html_text.shown(text)
        text = clean_text(text)
        own = classification.written_by_person(text)
        name = label["file"]
        if wanted := label.get("visible_text_nospace"):
            figures.count("strict", "".join(own.split()) == wanted, name)
        elif wanted := label.get("first_fragment") or label.get("visible_text"):
            figures.count("strict", own.split() == wanted.split(), name)
        elif label.get("whole_text_is_reply"):
            figures.count("strict", own.split() == text.split(), name)
        elif patterns := label.get("first_fragment_matches"):
            figures.count("loose", all(re.search(p, own) for p in patterns), name)
    return figures
