"""The offline writer: drafts from templates and facts, their problems, and the final words."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

import liquid
from django.conf import settings
from django.db.models import Prefetch
from django.utils.html import escape

from campaigns import channels, presets, texts
from campaigns.channels import Problem
from campaigns.models import Channel, PitchTemplate, Tone
from pitches import attachments, context, letters, unsubscribing
from pitches.models import Match, Message, SendMode, Variant
from prospects import suppressions
from prospects.models import ContentItem

# Below it stands the link.
OPT_OUT = 'If you do not want further messages from us, reply "no thanks" or open this page:'

# Codes of problems that are shown but keep nothing from being approved.
WARNINGS = channels.WARNINGS


class Words(NamedTuple):
    """What is frozen and sent. ``html`` is empty on channels that know only text."""

    subject: str
    body: str
    html: str


# Writing


def write(messages: Iterable[Message], *, now: datetime) -> None:
    """Draft 1 to 5 variants of each message, one per tone (S001-015..017).

    Takes a constant number of queries. A message that has variants, or no step, is left alone.
    Whatever stands against a draft is stored on it; nothing here raises for one message and so
    keeps the others from being written. Nothing is written, or paid for, to somebody who must
    not be written to (LAW-7).
    """
    rows = _may_be_written(_fetch([message.pk for message in messages]))
    texts_by_key = presets.templates(_key(row) for row in rows)
    subjects = _thread_subjects(rows)
    values: dict[int, context.Values] = {}
    made: list[Variant] = []
    for row in rows:
        if row.pitch_id not in values:
            values[row.pitch_id] = context.of_pitch(row.pitch, row.sender, now=now)
        by_tone = texts_by_key.get(_key(row), {})
        drafts = _drafts(row, by_tone, values[row.pitch_id], subjects)
        made += drafts or [_without_template(row)]
    Variant.objects.bulk_create(made)


def _may_be_written(rows: list[Message]) -> list[Message]:
    forbidden = suppressions.of_addresses(row.pitch.address for row in rows)
    return [row for row in rows if row.pitch.address.value not in forbidden]


def _fetch(ids: list[int]) -> list[Message]:
    """The messages to write, a pitch's first one first, with all that a template may name."""
    pitched = Match.objects.filter(status=Match.Status.PITCHED)
    return list(
        Message.objects.filter(pk__in=ids, variants=None, step__isnull=False)
        .exclude(step__template_key="")
        .select_related(
            "step",
            "sender",
            "pitch__lead__organization",
            "pitch__lead__segment",
            "pitch__campaign__client",
            "pitch__campaign__media_kit",
            "pitch__address__contact__organization",
        )
        .prefetch_related(
            Prefetch(
                "pitch__matches",
                pitched.select_related("candidate").order_by("-urgent", "-score", "pk"),
            ),
            "pitch__matches__candidate__angles",
            "pitch__matches__candidate__facts",
            Prefetch(
                "pitch__lead__content_items",
                ContentItem.objects.order_by("-published_at", "-pk").defer(
                    "text", "transcript", "embedding"
                )[:10],
                to_attr="latest_items",
            ),
            "pitch__lead__facts",
            "pitch__lead__organization__facts",
            "pitch__address__contact__facts",
        )
        .order_by("pitch_id", "number", "pk")
    )


def _thread_subjects(rows: list[Message]) -> dict[tuple[int, str], str]:
    """By pitch and tone, the subjects of first messages that were written before."""
    found: dict[tuple[int, str], str] = {}
    firsts = Variant.objects.filter(
        message__pitch__in={row.pitch_id for row in rows if row.number}, message__number=0
    ).exclude(message__status=Message.Status.CANCELED)
    for pitch, tone, subject in firsts.order_by("-number").values_list(
        "message__pitch", "tone", "subject"
    ):
        found[pitch, tone] = found[pitch, ""] = subject
    return found


def _drafts(
    message: Message,
    by_tone: dict[str, PitchTemplate],
    values: context.Values,
    subjects: dict[tuple[int, str], str],
) -> list[Variant]:
    assert message.step is not None
    tones = _tones(message, by_tone)[: message.step.variant_count]
    return [
        _draft(message, number, by_tone[tone], values, subjects)
        for number, tone in enumerate(tones, start=1)
    ]


def _tones(message: Message, by_tone: dict[str, PitchTemplate]) -> list[str]:
    """The tones there are texts in; where not all are wanted, the segment's own comes first."""
    segment = message.pitch.lead.segment
    tones = [str(tone) for tone in Tone if tone in by_tone]
    wanted = message.step.variant_count if message.step else len(tones)
    if segment and wanted < len(tones):
        tones.sort(key=lambda tone: tone != segment.tone)
    return tones


def _draft(
    message: Message,
    number: int,
    template: PitchTemplate,
    values: context.Values,
    subjects: dict[tuple[int, str], str],
) -> Variant:
    first = values.get("contact", {}).get("first_name", "")
    pitch, tone = message.pitch_id, template.tone
    thread = subjects.get((pitch, tone), subjects.get((pitch, ""), ""))
    named = values | {"salutation": context.salutation(first, tone)}
    named |= context.known(previous_context=thread, thread_subject=thread)
    subject, body, errors = "", "", []
    try:
        subject = texts.one_line(texts.render(_parsed(template.subject), named))
        body = texts.render(_parsed(template.body), named)
    except texts.TemplateError as e:
        errors = [Problem(code="template_error", detail=f"{template}: {e}")]
    if thread and not subject and letters.is_in_thread(message):
        subject = f"Re: {thread}"
    if not channels.has_subject(message.channel):
        subject = ""
    if message.number == 0:
        subjects[pitch, tone] = subject
        subjects.setdefault((pitch, ""), subject)
    found = errors or texts.problems(
        message.channel, subject, body, in_thread=letters.is_in_thread(message)
    )
    # What the column cannot hold is far beyond every channel's limit: `found` refuses it.
    return Variant(
        message=message,
        number=number,
        label=tone,
        tone=tone,
        author=Variant.Author.OFFLINE,
        subject=subject[:300],
        body=body,
        original_subject=subject[:300],
        original_body=body,
        claims=claims(message, body),
        problems=found,
        prompt_name=f"{template.key} v{template.version}",
        prompt_sha256=_sha256(template.subject, template.body),
    )


def _key(message: Message) -> str:
    return message.step.template_key if message.step else ""


def _without_template(message: Message) -> Variant:
    error = presets.MissingTemplate([_key(message)])
    return Variant(
        message=message,
        number=1,
        label=Tone.PROFESSIONAL,
        problems=[Problem(code="template_missing", detail=str(error))],
    )


@lru_cache(512)
def _parsed(source: str) -> liquid.BoundTemplate:
    return texts.parse(source)


def _sha256(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


# Sources


def claims(message: Message, body: str) -> list[dict[str, Any]]:
    """The sentences that repeat a recorded fact word by word, each with those facts.

    ``{"sentence": "…", "facts": ["fact:7", "candidate_fact:12"]}``: a sentence that no fact
    supports literally is not listed, since nothing is known about its source.
    """
    facts = [(f"fact:{fact.pk}", fact.value) for fact in context.facts_of(message.pitch)]
    for match in message.pitch.matches.all():
        facts += [(f"candidate_fact:{f.pk}", f.value) for f in match.candidate.facts.all()]
    patterns = [
        (
            name,
            re.compile(
                rf"(?<!\w){re.escape(texts.one_line(value).rstrip('.'))}(?!\w)", re.IGNORECASE
            ),
        )
        for name, value in facts
        if len(value.strip()) > 2
    ]
    found = []
    for sentence in sentences(body):
        if used := [name for name, pattern in patterns if pattern.search(sentence)]:
            found.append({"sentence": sentence, "facts": used})
    return found


def sentences(text: str) -> list[str]:
    """A text sentence by sentence; a line of its own counts as one."""
    parts = re.split(r"(?<=[.!?…])[\"”\u2019)]*\s+|\n+", text)
    return [" ".join(part.split()) for part in parts if part.strip()]


# Problems


def problems(message: Message, *, subject: str, body: str) -> list[Problem]:
    """What stands against these words for this message; anew after every edit.

    All codes but those in ``WARNINGS`` forbid approval. Outside of capture a message without a
    postal address is one of them, and in live mode one whose way out nobody can reach (LAW-1).
    """
    found = texts.problems(
        message.channel, subject, body, in_thread=letters.is_in_thread(message)
    )
    if message.channel == Channel.EMAIL:
        found += [*_owed_to_the_law(message), *attachments.problems(message)]
    return found


def _owed_to_the_law(message: Message) -> list[Problem]:
    found = []
    if message.send_mode != SendMode.CAPTURE and not settings.POSTAL_ADDRESS.strip():
        found.append(
            Problem(
                code="postal_address_missing",
                detail="No postal address is set (POSTAL_ADDRESS); the law wants one in "
                "every message.",
            )
        )
    if message.send_mode == SendMode.LIVE and not unsubscribing.is_reachable():
        found.append(
            Problem(
                code="way_out_unreachable",
                detail="There is no address at which recipients can reach us to unsubscribe: "
                "set PUBLIC_URL to the https address of this desk.",
            )
        )
    return found


def of_variant(variant: Variant) -> list[Problem]:
    """``problems`` of a variant's present words, with what kept the writer from writing it."""
    found = problems(variant.message, subject=variant.subject, body=variant.body)
    if not variant.is_edited:
        found += [p for p in variant.problems if p["code"].startswith("template_")]
    return found


def blocking(found: Iterable[Problem]) -> list[Problem]:
    """Those problems that forbid approval."""
    return [problem for problem in found if problem["code"] not in WARNINGS]


# Final words


def words(message: Message, variant: Variant) -> Words:
    """Exactly what is frozen at approval and sent: text, signature and footer (S001-027).

    A follow-up in the same thread takes the subject of the first message, whichever variant of
    that was chosen; it is read anew, since it may have been chosen a moment ago.
    """
    subject = _final_subject(message, variant.subject)
    body = texts.plain(variant.body)
    if message.channel != Channel.EMAIL:
        return Words(subject, body, "")
    body = "\n\n".join(filter(None, [body, signature(message), footer(message)]))
    return Words(subject, body, html(body))


def _final_subject(message: Message, subject: str) -> str:
    if not channels.has_subject(message.channel):
        return ""
    subject = texts.one_line(subject)
    if _takes_over(message, subject):
        thread = _thread_subject(message)
        return f"Re: {thread}" if thread else subject
    return subject


def takes_subject(message: Message, variant: Variant) -> bool:
    """Whether this draft goes out under the subject of its pitch's first message."""
    subject = texts.one_line(variant.subject)
    return channels.has_subject(message.channel) and _takes_over(message, subject)


def _takes_over(message: Message, subject: str) -> bool:
    return letters.is_in_thread(message) and texts.looks_like_reply(subject)


def signature(message: Message) -> str:
    """The sender's own signature, or their name (S003-025)."""
    sender = message.sender
    return texts.plain(sender.signature) or f"Kind regards,\n{texts.one_line(sender.name)}"


def footer(message: Message) -> str:
    """Who writes, from where, and how to make them stop (S003-026, LAW-1).

    The link is the message's own, so it is part of what is approved and of its hash.
    """
    who = ", ".join(
        filter(None, [settings.BRAND_NAME, texts.one_line(settings.POSTAL_ADDRESS)])
    )
    way_out = [OPT_OUT, unsubscribing.link(message)] if unsubscribing.is_owed(message) else []
    return "\n".join(filter(None, [who, settings.BRAND_WEBSITE, *way_out]))


_LINK = re.compile(r"https?://[^\s<>\"'“”]+[^\s<>\"'“”.,;:!?)\]}]")


def html(body: str) -> str:
    """The text as escaped paragraphs, with links to the http(s) addresses in it."""
    paragraphs = (part for part in texts.plain(body).split("\n\n") if part)
    return "\n".join(f"<p>{_linked(part)}</p>" for part in paragraphs)


def _linked(text: str) -> str:
    pieces, end = [], 0
    for match in _LINK.finditer(text):
        url = escape(match[0])
        shown = "Unsubscribe" if match[0].startswith(unsubscribing.folder()) else url
        pieces += [escape(text[end : match.start()]), f'<a href="{url}">{shown}</a>']
        end = match.end()
    return "".join([*pieces, escape(text[end:])]).replace("\n", "<br>\n")


def _thread_subject(message: Message) -> str:
    """The subject of the pitch's first message: its frozen one, else that of its variant."""
    firsts = Message.objects.filter(pitch=message.pitch_id, number=0)
    first: Message | None = firsts.exclude(status=Message.Status.CANCELED).first()
    if first is None:
        return ""
    if first.subject and first.status != Message.Status.DRAFT:
        return first.subject
    draft = first.variants.order_by("-is_chosen", "number").first()
    return draft.subject if draft else ""
