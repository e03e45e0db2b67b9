"""The plans and texts that are shipped: read from files, installed as rows.

The files are ``templates/pitches/presets.toml`` (sequences, segments) and
``templates/pitches/<channel>/<key>.<tone>.liquid`` (texts). A row that exists is never changed:
a changed file becomes the next version, since a pitch stays on the text it started with.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Prefetch
from django.db.models.functions import Now

from campaigns.models import Campaign, PitchTemplate, Segment, Sequence, Step, Tone

ROOT = Path(settings.BASE_DIR) / "templates" / "pitches"
LANGUAGE = "en"
_LOCK = 7_316_204  # one installer at a time, whatever machine it runs on

# The plan a campaign of each kind gets unless somebody chooses another.
SEQUENCES = {preset: preset.value for preset in Campaign.Preset}


class MissingTemplate(Exception):
    """A step asks for a text that is not installed (S000-055)."""

    def __init__(self, keys: Iterable[str]) -> None:
        self.keys = sorted(keys)
        super().__init__(
            f"There is no active template {', '.join(self.keys)}. Add one under Pitch "
            "templates, or run `manage.py presets` to install those that are shipped."
        )


class MissingSequence(Exception):
    """A campaign asks for a plan that is not installed."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(
            f"There is no sequence {key}. Add one under Sequences, or run `manage.py presets` "
            "to install those that are shipped."
        )


class Text(NamedTuple):
    """One shipped text."""

    key: str
    tone: str
    channel: str
    subject: str
    body: str


class Installed(NamedTuple):
    """How many rows an installation added."""

    templates: int
    sequences: int
    segments: int


def install() -> Installed:
    """Bring the shipped plans and texts into the database; a second time adds nothing.

    Takes a constant number of queries, plus two per sequence that is new.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        return Installed(_install_texts(), _install_sequences(), _install_segments())


def sequence(key: str) -> Sequence:
    """The newest version of a plan that is published. Raises MissingSequence."""
    published = Sequence.objects.filter(key=key, published_at__isnull=False)
    found = published.order_by("-version").first()
    if found is None:
        raise MissingSequence(key)
    return found


def templates(keys: Iterable[str]) -> dict[str, dict[str, PitchTemplate]]:
    """The newest active text per key and tone, in one query; keys without any are left out."""
    rows = PitchTemplate.objects.filter(
        key__in=set(keys),
        language=LANGUAGE,
        is_active=True,
        mode=PitchTemplate.Mode.TEXT,
        kind=PitchTemplate.Kind.MESSAGE,
    ).order_by("version")
    found: dict[str, dict[str, PitchTemplate]] = {}
    for row in rows:
        found.setdefault(row.key, {})[row.tone] = row
    return found


def template(key: str) -> dict[str, PitchTemplate]:
    """The newest active text of one key in each of its tones. Raises MissingTemplate."""
    found = templates([key])
    if key not in found:
        raise MissingTemplate([key])
    return found[key]


@lru_cache(1)
def shipped() -> dict[str, Any]:
    """The plans and segments as the file has them."""
    return tomllib.loads((ROOT / "presets.toml").read_text(encoding="utf-8"))


@lru_cache(1)
def shipped_texts() -> list[Text]:
    """Every shipped text; one that serves a second step appears under both keys (S003-020)."""
    texts = [
        _read(path, path.relative_to(ROOT).parts[0])
        for path in sorted(ROOT.glob("*/**/*.liquid"))
    ]
    again: dict[str, str] = shipped()["same_text"]
    return texts + [
        text._replace(key=key) for key, of in again.items() for text in texts if text.key == of
    ]


def _read(path: Path, channel: str) -> Text:
    """``<channel>/<key>.<tone>.liquid``; a first line ``Subject: …`` is the subject."""
    key, tone = str(path.relative_to(ROOT / channel).with_suffix("")).rsplit(".", 1)
    subject, body = "", path.read_text(encoding="utf-8")
    if body.startswith("Subject:"):
        first, _, body = body.partition("\n")
        subject = first.removeprefix("Subject:").strip()
    return Text(Path(key).as_posix(), Tone(tone), channel, subject, body.strip() + "\n")


def _install_texts() -> int:
    newest: dict[tuple[str, str], PitchTemplate] = {}
    known: set[tuple[str, str, str, str]] = set()
    keys = {text.key for text in shipped_texts()}
    rows = PitchTemplate.objects.filter(language=LANGUAGE, key__in=keys).order_by("version")
    for row in rows:
        newest[row.key, row.tone] = row
        known.add((row.key, row.tone, row.subject, row.body))
    made: list[PitchTemplate] = []
    for text in shipped_texts():
        if (text.key, text.tone, text.subject, text.body) in known:
            continue
        before = newest.get((text.key, text.tone))
        made.append(
            PitchTemplate(
                **text._asdict(),
                language=LANGUAGE,
                version=before.version + 1 if before else 1,
                is_preset=True,
                # Where a person wrote the newest version, theirs stays the one in use.
                is_active=before is None or before.is_preset,
            )
        )
    PitchTemplate.objects.bulk_create(made)
    return len(made)


def _install_sequences() -> int:
    made = 0
    versions: dict[str, list[Sequence]] = {}
    steps = Prefetch("steps", Step.objects.order_by("number"))
    for row in Sequence.objects.prefetch_related(steps).order_by("version"):
        versions.setdefault(row.key, []).append(row)
    for plan in shipped()["sequences"]:
        wanted = _steps(plan)
        there = versions.get(plan["key"], [])
        if any(_as_shipped(row) == [_fields(step) for step in wanted] for row in there):
            continue
        row = Sequence.objects.create(
            key=plan["key"],
            version=there[-1].version + 1 if there else 1,
            name=plan["name"],
            description=plan["description"],
            published_at=Now(),
        )
        for step in wanted:
            step.sequence = row
        Step.objects.bulk_create(wanted)
        made += 1
    return made


def _steps(plan: dict[str, Any]) -> list[Step]:
    return [
        Step(
            number=number,
            action=step.get("action", Step.Action.MESSAGE),
            name=step["name"],
            channel=step.get("channel", plan.get("channel", "email")),
            delay_hours=step["hours"],
            template_key=step.get("template", ""),
            variant_count=step.get("variants", 3),
            same_thread=step.get("same_thread", True),
        )
        for number, step in enumerate(plan["steps"])
    ]


def _fields(step: Step) -> tuple[Any, ...]:
    return (
        step.number,
        str(step.action),
        step.name,
        str(step.channel),
        step.delay_hours,
        step.template_key,
        step.variant_count,
        step.same_thread,
        list(step.days),
        list(step.slots),
        step.useful_hours,
    )


def _as_shipped(row: Sequence) -> list[tuple[Any, ...]]:
    return [_fields(step) for step in row.steps.all()]


def _install_segments() -> int:
    """Only into an empty table: segments are the agency's own, to change and to delete."""
    if Segment.objects.exists():
        return 0
    rows = [
        Segment(position=position, **segment)
        for position, segment in enumerate(shipped()["segments"], start=1)
    ]
    return len(Segment.objects.bulk_create(rows))
