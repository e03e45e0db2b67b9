"""The plan page: what would go out, what would not and why, and one button that does it."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from campaigns import zones
from campaigns.models import Campaign
from pitches import outreach
from pitches.decisions import Decision, Reason, Verdict
from pitches.models import Message
from pitches.outreach import Plan

VIEW, APPLY = "pitches.view_message", "pitches.change_message"
# Rows of one list; what is beyond is counted, and printed by the command.
MOST_ROWS = 200
MOST_EXAMPLES = 20
# From here on the number has to be typed.
TYPED_ABOVE = 20
KINDS = {"outreach": "New pitches and first messages", "follow_up": "Follow-ups"}


class Asked(forms.Form):
    """What the plan is asked about."""

    kind = forms.ChoiceField(choices=list(KINDS.items()), required=False)
    campaign = forms.ModelChoiceField(
        Campaign.objects.select_related("client"),
        to_field_name="slug",
        required=False,
        empty_label="all active campaigns",
    )
    at = forms.DateTimeField(
        required=False,
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d %H:%M"],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )


@dataclass(slots=True)
class Group:
    """Everything that waits for the same reason."""

    reason: Reason
    rows: list[Decision] = field(default_factory=list)

    @property
    def earliest(self) -> datetime | None:
        return min((row.not_before for row in self.rows if row.not_before), default=None)

    @property
    def examples(self) -> list[Decision]:
        return self.rows[:MOST_EXAMPLES]

    @property
    def more(self) -> int:
        return len(self.rows) - len(self.examples)


@dataclass(frozen=True, slots=True)
class Going:
    """A message that would go out, with the time where it arrives."""

    decision: Decision
    zone: str
    message: int | None

    @property
    def local(self) -> datetime | None:
        at = self.decision.send_at
        return at.astimezone(zones.zone(self.zone)) if at else None


@dataclass(slots=True)
class Lists:
    sends: list[Decision]
    drafts: list[Decision]
    groups: list[Group]
    moves: list[str]

    @property
    def held(self) -> int:
        return sum(len(group.rows) for group in self.groups)

    @property
    def to_do(self) -> int:
        return len(self.sends) + len(self.drafts) + len(self.moves)


def view(request: HttpRequest) -> HttpResponse:
    """Show the plan; on POST carry out what was shown and still holds."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    form = Asked(request.POST if request.method == "POST" else request.GET or None)
    asked = form.cleaned_data if form.is_valid() else {}
    at = asked.get("at") if is_rehearsal() else None
    # The desk's zone is the viewer's; what is written into mail is nobody's.
    now = at.astimezone(UTC) if at else timezone.now()
    kind = asked.get("kind") or "outreach"
    planned = make(kind, campaign=asked.get("campaign"), now=now)
    if request.method == "POST":
        return _apply(request, form, planned, now=now)
    return _show(request, form, planned, now=now)


def is_rehearsal() -> bool:
    """Whether a plan may be made for another time than now, as ``--now`` does."""
    return bool(settings.SEND_MODE == "capture")


def make(kind: str, *, campaign: Campaign | None, now: datetime) -> Plan:
    """The plan, in a transaction that cannot write."""
    planner = outreach.plan_follow_ups if kind == "follow_up" else outreach.plan
    return outreach.dry(lambda: planner(campaign=campaign, now=now))


def lists(planned: Plan) -> Lists:
    """The decisions sorted into what goes out, what is drafted and what waits."""
    by_verdict: dict[str, list[Decision]] = defaultdict(list)
    groups: dict[Reason, Group] = {}
    for row in planned.decisions:
        by_verdict[row.verdict].append(row)
        if row.verdict == Verdict.HOLD:
            groups.setdefault(row.reason, Group(row.reason)).rows.append(row)
    return Lists(
        sends=sorted(by_verdict[Verdict.SEND], key=lambda row: (row.send_at, row.key)),
        drafts=by_verdict[Verdict.PITCH],
        groups=sorted(groups.values(), key=lambda group: -len(group.rows)),
        moves=list(planned.moves.values()),
    )


def _show(
    request: HttpRequest, form: Asked, planned: Plan, *, now: datetime, **more: Any
) -> HttpResponse:
    found = lists(planned)
    context = {
        **admin.site.each_context(request),
        "title": "Plan",
        "form": form,
        "kind": planned.kind,
        "kinds": KINDS,
        "campaigns": Campaign.objects.order_by("name").only("name", "slug"),
        "chosen": form["campaign"].value() or "",
        "now": now,
        "is_rehearsal": is_rehearsal(),
        # Asked again in the same words; empty stands for the present moment.
        "at": (form.data.get("at") or "") if is_rehearsal() else "",
        "lists": found,
        "going": going(found.sends[:MOST_ROWS]),
        "drafts": found.drafts[:MOST_ROWS],
        "most": MOST_ROWS,
        "typed": found.to_do > TYPED_ABOVE,
        "shown": json.dumps(fingerprints(planned.decisions)),
        "may_apply": request.user.has_perm(APPLY),
        **more,
    }
    return TemplateResponse(request, "admin/desk/plan.html", context)


def going(rows: list[Decision]) -> list[Going]:
    """The rows with their recipients' zones, read in one query."""
    ids = [row.ids["message"] for row in rows]
    zone = "time_zone"
    places = ("pitch__address__contact", "pitch__lead", "pitch__lead__organization")
    paths = [f"{place}__{zone}" for place in (*places, "pitch__campaign")]
    found = {
        pk: names for pk, *names in Message.objects.filter(pk__in=ids).values_list("pk", *paths)
    }
    return [
        Going(row, next(filter(None, found.get(pk, [])), "UTC"), pk)
        for pk, row in zip(ids, rows, strict=True)
    ]


# What was shown, and what of it still holds


def fingerprints(rows: Iterable[Decision]) -> dict[str, str]:
    """What each row that would do something is about; short, for the page carries them all."""
    return {row.key: _fingerprint(row) for row in rows if row.verdict != Verdict.HOLD}


def _fingerprint(row: Decision) -> str:
    about = [row.verdict, row.candidates, row.contact, row.sender, row.subject, row.body_sha256]
    return hashlib.sha256(json.dumps(about).encode()).hexdigest()[:16]


def still_holds(shown: dict[str, str], fresh: Plan) -> tuple[Plan, dict[str, str]]:
    """The rows somebody saw and that are the same now; of the others, what changed."""
    kept, changed = [], {}
    rows = {row.key: row for row in fresh.decisions}
    for key, fingerprint in shown.items():
        row = rows.get(key)
        if row is None:
            changed[key] = "it was done already, or is gone"
        elif row.verdict == Verdict.HOLD:
            changed[key] = f"held now: {row.sentence}"
        elif _fingerprint(row) != fingerprint:
            changed[key] = "its people or its words changed"
        else:
            kept.append(row)
    for key, row in rows.items():
        if key not in shown and row.verdict != Verdict.HOLD:
            changed[key] = "it came up after you looked"
    return replace(fresh, decisions=kept), changed


def _apply(request: HttpRequest, form: Asked, planned: Plan, *, now: datetime) -> HttpResponse:
    if not request.user.has_perm(APPLY):
        raise PermissionDenied
    shown = _shown(request.POST.get("shown", ""))
    kept, changed = still_holds(shown, planned)
    number = len(shown) + len(planned.moves)
    if number > TYPED_ABOVE and request.POST.get("typed", "").strip() != str(number):
        told = f"Type {number} to carry out {number} rows."
        return _show(request, form, planned, now=now, typed_error=told)
    # A captured mail is a file; a mail server is the worker's to wait for.
    done = outreach.carry_out(kept, now=now, send=is_rehearsal())
    changed |= done.changed
    names = {row.key: f"{row.lead} {row.step}".strip() for row in planned.decisions}
    after = make(planned.kind, campaign=form.cleaned_data.get("campaign"), now=now)
    return _show(
        request,
        form,
        after,
        now=now,
        done=done,
        changed=[(names.get(key, key), cause) for key, cause in changed.items()],
    )


def _shown(text: str) -> dict[str, str]:
    try:
        shown = json.loads(text)
    except ValueError:
        return {}
    if not isinstance(shown, dict):
        return {}
    return {str(key): str(value) for key, value in shown.items()}
