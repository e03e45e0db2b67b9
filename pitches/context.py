"""What a template may say about a pitch: plain dicts of named values, and nothing else.

A value that is empty is left out, so that a template which asks for it shows the gap.
"""

from __future__ import annotations

import html
import re
from datetime import date, datetime
from typing import Any

from django.conf import settings
from nameparser import HumanName

from campaigns.models import Campaign, Candidate, MediaKit, Tone
from campaigns.texts import one_line, plain
from pitches.models import Match, Pitch, Sender
from prospects.models import Contact, ContentItem, Lead, Organization

Values = dict[str, Any]

# Mailboxes and departments are not people to be called by their first name.
_NOT_A_NAME = frozenset(
    {
        *("accounts", "admin", "booking", "bookings", "career", "careers", "contact", "crew"),
        *(
            "department",
            "desk",
            "editor",
            "editorial",
            "enquiries",
            "general",
            "guest",
            "hello",
        ),
        *(
            "help",
            "hiring",
            "hr",
            "info",
            "inquiries",
            "jobs",
            "mail",
            "management",
            "marketing",
        ),
        *("media", "news", "office", "people", "podcast", "press", "producer", "production"),
        *("recruiting", "recruitment", "sales", "show", "staff", "studio", "support", "talent"),
        *("team", "webmaster"),
    }
)
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def known(**values: Any) -> Values:
    """These values without the empty ones."""
    return {name: value for name, value in values.items() if value not in ("", None, [], {})}


def first_name(name: str) -> str:
    """How to greet somebody, or nothing where a neutral greeting is safer (S003-023)."""
    words = re.findall(r"[^\W\d_]+", name.casefold())
    if not words or set(words) & _NOT_A_NAME or re.search(r"[@&/\d+|]|\band\b|\bund\b", name):
        return ""
    parsed = HumanName(one_line(name))
    first = str(parsed.first)
    if len(first.rstrip(".")) < 2 or first.endswith(".") or first.casefold() == "the":
        return ""
    if first.isupper() or first.islower():
        return "-".join(part.capitalize() for part in first.split("-"))
    return first


def salutation(first: str, tone: str) -> str:
    """The first line of a message, by tone."""
    if not first:
        return "Hello,"
    word = {Tone.PROFESSIONAL: "Dear", Tone.FRIENDLY: "Hi", Tone.DIRECT: "Hello"}[Tone(tone)]
    return f"{word} {first},"


def day(value: date | None) -> str:
    """``2 March 2026``."""
    return f"{value.day} {value:%B %Y}" if value else ""


def period(start: date | None, end: date | None) -> str:
    """``2 March to 31 August 2026``, or what is known of it."""
    if start and end:
        begin = f"{start.day} {start:%B}" if start.year == end.year else day(start)
        return f"{begin} to {day(end)}"
    if start:
        return f"from {day(start)}"
    return f"until {day(end)}" if end else ""


def listing(words: list[str]) -> str:
    """``Mina, Tomas and Li``."""
    return (
        " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)
    )


def industry_of(organization: Organization | None, lead: Lead) -> str:
    """The industry in running text: the company's, else the lead's (S003-022, H003-07)."""
    value = (organization and organization.industry) or next(iter(lead.industries), "")
    words = one_line(value).split()
    return " ".join(word.lower() if word[1:].islower() else word for word in words)  # not IT


def skills_asked_for(candidate: Candidate, lead: Lead) -> list[str]:
    """Those of the candidate's skills that the lead's own text names, as whole words."""
    text = "\n".join([lead.name, lead.text, *lead.keywords])
    return [
        skill
        for skill in map(one_line, candidate.skills)
        if re.search(rf"(?<![\w+#]){re.escape(skill)}(?![\w+#])", text, re.IGNORECASE)
    ]


def of_pitch(pitch: Pitch, sender: Sender, *, now: datetime) -> Values:
    """Everything a template of this pitch may name. Reads only what was fetched with it."""
    lead, campaign, contact = pitch.lead, pitch.campaign, pitch.address.contact
    organization = lead.organization or contact.organization
    matches: list[Match] = list(pitch.matches.all())
    people = [of_candidate(match.candidate, lead, campaign.keywords) for match in matches]
    first = people[0] if people else {}
    starts = [match.candidate.starts_on for match in matches]
    industry = industry_of(organization, lead)
    facts = facts_by_kind(pitch, now=now)
    values = known(
        lead=of_lead(lead),
        role=of_lead(lead),
        organization=of_organization(organization) if organization else {},
        contact=of_contact(contact),
        candidates=people,
        candidate=first,
        candidate_names=listing([person["name"] for person in people]),
        count=len(people) if len(people) >= len(_NUMBERS) else _NUMBERS[len(people)],
        several=len(people) > 1,
        urgent=pitch.urgent,
        earliest_start=day(min(filter(None, starts), default=None)),
        angles=first.get("angles"),
        episode=of_item(best_item(latest_items(lead), campaign.keywords)),
        facts=facts,
        industry=industry,
        focus=f"with companies in {industry}" if industry else f"in roles such as {lead.name}",
        campaign=known(
            name=one_line(campaign.name),
            goal=plain(campaign.goal),
            ideal_lead=plain(campaign.ideal_lead),
            media_kit=campaign.media_kit_url,
            highlights=highlights(campaign),
        ),
        client=known(name=one_line(campaign.client.name), website=campaign.client.website),
        sender=known(
            name=one_line(sender.name),
            first_name=first_name(sender.name),
            signature=plain(sender.signature),
        ),
        brand=known(name=settings.BRAND_NAME, website=settings.BRAND_WEBSITE),
        segment=known(
            key=lead.segment.key, name=lead.segment.name, guidance=lead.segment.guidance
        )
        if lead.segment
        else {},
    )
    return values | earlier_names(values)


def of_lead(lead: Lead) -> Values:
    return known(
        name=one_line(lead.name),
        title=one_line(lead.name),
        kind=lead.kind,
        description=plain(lead.text),
        url=lead.url,
        website=lead.website,
        location="remote" if lead.is_remote and not lead.location else one_line(lead.location),
        language=lead.language,
        keywords=[one_line(word) for word in lead.keywords],
        industries=[one_line(word) for word in lead.industries],
        audience=lead.audience,
        start=day(lead.starts_on),
        end=day(lead.ends_on),
        period=period(lead.starts_on, lead.ends_on),
    )


def of_organization(organization: Organization) -> Values:
    return known(
        name=one_line(organization.name),
        industry=one_line(organization.industry),
        domain=organization.domain,
        country=organization.country,
        employees=organization.employees,
    )


def of_contact(contact: Contact) -> Values:
    return known(
        name=one_line(contact.name),
        first_name=first_name(contact.name),
        title=one_line(contact.title),
    )


def of_candidate(candidate: Candidate, lead: Lead, keywords: list[str]) -> Values:
    """One candidate; ``profile`` is the formatted block of S003-024."""
    bio = plain(candidate.bio_to_use)
    values = known(
        name=one_line(candidate.name),
        first_name=first_name(candidate.name),
        called=first_name(candidate.name) or one_line(candidate.name),
        headline=one_line(candidate.headline).rstrip("."),
        bio=bio,
        summary=plain(candidate.bio_summary),
        introduction=plain(candidate.bio_short or candidate.bio_summary) or bio,
        skills=[one_line(skill) for skill in candidate.skills],
        asked_for=skills_asked_for(candidate, lead),
        interests=[one_line(word) for word in candidate.industries],
        availability=period(candidate.starts_on, candidate.ends_on),
        location="remote only" if candidate.remote_only else one_line(candidate.location),
        angles=[
            known(
                topic=one_line(angle.topic).rstrip("."),
                outcome=one_line(angle.outcome).rstrip("."),
                description=plain(angle.description),
            )
            for angle in ranked_angles(candidate, lead, keywords)
        ],
    )
    return values | {"profile": profile(values)}


def profile(person: Values) -> str:
    """A candidate in a few lines, each present only if it is known (S003-024)."""
    head = ", ".join(filter(None, [person.get("name"), person.get("headline")]))
    where = f" ({person['location']})" if "location" in person else ""
    lines = [head, f"Available: {person.get('availability', 'dates to be agreed')}{where}"]
    if "interests" in person:
        lines.append(f"Interests: {', '.join(person['interests'])}")
    if "asked_for" in person:
        lines.append(f"Skills you ask for: {', '.join(person['asked_for'])}")
    elif "skills" in person:
        lines.append(f"Skills: {', '.join(person['skills'])}")
    return "\n".join([*lines, *filter(None, [person.get("bio")])])


def ranked_angles(candidate: Candidate, lead: Lead, keywords: list[str]) -> list[Any]:
    """The talking points nearest to this lead first (H000-09)."""
    there = " ".join([lead.name, lead.text, *lead.keywords]).casefold()
    long_words = {word for word in re.findall(r"\w+", there) if len(word) > 5}

    def score(angle: Any) -> float:
        text = f"{angle.topic} {angle.outcome} {angle.description}".casefold()
        hits = [word.casefold() for word in keywords if word.casefold() in text]
        shared = long_words & set(re.findall(r"\w+", text))
        return sum(3 if word in there else 1 for word in hits) + len(shared) / 2

    return sorted(candidate.angles.all(), key=lambda angle: (-score(angle), angle.position))


def latest_items(lead: Lead) -> list[ContentItem]:
    """The items fetched with the lead as ``latest_items``, newest first."""
    items: list[ContentItem] = vars(lead).get("latest_items", [])
    return items


def best_item(items: list[ContentItem], keywords: list[str]) -> ContentItem | None:
    """The newest item among those that name most of the campaign's keywords (H000-09)."""

    def hits(item: ContentItem) -> int:
        text = f"{item.title} {item.summary} {' '.join(item.keywords)}".casefold()
        return sum(word.casefold() in text for word in keywords)

    return max(items, key=hits, default=None)  # of equals the first, the newest


def highlights(campaign: Campaign) -> str:
    """What a public media kit names as achievements."""
    kit: MediaKit | None = getattr(campaign, "media_kit", None)
    return (
        listing([one_line(item) for item in kit.achievements]) if kit and kit.is_public else ""
    )


def of_item(item: ContentItem | None) -> Values:
    if item is None:
        return {}
    title = re.sub(r"^(?:\s*\[[^\]]*\])+\s*", "", item.title)  # "[Bonus] …" reads like a gap
    return known(
        title=one_line(_without_tags(title)),
        summary=plain(_without_tags(item.summary)),
        url=item.url,
        date=day(item.published_at.date() if item.published_at else None),
    )


def _without_tags(text: str) -> str:
    """Feeds bring HTML where text is meant."""
    return html.unescape(re.sub(r"<[A-Za-z/!][^<>]{0,500}>", " ", text))


def facts_by_kind(pitch: Pitch, *, now: datetime) -> Values:
    """The best current fact of each kind about the lead, its organization or the contact."""
    found: Values = {}
    for fact in facts_of(pitch):
        if fact.expires_at is None or fact.expires_at > now:
            found.setdefault(fact.kind, one_line(fact.value).rstrip("."))
    return known(**found)


def facts_of(pitch: Pitch) -> list[Any]:
    """What we know of the other side, best first within each of them."""
    sources: list[Any] = [pitch.lead, pitch.lead.organization, pitch.address.contact]
    return [fact for source in sources if source is not None for fact in source.facts.all()]


def earlier_names(values: Values) -> Values:
    """The variables of the earlier systems' templates (H000-10, S001-012)."""

    def at(*path: str) -> Any:
        value: Any = values
        for key in path:
            value = value.get(key, {}) if isinstance(value, dict) else {}
        return value or ""

    topics = [angle["topic"] for angle in values.get("angles", []) if "topic" in angle]
    return known(
        contact_name=at("contact", "name"),
        company=at("organization", "name"),
        podcast_name=at("lead", "name"),
        host_name=at("contact", "name"),
        episode_title=at("episode", "title"),
        episode_summary=at("episode", "summary"),
        ai_summary_of_best_episode=at("episode", "summary"),
        latest_news_from_podcast=at("facts", "news"),
        guest_name=at("candidate", "name"),
        client_name=at("client", "name"),
        client_bio=at("candidate", "bio"),
        client_bio_summary=at("candidate", "summary"),
        campaign_goal=at("campaign", "goal"),
        client_key_talking_point_1=topics[0] if topics else "",
        client_key_talking_point_2=topics[1] if len(topics) > 1 else "",
        client_key_talking_point_3=topics[2] if len(topics) > 2 else "",
        specific_pitch_angle=topics[0] if topics else "",
        pitch_topics=listing(topics[:3]),
        link_to_client_media_kit=at("campaign", "media_kit"),
        media_kit_highlights=at("campaign", "highlights"),
        context_guidelines=at("segment", "guidance"),
    )
