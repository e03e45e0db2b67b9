"""One row of a file as a candidate."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from campaigns.models import Candidate
from config import values
from config.imports import Cells, Columns, Field, Report, read_each
from config.tables import Row
from config.text import LINE
from config.values import ValueUnclear

REFERENCE = 120
TOPICS = 20
# The beginnings of what other systems call a status.
STATUSES = {
    Candidate.Status.ACTIVE: ("active", "open", "available", "new"),
    Candidate.Status.PAUSED: ("paused", "pause", "on hold", "hold"),
    Candidate.Status.PLACED: ("placed", "role confirmed", "confirmed", "hired", "booked"),
    Candidate.Status.INACTIVE: ("inactive", "withdrawn", "closed", "archived", "not active"),
}

CANDIDATE_FIELDS = [
    Field("reference", "the client's own id of the row", ("id", "candidate id", "external id")),
    Field("name", "name", ("candidate", "full name", "candidate name", "guest", "intern")),
    Field("first_name", "first name", ("firstname", "given name")),
    Field("last_name", "last name", ("lastname", "surname", "family name")),
    Field("kind", "guest, intern or product"),
    Field("headline", "one line", ("tagline", "title", "position", "subtitle")),
    Field("bio", "long text", ("biography", "full bio", "bio full", "description", "about")),
    Field("bio_summary", "a paragraph", ("summary", "summary bio")),
    Field("bio_short", "at most 280 characters", ("short bio", "short")),
    Field("skills", "skills", ("skill", "skillset", "technologies")),
    Field("keywords", "keywords", ("tags", "keyword")),
    Field("industries", "industries, first choice first", ("industry", "interests")),
    Field("industry_1", "first choice", ("industry choice 1", "first industry")),
    Field("industry_2", "second choice", ("industry choice 2", "second industry")),
    Field("topics", "what the candidate can talk about", ("angles", "talking points", "topic")),
    Field("starts_on", "available from", ("start date", "start", "available from", "from")),
    Field("ends_on", "available until", ("end date", "end", "available until", "until")),
    Field("visa", "whether a visa is required", ("visa required", "needs visa", "sponsorship")),
    Field("location", "where", ("city", "preferred location", "locations")),
    Field("remote_only", "yes for remote work only", ("remote", "only remote")),
    Field("status", "active, paused, placed or inactive", ("state",)),
    Field(
        "responsible",
        "login or address of the person responsible",
        ("owner", "specialist", "partnership specialist", "account manager"),
    ),
    Field("email", "the candidate's own address", ("e mail", "mail", "email address")),
    Field("phone", "telephone", ("mobile", "telephone")),
    Field("linkedin", "LinkedIn page", ("linkedin url",)),
]


@dataclass(slots=True)
class Found:
    """A candidate as a row has it."""

    line: int
    reference: str
    email: str
    kind: str
    values: dict[str, Any]
    attributes: dict[str, str]
    facts: list[tuple[str, str]] = field(default_factory=list)
    topics: list[str] = field(default_factory=list)
    row: Candidate | None = None
    candidate_id: int = 0

    def keys(self) -> list[str]:
        """What it may be known by, the surest first."""
        found = [f"reference:{self.reference}"] if self.reference else []
        found += [f"email:{self.email}"] if self.email else []
        return found or [f"name:{name_key(self.values['name'])}"]

    def reference_to_store(self) -> str:
        return self.reference or self.keys()[0][:REFERENCE]


def name_key(name: str) -> str:
    """A name without case and punctuation."""
    return " ".join(re.findall(r"\w+", name.casefold())) or name.casefold()


def read(rows: Iterable[Row], columns: Columns, kind: str, report: Report) -> Iterator[Found]:
    """The candidates of the rows; of two that are known by the same, the second is refused.

    ``kind`` holds where no column says it.
    """
    users = _users()
    seen: dict[str, int] = {}

    def candidate(cells: Cells) -> Found:
        found = _RowReader(cells, kind, users).candidate()
        key = found.keys()[0]
        if key in seen:
            raise ValueUnclear(f"the same {key.partition(':')[0]} as in line {seen[key]}")
        seen[key] = found.line
        return found

    return read_each(rows, columns, report, candidate)


def _users() -> dict[str, int]:
    """Staff by login and by address; a login goes before another's address."""
    rows = User.objects.filter(is_active=True).values_list("username", "email", "pk")
    ids: dict[str, int] = {}
    for username, email, pk in rows:
        ids.setdefault(email.casefold(), pk)
        ids[username.casefold()] = pk
    return ids


class _RowReader:
    """One row, read field by field."""

    def __init__(self, cells: Cells, kind: str, users: Mapping[str, int]) -> None:
        self.cells, self.kind, self.users = cells, kind, users
        self.text, self.words, self.read = cells.text, cells.words, cells.read

    def candidate(self) -> Found:
        name = self.cells.full_name("name")
        if not name:
            raise ValueUnclear("there is no name")
        found = {
            "name": name,
            "headline": self.text("headline", LINE),
            "bio": self.cells.paragraphs("bio"),
            "bio_summary": self.cells.paragraphs("bio_summary"),
            "bio_short": self.text("bio_short", 280),
            "skills": self.words("skills"),
            "keywords": self.words("keywords"),
            "industries": self.industries(),
            "location": self.text("location"),
            "remote_only": self.read("remote_only", values.yes_or_no),
            "responsible_id": self.responsible(),
            "status": self.status(),
            "visa": self.visa(),
        } | self.dates()
        found = {key: value for key, value in found.items() if value not in (None, "", [])}
        email = self.email()
        attributes = {
            "email": email,
            "phone": self.text("phone", 40),
            "linkedin": self.text("linkedin", LINE),
        }
        return Found(
            line=self.cells.line,
            reference=self.text("reference", REFERENCE),
            email=email,
            kind=self.kind_of_row(),
            values=found,
            attributes={key: value for key, value in attributes.items() if value},
            facts=self.facts(found),
            topics=self.words("topics")[:TOPICS],
        )

    def kind_of_row(self) -> str:
        kind = self.text("kind").casefold() or self.kind
        if kind not in Candidate.Kind.values:
            raise ValueUnclear(f"“{kind}” is none of {', '.join(Candidate.Kind.values)}")
        return kind

    def industries(self) -> list[str]:
        ranked = [self.text(name, 120) for name in ("industry_1", "industry_2")]
        every = filter(None, [*ranked, *self.words("industries")])
        return list(dict.fromkeys(every))

    def dates(self) -> dict[str, Any]:
        starts = self.read("starts_on", values.day)
        ends = self.read("ends_on", values.day)
        return {"starts_on": starts, "ends_on": self.cells.last_day(ends, starts=starts)}

    def visa(self) -> str:
        needed = self.text("visa").casefold()
        if needed in Candidate.Visa.values:
            return needed
        said = self.read("visa", values.yes_or_no)
        return {True: Candidate.Visa.YES, False: Candidate.Visa.NO, None: ""}[said]

    def status(self) -> str:
        said = self.text("status").casefold()
        for status, beginnings in STATUSES.items():
            if said.startswith(beginnings):
                return status
        if said:
            raise ValueUnclear(
                f"status “{said}” is none of {', '.join(Candidate.Status.values)}"
            )
        return ""

    def responsible(self) -> int | None:
        name = self.text("responsible", 254)
        found = self.users.get(name.casefold()) if name else None
        if name and found is None:
            self.cells.warn(f"responsible: nobody here is called “{name}”; left out")
        return found

    def email(self) -> str:
        email = self.text("email", 400).lower()
        if not email:
            return ""
        if re.search(r"@.*[,; ].*@", email):
            raise ValueUnclear(f"“{email}” holds several addresses; write one")
        try:
            validate_email(email)
        except ValidationError:
            raise ValueUnclear(f"“{email}” is not an e-mail address") from None
        return email

    def facts(self, found: dict[str, Any]) -> list[tuple[str, str]]:
        """What a pitch may say of the candidate, on the word of this file."""
        available = " to ".join(
            filter(None, [self.text("starts_on", 40), self.text("ends_on", 40)])
        )
        said = {
            "headline": found.get("headline", ""),
            "bio": found.get("bio", ""),
            "bio_summary": found.get("bio_summary", ""),
            "skills": ", ".join(found.get("skills", [])),
            "industries": ", ".join(found.get("industries", [])),
            "location": found.get("location", ""),
            "availability": available,
        }
        facts = [(kind, value) for kind, value in said.items() if value]
        return facts + [("topic", topic) for topic in self.words("topics")[:TOPICS]]
