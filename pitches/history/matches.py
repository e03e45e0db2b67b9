"""Who was pitched to whom."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from campaigns.models import Campaign
from config.bulk import batches
from pitches.history.past import BATCH, Past
from pitches.history.rows import Told
from pitches.models import Match, Pitch, ReviewTask


def record(past: Past, told: Sequence[Told], pitches: Mapping[str, Pitch]) -> None:
    """Record the matches of those that name a candidate; ``pitches`` are by Message-ID.

    A match that waits here is closed by its past.
    """
    wanted: dict[tuple[int, int, int], Told] = {}
    for each in told:
        if each.candidate_id is not None:
            key = (each.candidate_id, each.lead_id, pitches[each.message_id].pk)
            wanted.setdefault(key, each)
    known = _known(wanted)
    new, closed = [], []
    for (candidate, lead, pitch), each in wanted.items():
        rows = known[candidate, lead]
        if any(row.pitch_id == pitch for row in rows):
            continue
        match = _waiting(past.campaign, rows)
        if match is None:
            cycle = max((row.cycle for row in rows), default=0) + 1
            match = _match(past, each, candidate, cycle)
            rows.append(match)
            new.append(match)
        else:
            match.status = Match.Status.CLOSED
            closed.append(match)
        match.pitch_id = pitch
    past.report.counts["matches"] += len(new) + len(closed)
    Match.objects.bulk_create(new, batch_size=BATCH)
    _close(closed)


def _known(wanted: Iterable[tuple[int, int, int]]) -> dict[tuple[int, int], list[Match]]:
    found: dict[tuple[int, int], list[Match]] = defaultdict(list)
    candidates = {candidate for candidate, _, _ in wanted}
    for some in batches({lead for _, lead, _ in wanted}, BATCH):
        for row in Match.objects.filter(lead__in=some, candidate__in=candidates):
            found[row.candidate_id, row.lead_id].append(row)
    return found


def _waiting(campaign: Campaign, rows: Sequence[Match]) -> Match | None:
    """This campaign's match that has no pitch, unless its cycle was pitched elsewhere."""
    pitched = {row.cycle for row in rows if row.pitch_id is not None}
    for row in rows:
        mine = row.campaign_id == campaign.pk and row.pitch_id is None
        if mine and row.cycle not in pitched:
            return row
    return None


def _match(past: Past, each: Told, candidate: int, cycle: int) -> Match:
    return Match(
        campaign=past.campaign,
        candidate_id=candidate,
        lead_id=each.lead_id,
        cycle=cycle,
        cycle_reason="written to again before this system was in use" if cycle > 1 else "",
        status=Match.Status.CLOSED,
        score=0,
        reasoning=f"Imported from {past.file}.",
        suggested_at=each.sent_at,
    )


def _close(matches: Sequence[Match]) -> None:
    if not matches:
        return
    Match.objects.bulk_update(matches, ["status", "pitch"], batch_size=BATCH)
    tasks = ReviewTask.objects.filter(match__in=matches, status=ReviewTask.Status.OPEN)
    tasks.update(status=ReviewTask.Status.CANCELED, reason="was pitched before, by the history")
