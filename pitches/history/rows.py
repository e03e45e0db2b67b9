"""One row of a file as a message that went out once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time

from campaigns.models import Channel
from config import values
from config.imports import Cells, Columns, Field, Report, read_each
from config.tables import Row
from config.text import LINE, URL
from config.values import ValueUnclear
from pitches.models import Pitch
from prospects import addresses, leads, sites
from prospects.importing import ROLE_OF_CONTACT
from prospects.leads import FoundAddress, FoundContact, FoundLead, FoundOrganization
from prospects.models import ContactAddress, Lead

PLATFORM = "history"
OLDEST_YEAR = 1995
MOST_STEPS = 50
UNSUBSCRIBED = re.compile(r"unsubscri|opt(ed)?.?out|spam|complain")

FIELDS = [
    Field("email", "whom it went to", ("to", "e mail", "recipient", "contact email")),
    Field("sent_at", "when", ("date", "sent", "sent on", "date sent", "sent date", "time")),
    Field("sender", "the address it came from", ("from", "by", "sender email", "mailbox")),
    Field("candidate", "whom it was about: reference, address or name",
          ("guest", "intern", "product", "candidate name", "about", "candidate reference")),
    Field("lead", "the show, role, creator or buyer",
          ("name", "podcast", "show", "role", "title", "job title", "creator", "lead name")),
    Field("platform", "where the lead's id comes from"),
    Field("platform_id", "the lead's id there", ("lead id", "podcast id", "role id", "id")),
    Field("feed_url", "the show's feed", ("feed", "rss", "rss url")),
    Field("website", "the lead's site", ("site", "url", "homepage")),
    Field("organization", "the company", ("company", "publisher", "company name")),
    Field("contact_name", "the person", ("contact", "recipient name", "host", "to name")),
    Field("number", "0 for a first message, 1 for the first follow-up …",
          ("step", "follow up", "step number")),
    Field("subject", "subject line"),
    Field("body", "the text", ("text", "message")),
    Field("channel", "email, sms or LinkedIn", ()),
    Field("message_id", "its Message-ID, so that a late answer is recognised", ("message id",)),
    Field("replied_at", "when they answered", ("replied", "reply date", "answered")),
    Field("outcome", "what they answered", ("response", "reply", "result")),
]  # fmt: skip


@dataclass(slots=True)
class Told:
    """One row: a message that went out once."""

    line: int
    lead: FoundLead
    email: str
    sender: str
    sent_at: datetime
    day: str  # as far as the file tells the time
    number: int
    candidate: str
    subject: str
    body: str
    channel: str
    given_id: str
    replied_at: datetime | None
    outcome: str
    unsubscribed: bool
    lead_id: int = 0
    address: ContactAddress | None = None
    candidate_id: int | None = None
    message_id: str = ""

    def place(self) -> tuple[int, str]:
        """The lead and the person: what follow-ups belong to."""
        return self.lead_id, self.canonical

    @property
    def canonical(self) -> str:
        """The one spelling of the address."""
        return addresses.canonical_email(self.email)

    @property
    def title(self) -> str:
        """What the file calls the lead, or ""."""
        return str(self.lead.values.get("name", ""))


def read(
    rows: Iterable[Row],
    columns: Columns,
    report: Report,
    *,
    kind: str,
    sender: str,
    now: datetime,
) -> Iterator[Told]:
    """The messages of the rows, to leads of one kind.

    ``sender`` wrote those that name nobody. Refused is what lies in the future or lacks a date,
    an address or a sender.
    """

    def told(cells: Cells) -> Told:
        return _RowReader(cells, kind, sender, now).told()

    return read_each(rows, columns, report, told)


class _RowReader:
    """One row, read field by field."""

    def __init__(self, cells: Cells, kind: str, sender: str, now: datetime) -> None:
        self.cells, self.kind, self.sender, self.now = cells, kind, sender, now

    def told(self) -> Told:
        text = self.cells.text
        email = addresses.exact_email(text("email", 1_000))
        sender = text("sender", 400) or self.sender
        if not sender:
            raise ValueUnclear("nobody is named who wrote it, and the campaign has no sender")
        sent_at = self.moment("sent_at")
        if sent_at is None:
            raise ValueUnclear("there is no date")
        answer = text("outcome")
        return Told(
            line=self.cells.line,
            lead=self.lead(email),
            email=email,
            sender=addresses.exact_email(sender),
            sent_at=sent_at,
            day=(sent_at if values.has_time(text("sent_at")) else sent_at.date()).isoformat(),
            number=self.number(),
            candidate=text("candidate"),
            subject=text("subject", LINE),
            body=self.cells.paragraphs("body"),
            channel=self.channel(),
            given_id=text("message_id").strip("<> "),
            replied_at=self.moment("replied_at"),
            outcome=outcome_of(answer),
            unsubscribed=bool(UNSUBSCRIBED.search(answer.casefold())),
        )

    def channel(self) -> str:
        channel = self.cells.text("channel").casefold() or Channel.EMAIL.value
        if channel not in Channel.values:
            raise ValueUnclear(f"channel “{channel}” is none of {', '.join(Channel.values)}")
        return channel

    def number(self) -> int:
        number = values.number(self.cells.text("number")) or 0
        if number > MOST_STEPS:
            raise ValueUnclear(f"step {number} is more than a sequence has")
        return number

    def moment(self, name: str) -> datetime | None:
        """A time that has been; a mere date counts to its end, so that limits hold longer."""
        cell = self.cells.text(name)
        at = values.moment(cell)
        if at is None:
            return None
        if not values.has_time(cell):
            at = datetime.combine(at.date(), time(23, 59, 59), UTC)
            if at.date() == self.now.astimezone(UTC).date():
                at = min(at, self.now)
        if at > self.now:
            raise ValueUnclear(f"{name} {cell} lies in the future")
        if at.year < OLDEST_YEAR:
            raise ValueUnclear(f"{name} {cell} is older than e-mail")
        return at

    def lead(self, email: str) -> FoundLead:
        """As an import has it; without name and id it is whoever the address belongs to."""
        text = self.cells.text
        website, feed = text("website", URL), text("feed_url", URL)
        name, company = text("lead", LINE), text("organization")
        identities = leads.identities_of(
            self.kind,
            platform=text("platform", 40) or PLATFORM,
            platform_id=text("platform_id", 500),
            name=name,
            website=website if addresses.is_url(website) else "",
            feed_url=feed if addresses.is_url(feed) else "",
        )
        domain = sites.own_domain(website) if self.kind == Lead.Kind.BUYER else ""
        address = FoundAddress(
            ContactAddress.Kind.EMAIL, email, addresses.canonical_email(email)
        )
        role = ROLE_OF_CONTACT[Lead.Kind(self.kind)]
        return FoundLead(
            line=self.cells.line,
            kind=self.kind,
            values={"name": name} if name else {},
            identities=identities,
            organization=FoundOrganization(company, domain) if company else None,
            contacts=[FoundContact([address], text("contact_name"), role)],
        )


def outcome_of(said: str) -> str:
    """``Pitch.Outcome`` from what a file calls it; "other" for words of its own."""
    words = said.casefold().replace(" ", "_").replace("-", "_")
    if not words or words in {"none", "no_response", "no_reply", "no", "false", "sent"}:
        return ""
    return words if words in Pitch.Outcome.values else Pitch.Outcome.OTHER
