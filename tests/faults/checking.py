"""The invariants of sending, held over rows, journal and what the server says it accepted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from email import message_from_string, policy
from pathlib import Path
from typing import Any

from pitches import journal
from pitches.models import Message, Stop
from tests.faults.rig import Rig, open_rows

GONE = {"sent", "unknown", "assumed_sent", "handing", "delegated"}


def violations(rig: Rig, *, cap: int | None = None, lost: Iterable[int] = ()) -> list[str]:
    """Every breach of I1 to I6, in words; an empty list is what a test wants.

    ``cap`` is the most new messages that an organization may have had in the time of this
    experiment; ``lost`` are the messages it began with, none of which may be missing.
    """
    accepted = [line for line in rig.sink.accepted()]
    rows = {row.message_id: row for row in _rows()}
    return [
        *never_twice(accepted),
        *never_lost(lost),
        *told_as_it_is(rows, accepted),
        *(within_the_limit(rows, accepted, cap) if cap else []),
        *nothing_after_a_stop(),
        *words_as_approved(rows, accepted),
        *known_to_the_journal(accepted, rig.journal),
    ]


def _rows() -> Iterable[Message]:
    return Message.objects.select_related("pitch__lead", "pitch__address")


def never_twice(accepted: list[dict[str, Any]]) -> list[str]:
    """I1: a Message-ID was accepted once at most."""
    counts = Counter(line["message_id"] for line in accepted)
    return [f"{name} was accepted {times} times" for name, times in counts.items() if times > 1]


def never_lost(expected: Iterable[int]) -> list[str]:
    """I2: every message is there and settled, or held back for a reason."""
    expected = set(expected)
    found = set(Message.objects.filter(pk__in=expected).values_list("pk", flat=True))
    lost = [f"message {pk} is gone" for pk in sorted(expected - found)]
    stuck = [f"message {row.pk} is still {row.status}" for row in open_rows()]
    odd = Message.objects.filter(pk__in=expected, status="queued", hold_reason="")
    return [*lost, *stuck, *(f"message {row.pk} waits for no reason" for row in odd)]


def told_as_it_is(rows: dict[str, Message], accepted: list[dict[str, Any]]) -> list[str]:
    """I3: sent was accepted, and what was accepted is never told otherwise."""
    names = {line["message_id"] for line in accepted}
    wrong = [f"{name} was accepted and belongs to nobody" for name in names - rows.keys()]
    for name, row in rows.items():
        if row.status == "sent" and row.number == _number_under_test(row) and name not in names:
            wrong.append(f"{name} is called sent and was not accepted")
        if row.status not in GONE and name in names:
            wrong.append(f"{name} was accepted and is called {row.status}")
        if row.status == "sent" and not row.receipt:
            wrong.append(f"{name} is called sent without a receipt")
        if row.status in GONE and row.counted_at is None:
            wrong.append(f"{name} is {row.status} and takes no slot")
    return wrong


def _number_under_test(row: Message) -> int | None:
    """The first message of an older pitch went out before the experiment."""
    before = row.handed_at is not None and row.handed_at < row.created_at - timedelta(days=2)
    return None if before else row.number


def within_the_limit(
    rows: dict[str, Message], accepted: list[dict[str, Any]], cap: int
) -> list[str]:
    """I4: by the server's count and by the ledger's, no organization had more."""
    server = Counter(
        rows[line["message_id"]].pitch.lead.organization_id
        for line in accepted
        if line["message_id"] in rows
    )
    ledger = Counter(row.pitch.lead.organization_id for row in rows.values() if row.counted_at)
    return [
        f"organization {organization} had {count} of {cap} by the {who}"
        for who, counts in (("server", server), ("ledger", ledger))
        for organization, count in counts.items()
        if count > cap
    ]


def nothing_after_a_stop() -> list[str]:
    """I5: nothing passed the gate after its person was stopped, by one clock."""
    wrong = []
    for stop in Stop.objects.filter(contact__isnull=False, lifted_at__isnull=True):
        late = Message.objects.filter(
            pitch__address__contact=stop.contact, handed_at__gt=stop.begins_at
        )
        if stop.client_id:
            late = late.filter(pitch__campaign__client=stop.client_id)
        wrong += [f"message {row.pk} was handed over after its stop" for row in late]
    return wrong


def words_as_approved(rows: dict[str, Message], accepted: list[dict[str, Any]]) -> list[str]:
    """I6: to whom it was approved, in the words that were approved."""
    wrong = []
    for line in accepted:
        row = rows.get(line["message_id"])
        if row is None:
            continue
        mail = message_from_string(line["raw"], policy=policy.SMTP)
        part = mail.get_body(("plain",))
        text = part.get_content().replace("\r\n", "\n") if part else ""
        if line["recipient"] != row.to_address:
            wrong.append(f"{row.message_id} went to {line['recipient']}")
        as_approved = str(mail["Subject"]) == row.subject and text.startswith(row.body)
        if not as_approved:
            wrong.append(f"{row.message_id} went out in other words")
    return wrong


def known_to_the_journal(accepted: list[dict[str, Any]], folder: Path) -> list[str]:
    """Nothing was handed over without an intent on disk."""
    intents = {
        line["message_id"]
        for line in journal.lines(folder=folder)
        if line["phase"] == journal.INTENT
    }
    return [
        f"{line['message_id']} went out without an intent"
        for line in accepted
        if line["message_id"] not in intents
    ]
