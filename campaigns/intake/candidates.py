"""Candidates on their way into the database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import MD5

from campaigns.intake import candidate_rows
from campaigns.intake.candidate_rows import CANDIDATE_FIELDS, Found, name_key
from campaigns.intake.owners import kind_for
from campaigns.models import Angle, Campaign, Candidate, CandidateFact, Client
from config import bulk, provenance
from config.bulk import batches
from config.imports import Columns, Report, bring_in_parts, map_columns, need
from config.tables import Table, UnreadableFile

BATCH = 1_000
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
# What matching reads: where one of these changes, the database forgets the vector.
EMBEDDED = {"headline", "bio", "skills", "keywords", "industries"}


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
    columns = _columns(table, chosen)
    kind = kind or kind_for(client, campaign)
    if not kind and "kind" not in columns.by_field:
        raise UnreadableFile(
            f"What are these candidates: {', '.join(Candidate.Kind.values)}? "
            "Say it with --kind, or name the campaign."
        )
    report = Report.of(table, columns, "created", "updated", "unchanged")
    intake = _Intake(client, campaign, table.name[:80], now, report)
    with transaction.atomic():
        # Two imports for one client at once would each miss what the other makes.
        Client.objects.select_for_update().get(pk=client.pk)
        found = candidate_rows.read(table.rows, columns, kind, report)
        for some in batches(found, BATCH):
            bring_in_parts(some, intake.bring, report)
        transaction.set_rollback(dry_run)
    return report


def _columns(table: Table, chosen: Mapping[str, str] | None) -> Columns:
    """Which column holds what. Raises UnreadableFile where no column has names."""
    columns = map_columns(table, CANDIDATE_FIELDS, chosen)
    need(columns, table, "name", "first_name", "last_name")
    return columns


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
        self._find(some)
        known = [each for each in some if each.row is not None]
        new = [each for each in some if each.row is None]
        changed = self._update(known)
        self._insert(new)
        changed |= self._add_facts(some) | self._add_topics(some) | self._join(some)
        updated = sum(each.candidate_id in changed for each in known)
        self.report.counts["created"] += len(new)
        self.report.counts["updated"] += updated
        self.report.counts["unchanged"] += len(known) - updated

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
        by_name = defaultdict(list)
        for row in known:
            by_name[name_key(row.name)].append(row)
        for each in some:
            each.row = by_reference.get(each.reference_to_store())
            if each.row is None and each.email:
                each.row = self._same_person(each, by_email.get(each.email))
            if each.row is None and not each.reference and not each.email:
                same = by_name[name_key(each.values["name"])]
                each.row = same[0] if len(same) == 1 else None
            each.candidate_id = each.row.pk if each.row else 0

    def _same_person(self, found: Found, row: Candidate | None) -> Candidate | None:
        """Somebody with this address, unless both carry references of the client."""
        made_up = row is not None and row.reference.startswith(("email:", "name:"))
        return row if row is not None and (made_up or not found.reference) else None

    def _update(self, some: Sequence[Found]) -> set[int]:
        """Change what may be changed; the ids of those that were."""
        owners = [each.candidate_id for each in some]
        fixed = CandidateFact.objects.entered_by_people("candidate", owners)
        changed = []
        for each in some:
            row = each.row
            assert row is not None
            changes = self._changes(row, each, fixed[row.pk])
            for name, value in changes.items():
                setattr(row, name, value)
            if changes.keys() & EMBEDDED:
                row.embedding_model = ""
            if changes:
                row.updated_at = self.now
                changed.append(row)
        if changed:
            names = [name.removesuffix("_id") for name in VALUES]
            fields = [*names, "reference", "attributes", "embedding_model", "updated_at"]
            Candidate.objects.bulk_update(changed, fields, batch_size=200)
        return {row.pk for row in changed}

    def _changes(self, row: Candidate, found: Found, fixed: set[str]) -> dict[str, Any]:
        changes = provenance.changes(row, found.values, source=self.source, manual=fixed)
        if any(row.attributes.get(key) != said for key, said in found.attributes.items()):
            attributes = changes.get("attributes", row.attributes)
            changes["attributes"] = attributes | found.attributes
        if found.reference and row.reference != found.reference:
            changes["reference"] = found.reference
        return changes

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
        new = {key: value for key, value in wanted.items() if key not in present}
        bulk.insert(
            CandidateFact,
            ["candidate", "kind", "value", "source", "observed_at"],
            (
                (candidate, kind, value, self.source, self.now)
                for (candidate, kind, _), value in new.items()
            ),
        )
        return {candidate for candidate, _, _ in new}

    def _add_topics(self, some: Sequence[Found]) -> set[int]:
        rows = Angle.objects.filter(candidate__in=[each.candidate_id for each in some])
        present = set(rows.values_list("candidate", "topic"))
        new = [
            Angle(candidate_id=each.candidate_id, topic=topic, position=position)
            for each in some
            for position, topic in enumerate(each.topics, 1)
            if (each.candidate_id, topic) not in present
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
