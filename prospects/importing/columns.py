"""What a file of leads may have in its columns."""

from __future__ import annotations

from collections.abc import Mapping

from config.imports import Columns, Field, map_columns, need
from config.tables import Table
from prospects.models import Lead

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


def columns_of(table: Table, kind: str, chosen: Mapping[str, str] | None = None) -> Columns:
    """Which column holds what. Raises UnreadableFile where the name has none."""
    columns = map_columns(table, fields(kind), chosen)
    need(columns, table, "name")
    return columns


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
