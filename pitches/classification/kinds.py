"""What a mail is and what a person wants with it: one reading of it, from headers to intent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.message import EmailMessage

from pitches.classification import absences, intents, reports
from pitches.classification.reading import (
    body_text,
    header,
    parts,
    raw_header,
    received_at,
    written_by,
)
from pitches.classification.replies import written_by_person
from pitches.models import IncomingMessage

# Stands on everything they classified. Changed with every change of what they find.
RULES = "rules 2"

_KINDS = IncomingMessage.Kind
_INTENTS = IncomingMessage.Intent


_FOR_EVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Classification:
    """What is known of one mail.

    Of a bounce or delay, ``bounce_kind`` is hard, soft, policy or ours, ``bounce_status`` is
    as ``5.1.1`` and ``bounce_recipients`` are the addresses that failed or wait; of a
    complaint they are those that complained. ``original_ids`` are the Message-IDs of the mail
    a report is about: a report none of whose ids is ours may be forged, and it is for the
    caller to ignore it (LAW-20). ``returns_on`` is the day an absent person says they are
    back. ``feedback_type`` is RFC 5965's word.
    """

    kind: str
    intent: str = ""
    from_address: str = ""
    from_name: str = ""
    text: str = ""
    reply_text: str = ""
    bounce_kind: str = ""
    bounce_status: str = ""
    bounce_recipients: tuple[str, ...] = ()
    original_ids: tuple[str, ...] = ()
    returns_on: date | None = None
    feedback_type: str = ""

    @property
    def complaint(self) -> tuple[str, ...]:
        """Who complained, where the report names them."""
        return self.bounce_recipients if self.kind == _KINDS.COMPLAINT else ()


def classify(
    mail: EmailMessage, *, own: set[str], now: datetime | None = None
) -> Classification:
    """What kind of message this is, and what a person wants with it (REL-19, C43).

    ``own`` are the addresses of our mailboxes, in small letters. ``now`` stands for a missing
    date of the mail; without either, "until Friday" is no day. Never raises for a broken
    mail, and takes time that its size bounds.
    """
    name, address = written_by(mail)
    text = body_text(mail)
    if address in own:
        return Classification(_KINDS.OWN, "", address, name, text)
    report = reports.read(mail)
    if report is not None:
        return Classification(
            report.kind,
            from_address=address,
            from_name=name,
            text=text,
            bounce_kind=report.bounce_kind,
            bounce_status=report.status[:12],
            bounce_recipients=report.recipients,
            original_ids=report.original_ids,
            feedback_type=report.feedback_type,
        )
    written = written_by_person(text)
    kind, returns_on = _kind(mail, address, written, now)
    if kind == _KINDS.OUT_OF_OFFICE:
        intent: str = _INTENTS.OUT_OF_OFFICE
    elif kind == _KINDS.HUMAN_REPLY:
        intent = _INTENTS.MEETING_BOOKED if _is_invitation(mail) else intents.intent_of(written)
    else:
        intent = ""
    if intent == _INTENTS.UNSUBSCRIBE:
        kind = _KINDS.UNSUBSCRIBE
    return Classification(kind, intent, address, name, text, written, returns_on=returns_on)


def _kind(
    mail: EmailMessage, address: str, written: str, now: datetime | None
) -> tuple[str, date | None]:
    subject = header(mail, "Subject")
    is_automatic = _is_automatic(mail, address)
    day = received_at(mail, now=now or _FOR_EVER)
    if absences.is_note(subject, written, is_automatic=is_automatic):
        back = (
            absences.returns_on(subject, written, written=day.date())
            if day != _FOR_EVER
            else None
        )
        # Unmarked, and neither its subject nor a day speaks for a program: a person.
        is_sure = is_automatic or back is not None or absences.is_by_program(subject)
        if is_sure and (is_automatic or _is_nothing_but_a_note(subject, written)):
            return _KINDS.OUT_OF_OFFICE, back
    return (_KINDS.AUTOMATIC if is_automatic else _KINDS.HUMAN_REPLY), None


def _is_nothing_but_a_note(subject: str, written: str) -> bool:
    """Of mail that no header marks: a person who also answers has answered."""
    said = intents.intent_of(written)
    return said in {_INTENTS.OTHER, _INTENTS.WRONG_PERSON} or (
        absences.is_by_program(subject) and said != _INTENTS.UNSUBSCRIBE
    )


# -- by a program ------------------------------------------------------------------------------

_ROBOT = re.compile(
    r"^(no-?_?\.?reply|do-?_?not-?_?reply|donotreply|notifications?|notify|alerts?|automat\w*|"
    r"auto-?(reply|responder|confirm)|bot|newsletter|news|updates|nicht-?antworten|"
    r"owner-.*|.*-(bounces|request|admin|owner)|ne-?pas-?repondre|no-?responder|"
    r"non-?rispondere|calendar-notification|jira|system)"
    r"([+._=-].*)?$",
    re.IGNORECASE,
)
_MARKS = (
    "X-Autoreply",
    "X-Autorespond",
    "X-Autoresponder",
    "X-Autogenerated",
    "X-Auto-Reply-From",
)
_LISTS = ("List-Id", "List-Unsubscribe", "Feedback-ID", "X-Campaign", "X-Mailgun-Tag-Campaign")
_RECEIPT = re.compile(
    r"^\W*((re|aw|sv|tr):\s*)?(read|not read|gelesen|ungelesen|lu|non lu|leído|letto|gelezen|"
    r"lida|"
    r"läst|læst|přečteno)\s*:|"
    r"(ticket|case|request|anfrage|vorgang|demande|solicitud|richiesta) ?(id|no\.?|nr\.?|"
    r"number)?\W{0,3}"
    r"[#\[(]?\w{0,6}-?\d{3,}.{0,60}(received|created|opened|eingegangen|reçue|recibid|ricevut)|"
    r"^\W*(we('ve| have) received your|thank you for (contacting|your (enquiry|inquiry|"
    r"request|submission))|"
    r"thanks for (contacting|reaching out to)|your (request|message|enquiry|inquiry) (has "
    r"been|was) "
    r"(received|created)|(auto|automatic)[ -]?(confirmation|acknowledg)|eingangsbestätigung|"
    r"accusé de réception|acuse de recibo|conferma di ricezione|ontvangstbevestiging)",
    re.IGNORECASE,
)


def _is_automatic(mail: EmailMessage, address: str) -> bool:
    """RFC 3834, and the headers in use beside it.

    ``X-Auto-Response-Suppress`` alone says nothing: Outlook and help desks set it on what
    people write. A list's header on an answer to a mail says that the answer came through a
    group's address.
    """
    submitted = header(mail, "Auto-Submitted").lower()
    precedence = header(mail, "Precedence").lower()
    is_answer = bool(raw_header(mail, "In-Reply-To") or raw_header(mail, "References"))
    return (
        (bool(submitted) and not submitted.startswith("no"))
        or precedence in {"auto_reply", "auto-reply", "bulk", "junk"}
        or any(raw_header(mail, name) for name in _MARKS)
        or raw_header(mail, "X-Auto-Response-Type").strip() != ""
        or (
            not is_answer and (precedence == "list" or any(raw_header(mail, n) for n in _LISTS))
        )
        or raw_header(mail, "Return-Path").strip() == "<>"
        or bool(_ROBOT.match(address.partition("@")[0]))
        or bool(_RECEIPT.search(header(mail, "Subject")))
        or (not is_answer and _holds_a_copy(mail))
    )


_COPY = re.compile(r"^[ \t>]*(received: from |return-path: ?<)", re.IGNORECASE | re.MULTILINE)
_PASSED_ON = re.compile(r"^\W*(re|aw|fwd?|wg|tr|rv|sv|vs|i)\s*:", re.IGNORECASE)


def _holds_a_copy(mail: EmailMessage) -> bool:
    """Whether it hands back a mail with the lines of its way; people do that under "Fwd:"."""
    return bool(_COPY.search(body_text(mail))) and not _PASSED_ON.match(header(mail, "Subject"))


def _is_invitation(mail: EmailMessage) -> bool:
    """An invitation of theirs, or their yes to ours (RFC 5546)."""
    for part in parts(mail):
        if part.get_content_type() != "text/calendar":
            continue
        text = str(part.get_payload(decode=True) or b"")[:20_000].upper()
        method = str(part.get_param("method", "") or "").upper()
        if method == "REQUEST" or "METHOD:REQUEST" in text:
            return True
        if "PARTSTAT=ACCEPTED" in text:
            return True
    return False
