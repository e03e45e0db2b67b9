"""Clients and their campaigns, one campaign a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator, validate_email
from django.db import DatabaseError, transaction
from django.utils.text import slugify

from campaigns import presets, zones
from campaigns.intake.owners import free_slug
from campaigns.models import Campaign, Client
from config import values
from config.imports import Cells, Field, Report, first_line, map_columns, need
from config.tables import Table
from config.text import URL, clean_line
from config.values import ValueUnclear

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
    report = Report.of(table, columns, "created", "updated", "unchanged")
    with transaction.atomic():
        if "campaign" in columns.by_field:
            presets.install()
        for row in table.rows:
            try:
                with transaction.atomic():
                    verdict = _bring_client(columns.of(row))
            except (ValueUnclear, ValidationError, DatabaseError) as e:
                report.refuse(row.line, _reason(e))
            else:
                report.counts[verdict] += 1
        transaction.set_rollback(dry_run)
    return report


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return clean_line("; ".join(error.messages))
    return first_line(error)


def _bring_client(cells: Cells) -> str:
    text = cells.text
    name = text("client")
    if not name:
        raise ValueUnclear("there is no client")
    found: dict[str, Any] = {
        "kind": _one_of("client_kind", text("client_kind"), Client.Kind.values),
        "email": text("email", 254).lower(),
        "website": _link(text("website", URL)),
        "time_zone": _zone(text("time_zone", 64)),
        "plan": _one_of("plan", text("plan"), Client.Plan.values),
        "weekly_allowance": values.number(text("weekly_allowance")),
        "notes": cells.paragraphs("notes"),
    }
    if found["email"]:
        validate_email(found["email"])
    slug = slugify(text("client_slug", 80))
    known = (
        Client.objects.filter(slug=slug) if slug else Client.objects.filter(name__iexact=name)
    )
    client, verdict = _fill(
        known.first(), Client, found, {"name": name, "slug": slug or free_slug(Client, name)}
    )
    if campaign := text("campaign"):
        verdict = _worse(verdict, _bring_campaign(cells, campaign, client))
    return verdict


def _bring_campaign(cells: Cells, name: str, client: Client) -> str:
    slug = slugify(cells.text("campaign_slug", 80))
    rows = Campaign.objects.filter(client=client).defer("embedding")
    known = (rows.filter(slug=slug) if slug else rows.filter(name__iexact=name)).first()
    preset = _one_of("preset", cells.text("preset").casefold(), Campaign.Preset.values)
    if known is None and not preset:
        raise ValueUnclear(f"the campaign needs a preset: {', '.join(Campaign.Preset.values)}")
    if known is not None and preset and preset != known.preset:
        raise ValueUnclear(f"the campaign {known.slug} is a {known.preset} one, not {preset}")
    found = {
        "goal": cells.paragraphs("goal"),
        "ideal_lead": cells.paragraphs("ideal_lead"),
        "keywords": cells.words("keywords"),
        "media_kit_url": _link(cells.text("media_kit_url", URL)),
        "candidate_label": cells.text("candidate_label", 40),
        "time_zone": client.time_zone,
    }
    new = {"client": client, "name": name, "preset": preset}
    if known is None:
        new["slug"] = slug or free_slug(Campaign, f"{client.name} {name}")
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
