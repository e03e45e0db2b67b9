"""Mail by Instantly's own mailboxes (developer.instantly.ai, API v2).

A first message is delegated: Instantly gets the person and our approved words, and sends them
when its campaign's turn comes. It tells by webhook that it did. A follow-up is a reply in that
thread and goes out at once. The campaign there has one step, ``{{subject}}`` and ``{{pitch}}``.
"""

from __future__ import annotations

from datetime import datetime
from html import escape
from typing import Any
from urllib.parse import urlencode

from pitches.channels import (
    ChannelError,
    Delegating,
    Letter,
    OutcomeUnknown,
    Receipt,
    Refused,
    Stopped,
    name_of_answer,
    options,
    over_http,
)
from pitches.models import IncomingMessage, Sender

API = "https://api.instantly.ai/api/v2"
# Why a 200 took nobody, by Instantly's counters, in its own order of asking.
WHY_NOT = {
    "in_blocklist": "the address is on its block list",
    "invalid_email_count": "it takes the address for invalid",
    "duplicated_leads": "the person is in the campaign already",
    "duplicate_email_count": "the person is in the campaign already",
    "skipped_count": "the person is in the campaign already",
    "incomplete_count": "something of the person is missing",
}
HARD = "invalid_email_count"
# A campaign that is not there is a fault of the set-up: no message of this sender would go.
OURS = frozenset({401, 402, 403, 404})
# lead.status: what it says of a mail that we want back.
ACTIVE, PAUSED, COMPLETED, BOUNCED, UNSUBSCRIBED, SKIPPED = 1, 2, 3, -1, -2, -3


class InstantlyChannel(Delegating):
    """One workspace and campaign of Instantly."""

    asks_for_answers = True

    @classmethod
    def missing(cls, sender: Sender) -> str:
        return options.problem(sender)

    def open(self, letter: Letter) -> None:
        """Only what is set is looked at: every request to Instantly stands for itself."""
        self._given()

    def hand_over(self, letter: Letter, *, now: datetime) -> Receipt:
        if letter.thread:
            return self._reply(letter, now=now)
        return self._delegate(letter, now=now)

    def look_up(
        self, letter: Letter, *, since: datetime, now: datetime
    ) -> Receipt | Refused | None:
        """Whether the campaign has the person; for a follow-up, whether the thread has it.

        That the person is not there proves that nothing was delegated.
        """
        if letter.thread:
            return self._sent_since(letter, since=since, now=now)
        found = self._lead(letter.recipient, now=now)
        if found is None:
            return Refused("Instantly's campaign does not have the person")
        return Receipt("Instantly has the person", 200, str(found["id"]), delegated=True)

    def has_answer(self, letter: Letter, *, since: datetime, now: datetime) -> bool:
        """Any mail of the person in the campaign, whenever it came, that is not kept here."""
        mails = self._mails(letter.recipient, kind="received", now=now)
        names = {name_of_answer(str(row.get("id") or "")) for row in mails}
        kept = IncomingMessage.objects.filter(
            sender__transport=Sender.Transport.INSTANTLY, message_id__in=names
        )
        return bool(names.difference(kept.values_list("message_id", flat=True)))

    def ask_back(self, recipient: str, *, for_ever: bool, now: datetime) -> None:
        """The block list holds for every campaign of the workspace; else the person leaves
        this one."""
        if for_ever:
            self._call("POST", "block-lists-entries", {"bl_value": recipient}, now=now)
        found = self._lead(recipient, now=now)
        if found is not None and found.get("status") not in (COMPLETED, BOUNCED):
            self._call("DELETE", f"leads/{found['id']}", None, now=now)

    def stopped(self, recipient: str, *, now: datetime) -> Stopped | None:
        found = self._lead(recipient, now=now)
        if found is None or found.get("status") in (COMPLETED, BOUNCED):
            mails = self._mails(recipient, kind="sent", now=now)
            return Stopped(bool(mails), str(mails[0].get("id", "")) if mails else "")
        if found.get("status") in (PAUSED, UNSUBSCRIBED, SKIPPED):
            return Stopped(was_sent=False)
        return None

    def back_out(self) -> None:
        """Nothing was begun."""

    def close(self) -> None:
        """Nothing is held open."""

    # -- handing over --------------------------------------------------------------------------

    def _delegate(self, letter: Letter, *, now: datetime) -> Receipt:
        given = self._given()
        (to,) = letter.mail["To"].addresses
        lead = {
            "email": letter.recipient,
            "first_name": to.display_name.split(" ")[0] or None,
            "custom_variables": {
                "subject": letter.subject,
                "pitch": letter.html or as_html(letter.text),
                "overture_id": letter.message_id,
            },
        }
        body = {
            "campaign_id": given["campaign_id"],
            "skip_if_in_campaign": True,
            "leads": [lead],
        }
        answer = self._deliver("leads/add", body, given, now=now)
        made = answer.get("created_leads")
        if answer.get("leads_uploaded") == 1 and isinstance(made, list) and made:
            return Receipt("Instantly: taken over", 200, str(made[0].get("id")), delegated=True)
        if answer.get("leads_uploaded") == 0:
            raise _refusal(answer)
        raise OutcomeUnknown("an answer nobody can read")

    def _reply(self, letter: Letter, *, now: datetime) -> Receipt:
        given = self._given()
        body = {
            "eaccount": self.sender.address,
            "reply_to_uuid": letter.thread,
            "subject": letter.subject,
            "body": {"html": letter.html or as_html(letter.text), "text": letter.text},
        }
        answer = self._deliver("emails/reply", body, given, now=now)
        name = answer.get("id")
        if not isinstance(name, str) or not name:
            raise OutcomeUnknown("an answer nobody can read")
        return Receipt("Instantly: sent", 200, name)

    def _deliver(
        self, path: str, body: dict[str, Any], given: dict[str, str], *, now: datetime
    ) -> dict[str, Any]:
        answer = over_http.send(
            f"{API}/{path}",
            now=now,
            body=body,
            headers=_login(given),
            secrets=given.values(),
            ours=OURS if path == "leads/add" else over_http.OURS,
        )
        found = answer.json()
        if not isinstance(found, dict):
            raise OutcomeUnknown(f"{answer.status}, and an answer nobody can read")
        return found

    # -- reading back --------------------------------------------------------------------------

    def _lead(self, recipient: str, *, now: datetime) -> dict[str, Any] | None:
        wanted = {
            "campaign": self._given()["campaign_id"],
            "contacts": [recipient],
            "limit": 10,
        }
        for row in _items(self._call("POST", "leads/list", wanted, now=now)):
            if str(row.get("email", "")).lower() == recipient.lower():
                return row
        return None

    def _mails(self, recipient: str, *, kind: str, now: datetime) -> list[dict[str, Any]]:
        given = self._given()
        query = urlencode(
            {
                "email_type": kind,
                "campaign_id": given["campaign_id"],
                "lead": recipient,
                "limit": 100,
            }
        )
        return _items(self._call("GET", f"emails?{query}", None, now=now))

    def _sent_since(self, letter: Letter, *, since: datetime, now: datetime) -> Receipt | None:
        for row in self._mails(letter.recipient, kind="sent", now=now):
            if row.get("subject") == letter.subject and _made(row) >= since.isoformat()[:19]:
                return Receipt("Instantly has it among the sent", 200, str(row.get("id")))
        return None

    def _call(self, method: str, path: str, body: Any, *, now: datetime) -> Any:
        given = self._given()
        return over_http.look(
            method,
            f"{API}/{path}",
            now=now,
            body=body,
            headers=_login(given),
            secrets=given.values(),
        )

    def _given(self) -> dict[str, str]:
        try:
            return options.read(self.sender)
        except options.OptionsError as e:
            raise ChannelError(str(e), permanent=True, of_mailbox=True) from e


def as_html(text: str) -> str:
    """Plain words as Instantly shows them: it keeps line breaks only as ``<br/>``."""
    return escape(text).replace("\n", "<br/>")


def _login(given: dict[str, str]) -> dict[str, str]:
    return {"Authorization": f"Bearer {given['api_key']}"}


def _refusal(answer: dict[str, Any]) -> ChannelError:
    for counter, why in WHY_NOT.items():
        if answer.get(counter):
            return ChannelError(
                f"Instantly took nobody: {why}",
                permanent=True,
                hard=counter == HARD,
                code=200,
            )
    if answer.get("remaining_in_plan") == 0:
        return ChannelError(
            "Instantly took nobody: its plan is used up", permanent=True, of_mailbox=True
        )
    return ChannelError("Instantly took nobody and does not say why", permanent=True, code=200)


def _items(found: Any) -> list[dict[str, Any]]:
    rows = found.get("items") if isinstance(found, dict) else None
    if not isinstance(rows, list):
        raise ChannelError("an answer of Instantly that nobody can read", of_mailbox=True)
    return [row for row in rows if isinstance(row, dict)]


def _made(row: dict[str, Any]) -> str:
    return str(row.get("timestamp_created") or row.get("timestamp_email") or "")
