"""One row of a file as a lead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, time
from typing import Any

from campaigns import zones
from config import values
from config.imports import Cells, Columns, Report, read_each
from config.imports.cells import LIST
from config.tables import Row
from config.text import LINE, URL, clean_line
from config.values import ValueUnclear
from prospects import addresses, leads, places, sites
from prospects import terms as seasons
from prospects.importing.job import ROLE_OF_CONTACT, Job
from prospects.leads import (
    FoundAddress,
    FoundContact,
    FoundFact,
    FoundLead,
    FoundOrganization,
    Identity,
)
from prospects.models import Contact, ContactAddress, Lead


def read_rows(
    rows: Iterable[Row], columns: Columns, job: Job, report: Report
) -> Iterator[FoundLead]:
    """The leads of the rows; one without a name or with a wrong address is refused."""
    return read_each(rows, columns, report, lambda cells: read_row(cells, job))


def read_row(cells: Cells, job: Job) -> FoundLead:
    """The lead of one row. Raises ValueUnclear."""
    return _RowReader(cells, job).lead()


class _RowReader:
    """One row, read field by field.

    What would be written to must be right, or the row is refused; a site, date or number that
    cannot be read is left out with a warning.
    """

    def __init__(self, cells: Cells, job: Job) -> None:
        self.cells, self.job, self.kind = cells, job, job.kind
        self.text, self.read = cells.text, cells.read

    def lead(self) -> FoundLead:
        name = self.text("name", LINE)
        if not name:
            raise ValueUnclear("there is no name")
        website, page = self.link("website"), self.link("url")
        found = {
            "name": name,
            "text": self.cells.paragraphs("text") or self.text("one_liner", LINE),
            "url": page,
            "website": website,
            "feed_url": self.link("feed_url"),
            "language": self.text("language", 16),
            "keywords": self.cells.words("keywords"),
            "industries": self.industries(),
            "audience": self.read("audience", values.number),
            "posted_on": self.read("posted_on", values.day),
        }
        found |= self.place()
        if self.kind == Lead.Kind.ROLE:
            found |= self.role()
        found = {key: value for key, value in found.items() if value not in (None, "", [])}
        return FoundLead(
            line=self.cells.line,
            kind=self.kind,
            values=found,
            identities=self.identities(found),
            organization=self.organization(found),
            contacts=self.contacts(),
            facts=self.facts(found),
            closed_at=self.closed_at(),
        )

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
            self.cells.warn(f"time_zone: “{zone}” is not a time zone; left out")
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
        ends = self.cells.last_day(ends, starts=starts)
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
        name = self.cells.full_name("contact_name")
        return [FoundContact(found, name, role, self.text("contact_title"))]

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
            said["publisher"] = self.text("organization")
            said["host_name"] = self.cells.full_name("contact_name")
        if self.kind in (Lead.Kind.ROLE, Lead.Kind.CREATOR):
            said["location"] = found.get("location", "")
        return [FoundFact(kind, value, url) for kind, value in said.items() if value]

    def company_facts(self, found: dict[str, Any]) -> list[FoundFact]:
        said = {
            "one_liner": self.text("one_liner", LINE),
            "description": found.get("text", ""),
            "industry": self.text("industry"),
            "employees": self.text("employees", 40),
            "technologies": ", ".join(self.cells.words("technologies")),
            "stage": self.text("stage"),
            "location": found.get("location", ""),
        }
        url = found.get("website", "")
        return [FoundFact(kind, value, url) for kind, value in said.items() if value]

    # Cells

    def industries(self) -> list[str]:
        # “Technology -> Software” names the wider one again.
        narrower = self.text("subindustry", LIST).split(" -> ")[-1]
        return self.cells.words("industry") + values.words(narrower)

    def link(self, name: str) -> str:
        """A web address; a missing scheme is added, anything else left out with a warning."""
        cell = self.text(name, 2 * URL)
        while cell.lower().startswith(("http://http://", "http://https://")):
            cell = cell[7:]
        if not cell:
            return ""
        url = cell if "://" in cell else f"http://{cell}"
        if addresses.is_url(url):
            return url
        self.cells.warn(f"{name}: “{cell[:60]}” is not a web address; left out")
        return ""


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
