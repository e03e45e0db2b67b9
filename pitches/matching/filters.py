"""What keeps a candidate or a lead out of a campaign, whatever it might be paired with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
from django.db import models
from django.db.models import Case, CharField, Q, Value, When

from campaigns.models import Campaign, Candidate
from pitches.matching import likeness, placements
from pitches.matching.presets import Preset, looked_for
from pitches.matching.rows import LeadRow
from pitches.models import Placement

# Interviews that may be open at one organization (H003-02).
OPEN_INTERVIEWS = 3

# A reason of REASONS with the rows it holds.
Condition = tuple[str, Q]


def of_candidates(campaign: Campaign, *, today: date) -> list[Condition]:
    """What holds candidates, in the order in which it is asked."""
    placed = Q(status=Candidate.Status.PLACED)
    taken = Placement.objects.filter(status__in=placements.CONFIRMED)
    placed |= Q(pk__in=taken.values("candidate"))
    conditions = [
        ("wrong_candidate_kind", ~Q(kind__in=looked_for(campaign).candidate_kinds)),
        ("placed", placed),
        ("not_active", ~Q(status=Candidate.Status.ACTIVE)),
    ]
    if campaign.preset == Preset.PLACEMENT:  # a guest's date says only from when on
        conditions.append(("start_passed", Q(starts_on__lt=today)))
    return conditions


def of_leads(campaign: Campaign, known: placements.Known, *, today: date) -> list[Condition]:
    """What holds leads and can be asked in SQL, in the order in which it is asked."""
    conditions = [
        ("merged", Q(merged_into__isnull=False)),
        ("closed", Q(closed_at__isnull=False)),
        ("suppressed", Q(suppressed_at__isnull=False)),
        ("demo_mixed", ~Q(is_demo=campaign.is_demo)),
        ("do_not_contact", Q(organization__do_not_contact=True)),
        ("follow_up_date", Q(organization__follow_up_date__gt=today)),
    ]
    least = _targeted(campaign, "min_score")
    if isinstance(least, (int, float, str, Decimal)):
        mark = Decimal(str(least))
        conditions.append(("below_min_score", Q(score__lt=mark) | Q(score=None)))
    busy = [place for place, count in known.interviews.items() if count > OPEN_INTERVIEWS]
    if busy:
        conditions.append(("interviews_full", Q(organization__in=busy)))
    return conditions


def first_reason(conditions: Sequence[Condition]) -> Case:
    """The first reason that holds a row, or ""; an annotation."""
    return Case(
        *(When(condition, then=Value(reason)) for reason, condition in conditions),
        default=Value(""),
        output_field=CharField(),
    )


def holding(row: models.Model, conditions: Sequence[Condition]) -> list[str]:
    """Every reason that holds this one row. One query."""
    flags = {
        f"is_{reason}": Case(When(condition, then=Value(True)), default=Value(False))
        for reason, condition in conditions
    }
    asked = type(row)._default_manager.filter(pk=row.pk)
    answers = asked.annotate(**flags).values(*flags).get()
    return [flag.removeprefix("is_") for flag, is_so in answers.items() if is_so]


def off_target(campaign: Campaign, rows: Sequence[LeadRow]) -> list[str]:
    """Why each lead lies outside the industries and sizes that are targeted, or ""."""
    in_industry = _in_industries(rows, _targeted(campaign, "industries"))
    of_size = _of_sizes(rows, _targeted(campaign, "sizes"))
    return [
        "" if fits and suits else "size_not_targeted" if fits else "industry_not_targeted"
        for fits, suits in zip(in_industry, of_size, strict=True)
    ]


def _targeted(campaign: Campaign, key: str) -> Any:
    """A value of the campaign's targeting, which is free JSON."""
    targeting = campaign.targeting
    return targeting.get(key) if isinstance(targeting, dict) else None


def _in_industries(rows: Sequence[LeadRow], wanted: Any) -> list[bool]:
    if not wanted or not isinstance(wanted, list):
        return [True] * len(rows)
    trades = [row.trades() for row in rows]
    names = sorted({name for told in trades for name in told})
    fits = np.any(likeness.alike([str(name) for name in wanted], names), axis=0)
    good = {name for name, is_alike in zip(names, fits, strict=True) if is_alike}
    return [bool(good.intersection(told)) for told in trades]


def _of_sizes(rows: Sequence[LeadRow], sizes: Any) -> list[bool]:
    listed = sizes if isinstance(sizes, list) else [sizes] if sizes else []
    spans = [span for size in listed if (span := _span(size))]
    if not spans:
        return [True] * len(rows)
    # An unknown size is not a wrong one.
    return [
        row.employees is None or any(low <= row.employees <= high for low, high in spans)
        for row in rows
    ]


def _span(size: Any) -> tuple[int, float] | None:
    """ "11-50", "1000+", 30 or [11, 50] as the least and the most employees."""
    if isinstance(size, (list, tuple)):
        told = [str(number) for number in size]
    else:
        told = str(size).replace("\u2013", "-").split("-")
    numbers = [
        int(digits) for part in told if (digits := part.strip(" +").replace(",", "")).isdigit()
    ]
    if not numbers:
        return None
    if len(numbers) > 1:
        return numbers[0], numbers[1]
    is_open = str(size).strip().endswith("+")
    return numbers[0], float("inf") if is_open else numbers[0]
