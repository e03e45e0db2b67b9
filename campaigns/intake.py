"""Clients, campaigns and candidates from files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator, validate_email
from django.db import DatabaseError, transaction
from django.db.models import Q
from django.db.models.functions import MD5
from django.utils.text import slugify

from campaigns import presets, zones
from campaigns.models import Angle, BaseFact, Campaign, Candidate, CandidateFact, Client
from config import bulk, provenance, values
from config.imports import Columns, Field, Report, map_columns, need
from config.tables import Row, Table, UnreadableFile, batches
from config.text import LINE, NAME, clean_line, clean_text
from config.values import ValueUnclear

BATCH = 1_000
REFERENCE = 120
KIND_OF_PRESET = {
    Campaign.Preset.PODCAST: Candidate.Kind.GUEST,
    Campaign.Preset.PLACEMENT: Candidate.Kind.INTERN,
    Campaign.Preset.CREATOR: Candidate.Kind.PRODUCT,
    Campaign.Preset.PRODUCT: Candidate.Kind.PRODUCT,
}
# The beginnings of what other systems call a status.
STATUSES = {
    Candidate.Status.ACTIVE: ("active", "open", "available", "new"),
    Candidate.Status.PAUSED: ("paused", "pause", "on hold", "hold"),
    Candidate.Status.PLACED: ("placed", "role confirmed", "confirmed", "hired", "booked"),
    Candidate.Status.INACTIVE: ("inactive", "withdrawn", "closed", "archived", "not active"),
}
# What an import may fill, and what it holds while nobody has.
VALUES: dict[str, Any] = {
    "name": "",
    "headline": "",
    "bio": "",
    "bio_summary": "",
    "bio_short": "",
    "skills": [],
    "keywords": [],
    "industries": [],
    "starts_on": None,
    "ends_on": None,
    "visa": Candidate.Visa.UNKNOWN.value,
    "location": "",
    "remote_only": False,
    "responsible_id": None,
    "status": Candidate.Status.ACTIVE.value,
}
# What matching reads: a change asks for a new embedding.
EMBEDDED = {"name", "headline", "bio", "bio_summary", "skills", "keywords", "industries"}

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


def find_client(name: str, *, create: bool = False) -> Client:
    """The client of this name or slug. Raises UnreadableFile where there is none."""
    found = Client.objects.filter(Q(name__iexact=name) | Q(slug=slugify(name) or name)).first()
    if found is None and create:
        return Client.objects.create(name=clean_line(name), slug=_free_slug(Client, name))
    if found is None:
        known = ", ".join(Client.objects.values_list("name", flat=True)[:10]) or "none yet"
        raise UnreadableFile(
            f"There is no client “{name}” (there is: {known}). "
            "Add --new-client to make it, or see import_clients."
        )
    return found


def find_campaign(slug: str, client: Client) -> Campaign:
    """The campaign, if it is this client's. Raises UnreadableFile."""
    found = Campaign.objects.filter(slug=slug).select_related("client").first()
    if found is None:
        raise UnreadableFile(f"There is no campaign “{slug}”.")
    if found.client_id != client.pk:
        raise UnreadableFile(f"The campaign {slug} is {found.client}'s, not {client}'s.")
    return found


def kind_for(client: Client, campaign: Campaign | None) -> str:
    """What this client's candidates are, by its campaigns; "" where that is open."""
    if campaign is not None:
        return KIND_OF_PRESET[Campaign.Preset(campaign.preset)]
    presets_used = client.campaigns.values_list("preset", flat=True).distinct()
    kinds = {KIND_OF_PRESET[Campaign.Preset(preset)] for preset in presets_used}
    return kinds.pop() if len(kinds) == 1 else ""


def candidate_columns(table: Table, chosen: Mapping[str, str] | None = None) -> Columns:
    """Which column holds what. Raises UnreadableFile where no column has names."""
    columns = map_columns(table, CANDIDATE_FIELDS, chosen)
    need(columns, table, "name", "first_name", "last_name")
    return columns


def import_candidates(
    table: Table,
    client: Client,
    *,
    campaign: Campaign | None = None,
    kind: str = "",
    chosen: Mapping[str, str] | None = None,
    dry_run: bool = False,
    now: datetime,
) -> Report:
    """Bring in a client's candidates: found by reference, else by address, else by name.

    One transaction for the file; bad rows are reported and leave the others alone. What each
    row states becomes facts with the file as their source. Raises UnreadableFile.
    """
    columns = candidate_columns(table, chosen)
    kind = kind or kind_for(client, campaign)
    if not kind and "kind" not in columns.by_field:
        raise UnreadableFile(
            f"What are these candidates: {', '.join(Candidate.Kind.values)}? "
            "Say it with --kind, or name the campaign."
        )
    report = Report.of(table, columns)
    for verdict in ("created", "updated", "unchanged"):
        report.counts[verdict] = 0
    intake = _Intake(client, campaign, table.name[:80], now, report)
    with transaction.atomic():
        # Two imports for one client at once would each miss what the other makes.
        Client.objects.select_for_update().get(pk=client.pk)
        for some in batches(_read(table.rows, columns, kind, report), BATCH):
            intake.bring(some)
        transaction.set_rollback(dry_run)
    return report


def _read(rows: Iterable[Row], columns: Columns, kind: str, report: Report) -> Iterable[Found]:
    users = _Users()
    seen: dict[str, int] = {}
    for row in rows:
        reader = _CandidateReader(columns.of(row.cells), row.line, kind, users)
        try:
            found = reader.candidate()
            key = found.keys()[0]
            if key in seen:
                raise ValueUnclear(f"the same {key.partition(':')[0]} as in line {seen[key]}")
            seen[key] = row.line
            yield found
        except ValueUnclear as e:
            report.refuse(row.line, str(e))
        for warning in reader.warnings:
            report.warn(row.line, warning)


class _Users:
    """Staff by login and by address, read once."""

    def __init__(self) -> None:
        rows = User.objects.filter(is_active=True).values_list("username", "email", "pk")
        self.ids: dict[str, int] = {}
        for username, email, pk in rows:
            self.ids.setdefault(email.casefold(), pk)
            self.ids[username.casefold()] = pk

    def find(self, name: str) -> int | None:
        return self.ids.get(name.casefold()) if name else None


class _CandidateReader:
    """One row, read field by field."""

    def __init__(self, cells: dict[str, str], line: int, kind: str, users: _Users) -> None:
        self.cells, self.line, self.kind, self.users = cells, line, kind, users
        self.warnings: list[str] = []

    def candidate(self) -> Found:
        name = self.text("name") or clean_line(
            f"{self.text('first_name')} {self.text('last_name')}"
        )
        if not name:
            raise ValueUnclear("there is no name")
        found = {
            "name": name,
            "headline": self.text("headline", LINE),
            "bio": clean_text(self.cells.get("bio")),
            "bio_summary": clean_text(self.cells.get("bio_summary")),
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
        attributes = {"email": email, "phone": self.text("phone", 40)}
        attributes["linkedin"] = self.text("linkedin", LINE)
        return Found(
            line=self.line,
            reference=self.text("reference", REFERENCE),
            email=email,
            kind=self.kind_of_row(),
            values=found,
            attributes={key: value for key, value in attributes.items() if value},
            facts=self.facts(found),
            topics=self.words("topics")[:20],
        )

    def text(self, name: str, limit: int = NAME) -> str:
        cell = self.cells.get(name)
        return clean_line(cell, limit) if cell else ""

    def words(self, name: str) -> list[str]:
        return values.words(self.text(name, 5_000))

    def read(self, name: str, how: Callable[[str], Any]) -> Any:
        try:
            return how(self.text(name))
        except ValueUnclear as e:
            self.warnings.append(f"{name}: {e}; left out")
            return None

    def kind_of_row(self) -> str:
        kind = self.text("kind").casefold() or self.kind
        if kind not in Candidate.Kind.values:
            raise ValueUnclear(f"“{kind}” is none of {', '.join(Candidate.Kind.values)}")
        return kind

    def industries(self) -> list[str]:
        ranked = [self.text("industry_1", 120), self.text("industry_2", 120)]
        return list(
            dict.fromkeys(word for word in [*ranked, *self.words("industries")] if word)
        )

    def dates(self) -> dict[str, Any]:
        starts, ends = self.read("starts_on", values.day), self.read("ends_on", values.day)
        if starts and ends and ends < starts:
            self.warnings.append("it ends before it starts; the last day was left out")
            ends = None
        return {"starts_on": starts, "ends_on": ends}

    def visa(self) -> str:
        needed = self.text("visa").casefold()
        if needed in Candidate.Visa.values:
            return needed
        said = self.read("visa", values.yes_or_no)
        return {True: Candidate.Visa.YES, False: Candidate.Visa.NO}.get(said, "")

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
        found = self.users.find(name)
        if name and found is None:
            self.warnings.append(f"responsible: nobody here is called “{name}”; left out")
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
        return facts + [("topic", topic) for topic in self.words("topics")[:20]]


class _Intake:
    """Candidates on their way into the database, a set at a time."""

    def __init__(
        self,
        client: Client,
        campaign: Campaign | None,
        source: str,
        now: datetime,
        report: Report,
    ) -> None:
        self.client, self.campaign, self.source = client, campaign, source
        self.now, self.report = now, report

    def bring(self, some: Sequence[Found]) -> None:
        """A set that the database refuses is tried row by row."""
        try:
            with transaction.atomic():
                verdicts = self._upsert(some)
        except DatabaseError as e:
            if len(some) > 1:
                for each in some:
                    self.bring([each])
            else:
                reason = clean_line(str(e).partition("\n")[0])
                self.report.refuse(some[0].line, f"the database refused it: {reason}")
            return
        self.report.counts.update(verdicts)

    def _upsert(self, some: Sequence[Found]) -> list[str]:
        self._find(some)
        changed = self._update([each for each in some if each.row is not None])
        new = [each for each in some if each.row is None]
        self._insert(new)
        changed |= self._add_facts(some)
        changed |= self._add_topics(some)
        changed |= self._join(some)
        return [
            "created"
            if each.row is None
            else "updated"
            if each.candidate_id in changed
            else "unchanged"
            for each in some
        ]

    def _find(self, some: Sequence[Found]) -> None:
        rows = Candidate.objects.filter(client=self.client).defer("embedding")
        references = {f.reference_to_store() for f in some}
        emails = {f.email for f in some if f.email}
        names = {f.values["name"] for f in some if not f.reference and not f.email}
        known = rows.filter(
            Q(reference__in=references)
            | Q(attributes__email__in=list(emails))
            | Q(name__in=names)
        ).order_by("-pk")
        by_reference = {row.reference: row for row in known}
        by_email = {row.attributes.get("email"): row for row in known}
        by_name: dict[str, list[Candidate]] = {}
        for row in known:
            by_name.setdefault(name_key(row.name), []).append(row)
        for each in some:
            each.row = by_reference.get(each.reference_to_store())
            if each.row is None and each.email:
                each.row = self._same_person(each, by_email.get(each.email))
            if each.row is None and not each.reference and not each.email:
                same = by_name.get(name_key(each.values["name"]), [])
                each.row = same[0] if len(same) == 1 else None
            each.candidate_id = each.row.pk if each.row else 0

    def _same_person(self, found: Found, row: Candidate | None) -> Candidate | None:
        """Somebody with this address, unless both carry references of the client."""
        made_up = row is not None and row.reference.startswith(("email:", "name:"))
        return row if row is not None and (made_up or not found.reference) else None

    def _update(self, some: Sequence[Found]) -> set[int]:
        manual: dict[int, set[str]] = {}
        facts = CandidateFact.objects.filter(
            candidate__in=[each.candidate_id for each in some], source=BaseFact.MANUAL
        )
        for candidate, kind in facts.values_list("candidate", "kind"):
            manual.setdefault(candidate, set()).add(kind)
        changed, again = [], []
        for each in some:
            row = each.row
            assert row is not None
            changes = provenance.changes(
                row, each.values, source=self.source, manual=manual.get(row.pk, ())
            )
            if any(row.attributes.get(key) != said for key, said in each.attributes.items()):
                attributes = changes.get("attributes", row.attributes)
                changes["attributes"] = attributes | each.attributes
            if each.reference and row.reference != each.reference:
                changes["reference"] = each.reference
            if changes:
                if changes.keys() & EMBEDDED:
                    again.append(row.pk)
                row.updated_at = self.now
                for name, value in changes.items():
                    setattr(row, name, value)
                changed.append(row)
        if changed:
            names = [name.removesuffix("_id") for name in VALUES]
            fields = [*names, "reference", "attributes", "updated_at"]
            Candidate.objects.bulk_update(changed, fields, batch_size=200)
            stale = Candidate.objects.filter(pk__in=again)
            stale.update(embedding=None, embedding_model="")
        return {row.pk for row in changed}

    def _insert(self, some: Sequence[Found]) -> None:
        ids = bulk.new_ids(Candidate, len(some))
        columns = [name.removesuffix("_id") for name in VALUES]
        rows = []
        for pk, each in zip(ids, some, strict=True):
            each.candidate_id = pk
            attributes = each.attributes | provenance.brought(self.source, each.values)
            row = [pk, self.client.pk, each.reference_to_store(), each.kind, attributes]
            rows.append(
                [*row, *(each.values.get(name, blank) for name, blank in VALUES.items())]
            )
        bulk.insert(
            Candidate, ["id", "client", "reference", "kind", "attributes", *columns], rows
        )

    def _add_facts(self, some: Sequence[Found]) -> set[int]:
        wanted = {
            (each.candidate_id, kind, bulk.md5(value)): value
            for each in some
            for kind, value in each.facts
        }
        present = set(
            CandidateFact.objects.filter(
                candidate__in=[each.candidate_id for each in some], source=self.source
            )
            .annotate(digest=MD5("value"))
            .values_list("candidate", "kind", "digest")
        )
        new = [(key, value) for key, value in wanted.items() if key not in present]
        ids = bulk.new_ids(CandidateFact, len(new))
        bulk.insert(
            CandidateFact,
            ["id", "candidate", "kind", "value", "source", "observed_at"],
            (
                (pk, candidate, kind, value, self.source, self.now)
                for pk, ((candidate, kind, _), value) in zip(ids, new, strict=True)
            ),
        )
        return {key[0] for key, _ in new}

    def _add_topics(self, some: Sequence[Found]) -> set[int]:
        rows = Angle.objects.filter(candidate__in=[each.candidate_id for each in some])
        present: dict[int, set[str]] = {}
        for candidate, topic in rows.values_list("candidate", "topic"):
            present.setdefault(candidate, set()).add(topic)
        new = [
            Angle(candidate_id=each.candidate_id, topic=topic, position=position)
            for each in some
            for position, topic in enumerate(each.topics, 1)
            if topic not in present.get(each.candidate_id, ())
        ]
        Angle.objects.bulk_create(new)
        return {angle.candidate_id for angle in new}

    def _join(self, some: Sequence[Found]) -> set[int]:
        """Make them candidates of the campaign."""
        if self.campaign is None:
            return set()
        ids = [each.candidate_id for each in some]
        through = Campaign.candidates.through
        present = set(
            through.objects.filter(campaign=self.campaign, candidate__in=ids).values_list(
                "candidate", flat=True
            )
        )
        new = [pk for pk in ids if pk not in present]
        through.objects.bulk_create(
            through(campaign_id=self.campaign.pk, candidate_id=pk) for pk in new
        )
        return set(new)


# Clients and campaigns

CLIENT_FIELDS = [
    Field("client", "the client's name", ("client name", "name", "customer", "company")),
    Field("client_slug", "the client's short name in addresses", ("slug",)),
    Field("client_kind", "person or organization", ("kind", "type")),
    Field("email", "the client's address", ("client email", "e mail")),
    Field("website", "the client's site", ("client website", "url", "site")),
    Field("time_zone", "zone such as Europe/Berlin", ("timezone", "tz")),
    Field("plan", "free or paid"),
    Field("weekly_allowance", "previews a week", ("allowance",)),
    Field("notes", "seen by staff only", ("note",)),
    Field("campaign", "the campaign's name", ("campaign name",)),
    Field("campaign_slug", "the campaign's short name"),
    Field(
        "preset", "podcast, placement, creator or product", ("campaign type", "campaign kind")
    ),
    Field("goal", "what the campaign is to reach", ("campaign goal",)),
    Field("ideal_lead", "whom it looks for", ("ideal", "audience", "ideal podcast")),
    Field("keywords", "keywords", ("campaign keywords", "tags")),
    Field("candidate_label", "what its candidates are called", ("label",)),
    Field("media_kit_url", "link to the media kit", ("media kit", "link to media kit")),
]


def import_clients(
    table: Table, *, chosen: Mapping[str, str] | None = None, dry_run: bool = False
) -> Report:
    """Bring in clients and their campaigns, one campaign a row; again and again without twins.

    What is here already keeps its values; only its gaps are filled. New campaigns are drafts.
    Raises UnreadableFile. (S000-012)
    """
    columns = map_columns(table, CLIENT_FIELDS, chosen)
    need(columns, table, "client")
    report = Report.of(table, columns)
    for verdict in ("created", "updated", "unchanged"):
        report.counts[verdict] = 0
    with transaction.atomic():
        if "campaign" in columns.by_field:
            presets.install()
        for row in table.rows:
            try:
                with transaction.atomic():
                    verdict = _bring_client(columns.of(row.cells))
            except (ValueUnclear, ValidationError, DatabaseError) as e:
                report.refuse(row.line, _reason(e))
            else:
                report.counts[verdict] += 1
        transaction.set_rollback(dry_run)
    return report


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return clean_line("; ".join(error.messages))
    return clean_line(str(error).partition("\n")[0])


def _bring_client(cells: dict[str, str]) -> str:
    def text(name: str, limit: int = NAME) -> str:
        return clean_line(cells.get(name), limit)

    name = text("client")
    if not name:
        raise ValueUnclear("there is no client")
    found: dict[str, Any] = {
        "kind": _one_of("client_kind", text("client_kind"), Client.Kind.values),
        "email": text("email", 254).lower(),
        "website": _link(text("website", 2_000)),
        "time_zone": _zone(text("time_zone", 64)),
        "plan": _one_of("plan", text("plan"), Client.Plan.values),
        "weekly_allowance": values.number(text("weekly_allowance")),
        "notes": clean_text(cells.get("notes")),
    }
    if found["email"]:
        validate_email(found["email"])
    slug = slugify(text("client_slug", 80))
    known = (
        Client.objects.filter(slug=slug) if slug else Client.objects.filter(name__iexact=name)
    )
    client, verdict = _fill(
        known.first(), Client, found, {"name": name, "slug": slug or _free_slug(Client, name)}
    )
    if campaign := text("campaign"):
        verdict = _worse(verdict, _bring_campaign(cells, campaign, client))
    return verdict


def _bring_campaign(cells: dict[str, str], name: str, client: Client) -> str:
    slug = slugify(clean_line(cells.get("campaign_slug"), 80))
    rows = Campaign.objects.filter(client=client).defer("embedding")
    known = (rows.filter(slug=slug) if slug else rows.filter(name__iexact=name)).first()
    preset = _one_of(
        "preset", clean_line(cells.get("preset")).casefold(), Campaign.Preset.values
    )
    if known is None and not preset:
        raise ValueUnclear(f"the campaign needs a preset: {', '.join(Campaign.Preset.values)}")
    if known is not None and preset and preset != known.preset:
        raise ValueUnclear(f"the campaign {known.slug} is a {known.preset} one, not {preset}")
    found = {
        "goal": clean_text(cells.get("goal")),
        "ideal_lead": clean_text(cells.get("ideal_lead")),
        "keywords": values.words(clean_line(cells.get("keywords"), 5_000)),
        "media_kit_url": _link(clean_line(cells.get("media_kit_url"), 2_000)),
        "candidate_label": clean_line(cells.get("candidate_label"), 40),
        "time_zone": client.time_zone,
    }
    new = {"client": client, "name": name, "preset": preset}
    if known is None:
        new["slug"] = slug or _free_slug(Campaign, f"{client.name} {name}")
        new["sequence"] = presets.sequence(presets.SEQUENCES[Campaign.Preset(preset)])
    return _fill(known, Campaign, found, new)[1]


def _fill(row: Any, model: Any, found: dict[str, Any], new: dict[str, Any]) -> tuple[Any, str]:
    """A new row, or the gaps of a known one."""
    filled = {name: value for name, value in found.items() if value not in (None, "", [])}
    if row is None:
        return model.objects.create(**new, **filled), "created"
    gaps = {n: v for n, v in filled.items() if getattr(row, n) in (None, "", [])}
    if not gaps:
        return row, "unchanged"
    for name, value in gaps.items():
        setattr(row, name, value)
    row.save(update_fields=[*gaps])
    return row, "updated"


def _worse(first: str, second: str) -> str:
    order = ["created", "updated", "unchanged"]
    return min(first, second, key=order.index)


def _one_of(name: str, value: str, known: Sequence[str]) -> str:
    if value and value.casefold() not in known:
        raise ValueUnclear(f"{name} “{value}” is none of {', '.join(known)}")
    return value.casefold()


def _link(cell: str) -> str:
    if not cell:
        return ""
    url = cell if "://" in cell else f"https://{cell}"
    URLValidator(schemes=["http", "https"])(url)
    return url


def _zone(name: str) -> str:
    zones.check(name)
    return name


def _free_slug(model: Any, name: str) -> str:
    base = slugify(name)[:70] or model._meta.model_name
    slug, number = base, 2
    while model.objects.filter(slug=slug).exists():
        slug, number = f"{base}-{number}", number + 1
    return slug
