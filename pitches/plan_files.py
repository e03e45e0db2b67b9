"""A plan on paper.

Written by ``--plan``, carried out by ``--apply``, and good for one database only.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core import signing
from django.utils.crypto import constant_time_compare

from config.models import Installation
from pitches import situations
from pitches.decisions import Decision, Field, Reason, Verdict, readable
from pitches.outreach import Plan

FORMAT = 1
SALT = "pitches.plan"


class PlanFileError(Exception):
    """This file cannot be carried out; the sentence says why and what to do."""


def write(plan: Plan, path: Path) -> None:
    """Store a plan so that exactly it can be carried out later. Raises PlanFileError."""
    content = {
        "format": FORMAT,
        "installation": Installation.current(),
        "send_mode": situations.mode().value,
        "kind": plan.kind,
        "now": plan.now.isoformat(),
        "totals": plan.report()["totals"],
        "ground": asdict(plan.ground),
        # as JSON will have them, or the signature would be over other words
        "moves": {str(task): lead for task, lead in plan.moves.items()},
        "campaign": plan.campaign,
        "most": plan.most,
        "decisions": [
            {**row.printed(), "numbers": _plain(row.numbers), "ids": row.ids}
            for row in plan.decisions
        ],
    }
    content["signature"] = _signature(content)
    try:
        path.write_text(
            json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
    except OSError as e:
        raise PlanFileError(f"{path} cannot be written: {e.strerror}") from e


def read(path: Path) -> Plan:
    """The plan in a file, if it is whole and was made over this database.

    Raises PlanFileError.
    """
    content = _content(path)
    if content.get("format") != FORMAT:
        raise PlanFileError(f"{path} is not a plan file of this version.")
    signature = content.pop("signature", "")
    if not constant_time_compare(_signature(content), ascii(signature)[1:-1]):
        raise PlanFileError(
            f"{path} was edited after it was written: make a new plan with --plan."
        )
    if content["installation"] != Installation.current():
        raise PlanFileError(
            f"{path} was made over another database: make a new plan with --plan."
        )
    if content["send_mode"] != situations.mode():
        raise PlanFileError(
            f"{path} was made in send mode {content['send_mode']}; "
            f"it is {situations.mode()} now."
        )
    return Plan(
        kind=content["kind"],
        now=datetime.fromisoformat(content["now"]),
        decisions=[_decision(row) for row in content["decisions"]],
        ground=Field(**content["ground"]),
        moves={int(task): lead for task, lead in content["moves"].items()},
        campaign=content["campaign"],
        most=content["most"],
    )


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise PlanFileError(f"{path} cannot be read: {e.strerror}") from e
    except (ValueError, RecursionError) as e:
        raise PlanFileError(f"{path} is not a plan file: it is no readable JSON.") from e
    if not isinstance(content, dict):
        raise PlanFileError(f"{path} is not a plan file.")
    return content


def _signature(content: dict[str, Any]) -> str:
    return signing.Signer(salt=SALT).signature(json.dumps(content, sort_keys=True))


def _plain(numbers: dict[str, Any]) -> dict[str, Any]:
    """Numbers as JSON can hold them, times as the sentence shows them."""
    keep = (str, int, float, bool, type(None))
    return {
        name: value if isinstance(value, keep) else readable(value)
        for name, value in numbers.items()
    }


def _decision(row: dict[str, Any]) -> Decision:
    row = dict(row)
    row.pop("sentence")
    for name in ("send_at", "not_before"):
        row[name] = datetime.fromisoformat(row[name]) if row[name] else None
    row["candidates"] = tuple(row["candidates"])
    row["verdict"], row["reason"] = Verdict(row["verdict"]), Reason[Reason(row["reason"]).name]
    return Decision(**row)


def compare(stored: Plan, fresh: Plan) -> tuple[Plan, dict[str, str]]:
    """What of a stored plan still holds, and what has changed since, with the cause.

    Only rows that were to be pitched or sent, and still are with the same people and words,
    are kept; they keep their stored times.
    """
    now = {row.key: row for row in fresh.decisions}
    kept, changed = [], {}
    for row in stored.decisions:
        cause = _what_changed(row, now.get(row.key))
        if cause:
            changed[row.key] = cause
        else:
            kept.append(row)
    for key in now.keys() - {row.key for row in stored.decisions}:
        # a plan that ended after so many leads never meant to name all of them
        if stored.most is None and now[key].verdict != Verdict.HOLD:
            changed[key] = "it came up after the plan was made and is not part of it"
    return replace(stored, decisions=kept), changed


def _what_changed(row: Decision, fresh: Decision | None) -> str:
    if fresh is None:
        return (
            ""
            if row.verdict == Verdict.HOLD
            else "it was done already, or its match, pitch or message is gone"
        )
    if row.verdict == Verdict.HOLD:
        return (
            ""
            if fresh.verdict == Verdict.HOLD
            else f"was held ({row.reason}), would be {fresh.verdict} now"
        )
    if fresh.verdict != row.verdict:
        return f"held now: {fresh.sentence}"
    for name in ("candidates", "contact", "sender", "subject", "body_sha256"):
        if getattr(fresh, name) != getattr(row, name):
            return f"its {name.replace('_', ' ')} changed"
    return ""
