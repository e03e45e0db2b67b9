"""Leads from files: what each column means, and what became of each row."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any

from django.db import DatabaseError, transaction
from django.utils.html import strip_tags

from campaigns import zones
from campaigns.models import Campaign
from config import tables, values
from config.imports import Columns, Field, Report, header_key, map_columns, need
from config.tables import Row, Table, UnreadableFile, batches
from config.text import LINE, NAME, URL, clean_line, clean_text
from config.values import ValueUnclear
from prospects import addresses, feeds, leads, places, sites, suppressions
from prospects import terms as seasons
from prospects.addresses import AddressError
from prospects.leads import (
    FoundAddress,
    FoundContact,
    FoundFact,
    FoundItem,
    FoundLead,
    FoundOrganization,
    Identity,
)
from prospects.models import Contact, ContactAddress, Lead, Suppression

BATCH = 1_000
KIND_OF_PRESET = {
    Campaign.Preset.PODCAST: Lead.Kind.PODCAST,
    Campaign.Preset.PLACEMENT: Lead.Kind.ROLE,
    Campaign.Preset.CREATOR: Lead.Kind.CREATOR,
    Campaign.Preset.PRODUCT: Lead.Kind.BUYER,
}
# The role of whoever a file names beside a lead of this kind.
ROLE_OF_CONTACT = {
    Lead.Kind.PODCAST: Contact.Role.HOST,
    Lead.Kind.ROLE: Contact.Role.PARTNER,
    Lead.Kind.CREATOR: Contact.Role.CREATOR,
    Lead.Kind.BUYER: Contact.Role.PARTNER,
}

_NAMES = {
    Lead.Kind.PODCAST: ("title", "podcast", "podcast name", "show", "show name", "show title"),
    Lead.Kind.ROLE: ("title", "role", "job title", "position", "role title", "job"),
    Lead.Kind.CREATOR: ("creator", "creator name", "handle", "username", "channel", "title"),
    Lead.Kind.BUYER: ("company", "company name", "organization", "account", "business"),
}
_ORGANIZATIONS = {
    Lead.Kind.PODCAST: ("publisher", "network", "author", "company", "producer"),
    Lead.Kind.ROLE: ("company", "company name", "employer", "account"),
    Lead.Kind.CREATOR: ("company", "agency", "brand", "network"),
    Lead.Kind.BUYER: ("parent company",),
}
_WEBSITE = ("site", "web site", "homepage", "web", "website url")
_PAGE = ("link", "page", "profile url", "job url", "posting", "apply url", "apply link")


def fields(kind: str) -> list[Field]:
    """What an import of leads of this kind understands, in the order of guessing."""
    kind = Lead.Kind(kind)
    own = kind in (Lead.Kind.PODCAST, Lead.Kind.BUYER)
    site = (*_WEBSITE, "url", "link") if own else _WEBSITE
    company_site = () if own else ("domain", "company domain")
    return [
        Field("platform_id", "its id where the file comes from", ("id", "uuid", "external id")),
        Field("platform", "where the file comes from, row by row"),
        Field("name", "title or name", _NAMES[kind]),
        Field("organization", "the company behind it", _ORGANIZATIONS[kind]),
        Field("text", "description", ("description", "long description", "about", "bio")),
        Field("one_liner", "one sentence about it", ("tagline", "headline", "subtitle")),
        Field("feed_url", "RSS", ("feed", "rss", "rss url", "rss feed", "xml url", "xmlurl")),
        Field("website", "its own site", site),
        Field(
            "organization_url",
            "the company's site",
            ("company url", "company website", "organization website", *company_site),
        ),
        Field("url", "the page it was found on", _PAGE),
        Field("industry", "industry", ("sector", "industries", "vertical")),
        Field("subindustry", "narrower industry", ("sub industry",)),
        Field(
            "keywords", "tags", ("tags", "topics", "category", "categories", "genre", "genres")
        ),
        Field("language", "language code", ("lang", "lang guess", "locale")),
        Field("location", "place", ("locations", "city", "place", "office")),
        Field("country", "country", ("country code",)),
        Field("time_zone", "zone such as Europe/Berlin", ("timezone", "tz")),
        Field("remote", "yes where it may be done from anywhere", ("is remote",)),
        Field(
            "email",
            "the one person's address",
            (
                *("e mail", "mail", "email address", "contact email", "owner email"),
                *("host email", "owner email masked", "business email", "work email"),
            ),
        ),
        Field(
            "contact_name",
            "the person's name",
            (
                "contact",
                "host",
                "host name",
                "owner",
                "owner name",
                "contact person",
                "full name",
            ),
        ),
        Field("first_name", "the person's first name", ("firstname", "given name")),
        Field("last_name", "the person's last name", ("lastname", "surname", "family name")),
        Field("contact_title", "the person's title", ("contact position", "job title")),
        Field("contact_role", "partner, host, owner, creator or other", ("layout",)),
        Field("phone", "telephone, with country", ("telephone", "mobile", "phone number")),
        Field("linkedin", "the person's LinkedIn page", ("linkedin url", "linkedin profile")),
        Field("profile", "a page of the person elsewhere", ("instagram", "twitter", "social")),
        Field("audience", "listeners, followers", ("listeners", "followers", "subscribers")),
        Field("employees", "size of the company", ("team size", "headcount", "company size")),
        Field("technologies", "what the company works with", ("tech stack", "technology")),
        Field("stage", "the company's stage", ("funding stage",)),
        Field("terms", "seasons of a role", ("term", "season", "seasons")),
        Field("starts_on", "first day", ("start date", "starts", "start")),
        Field("ends_on", "last day", ("end date", "ends", "end")),
        Field("posted_on", "day of posting", ("date posted", "posted", "posted at")),
        Field("updated_on", "last change there", ("date updated", "updated", "updated at")),
        Field("sponsorship", "whether visas are sponsored", ("visa", "visa sponsorship")),
        Field("active", "no for what is closed", ("is active", "open", "is open")),
        Field("visible", "no for what is withdrawn", ("is visible",)),
    ]


@dataclass(frozen=True)
class Job:
    """An import of one file: what its rows are, who says so, and when."""

    kind: str
    platform: str
    now: datetime

    @classmethod
    def of(cls, kind: str, file: str, *, platform: str = "", now: datetime) -> Job:
        """Without a platform the file's own name says where an id comes from."""
        if kind not in Lead.Kind.values:
            raise UnreadableFile(
                f"There is no kind “{kind}”. Known are {', '.join(Lead.Kind.values)}."
            )
        stem = file.rpartition(".")[0] or file
        return cls(kind, clean_line(platform or header_key(stem), 40), now)


def columns_of(table: Table, kind: str, chosen: Mapping[str, str] | None = None) -> Columns:
    """Which column holds what. Raises UnreadableFile where the name has none."""
    columns = map_columns(table, fields(kind), chosen)
    need(columns, table, "name")
    return columns


def check_campaign(slug: str, kind: str) -> Campaign:
    """The campaign these leads are for. Raises UnreadableFile where it does not fit."""
    campaign = Campaign.objects.filter(slug=slug).first()
    if campaign is None:
        raise UnreadableFile(f"There is no campaign “{slug}”.")
    wanted = KIND_OF_PRESET[Campaign.Preset(campaign.preset)]
    if wanted != kind:
        raise UnreadableFile(
            f"The campaign {slug} pitches to leads of the kind {wanted}, not {kind}."
        )
    return campaign


def carry_out(
    table: Table, job: Job, *, chosen: Mapping[str, str] | None = None, dry_run: bool = False
) -> Report:
    """Bring the rows of ``table`` in. A dry run does all of it and takes everything back.

    One transaction for the file: it is in or it is not. A bad row is reported with its line
    and reason and leaves the others alone. Raises UnreadableFile.
    """
    columns = columns_of(table, job.kind, chosen)
    report = Report.of(table, columns)
    _count_from_zero(report)
    found = read_rows(table.rows, columns, job, report)
    bring(found, job, report, dry_run=dry_run)
    return report


def carry_out_file(
    content: bytes,
    name: str,
    job: Job,
    *,
    chosen: Mapping[str, str] | None = None,
    dry_run: bool = False,
) -> Report:
    """Bring in a file, whether it is a table, a feed or a list of feeds.

    Raises UnreadableFile.
    """
    tables.check_size(name, len(content))
    if not feeds.is_markup(content):
        return carry_out(tables.read(content, name), job, chosen=chosen, dry_run=dry_run)
    if chosen:
        raise UnreadableFile(f"{name} is a feed; it has no columns to map.")
    report = carry_out_feeds([feeds.File(name, content)], job, dry_run=dry_run)
    if report.unreadable:
        raise report.unreadable[0]
    return report


def carry_out_feeds(files: Sequence[feeds.File], job: Job, *, dry_run: bool = False) -> Report:
    """Bring in feeds with their episodes. One that cannot be read is reported by its name."""
    if job.kind not in (Lead.Kind.PODCAST, Lead.Kind.CREATOR):
        raise UnreadableFile(f"A feed is a podcast or a creator, not a {job.kind}.")
    report = Report(files[0].name if len(files) == 1 else f"{len(files)} feeds")
    report.counts["rows"] = 0
    _count_from_zero(report)
    bring(_read_feeds(files, job, report), job, report, dry_run=dry_run)
    return report


def _read_feeds(files: Sequence[feeds.File], job: Job, report: Report) -> Iterator[FoundLead]:
    for line, file in enumerate(files, 1):
        try:
            answer = feeds.read(file.content, file.name)
        except UnreadableFile as e:
            report.counts["rows"] += 1
            report.refuse(line, str(e).rstrip("."))
            report.unreadable.append(e)
            continue
        if answer["kind"] == "opml":
            entries = [
                {"title": feed["title"], "self": feed["url"]} | feed for feed in answer["feeds"]
            ]
            rows: list[tuple[int, dict[str, Any], list[Any]]] = [
                (at, feed | {"keywords": feed["categories"]}, [])
                for at, feed in enumerate(entries, 1)
            ]
        else:
            rows = [(line, answer["feed"], answer["items"])]
            if answer["more"]:
                report.warn(line, f"{file.name}: {answer['more']} older items were left out")
        report.counts["rows"] += len(rows)
        for at, feed, items in rows:
            try:
                yield _from_feed(at, feed, items, job, report)
            except (AddressError, ValueUnclear) as e:
                report.refuse(at, f"{file.name}: {e}".rstrip("."))


def _from_feed(
    line: int, feed: dict[str, Any], items: list[dict[str, Any]], job: Job, report: Report
) -> FoundLead:
    """A feed as if it were a row, and its items."""
    text = without_tags(feed.get("text", "")) or without_tags(feed.get("summary", ""))
    cells = {
        "name": without_tags(feed["title"]),
        "text": text,
        "organization": feed.get("author", ""),
        "feed_url": feed.get("self", ""),
        "website": feed.get("url", "") if "author" in feed else "",
        "language": feed.get("language", ""),
        "keywords": " | ".join(feed.get("keywords", [])),
        "contact_name": feed.get("owner") or feed.get("author", ""),
    }
    email = feed.get("owner_email") or feed.get("author_email", "")
    try:
        cells["email"] = addresses.exact_email(email) if email else ""
    except AddressError as e:
        report.warn(line, f"email: {e} Left out")
    reader = _RowReader({name: cell for name, cell in cells.items() if cell}, line, job)
    found = reader.lead()
    for warning in reader.warnings:
        report.warn(line, warning)
    found.items = [_item(item) for item in items if item["title"] or item["text"]]
    return found


def _item(item: dict[str, Any]) -> FoundItem:
    title = clean_line(without_tags(item["title"]), 500)
    text = clean_text(without_tags(item["text"]))
    return FoundItem(
        guid=clean_line(item["guid"], 500) or title or text[:500],
        title=title or text[:100],
        url=item["url"] if addresses.is_url(item["url"]) else "",
        text=text,
        published_at=_published(item["published"]),
        seconds=_seconds(item["length"]),
        keywords=[word for word in map(clean_line, item["keywords"]) if word],
    )


def _published(text: str) -> datetime | None:
    try:
        return values.moment(text)
    except ValueError:  # a date of 1601 or 9999
        return None


def _seconds(text: str) -> int | None:
    """``1:02:03``, ``62:03`` or ``3723`` as seconds; None for anything else."""
    if not re.fullmatch(r"\d{1,6}(:\d{1,2}){0,2}", text):
        return None
    seconds = 0
    for part in text.split(":"):
        seconds = 60 * seconds + int(part)
    return seconds or None


def without_tags(text: str) -> str:
    """The words of a piece of HTML; breaks and paragraphs become lines."""
    if "<" in text:
        text = strip_tags(re.sub(r"(?i)<(?:br|/p|/li|/h\d)\b[^<>]{0,200}>", "\n", text))
    return re.sub(r"[ \t]*\n\s*\n\s*", "\n\n", html.unescape(text)).strip()


def bring(
    found: Iterable[FoundLead], job: Job, report: Report, *, dry_run: bool = False
) -> None:
    """Bring found leads in, a thousand at a time; a set that fails is tried one by one."""
    touched: set[Any] = set()
    with transaction.atomic():
        for some in batches(found, BATCH):
            _bring(some, job, report, touched)
        transaction.set_rollback(dry_run)


def _bring(some: Sequence[FoundLead], job: Job, report: Report, touched: set[Any]) -> None:
    before = set(touched)
    try:
        with transaction.atomic():
            outcomes = leads.upsert(some, source=job.platform, now=job.now, touched=touched)
    except DatabaseError as e:
        touched &= before
        if len(some) > 1:
            for each in some:
                _bring([each], job, report, touched)
        else:
            report.refuse(some[0].line, f"the database refused it: {_first_line(e)}")
        return
    for outcome in outcomes:
        if outcome.verdict == leads.REFUSED:
            report.refuse(outcome.line, outcome.reason)
        else:
            report.counts[outcome.verdict] += 1
        if outcome.suppressed:
            report.counts["suppressed"] += 1
            report.suppressed.append((outcome.line, outcome.suppressed))


def _count_from_zero(report: Report) -> None:
    for verdict in (
        leads.CREATED,
        leads.UPDATED,
        leads.UNCHANGED,
        leads.DUPLICATE,
        "suppressed",
    ):
        report.counts[verdict] = 0


def _first_line(error: DatabaseError) -> str:
    """What went wrong, without the row's values, which the next line would show."""
    return clean_line(str(error).partition("\n")[0], 200)


def read_rows(
    rows: Iterable[Row], columns: Columns, job: Job, report: Report
) -> Iterable[FoundLead]:
    for verdict in (
        leads.CREATED,
        leads.UPDATED,
        leads.UNCHANGED,
        leads.DUPLICATE,
        "suppressed",
    ):
        report.counts[verdict] += 0
    for row in rows:
        reader = _RowReader(columns.of(row.cells), row.line, job)
        try:
            yield reader.lead()
        except (AddressError, ValueUnclear) as e:
            report.refuse(row.line, str(e).rstrip("."))
        for warning in reader.warnings:
            report.warn(row.line, warning)


class _RowReader:
    """One row, read field by field.

    What would be written to must be right, or the row is refused; a site, date or number that
    cannot be read is left out with a warning.
    """

    def __init__(self, cells: dict[str, str], line: int, job: Job) -> None:
        self.cells, self.line, self.job = cells, line, job
        self.kind = job.kind
        self.warnings: list[str] = []

    def lead(self) -> FoundLead:
        name = self.text("name", LINE)
        if not name:
            raise ValueUnclear("there is no name")
        website, page = self.link("website"), self.link("url")
        found = {
            "name": name,
            "text": clean_text(self.cells.get("text")) or self.text("one_liner", LINE),
            "url": page,
            "website": website,
            "feed_url": self.link("feed_url"),
            "language": self.text("language", 16),
            "keywords": self.words("keywords"),
            "industries": self.words("industry") + self.words("subindustry", split=" -> "),
            "audience": self.read("audience", values.number),
            "posted_on": self.read("posted_on", values.day),
        }
        found |= self.place()
        if self.kind == Lead.Kind.ROLE:
            found |= self.role()
        found = {key: value for key, value in found.items() if value not in (None, "", [])}
        return FoundLead(
            line=self.line,
            kind=self.kind,
            values=found,
            identities=self.identities(found),
            organization=self.organization(found),
            contacts=self.contacts(),
            facts=self.facts(found),
            closed_at=self.closed_at(),
        )

    # Cells

    def text(self, name: str, limit: int = NAME) -> str:
        cell = self.cells.get(name)
        return clean_line(cell, limit) if cell else ""

    def words(self, name: str, split: str = "") -> list[str]:
        cell = self.text(name, 5_000)
        return values.words(cell.split(split)[-1] if split else cell) if cell else []

    def read(self, name: str, how: Callable[[str], Any]) -> Any:
        """The cell read by ``how``; None with a warning where it cannot be."""
        if name not in self.cells:
            return None
        try:
            return how(self.text(name))
        except ValueUnclear as e:
            self.warnings.append(f"{name}: {e}; left out")
            return None

    def link(self, name: str) -> str:
        """A web address; a missing scheme is added, anything else left out with a warning."""
        cell = self.text(name, 2 * URL)
        if not cell:
            return ""
        while cell.lower().startswith(("http://http://", "http://https://")):
            cell = cell[7:]
        url = cell if "://" in cell else f"http://{cell}"
        if addresses.is_url(url):
            return url
        self.warnings.append(f"{name}: “{cell[:60]}” is not a web address; left out")
        return ""

    # Parts

    def identities(self, found: dict[str, Any]) -> list[Identity]:
        return leads.identities_of(
            self.kind,
            platform=self.text("platform", 40) or self.job.platform,
            platform_id=self.text("platform_id", 500),
            name=found["name"],
            among=self.text("organization"),
            beside=f"{found.get('location', '')}|{self.text('terms', LINE)}",
            website=found.get("website", ""),
            feed_url=found.get("feed_url", ""),
            url=found.get("url", ""),
        )

    def place(self) -> dict[str, Any]:
        location = self.text("location", LINE)
        place = places.find(location) if location else places.Place()
        country = places.country_code(self.text("country")) or place.country
        zone = self.text("time_zone", 64)
        if zone and zone not in zones.names():
            self.warnings.append(f"time_zone: “{zone}” is not a time zone; left out")
            zone = ""
        remote = self.read("remote", values.yes_or_no)
        return {
            "location": location,
            "is_remote": places.is_remote(location) if remote is None else remote,
            "country": country,
            "time_zone": zone or (place.time_zone if place.country == country else ""),
        }

    def role(self) -> dict[str, Any]:
        starts = self.read("starts_on", values.day)
        ends = self.read("ends_on", values.day)
        term = seasons.next_term(self.text("terms", 1_000), today=self.job.now.date())
        if term and not starts:
            starts, ends = term.starts_on, ends or term.ends_on
        if starts and ends and ends < starts:
            self.warnings.append("it ends before it starts; the last day was left out")
            ends = None
        sponsorship = sponsors_visas(self.text("sponsorship"))
        return {"starts_on": starts, "ends_on": ends, "visa_sponsorship": sponsorship}

    def closed_at(self) -> datetime | bool | None:
        said = [self.read(name, values.yes_or_no) for name in ("active", "visible")]
        if False in said:
            day = self.read("updated_on", values.day)
            at = datetime.combine(day, time(), UTC) if day else self.job.now
            return min(at, self.job.now)
        return False if True in said else None

    def organization(self, found: dict[str, Any]) -> FoundOrganization | None:
        buyer = self.kind == Lead.Kind.BUYER
        name = clean_line(found["name"]) if buyer else self.text("organization")
        if not name:
            return None
        own = self.kind in (Lead.Kind.BUYER, Lead.Kind.PODCAST)
        site = found.get("website", "") if own else self.link("organization_url")
        company = FoundOrganization(name, sites.own_domain(site))
        if self.kind != Lead.Kind.PODCAST:
            industry = self.text("industry")
            employees = self.read("employees", values.number)
            known = {"industry": industry, "employees": employees}
            if buyer:
                known |= {"country": found.get("country"), "time_zone": found.get("time_zone")}
            company.values = {key: value for key, value in known.items() if value}
            company.facts = self.company_facts(found if buyer else {})
        return company

    def contacts(self) -> list[FoundContact]:
        kinds = ContactAddress.Kind
        found = []
        for kind, name in (
            (kinds.EMAIL, "email"),
            (kinds.PHONE, "phone"),
            (kinds.LINKEDIN, "linkedin"),
            (kinds.PROFILE, "profile"),
        ):
            if cell := self.text(name, 1_000):
                value = addresses.exact_email(cell) if kind == kinds.EMAIL else cell[:320]
                found.append(FoundAddress(kind, value, addresses.canonical(kind, cell)))
        if not found:
            return []
        role = self.text("contact_role").casefold()
        if role not in Contact.Role.values:
            role = ROLE_OF_CONTACT[Lead.Kind(self.kind)]
        return [FoundContact(found, self.contact_name(), role, self.text("contact_title"))]

    def contact_name(self) -> str:
        whole = self.text("contact_name")
        return whole or clean_line(f"{self.text('first_name')} {self.text('last_name')}")

    def facts(self, found: dict[str, Any]) -> list[FoundFact]:
        """What a pitch may say about the lead, and on whose word (title, description …)."""
        url = found.get("url") or found.get("website", "")
        said = {
            "title": found["name"],
            "description": "" if self.kind == Lead.Kind.BUYER else found.get("text", ""),
            "keywords": ", ".join(found.get("keywords", [])),
            "terms": self.text("terms", LINE),
            "sponsorship": self.text("sponsorship"),
        }
        if self.kind == Lead.Kind.PODCAST:
            said |= {"publisher": self.text("organization"), "host_name": self.contact_name()}
        if self.kind in (Lead.Kind.ROLE, Lead.Kind.CREATOR):
            said["location"] = found.get("location", "")
        return [FoundFact(kind, value, url) for kind, value in said.items() if value]

    def company_facts(self, found: dict[str, Any]) -> list[FoundFact]:
        said = {
            "one_liner": self.text("one_liner", LINE),
            "description": found.get("text", ""),
            "industry": self.text("industry"),
            "employees": self.text("employees", 40),
            "technologies": ", ".join(self.words("technologies")),
            "stage": self.text("stage"),
            "location": found.get("location", ""),
        }
        url = found.get("website", "")
        return [FoundFact(kind, value, url) for kind, value in said.items() if value]


def sponsors_visas(text: str) -> str:
    """``Lead.Visa`` from words such as "Does Not Offer Sponsorship"."""
    words = text.casefold()
    if any(
        no in words for no in ("not offer", "no sponsor", "citizenship", "does not", "unable")
    ):
        return Lead.Visa.NO
    if "offers" in words or "will sponsor" in words or "sponsorship available" in words:
        return Lead.Visa.YES
    try:
        said = values.yes_or_no(text)
    except ValueUnclear:
        said = None
    return {True: Lead.Visa.YES, False: Lead.Visa.NO, None: Lead.Visa.UNKNOWN}[said]


SUPPRESSION_FIELDS = [
    Field("value", "whom", ("email", "e mail", "address", "email address", "contact email")),
    Field("domain", "a whole domain", ("website",)),
    Field("phone", "a telephone number", ("telephone", "mobile")),
    Field("linkedin", "a LinkedIn page", ("linkedin url",)),
    Field("organization", "a company by name", ("company", "company name")),
    Field("kind", "email, domain, phone, linkedin or organization", ("type",)),
    Field("reason", "why", ("status",)),
    Field("since", "since when", ("date", "unsubscribed at", "created at", "created")),
]
# What other systems write where we have a closed list.
REASONS = {
    "unsubscribe": Suppression.Reason.UNSUBSCRIBED,
    "opted out": Suppression.Reason.UNSUBSCRIBED,
    "opt out": Suppression.Reason.UNSUBSCRIBED,
    "spam": Suppression.Reason.COMPLAINED,
    "complain": Suppression.Reason.COMPLAINED,
    "bounce": Suppression.Reason.BOUNCED,
    "do not contact": Suppression.Reason.DO_NOT_CONTACT,
    "dnc": Suppression.Reason.DO_NOT_CONTACT,
    "eras": Suppression.Reason.ERASED,
    "delet": Suppression.Reason.ERASED,
}


def import_suppressions(
    table: Table,
    *,
    kind: str = "",
    reason: str = Suppression.Reason.IMPORTED,
    chosen: Mapping[str, str] | None = None,
    dry_run: bool = False,
    now: datetime,
) -> Report:
    """Add whom we may not write to, and mark the leads of whom nobody is left.

    Each row may hold several values of different kinds. ``kind`` and ``reason`` hold where no
    column says otherwise. Raises UnreadableFile.
    """
    columns = map_columns(table, SUPPRESSION_FIELDS, chosen)
    need(columns, table, "value", "domain", "phone", "linkedin", "organization")
    report = Report.of(table, columns)
    rows: list[Suppression] = []
    for row in table.rows:
        try:
            rows += _suppressions(columns.of(row.cells), kind, reason, table.name, now)
        except (AddressError, ValueUnclear) as e:
            report.refuse(row.line, str(e).rstrip("."))
    with transaction.atomic():
        report.counts["created"] = suppressions.add_many(rows)
        report.counts["known"] = len(rows) - report.counts["created"]
        report.counts["leads marked"] = leads.mark_suppressed(now=now)
        transaction.set_rollback(dry_run)
    return report


def _suppressions(
    cells: dict[str, str], kind: str, reason: str, source: str, now: datetime
) -> list[Suppression]:
    """What one row says; raises AddressError or ValueUnclear."""
    kinds = Suppression.Kind
    given = clean_line(cells.get("kind")).casefold() or kind
    if given and given not in kinds.values:
        raise ValueUnclear(f"kind “{given}” is none of {', '.join(kinds.values)}")
    said = clean_line(cells.get("reason")).casefold()
    why = said if said in Suppression.Reason.values else ""
    why = why or next((r for words, r in REASONS.items() if words in said), reason)
    since = values.moment(clean_line(cells.get("since"))) or now
    value = clean_line(cells.get("value"), 1_000)
    wanted = [(given or _kind_of(value), value)]
    wanted += [(name, clean_line(cells.get(name), 1_000)) for name in kinds.values]
    found = [
        suppressions.row(each, text, reason=why, source=source, now=min(since, now))
        for each, text in wanted
        if text
    ]
    if not found:
        raise ValueUnclear("there is nothing to suppress")
    return found


def _kind_of(value: str) -> str:
    kinds = Suppression.Kind
    if "linkedin.com/" in value.lower():
        return kinds.LINKEDIN
    if value.startswith("@") or ("@" not in value and "." in value and " " not in value):
        return kinds.DOMAIN
    return kinds.PHONE if re.fullmatch(r"\+[\d ().-]{6,}", value) else kinds.EMAIL
